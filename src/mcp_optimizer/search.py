"""Hybrid search: by meaning and by words, fused by rank (Q1-Q4)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from mcp_optimizer.db import sqlite_search
from mcp_optimizer.db.sqlite_search import Near, Side
from mcp_optimizer.db.store import Store
from mcp_optimizer.db.tool_ops import ToolOps
from mcp_optimizer.domain.models import StoredTool, is_running
from mcp_optimizer.domain.views import Scope, SearchHit, SearchQuery
from mcp_optimizer.embeddings import Embedder, Vector
from mcp_optimizer.errors import EmbeddingError
from mcp_optimizer.text import public_message, storable

_RANK_CONSTANT: Final = 60
"""Of reciprocal rank fusion (Cormack, Clarke and Büttcher 2009): how little the first ranks outweigh the next."""
_DEPTH: Final = 50
"""Each half looks at least this deep, so that a tool found by both can rise."""
_MAX_EMBEDDED: Final = 2000
"""Characters of a query that are embedded; more would be cut by the model anyway."""


log = structlog.get_logger(__name__)


@dataclass
class _Found:
    """Where a tool was found, and how well."""

    side: Side
    semantic_rank: int | None = None
    distance: float | None = None
    text_rank: int | None = None

    @property
    def score(self) -> float:
        """Reciprocal rank fusion; two first places give 2 / 61."""
        ranks = (self.semantic_rank, self.text_rank)
        return sum(1 / (_RANK_CONSTANT + rank) for rank in ranks if rank is not None)


@dataclass
class _Answers:
    """What the halves of a search say, for all sides searched."""

    near: list[tuple[Side, Near]] = field(default_factory=list)
    matching: list[tuple[Side, list[str]]] = field(default_factory=list)
    exact: list[tuple[Side, str]] = field(default_factory=list)
    server_names: dict[str, str] = field(default_factory=dict)

    def fused(self) -> dict[str, _Found]:
        """Every tool found, by id. Distances compare across sides; text scores don't, so each side ranks its own."""
        found: dict[str, _Found] = {}
        ordered = sorted(self.near, key=lambda item: (item[1].distance, item[1].id))
        for rank, (side, item) in enumerate(ordered, start=1):
            found[item.id] = _Found(side, semantic_rank=rank, distance=item.distance)
        for side, identifiers in self.matching:
            for rank, identifier in enumerate(identifiers, start=1):
                found.setdefault(identifier, _Found(side)).text_rank = rank
        for side, identifier in self.exact:
            found.setdefault(identifier, _Found(side))
        return found


class Search:
    """Finds tools."""

    def __init__(self, store: Store, embedder: Embedder) -> None:
        self._store = store
        self._embedder = embedder

    async def run(self, query: SearchQuery) -> list[SearchHit]:
        """The best tools for the query, an exact tool name first (Q1). Any text is a safe query (Q2)."""
        wanted = storable(query.text).strip()
        if not wanted:
            return []
        query = query.model_copy(update={"text": wanted})
        vector = await self._vector(wanted[:_MAX_EMBEDDED])
        answers = _Answers()
        tools: dict[str, StoredTool] = {}
        async with self._store.database.reading() as connection:
            for side, ops in self._sides(query.scope):
                await self._ask(connection, side, ops, query, vector, answers)
            found = answers.fused()
            for side, ops in self._sides(query.scope):
                tools |= await ops.by_ids(connection, [key for key, item in found.items() if item.side is side])
        hits = [_hit(tool, answers.server_names[tool.server_id], found[key], wanted) for key, tool in tools.items()]
        hits.sort(key=lambda hit: (not hit.exact_name, -hit.score, hit.server, hit.tool))
        return hits[: query.limit]

    async def _vector(self, text: str) -> Vector | None:
        """The query's vector; None when the model is not to be had: words still find what they find."""
        try:
            return (await self._embedder.embed([text]))[0]
        except EmbeddingError as error:
            log.warning("searching by words only", error=public_message(str(error)))
            return None

    async def _ask(
        self,
        connection: AsyncConnection,
        side: Side,
        ops: ToolOps,
        query: SearchQuery,
        vector: Vector | None,
        answers: _Answers,
    ) -> None:
        """Ask both halves on one side; the filters hold inside them, so a filtered search fills its limit (Q1)."""
        servers = await self._servers(connection, side, query)
        depth = max(_DEPTH, 2 * query.limit)
        near: list[Near] = []
        if vector is not None:
            near = await sqlite_search.nearest_tools(connection, side, vector, limit=depth, servers=servers)
        matching = await sqlite_search.matching_tools(connection, side, query.text, limit=depth, servers=servers)
        named = await ops.named(connection, query.text)
        exact = [identifier for identifier, server_id in named if server_id in servers]
        answers.near += [(side, item) for item in near]
        answers.matching.append((side, matching))
        answers.exact += [(side, identifier) for identifier in exact[: query.limit]]
        answers.server_names |= servers

    def _sides(self, scope: Scope) -> list[tuple[Side, ToolOps]]:
        sides: list[tuple[Side, ToolOps]] = [
            (Side.WORKLOAD, self._store.workload_tools),
            (Side.REGISTRY, self._store.registry_tools),
        ]
        return [(side, ops) for side, ops in sides if scope in {Scope.ALL, side.value}]

    async def _servers(self, connection: AsyncConnection, side: Side, query: SearchQuery) -> Mapping[str, str]:
        """The servers that the filters let through: id to name (Q1, Q4)."""
        if side is Side.REGISTRY:
            registry = await self._store.registry_servers.all(connection)
            return {
                row.id: row.name
                for row in registry
                if query.kind in {None, row.identity.kind} and query.group in {None, row.group}
            }
        workloads = await self._store.workloads.all(connection)
        return {
            row.id: row.name
            for row in workloads
            if query.kind in {None, row.identity.kind}
            and query.group in {None, row.group}
            and (query.status in {None, row.status} or (query.status == "running" and is_running(row.status)))
        }


def _hit(tool: StoredTool, server: str, found: _Found, wanted: str) -> SearchHit:
    return SearchHit(
        server=server,
        tool=tool.name,
        scope=Scope(found.side.value),
        description=tool.definition.description,
        score=round(found.score, 6),
        semantic_rank=found.semantic_rank,
        semantic_distance=None if found.distance is None else round(found.distance, 6),
        text_rank=found.text_rank,
        exact_name=tool.name.casefold() == wanted.casefold(),
        tokens=tool.token_count,
        details=tool.details,
    )
