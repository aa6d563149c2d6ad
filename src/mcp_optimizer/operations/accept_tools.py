"""Accepting changed tool definitions: what a tool says now counts as first seen."""

from collections.abc import Collection

from mcp_optimizer.db.logs.change_log import Logged, last_change
from mcp_optimizer.db.store import Store
from mcp_optimizer.domain.reports import AcceptReport
from mcp_optimizer.domain.tools.definitions import changes_of
from mcp_optimizer.errors import NotFoundError
from mcp_optimizer.operations.change_set import ChangeSet
from mcp_optimizer.operations.change_set_writer import ChangeSetWriter, retry_on_conflict


class AcceptTools:
    """Accepts because a person looked at what changed."""

    def __init__(self, store: Store, writer: ChangeSetWriter) -> None:
        self._store = store
        self._writer = writer

    async def accept(self, name: str, tools: Collection[str] | None, *, dry_run: bool) -> AcceptReport:
        """Accept the present definitions of a workload's tools, or of these. Raises NotFoundError.

        Tools that did not change are left out of the report; there is nothing to accept of them.
        """

        async def attempt() -> AcceptReport:
            async with self._store.database.reading() as connection:
                sequence = await last_change(connection)
                rows = await self._store.workloads.named(connection, [name])
                if not rows:
                    raise NotFoundError(f"no workload named {name}", remedy="`workload list` shows all")
                stored = await self._store.workload_tools.of_server(connection, rows[0].id)
                accepted = await self._store.definitions.accepted(connection, name)
            unknown = sorted(set(tools or ()) - {tool.name for tool in stored})
            if unknown:
                raise NotFoundError(f"{name} has no tool {', '.join(unknown)}", remedy="`workload show` lists them")
            changes = changes_of(stored, {tool: details for tool, (details, _) in accepted.items()})
            chosen = tuple(change for change in changes if tools is None or change.tool in tools)
            report = AcceptReport(workload=name, accepted=chosen, dry_run=dry_run)
            if dry_run or not chosen:
                return report
            change_set = ChangeSet(sequence, "by-hand", accepted={name: {change.tool for change in chosen}})
            details = [f"{change.tool}: {', '.join(change.fields)}" for change in chosen]
            change_set.notes = [
                Logged("workload", rows[0].id, name, "accepted", "by-hand", detail) for detail in details
            ]
            await self._writer.apply(change_set)
            return report

        return await retry_on_conflict(self._store.database, attempt)
