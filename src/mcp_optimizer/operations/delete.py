"""Deleting by hand. What would happen is a change set like any other: a dry run shows what a run does (L4, L10)."""

from collections.abc import Sequence
from typing import Final

from mcp_optimizer.clock import Runtime
from mcp_optimizer.db.logs.change_log import last_change
from mcp_optimizer.db.logs.problems import open_problems
from mcp_optimizer.db.store import Store
from mcp_optimizer.domain.lifecycle import admit, become_autonomous, with_admitted
from mcp_optimizer.domain.lookup import find_registry_server
from mcp_optimizer.domain.matching import RegistryIndex
from mcp_optimizer.domain.models import Cause, Relation
from mcp_optimizer.domain.reconcile import duplicates_of
from mcp_optimizer.domain.reports import DeletionReport
from mcp_optimizer.errors import NotFoundError
from mcp_optimizer.operations.change_set_writer import ChangeSetWriter, retry_on_conflict

_BY_HAND: Final = "deleted-by-hand"


class Deleter:
    """Deletes registry servers and workloads from this database, never from where they come from."""

    def __init__(self, store: Store, writer: ChangeSetWriter, runtime: Runtime) -> None:
        self._store = store
        self._writer = writer
        self._runtime = runtime

    async def registry_servers(self, names: Sequence[str], *, dry_run: bool) -> DeletionReport:
        """Delete registry servers; the workloads linked to them become autonomous in the same transaction (L4)."""
        return await retry_on_conflict(self._store.database, lambda: self._registry_servers(names, dry_run=dry_run))

    async def workloads(self, names: Sequence[str], *, dry_run: bool) -> DeletionReport:
        """Delete workloads, and what is recorded of rejected ones (L10)."""
        return await retry_on_conflict(self._store.database, lambda: self._workloads(names, dry_run=dry_run))

    async def _registry_servers(self, names: Sequence[str], *, dry_run: bool) -> DeletionReport:
        async with self._store.database.reading() as connection:
            state = await self._store.state(connection)
            results = [find_registry_server(state.registry, name) for name in names]
            rows = list({row.id: row for row in results}.values())
            linked = [workload for row in rows for workload in state.linked_to(row.id)]
            now = self._runtime.timestamp()
            keys = {row.identity.key for row in rows}
            left = [entry for entry in state.claims if entry.identity.key not in keys]
            changes = [become_autonomous(workload, Cause.REGISTRY_DELETED, now=now) for workload in linked]
            index = RegistryIndex(
                (row for row in state.registry if row not in rows), duplicates_of(left, state.resolutions)
            )
            admitted = admit(state.rejected, state.workloads, index, new_id=self._runtime.new_id, now=now)
            changes = with_admitted(changes, admitted)
            change_set = await self._writer.prepare(
                connection, state.sequence, Cause.REGISTRY_DELETED, registry_removed=rows, changes=changes
            )
            taken_in = {change.after.name for change in admitted}
            change_set.claims = left if len(left) != len(state.claims) else None
            change_set.problems_closed = [
                problem for problem in state.problems if problem.rejected and problem.name in taken_in
            ]
            tools = await self._store.registry_tools.ids_of_servers(connection, [row.id for row in rows])
        report = DeletionReport(
            entity="registry",
            deleted=tuple(row.name for row in rows),
            unlinked=tuple(sorted(workload.name for workload in linked)),
            tools=len(tools),
            reembedded_texts=change_set.changed_tools,
            dry_run=dry_run,
        )
        if dry_run:
            return report
        await self._writer.embed(change_set)
        await self._writer.apply(change_set)
        return report

    async def _workloads(self, names: Sequence[str], *, dry_run: bool) -> DeletionReport:
        target = set(names)
        async with self._store.database.reading() as connection:
            sequence = await last_change(connection)
            rows = await self._store.workloads.named(connection, target)
            standing = await open_problems(connection)
            tools = await self._store.workload_tools.ids_of_servers(connection, [row.id for row in rows])
            change_set = await self._writer.prepare(connection, sequence, _BY_HAND, workloads_removed=rows)
        problems = [item for item in standing if item.entity == "workload" and item.name in target]
        rejected = {item.name for item in problems if item.problem == Relation.REJECTED}
        unknown = sorted(target - rejected - {row.name for row in rows})
        if unknown:
            raise NotFoundError(f"no workload named {', '.join(unknown)}", remedy="`workload list` shows all")
        report = DeletionReport(entity="workload", deleted=tuple(sorted(target)), tools=len(tools), dry_run=dry_run)
        if dry_run:
            return report
        change_set.problems_closed = problems
        await self._writer.apply(change_set)
        return report
