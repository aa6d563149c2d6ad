"""Relations changed by hand: re-match, link, unlink, resolve (L3, L5, M3). Each is planned first."""

from collections.abc import Callable, Collection, Sequence
from typing import Final

from mcp_optimizer.clock import Runtime
from mcp_optimizer.db.credential_key import sealer_of
from mcp_optimizer.db.store import Store, StoredState
from mcp_optimizer.domain.identity import IdentityError, identity_of
from mcp_optimizer.domain.lifecycle import (
    WorkloadChange,
    admit,
    become_autonomous,
    become_linked,
    follow_catalog,
    with_admitted,
)
from mcp_optimizer.domain.lookup import find_registry_server
from mcp_optimizer.domain.matching import RegistryIndex, match, rejection_reason
from mcp_optimizer.domain.models import (
    Catalog,
    Cause,
    Duplicate,
    IdentityKey,
    ItemProblem,
    Kind,
    ObservedWorkload,
    Relation,
    Workload,
)
from mcp_optimizer.domain.reconcile import CatalogPlan, duplicates_of, reconcile, rows_after
from mcp_optimizer.domain.reports import LinkReport, RelationReport, ResolutionReport
from mcp_optimizer.errors import AmbiguousError, NotFoundError, OptimizerError
from mcp_optimizer.operations.change_set import ChangeSet
from mcp_optimizer.operations.change_set_writer import ChangeSetWriter, retry_on_conflict

_BY_HAND: Final = frozenset({Cause.LINKED_BY_HAND, Cause.UNLINKED_BY_HAND})


class RelationEditor:
    """Changes relations because a person asked for it."""

    def __init__(self, store: Store, writer: ChangeSetWriter, runtime: Runtime) -> None:
        self._store = store
        self._writer = writer
        self._runtime = runtime

    async def rematch(self, names: Collection[str] | None, *, dry_run: bool) -> RelationReport:
        """Match these workloads again, or all (None). Matching only ever gives a relation; it takes none away (L1, L3).

        All leaves out what a person linked or unlinked: name such a workload to have it matched all the same.
        """

        def decide(state: StoredState) -> "RelationPlan":
            decisions = RelationPlan()
            index = state.index()
            for row in _named(state, names):
                decisions.rematch(row, index, by_name=names is not None, now=self._runtime.timestamp())
            return decisions

        return await self._applied(decide, dry_run=dry_run)

    async def link(self, name: str, registry_server: str, *, dry_run: bool) -> RelationReport:
        """Tie a workload to a registry server of its kind (L5). Raises NotFoundError, OptimizerError."""

        def decide(state: StoredState) -> "RelationPlan":
            (row,) = _named(state, [name])
            server = find_registry_server(state.registry, registry_server)
            if row.identity is None:
                raise OptimizerError(
                    f"{name} is unidentified, so it can't be linked: {row.identity_problem}",
                    remedy="have its source say what it is, then ingest workloads",
                )
            if server.identity.kind is not row.kind:
                raise OptimizerError(
                    f"{name} is a {row.kind} workload, {server.name} a {server.identity.kind} registry server",
                    remedy="link it to one of its own kind",
                )
            decisions = RelationPlan()
            if row.registry_server_id == server.id and row.relation_cause == Cause.LINKED_BY_HAND:
                decisions.stays(row, f"is linked to {server.name} by hand already")
            else:  # also where matching linked it: from now on a person has decided
                now = self._runtime.timestamp()
                decisions.add(become_linked(row, server, Cause.LINKED_BY_HAND, now=now))
            return decisions

        return await self._applied(decide, dry_run=dry_run)

    async def unlink(self, names: Collection[str], *, dry_run: bool) -> RelationReport:
        """Make workloads autonomous; they stay so until they are linked or re-matched by name (L5)."""

        def decide(state: StoredState) -> "RelationPlan":
            decisions = RelationPlan()
            for row in _named(state, names):
                if row.identity is None:
                    decisions.stays(row, f"is unidentified: {row.identity_problem}")
                elif row.relation_cause != Cause.UNLINKED_BY_HAND:  # also what is autonomous by itself: it is decided
                    now = self._runtime.timestamp()
                    decisions.add(become_autonomous(row, Cause.UNLINKED_BY_HAND, now=now))
                else:
                    decisions.stays(row, "is autonomous by hand already")
            return decisions

        return await self._applied(decide, dry_run=dry_run)

    async def _applied(self, decide: "Callable[[StoredState], RelationPlan]", *, dry_run: bool) -> RelationReport:
        async def attempt() -> RelationReport:
            async with self._store.database.reading() as connection:
                state = await self._store.state(connection)
                decisions = decide(state)
                change_set = await self._writer.prepare(
                    connection, state.sequence, "by-hand", changes=decisions.changes
                )
            report = decisions.report(change_set, dry_run=dry_run)
            if not dry_run and change_set.workloads:
                await self._write(change_set)
            return report

        return await retry_on_conflict(self._store.database, attempt)

    async def _write(self, change_set: ChangeSet) -> None:
        """Embed and apply. Raises ConflictError."""
        await self._writer.embed(change_set)
        await self._writer.apply(change_set)

    async def resolve(self, identity: str, name: str, *, dry_run: bool) -> ResolutionReport:
        """Choose the entry that counts among those that claim ``identity`` (M3). Its row takes the chosen entry's name
        and content at once; the choice is stored and outlives re-ingestion. Raises NotFoundError, AmbiguousError.
        """

        async def attempt() -> ResolutionReport:
            async with self._store.database.reading() as connection:
                state = await self._store.state(connection)
                spelled = (await sealer_of(connection)).url(identity) if "://" in identity else identity
                duplicate = _duplicate(state, spelled)
                if name not in duplicate.names:
                    names = ", ".join(duplicate.names)
                    raise NotFoundError(f"{name} does not claim {identity}", remedy=f"choose one of: {names}")
                chosen = next(
                    entry
                    for entry in state.claims
                    if entry.identity.key == duplicate.identity.key and entry.name == name
                )
                only = Catalog(source="by hand", entries=(chosen,), complete=False)
                rows = [row for row in state.registry if row.identity.key == duplicate.identity.key]
                plan = reconcile(only, rows, resolutions={duplicate.identity.key: name})
                now = self._runtime.timestamp()
                changes, _ = follow_catalog(plan, state.workloads, now=now)
                admitted = admit(
                    _of(state, duplicate),
                    state.workloads,
                    _resolved_index(state, plan, duplicate.identity.key, name),
                    new_id=self._runtime.new_id,
                    now=now,
                )
                change_set = await self._writer.prepare(
                    connection,
                    state.sequence,
                    "resolved",
                    entries=plan.entries,
                    changes=with_admitted(changes, admitted),
                )
            taken_in = {change.after.name for change in admitted}
            report = ResolutionReport(
                identity=duplicate.identity.raw,
                chosen=name,
                names=duplicate.names,
                renamed_from=next((row.name for row in rows if row.name != name), None),
                context_renamed=tuple(change.after.name for change in changes),
                waiting=tuple(item.name for item in _of(state, duplicate)),
                admitted=tuple(sorted(taken_in)),
                reembedded_texts=change_set.changed_tools,
                dry_run=dry_run,
            )
            if dry_run:
                return report
            change_set.aliases = list(plan.aliases)
            change_set.resolutions = [(duplicate.identity, name)]
            change_set.problems_closed = [
                problem
                for problem in state.problems
                if (problem.problem == "duplicate" and problem.name in duplicate.names
                and duplicate.identity.raw in problem.reason) or (problem.rejected and problem.name in taken_in)
            ]  # fmt: skip
            await self._write(change_set)
            return report

        return await retry_on_conflict(self._store.database, attempt)


class RelationPlan:
    """What is to become of each workload asked about."""

    def __init__(self) -> None:
        self.changes: list[WorkloadChange] = []
        self._unchanged: list[ItemProblem] = []
        self._rejected: list[ItemProblem] = []

    def add(self, change: WorkloadChange) -> None:
        """A workload changes."""
        self.changes.append(change)

    def stays(self, row: Workload, reason: str) -> None:
        """A workload stays as it is."""
        self._unchanged.append(ItemProblem(name=row.name, reason=reason))

    def rematch(self, row: Workload, index: RegistryIndex, *, by_name: bool, now: str) -> None:
        """What matching again gives a workload."""
        if row.identity is None:
            self.stays(row, f"is unidentified: {row.identity_problem}")
            return
        result = match(row.identity, index)
        if not by_name and row.relation_cause in _BY_HAND:
            self.stays(row, "a person decided; name it to have it matched again")
        elif result.verdict is Relation.REJECTED:
            reason = rejection_reason(row.identity, result.claimants)
            self._rejected.append(ItemProblem(name=row.name, reason=reason))
        elif result.server is None:
            cached = "keeps its link, though" if row.linked else "is autonomous, as"
            self.stays(row, f"{cached} nothing in the catalog has its identity")
        elif result.server.id == row.registry_server_id:
            self.stays(row, f"is linked to {result.server.name} already")
        else:
            self.add(become_linked(row, result.server, Cause.REMATCH, now=now))

    def report(self, change_set: ChangeSet, *, dry_run: bool) -> RelationReport:
        """The decisions as a report."""
        linked = [change for change in self.changes if change.after.linked]
        return RelationReport(
            linked=tuple(
                LinkReport(
                    workload=change.after.name,
                    registry_server=change.after.registry_server_name or "",
                    before=change.before.registry_server_name if change.before else None,
                )
                for change in linked
            ),
            unlinked=tuple(change.after.name for change in self.changes if not change.after.linked),
            unchanged=tuple(self._unchanged),
            rejected=tuple(self._rejected),
            reembedded_texts=change_set.changed_tools,
            dry_run=dry_run,
        )


def _named(state: StoredState, names: Collection[str] | None) -> Sequence[Workload]:
    """The workloads of these names, or all. Raises NotFoundError."""
    if names is None:
        return state.workloads
    rows = {row.name: row for row in state.workloads}
    unknown = sorted(set(names) - set(rows))
    if unknown:
        rejected = {problem.name for problem in state.problems if problem.problem == Relation.REJECTED}
        if rejected.issuperset(unknown):
            raise NotFoundError(
                f"{', '.join(unknown)} was rejected and is not stored",
                remedy="resolve the duplicate with `registry resolve`, then ingest workloads",
            )
        raise NotFoundError(f"no workload named {', '.join(unknown)}", remedy="`workload list` shows all")
    return [rows[name] for name in sorted(set(names))]


def _duplicate(state: StoredState, identity: str) -> Duplicate:
    """The duplicate of this identity, in any spelling. Raises NotFoundError, AmbiguousError."""
    keys = set()
    for kind in Kind:
        try:
            keys.add(identity_of(kind, identity).key)
        except IdentityError:
            continue
    results = [duplicate for duplicate in state.duplicates if duplicate.identity.key in keys]
    if len(results) > 1:
        raise AmbiguousError(f"{identity} is both a URL and an image that several entries claim")
    if not results:
        shared = ", ".join(duplicate.identity.raw for duplicate in state.duplicates) or "there are none"
        raise NotFoundError(f"{identity} is not a duplicate", remedy=f"shared identities: {shared}")
    return results[0]


def _of(state: StoredState, duplicate: Duplicate) -> list[ObservedWorkload]:
    """What was observed of rejected workloads of this identity."""
    return [item for item in state.rejected if item.identity and item.identity.key == duplicate.identity.key]


def _resolved_index(state: StoredState, plan: CatalogPlan, key: IdentityKey, name: str) -> RegistryIndex:
    """The catalog as it is once ``name`` is chosen for ``key``."""
    rows = {row.id: row for row in (*state.registry, *rows_after(plan))}
    return RegistryIndex(rows.values(), duplicates_of(state.claims, {**state.resolutions, key: name}))
