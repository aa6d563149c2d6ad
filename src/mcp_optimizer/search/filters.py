"""Which servers a search's filters let through (Q1, Q4), and which words servers and tools are named with.

Both are remembered until something changes; the words a little longer, as a correction may be some seconds old.
"""

import asyncio
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Final, NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from mcp_optimizer.db import search_reads
from mcp_optimizer.db.search_index import Side
from mcp_optimizer.db.store import Store
from mcp_optimizer.domain.models import Kind, is_running
from mcp_optimizer.domain.search.spelling import corrections, vocabulary
from mcp_optimizer.domain.views import SearchQuery

_FILTERS_KEPT: Final = 32
_CORRECTIONS_KEPT: Final = 500
_WORDS_KEPT: Final = 20.0
"""Seconds for which words are remembered, whatever changes."""


class SearchedServer(NamedTuple):
    """What filters ask of a server. A registry server has no status and counts as running."""

    id: str
    side: Side
    name: str
    group: str
    kind: Kind
    status: str
    virtual: bool

    def passes(self, query: SearchQuery) -> bool:
        """Whether the query's filters let it through."""
        status = self.side is Side.REGISTRY or query.status in {None, self.status}
        running = query.status == "running" and is_running(self.status)
        return query.kind in {None, self.kind} and query.group in {None, self.group} and (status or running)


class _Words(NamedTuple):
    sequence: int
    made: float
    known: Mapping[str, int]
    meant: dict[tuple[str, ...], dict[str, str]]
    """Corrections that were looked for already."""


class SearchScope:
    """Remembers servers and words of both sides."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._servers: dict[Side, tuple[int, dict[str, SearchedServer]]] = {}
        self._allowed: dict[tuple[Side, SearchQuery], tuple[int, dict[str, SearchedServer]]] = {}
        self._tokens: dict[tuple[Side, SearchQuery], tuple[int, int]] = {}
        self._vectors: dict[Side, tuple[int, dict[str, bytes | None]]] = {}
        self._words: dict[Side, _Words] = {}

    async def everything(self, connection: AsyncConnection, side: Side, sequence: int) -> dict[str, SearchedServer]:
        """Every server of a side by id, as the connection's transaction sees it."""
        held = self._servers.get(side)
        if held is None or held[0] != sequence:
            results = {
                row.id: SearchedServer(
                    row.id, side, row.name, row.group, row.kind, row.status or "running", row.virtual
                )
                for row in await search_reads.server_rows(connection, side)
            }
            held = (sequence, results)
            self._servers[side] = held
        return held[1]

    async def servers(
        self, connection: AsyncConnection, side: Side, sequence: int, query: SearchQuery
    ) -> dict[str, SearchedServer]:
        """The servers that the filters let through, by id. What agents see is decided before any other filter."""
        filters = _filters(query)
        held = self._allowed.get((side, filters))
        if held is None or held[0] != sequence:
            every = (await self.everything(connection, side, sequence)).values()
            seen = every if query.visibility is None or side is Side.REGISTRY else query.visibility.exposed(every)
            held = (sequence, {server.id: server for server in seen if server.passes(query)})
            if len(self._allowed) >= _FILTERS_KEPT:
                self._allowed.clear()
            self._allowed[side, filters] = held
        return held[1]

    async def tokens(self, connection: AsyncConnection, side: Side, sequence: int, query: SearchQuery) -> int:
        """Tokens of all tools of the servers that the filters let through."""
        filters = _filters(query)
        held = self._tokens.get((side, filters))
        if held is None or held[0] != sequence:
            ops = self._store.workload_tools if side is Side.WORKLOAD else self._store.registry_tools
            allowed = await self.servers(connection, side, sequence, query)
            counts = await ops.counts(connection)
            held = (sequence, sum(tokens for server, (_, tokens) in counts.items() if server in allowed))
            if len(self._tokens) >= _FILTERS_KEPT:
                self._tokens.clear()
            self._tokens[side, filters] = held
        return held[1]

    async def vectors(
        self, connection: AsyncConnection, side: Side, sequence: int, servers: Collection[str]
    ) -> dict[str, bytes]:
        """The embeddings of these servers, by id, as little-endian 32-bit floats; those without one are left out."""
        held = self._vectors.get(side)
        if held is None or held[0] != sequence:
            held = self._vectors[side] = (sequence, {})
        known = held[1]
        missing = [server for server in servers if server not in known]
        if missing:
            known |= dict.fromkeys(missing) | await search_reads.server_vectors(connection, side, missing)
        return {server: vector for server in servers if (vector := known[server]) is not None}

    async def corrections(
        self, connection: AsyncConnection, side: Side, sequence: int, unknown: Sequence[str]
    ) -> dict[str, str]:
        """What unknown words of a query probably mean; the last of them may be one that is being typed."""
        if not unknown:
            return {}
        held = self._words.get(side)
        if held is None or (held.sequence != sequence and time.monotonic() - held.made > _WORDS_KEPT):
            names = await search_reads.tool_names(connection, side)
            names += [server.name for server in (await self.everything(connection, side, sequence)).values()]
            held = _Words(sequence, time.monotonic(), await asyncio.to_thread(vocabulary, names), {})
            self._words[side] = held
        words = tuple(unknown)
        if words not in held.meant:
            if len(held.meant) >= _CORRECTIONS_KEPT:
                held.meant.clear()
            held.meant[words] = await asyncio.to_thread(corrections, words, held.known, unfinished=words[-1])
        return held.meant[words]


def _filters(query: SearchQuery) -> SearchQuery:
    """The query without what it looks for."""
    return SearchQuery(text="", group=query.group, status=query.status, kind=query.kind, visibility=query.visibility)
