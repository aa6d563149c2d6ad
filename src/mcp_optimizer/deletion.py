"""Deleting by hand. What would happen is a draft like any other: a dry run shows exactly what a run does (L4, L10)."""

from collections.abc import Iterable, Sequence

from mcp_optimizer.db.problems import open_and_close
from mcp_optimizer.db.store import Store, StoredState
from mcp_optimizer.domain.lifecycle import become_autonomous
from mcp_optimizer.domain.models import Cause, Relation
from mcp_optimizer.domain.naming import find_registry_server
from mcp_optimizer.domain.reports import DeletionReport
from mcp_optimizer.errors import NotFoundError
from mcp_optimizer.surroundings import Surroundings
from mcp_optimizer.writes import Writer, until_applied


class Deletion:
    """Deletes registry servers and workloads from this database, never from where they come from."""

    def __init__(self, store: Store, writer: Writer, surroundings: Surroundings) -> None:
        self._store = store
        self._writer = writer
        self._surroundings = surroundings

    async def registry_servers(self, names: Sequence[str], *, dry_run: bool) -> DeletionReport:
        """Delete registry servers; the workloads linked to them become autonomous in the same transaction (L4)."""
        return await until_applied(lambda: self._registry_servers(names, dry_run=dry_run))

    async def workloads(self, names: Sequence[str], *, dry_run: bool) -> DeletionReport:
        """Delete workloads, and what is recorded of rejected ones (L10)."""
        return await until_applied(lambda: self._workloads(names, dry_run=dry_run))

    async def _registry_servers(self, names: Sequence[str], *, dry_run: bool) -> DeletionReport:
        async with self._store.database.reading() as connection:
            state = await self._store.state(connection)
            found = [find_registry_server(state.registry, name) for name in names]
            rows = list({row.id: row for row in found}.values())
            linked = [workload for row in rows for workload in state.linked_to(row.id)]
            now = self._surroundings.timestamp()
            changes = [become_autonomous(workload, Cause.REGISTRY_DELETED, now=now) for workload in linked]
            draft = await self._writer.draft(connection, registry_removed=rows, changes=changes)
            tools = await self._store.registry_tools.of_servers(connection, [row.id for row in rows])
        report = DeletionReport(
            entity="registry",
            deleted=tuple(row.name for row in rows),
            unlinked=tuple(sorted(workload.name for workload in linked)),
            tools=sum(map(len, tools.values())),
            reembedded_texts=draft.changed_tools,
            dry_run=dry_run,
        )
        if dry_run:
            return report
        await self._writer.embed(draft)
        keys = {row.identity.key for row in rows}
        left = [entry for entry in state.claims if entry.identity.key not in keys]
        async with self._writer.writing(state) as writing:
            await self._writer.apply(writing, draft, cause=Cause.REGISTRY_DELETED)
            if len(left) != len(state.claims):
                await self._store.registry_servers.set_claims(writing, left)
        return report

    async def _workloads(self, names: Sequence[str], *, dry_run: bool) -> DeletionReport:
        async with self._store.database.reading() as connection:
            state = await self._store.state(connection)
            wanted = set(names)
            rows = [row for row in state.workloads if row.name in wanted]
            problems = [item for item in state.problems if item.entity == "workload" and item.name in wanted]
            self._refuse_unknown(wanted, state)
            draft = await self._writer.draft(connection, workloads_removed=rows)
            tools = await self._store.workload_tools.of_servers(connection, [row.id for row in rows])
        report = DeletionReport(
            entity="workload",
            deleted=tuple(sorted(wanted)),
            tools=sum(map(len, tools.values())),
            dry_run=dry_run,
        )
        if dry_run:
            return report
        async with self._writer.writing(state) as writing:
            await self._writer.apply(writing, draft, cause="deleted-by-hand")
            await open_and_close(writing, [], problems, new_id=self._surroundings.new_id)
        return report

    def _refuse_unknown(self, names: Iterable[str], state: StoredState) -> None:
        known = {row.name for row in state.workloads}
        known |= {item.name for item in state.problems if item.problem == Relation.REJECTED}
        unknown = sorted(set(names) - known)
        if unknown:
            raise NotFoundError(f"no workload named {', '.join(unknown)}", remedy="`workload list` shows all")
