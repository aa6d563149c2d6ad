"""Definitions as first seen or accepted, where they differ from what a tool says now; and hidden characters.

A tool that has not changed needs no row: what is stored of it is what was first seen. The first change keeps what it
replaces. Rows are by name, so that a tool, or a workload, that goes and comes back otherwise is seen to have changed.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

from mcp_optimizer.db.logs.change_log import Writing
from mcp_optimizer.db.rows import IN_CHUNK, from_json, to_json
from mcp_optimizer.domain.models import StoredTool
from mcp_optimizer.domain.tools.definitions import found_json, invisible_in

RETENTION_DAYS: Final = 90
"""How long definitions of a workload that is gone are kept: it may come back."""


class Suspect(NamedTuple):
    """A tool that has something to be looked at: what was accepted of it, or characters that can't be seen."""

    workload: str
    tool: str
    details: Mapping[str, Any]
    accepted: Mapping[str, Any] | None = None
    since: str = ""
    invisible: tuple[str, ...] = ()


class DefinitionOps:
    """Reads and writes ``accepted_definitions`` and ``invisible_characters``."""

    async def keep_first(self, writing: Writing, workload: str, tools: Sequence[StoredTool]) -> None:
        """Keep the definitions of these tools, but for those of which an earlier one is kept."""
        if tools:
            await writing.connection.execute(
                text(
                    "INSERT INTO accepted_definitions (workload, tool, details, noted_at) "
                    "VALUES (:workload, :tool, :details, :at) ON CONFLICT (workload, tool) DO NOTHING"
                ),
                [
                    {"workload": workload, "tool": tool.name, "details": to_json(tool.details), "at": writing.at}
                    for tool in tools
                ],
            )

    async def keep_of_workloads(self, writing: Writing, names: Collection[str]) -> None:
        """Keep the definitions of workloads that are about to go, and forget those gone for long."""
        for name in sorted(names):
            await writing.connection.execute(
                text("UPDATE accepted_definitions SET noted_at = :at WHERE workload = :name"),
                {"name": name, "at": writing.at},
            )
            await writing.connection.execute(
                text(
                    "INSERT INTO accepted_definitions (workload, tool, details, noted_at) "
                    "SELECT w.name, t.name, t.details, :at FROM tools_workload t "
                    "JOIN mcpservers_workload w ON w.id = t.server_id WHERE w.name = :name "
                    "ON CONFLICT (workload, tool) DO NOTHING"
                ),
                {"name": name, "at": writing.at},
            )
        limit = datetime.fromisoformat(writing.at).astimezone(UTC) - timedelta(days=RETENTION_DAYS)
        await writing.connection.execute(
            text(
                "DELETE FROM accepted_definitions WHERE noted_at < :limit "
                "AND workload NOT IN (SELECT name FROM mcpservers_workload)"
            ),
            {"limit": limit.isoformat(timespec="seconds").replace("+00:00", "Z")},
        )

    async def forget(self, writing: Writing, workload: str, tools: Collection[str] | None = None) -> None:
        """What the tools of a workload say now counts as first seen; of these tools, or of all."""
        if tools is None:
            await writing.connection.execute(
                text("DELETE FROM accepted_definitions WHERE workload = :workload"), {"workload": workload}
            )
        elif tools:
            await writing.connection.execute(
                text("DELETE FROM accepted_definitions WHERE workload = :workload AND tool = :tool"),
                [{"workload": workload, "tool": tool} for tool in sorted(tools)],
            )

    async def note_invisible(self, writing: Writing, tools: Sequence[StoredTool], *, added: Collection[str]) -> None:
        """Note the hidden characters of tools that are new or changed; ``added`` are the ids of new ones."""
        changed = [{"id": tool.id} for tool in tools if tool.id not in added]
        if changed:
            await writing.connection.execute(text("DELETE FROM invisible_characters WHERE tool_id = :id"), changed)
        results = [{"id": tool.id, "found": found_json(seen)} for tool in tools if (seen := invisible_in(tool.details))]
        if results:
            await writing.connection.execute(
                text("INSERT INTO invisible_characters (tool_id, found) VALUES (:id, :found)"), results
            )

    async def accepted(self, connection: AsyncConnection, workload: str) -> dict[str, tuple[Mapping[str, Any], str]]:
        """What is kept of a workload's tools: definition and since when, by name of the tool."""
        rows = await connection.execute(
            text("SELECT tool, details, noted_at FROM accepted_definitions WHERE workload = :name"), {"name": workload}
        )
        return {
            row.tool: (from_json(dict, row.details, f"the accepted definition of {row.tool}"), row.noted_at)
            for row in rows
        }

    async def suspects(self, connection: AsyncConnection) -> list[Suspect]:
        """Every stored tool of which another definition was kept, or that has hidden characters."""
        cached = await connection.execute(
            text(
                "SELECT a.workload, a.tool, a.details AS accepted, a.noted_at, t.details FROM accepted_definitions a "
                "JOIN mcpservers_workload w ON w.name = a.workload "
                "JOIN tools_workload t ON t.server_id = w.id AND t.name = a.tool "
                "WHERE t.details <> a.details ORDER BY a.workload, a.tool"
            )
        )
        results = [
            Suspect(
                row.workload,
                row.tool,
                from_json(dict, row.details, f"the tool {row.tool}"),
                accepted=from_json(dict, row.accepted, f"the accepted definition of {row.tool}"),
                since=row.noted_at,
            )
            for row in cached
        ]
        hidden = (await connection.execute(text("SELECT tool_id, found FROM invisible_characters"))).all()
        names = await self._names(connection, [row.tool_id for row in hidden])
        results += [
            Suspect(
                *names[row.tool_id],
                details={},
                invisible=tuple(from_json(list, row.found, "the invisible characters of tools")),
            )
            for row in hidden
            if row.tool_id in names
        ]
        return results

    async def _names(self, connection: AsyncConnection, ids: Sequence[str]) -> dict[str, tuple[str, str]]:
        statement = text(
            "SELECT t.id, w.name AS workload, t.name FROM tools_workload t "
            "JOIN mcpservers_workload w ON w.id = t.server_id WHERE t.id IN :ids"
        ).bindparams(bindparam("ids", expanding=True))
        results: dict[str, tuple[str, str]] = {}
        for start in range(0, len(ids), IN_CHUNK):
            rows = await connection.execute(statement, {"ids": ids[start : start + IN_CHUNK]})
            results.update((row.id, (row.workload, row.name)) for row in rows)
        return results
