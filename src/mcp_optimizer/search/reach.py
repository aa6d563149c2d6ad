"""Which servers a search's filters let through (Q1, Q4), and which words servers and tools are named with.

Both are remembered until something changes; the words a little longer, as a correction may be some seconds old.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from mcp_optimizer.db.rows import kind_of
from mcp_optimizer.db.sqlite_search import Side
from mcp_optimizer.db.store import Store
from mcp_optimizer.domain.models import Kind, is_running
from mcp_optimizer.domain.spelling import corrections, vocabulary
from mcp_optimizer.domain.views import SearchQuery

_WORDS_KEPT: Final = 20.0
"""Seconds for which words are remembered, whatever changes."""
_SERVERS: Final = {
    Side.REGISTRY: """SELECT id, name, "group", remote, 'running' AS status FROM mcpservers_registry""",
    Side.WORKLOAD: """SELECT id, name, "group", remote, status FROM mcpservers_workload""",
}
_TOOLS: Final = {Side.REGISTRY: "tools_registry", Side.WORKLOAD: "tools_workload"}


class SearchedServer(NamedTuple):
    """What filters ask of a server. A registry server has no status and counts as running."""

    id: str
    side: Side
    name: str
    group: str
    kind: Kind
    status: str

    def passes(self, query: SearchQuery) -> bool:
        """Whether the query's filters let it through."""
        status = self.side is Side.REGISTRY or query.status in {None, self.status}
        running = query.status == "running" and is_running(self.status)
        return query.kind in {None, self.kind} and query.group in {None, self.group} and (status or running)


class _Words(NamedTuple):
    sequence: int
    made: float
    known: Mapping[str, int]


class Reach:
    """Remembers servers and words of both sides."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._servers: dict[Side, tuple[int, dict[str, SearchedServer]]] = {}
        self._words: dict[Side, _Words] = {}

    async def everything(self, connection: AsyncConnection, side: Side, sequence: int) -> dict[str, SearchedServer]:
        """Every server of a side by id, as the connection's transaction sees it."""
        held = self._servers.get(side)
        if held is None or held[0] != sequence:
            rows = await connection.execute(text(_SERVERS[side]))
            found = {row[0]: SearchedServer(row[0], side, row[1], row[2], kind_of(row[3]), row[4]) for row in rows}
            held = (sequence, found)
            self._servers[side] = held
        return held[1]

    async def servers(
        self, connection: AsyncConnection, side: Side, sequence: int, query: SearchQuery
    ) -> dict[str, SearchedServer]:
        """The servers that the filters let through, by id."""
        found = await self.everything(connection, side, sequence)
        return {key: server for key, server in found.items() if server.passes(query)}

    async def all_through(
        self, connection: AsyncConnection, side: Side, sequence: int, allowed: Mapping[str, SearchedServer]
    ) -> bool:
        """Whether the filters let every server through: then no half needs to look at them."""
        return len(allowed) == len(await self.everything(connection, side, sequence))

    async def corrections(
        self, connection: AsyncConnection, side: Side, sequence: int, unknown: Sequence[str]
    ) -> dict[str, str]:
        """What unknown words of a query probably mean; the last of them may be one that is being typed."""
        if not unknown:
            return {}
        held = self._words.get(side)
        if held is None or (held.sequence != sequence and time.monotonic() - held.made > _WORDS_KEPT):
            rows = await connection.execute(text(f"SELECT name FROM {_TOOLS[side]}"))  # noqa: S608 (a constant)
            names = [row[0] for row in rows]
            names += [server.name for server in (await self.everything(connection, side, sequence)).values()]
            held = _Words(sequence, time.monotonic(), await asyncio.to_thread(vocabulary, names))
            self._words[side] = held
        return await asyncio.to_thread(corrections, unknown, held.known, unfinished=unknown[-1])
