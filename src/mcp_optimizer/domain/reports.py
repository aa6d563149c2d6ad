"""What an ingestion or a change by hand did, or in a dry run would do. The command line prints these values and the
terminal UI shows them."""

from collections.abc import Iterable, Sequence
from enum import StrEnum

from mcp_optimizer.domain.loss import Loss
from mcp_optimizer.domain.models import ItemProblem, Value
from mcp_optimizer.domain.tools.definitions import DefinitionChange


class DuplicateReport(Value):
    """An identity that several names claim (C4)."""

    identity: str
    names: tuple[str, ...]
    chosen: str | None = None
    """The name that a person chose, where one did: then it is settled (M3)."""


MAX_NAMED = 50
"""Of more names than this the rest is only counted."""
_ALIKE = 3
"""Problems with one reason beyond this number are told as one."""


class ProblemGroup(Value):
    """Problems that have one reason: all their names, in the order of the catalog."""

    reason: str
    names: tuple[str, ...]

    @property
    def subject(self) -> str:
        """Whose problem it is, in few words: the one name, or their number."""
        return self.names[0] if len(self.names) == 1 else f"{len(self.names):,} entries"

    def told(self, most: int = 3) -> str:
        """The reason; of several, with the first names."""
        return self.reason if len(self.names) == 1 else f"{self.reason}: {listed_names(self.names, most)}"


def group_problems(problems: Iterable[ItemProblem]) -> tuple[ProblemGroup, ...]:
    """Problems by reason: the many alike as one, others one by one, all where the first of them stands."""
    by_reason: dict[str, list[str]] = {}
    for problem in problems:
        by_reason.setdefault(problem.reason, []).append(problem.name)
    return tuple(
        ProblemGroup(reason=reason, names=names)
        for reason, alike in by_reason.items()
        for names in ([tuple(alike)] if len(alike) > _ALIKE else [(name,) for name in alike])
    )


def listed_names(names: Sequence[str], most: int = MAX_NAMED) -> str:
    """Names in one line, those beyond ``most`` counted."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


class RegistryReport(Value):
    """The registry half of an ingestion. Every entry is in exactly one of the first counts, or in a list."""

    added: int = 0
    updated: int = 0
    renamed: int = 0
    retagged: int = 0
    removed: int = 0
    unchanged: int = 0
    duplicates: tuple[DuplicateReport, ...] = ()
    skipped: tuple[ItemProblem, ...] = ()
    skipped_by_reason: tuple[ProblemGroup, ...] = ()
    """The same, the many that have one reason as one."""
    removed_names: tuple[str, ...] = ()
    """The entries that left the catalog."""
    unlinked: tuple[str, ...] = ()
    """Workloads that inherited from one of them and are autonomous now (C3, L4)."""
    admitted: tuple[str, ...] = ()
    """Rejected workloads that are taken in, as the catalog names their identity once now (M2)."""
    complete: bool = True
    """False: the catalog could not be read whole, so nothing was deleted (C6)."""

    @property
    def unresolved(self) -> tuple[DuplicateReport, ...]:
        """The duplicates that no one has settled."""
        return tuple(duplicate for duplicate in self.duplicates if duplicate.chosen not in duplicate.names)


class WorkloadReport(Value):
    """The workload half of an ingestion.

    ``linked``, ``autonomous`` and ``unidentified`` count all workloads that have a row after it.
    """

    added: int = 0
    updated: int = 0
    removed: int = 0
    unchanged: int = 0
    linked: int = 0
    autonomous: int = 0
    unidentified: int = 0
    rejected: tuple[ItemProblem, ...] = ()
    failed: tuple[ItemProblem, ...] = ()
    complete: bool = True
    """False: the listing was not whole, so nothing was deleted (L9)."""
    pending: tuple[str, ...] = ()
    """Workloads whose MCP servers are still being asked for their tools; a run of its own stores these."""


_NOT_COUNTED = frozenset({"complete", "linked", "autonomous", "unidentified", "skipped_by_reason", "removed_names"})
"""What the one line of a report leaves out."""


def _open_duplicates(report: RegistryReport | WorkloadReport) -> dict[str, int]:
    """Of duplicates only those count that no one has resolved (M2)."""
    return {"duplicates": len(report.unresolved)} if isinstance(report, RegistryReport) else {}


class IngestReport(Value):
    """One ingestion. A half that was not ingested is None."""

    registry: RegistryReport | None = None
    workloads: WorkloadReport | None = None
    embedded_texts: int = 0
    seconds: float = 0.0
    source: str = ""
    dry_run: bool = False
    unread: tuple[ItemProblem, ...] = ()
    """Halves (``registry``, ``workloads``) that the source could not give, with the reason; the other was ingested."""
    loss: Loss | None = None
    """What it takes away; None where that is nothing (C9)."""

    @property
    def partial(self) -> bool:
        """Whether some item was rejected, skipped or failed, or a source was not read whole (exit code 3)."""
        registry, workloads = self.registry, self.workloads
        return bool(
            self.unread
            or (registry and (registry.unresolved or registry.skipped or not registry.complete))
            or (workloads and (workloads.rejected or workloads.failed or not workloads.complete))
        )

    @property
    def summary(self) -> str:
        """The report in one line."""
        parts: list[str] = []
        for half, report in (("registry", self.registry), ("workloads", self.workloads)):
            if report is None:
                continue
            counts = {
                name: value if isinstance(value, int) else len(value)
                for name, value in {**dict(report), **_open_duplicates(report)}.items()
                if name not in _NOT_COUNTED
            }
            text = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
            parts.append(f"{half}: {text or 'nothing'}" + ("" if report.complete else " (incomplete)"))
        parts += [f"{half.name}: not read ({half.reason})" for half in self.unread]
        return "; ".join(parts) or "nothing ingested"


class IngestPart(StrEnum):
    """What is ingested. Registry first, where both are (L3)."""

    REGISTRY = "registry"
    WORKLOADS = "workloads"
    ALL = "all"


class IngestPhase(StrEnum):
    """Where an ingestion is."""

    FETCH = "fetching"
    TOOLS = "listing tools"
    PLAN = "planning"
    EMBED = "embedding"
    WRITE = "writing"
    DONE = "done"


class IngestProgress(Value):
    """Progress of an ingestion. ``total`` is 0 while it is not known."""

    phase: IngestPhase
    done: int = 0
    total: int = 0
    detail: str = ""


class DeletionReport(Value):
    """What a deletion did, or would do. Nothing is deleted elsewhere: what a source still lists comes back (L10)."""

    entity: str
    """``registry`` or ``workload``."""
    deleted: tuple[str, ...] = ()
    unlinked: tuple[str, ...] = ()
    """Workloads that lose their registry server and become autonomous (L4)."""
    tools: int = 0
    """Tools that are deleted along."""
    reembedded_texts: int = 0
    dry_run: bool = False


class CheckFinding(Value):
    """One thing that ``db check`` or ``doctor`` looked at. ``remedy`` says what to do when it is not ok."""

    name: str
    ok: bool
    detail: str
    remedy: str | None = None


class CheckReport(Value):
    """Everything that was looked at."""

    findings: tuple[CheckFinding, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return all(finding.ok for finding in self.findings)


class LinkReport(Value):
    """One workload and the registry server it is, or would be, tied to."""

    workload: str
    registry_server: str
    before: str | None = None
    """The registry server it was tied to before."""


class RelationReport(Value):
    """What a re-match, link or unlink did, or would do."""

    linked: tuple[LinkReport, ...] = ()
    unlinked: tuple[str, ...] = ()
    unchanged: tuple[ItemProblem, ...] = ()
    """Workloads that stay as they are, each with the reason."""
    rejected: tuple[ItemProblem, ...] = ()
    reembedded_texts: int = 0
    dry_run: bool = False

    @property
    def partial(self) -> bool:
        """Whether some workload was rejected (exit code 3)."""
        return bool(self.rejected)


class ResolutionReport(Value):
    """What choosing among the entries that claim an identity did, or would do (M3)."""

    identity: str
    chosen: str
    names: tuple[str, ...]
    renamed_from: str | None = None
    """The name that stood for the identity before, when another was chosen."""
    context_renamed: tuple[str, ...] = ()
    """Linked workloads whose context name, and so their tools' embeddings, follow."""
    waiting: tuple[str, ...] = ()
    """Rejected workloads that waited for this choice."""
    admitted: tuple[str, ...] = ()
    """Those of them that are taken in at once (M2); others come in with the next ingestion of workloads."""
    reembedded_texts: int = 0
    dry_run: bool = False

    @property
    def left_waiting(self) -> tuple[str, ...]:
        """Workloads that the next ingestion of workloads takes in."""
        return tuple(name for name in self.waiting if name not in self.admitted)


class AcceptReport(Value):
    """What accepting changed tool definitions did, or would do: what they say now counts as first seen."""

    workload: str
    accepted: tuple[DefinitionChange, ...] = ()
    dry_run: bool = False


class InstallReport(Value):
    """A server of the registry that ToolHive was asked to run."""

    workload: str
    """The workload that it is, or will be."""
    said: str
    """What was done, as a sentence."""
    running: bool = False
    """Whether it ran already."""


class SnapshotReport(Value):
    """What was exported."""

    file: str
    registry_servers: int = 0
    workloads: int = 0
    tools: int = 0
