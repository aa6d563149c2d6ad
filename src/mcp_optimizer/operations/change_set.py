"""Everything that one transaction writes, as one value: rows, what is noted beside them, and the run (L12)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from mcp_optimizer.db.embedding_cache import Embedded
from mcp_optimizer.db.logs.change_log import Logged
from mcp_optimizer.db.logs.problems import Problem
from mcp_optimizer.db.store import StoredState
from mcp_optimizer.domain.lifecycle import RelationChange, WorkloadChange, finalize
from mcp_optimizer.domain.masked_identities import Unmasking
from mcp_optimizer.domain.models import Alias, CatalogEntry, Identity, RegistryServer, StoredTool, Workload
from mcp_optimizer.domain.reconcile import EntryPlan
from mcp_optimizer.domain.reports import IngestReport
from mcp_optimizer.domain.tools.plan import ToolPlan
from mcp_optimizer.domain.tools.text import server_text


@dataclass(frozen=True)
class RegistryServerChange:
    """A registry server to be added or updated, with its tools."""

    plan: EntryPlan
    server: RegistryServer
    text: str
    tools: ToolPlan


@dataclass(frozen=True)
class WorkloadServerChange:
    """A workload to be added or updated, with its tools."""

    change: WorkloadChange
    tools: ToolPlan
    first: Sequence[StoredTool] = ()
    """Tools as they were first seen, whose definition this replaces or removes."""

    @property
    def texts(self) -> list[str]:
        """Every text whose vector it rests on: its tools', and the one that stands for it when it has none."""
        bare = not self.change.after.linked and not self.tools.tools
        return [toolless_text(self.change.after)] if bare else list(self.tools.texts.values())

    @property
    def needed_texts(self) -> list[str]:
        """The texts whose vectors are needed: of what changes; all, when its own embedding is their mean."""
        return self.tools.changed_texts if self.change.after.linked else self.texts

    @property
    def changes_nothing(self) -> bool:
        """Whether a listing that ended early brought nothing new; what else is planned is known to be a change."""
        partial, plan = self.change.tools_partial, self.tools
        same = not (plan.add or plan.update or plan.remove or self.change.relation)
        return partial and same and self.finalize(embedded=True) == self.change.before

    def finalize(self, *, embedded: bool) -> Workload:
        """The workload as it is stored; ``embedded`` false: some text could not be embedded."""
        return finalize(self.change, [tool.definition for tool in self.tools.tools], embedded=embedded)


@dataclass(frozen=True)
class RunRecord:
    """An ingestion for the log of runs; see ``db.run_log``."""

    id: str
    what: str
    source: str
    started_at: str
    seconds: float
    outcome: str
    report: IngestReport


@dataclass
class ChangeSet:
    """Everything one transaction will write, planned from the store as of change ``sequence``."""

    sequence: int
    cause: str
    registry: list[RegistryServerChange] = field(default_factory=list)
    registry_removed: list[RegistryServer] = field(default_factory=list)
    workloads: list[WorkloadServerChange] = field(default_factory=list)
    workloads_removed: list[Workload] = field(default_factory=list)
    notes_before: list[Logged] = field(default_factory=list)
    """Lines for the change log that no row asks for, ahead of those of workloads."""
    notes: list[Logged] = field(default_factory=list)
    """Such lines that follow those of workloads."""
    resolutions: list[tuple[Identity, str]] = field(default_factory=list)
    aliases: list[Alias] = field(default_factory=list)
    reclaimed: list[RegistryServer] = field(default_factory=list)
    """Registry servers of which only the claim changes (C7)."""
    unmaskings: list[Unmasking] = field(default_factory=list)
    """Identities that an earlier version had masked, to be stored whole."""
    claims: Sequence[CatalogEntry] | None = None
    """What is recorded of entries that share an identity; None: it stays."""
    problems_opened: list[Problem] = field(default_factory=list)
    problems_closed: list[Problem] = field(default_factory=list)
    accepted: dict[str, set[str]] = field(default_factory=dict)
    """Tools, by workload, whose present definition counts as first seen from now on."""
    run: RunRecord | None = None
    embedded: Embedded = field(default_factory=Embedded)

    def texts(self) -> list[str]:
        """Every text whose vector is needed."""
        target: list[str] = []
        for item in self.registry:
            target += [item.text, *item.tools.changed_texts]
        for write in self.workloads:
            target += write.needed_texts
        return target

    @property
    def changed_tools(self) -> int:
        """How many tools of workloads get a new embedding."""
        return sum(len(write.tools.add) + len(write.tools.update) for write in self.workloads)

    def applied_to(self, state: StoredState) -> StoredState:
        """What is stored after this change set, as far as matching asks for it."""
        registry = {row.id: row for row in (*state.registry, *self.reclaimed)}
        registry |= {item.server.id: item.server for item in self.registry}
        workloads = {row.id: row for row in state.workloads}
        workloads |= {write.change.after.id: write.finalize(embedded=True) for write in self.workloads}
        gone = {row.id for row in (*self.registry_removed, *self.workloads_removed)}
        chosen = {identity.key: name for identity, name in self.resolutions}
        return replace(
            state,
            registry=[row for key, row in registry.items() if key not in gone],
            workloads=[row for key, row in workloads.items() if key not in gone],
            claims=state.claims if self.claims is None else list(self.claims),
            aliases=[*state.aliases, *self.aliases],
            resolutions=state.resolutions | chosen,
        )

    def followed_by(self, later: "ChangeSet") -> "ChangeSet":
        """This and a ``later`` one that was planned from what this leads to, as one.

        Where both change a workload, the later change holds all of it; the relation it had in between is noted.
        One that this adds and the later one removes is never stored.
        """
        again = {write.change.after.id for write in later.workloads} | {row.id for row in later.workloads_removed}
        never = {row.id for row in later.workloads_removed} & {
            write.change.after.id for write in self.workloads if write.change.before is None
        }
        between = [write.change for write in self.workloads if write.change.after.id in again - never]
        relations = relation_lines((change.after, change.relation) for change in between if change.relation is not None)
        settled = [note for note in self.notes if note.id in again]
        return replace(
            self,
            workloads=[write for write in self.workloads if write.change.after.id not in again] + later.workloads,
            workloads_removed=[
                *self.workloads_removed,
                *(row for row in later.workloads_removed if row.id not in never),
            ],
            notes_before=[*self.notes_before, *relations, *settled, *later.notes_before],
            notes=[*(note for note in self.notes if note.id not in again), *later.notes],
            unmaskings=[*self.unmaskings, *later.unmaskings],
            problems_opened=[*self.problems_opened, *later.problems_opened],
            problems_closed=[*self.problems_closed, *later.problems_closed],
        )

    @property
    def registry_failures(self) -> dict[str, str]:
        """Names of registry servers some of whose texts could not be embedded, with the reason."""
        return self._failures((item.server.name, (item.text, *item.tools.changed_texts)) for item in self.registry)

    @property
    def workload_failures(self) -> dict[str, str]:
        """Names of workloads some of whose texts could not be embedded, with the reason (L7)."""
        return self._failures((write.change.after.name, write.texts) for write in self.workloads)

    def _failures(self, texts_by_name: Iterable[tuple[str, Iterable[str]]]) -> dict[str, str]:
        failed = self.embedded.failed
        return {name: failed[text] for name, texts in texts_by_name for text in texts if text in failed}


def toolless_text(workload: Workload) -> str:
    """What stands for an autonomous workload without tools: there is no mean to take."""
    return server_text(name=workload.name, title="", description="", tags=())


def relation_lines(notes: Iterable[tuple[Workload, RelationChange]]) -> list[Logged]:
    """Changes of relation that change no row, for the change log: drift that came or went (L11)."""
    return [Logged("workload", row.id, row.name, note.operation, note.cause, note.detail) for row, note in notes]
