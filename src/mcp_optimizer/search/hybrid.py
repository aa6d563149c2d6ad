"""Hybrid search: by meaning and by words, fused by rank (Q1-Q4)."""

import asyncio
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from sqlalchemy.ext.asyncio import AsyncConnection

from mcp_optimizer.db import search_reads
from mcp_optimizer.db.engines import index_of
from mcp_optimizer.db.search_index import Near, Side
from mcp_optimizer.db.store import Store
from mcp_optimizer.db.tool_ops import ToolOps
from mcp_optimizer.domain.models import StoredTool
from mcp_optimizer.domain.search_rank import Found, TextMatch, by_meaning, fused
from mcp_optimizer.domain.search_words import coverage, matched_words, query_terms
from mcp_optimizer.domain.tool_text import name_words, parameter_words
from mcp_optimizer.domain.views import CountedHits, OfferedTool, Scope, SearchHit, SearchQuery
from mcp_optimizer.embeddings import Embedder, Vector
from mcp_optimizer.errors import ModelMismatchError, TooManyError
from mcp_optimizer.search.query_vectors import QueryVectors
from mcp_optimizer.search.reach import Reach, SearchedServer
from mcp_optimizer.search.resident import Resident
from mcp_optimizer.search.vectors import Vectors
from mcp_optimizer.text import storable

DEPTH: Final = 50
"""Each half looks at least this deep, so that a tool found by both can rise."""
_AT_ONCE: Final = 4096
"""So many vectors are compared in less time than it takes to have another thread do it."""


@dataclass
class Answers:
    """What the halves of a search say, for all sides searched, and of which servers the tools are."""

    near: list[tuple[str, float]] = field(default_factory=list)
    """Tool ids with distances, best first."""
    matching: list[TextMatch] = field(default_factory=list)
    """Best first, of all sides together."""
    exact: list[str] = field(default_factory=list)
    terms: list[str] = field(default_factory=list)
    servers: dict[str, SearchedServer] = field(default_factory=dict)
    """Tool id to its server."""
    sequence: int = 0
    """The last change of the store as it was searched."""
    semantic_ratio: float = 0.5

    def ranked(self) -> list[Found]:
        """Every tool found, best first."""
        return fused(self.near, self.matching, self.exact, semantic_ratio=self.semantic_ratio)


class Search:
    """Finds tools."""

    def __init__(self, store: Store, embedder: Embedder, *, memory: int = 0, one_at_a_time: bool = False) -> None:
        self._store = store
        self._at_once = sys.maxsize if one_at_a_time else _AT_ONCE
        self._embedder = embedder
        self._queries = QueryVectors(embedder)
        self.resident = Resident(store.database, memory=memory)
        self.reach = Reach(store)

    async def close(self) -> None:
        """Give back memory and stop what works aside."""
        await self.resident.close()

    async def run(self, query: SearchQuery) -> list[SearchHit]:
        """The best tools for the query, an exact tool name first (Q1). Any text is a safe query (Q2).

        Raises ModelMismatchError when another process has re-embedded the store with another model meanwhile.
        """
        wanted = storable(query.text).strip()
        if not wanted and not query.keywords.strip():
            return []
        vector = await self.vector(wanted) if wanted else None
        async with self._store.database.reading() as connection:
            answers = await self.answers(connection, query, wanted, vector, depth=_depth(query))
            return await self.hits(connection, answers, answers.ranked()[: query.limit])

    async def counted(self, query: SearchQuery) -> CountedHits:
        """What :meth:`run` finds, and what :meth:`baseline` counts, of one state of the store."""
        wanted = storable(query.text).strip()
        vector = await self.vector(wanted) if wanted else None
        async with self._store.database.reading() as connection:
            answers = await self.answers(connection, query, wanted, vector, depth=_depth(query))
            hits = await self.hits(connection, answers, answers.ranked()[: query.limit])
            return CountedHits(hits, await self._tokens(connection, query, answers.sequence))

    async def baseline(self, query: SearchQuery) -> int:
        """Tokens of every tool that the query's scope and filters let through."""
        async with self._store.database.reading() as connection:
            return await self._tokens(connection, query, (await search_reads.version(connection)).sequence)

    async def _tokens(self, connection: AsyncConnection, query: SearchQuery, sequence: int) -> int:
        return sum([await self.reach.tokens(connection, side, sequence, query) for side in sides(query.scope)])

    async def every(self, query: SearchQuery, *, most: int) -> list[OfferedTool]:
        """Every tool that the query's scope and filters let through, by server and name. Raises TooManyError."""
        found: list[OfferedTool] = []
        async with self._store.database.reading() as connection:
            sequence = (await search_reads.version(connection)).sequence
            for side in sides(query.scope):
                allowed = await self.reach.servers(connection, side, sequence, query)
                number = await self._ops(side).number_of_servers(connection, allowed)
                if number + len(found) > most:
                    raise TooManyError(f"there are {number + len(found):,} tools, which is more than {most:,}")
                tools = await self._ops(side).of_servers(connection, allowed)
                found += [
                    OfferedTool(server=server.name, name=tool.name, details=tool.details, tokens=tool.token_count)
                    for server in sorted(allowed.values(), key=lambda server: server.name)
                    for tool in tools.get(server.id, ())
                ]
        return found

    async def vector(self, text: str) -> Vector | None:
        """The query's vector; None when the model is not to be had: words still find what they find."""
        return await self._queries.of(text)

    async def answers(
        self, connection: AsyncConnection, query: SearchQuery, wanted: str, vector: Vector | None, *, depth: int
    ) -> Answers:
        """Ask both halves on every side; the filters hold inside them, so a filtered search fills its limit (Q1)."""
        sequence, model, _ = await search_reads.version(connection)
        if model != self._embedder.model:
            raise ModelMismatchError(
                f"the database now holds embeddings of the model {model}, not of {self._embedder.model}",
                remedy=f"set embedding_model_name to {model} and start the program anew",
            )
        answers = Answers(semantic_ratio=query.semantic_ratio, sequence=sequence)
        words = storable(query.keywords).strip() or wanted
        near: list[tuple[float, Near]] = []
        for side in sides(query.scope):
            allowed = await self.reach.servers(connection, side, sequence, query)
            every = await self.reach.everything(connection, side, sequence)
            wanted_servers = None if len(every) == len(allowed) else allowed  # all through: no half looks at them
            held = await self.resident.current(connection, side, sequence, model) if vector is not None else None
            meant = None
            if held is not None and vector is not None:  # numpy works while the database looks for words
                meant = asyncio.create_task(self._nearest(held, vector, depth, wanted_servers))
            terms, matches = await self._words(connection, side, sequence, words, depth, wanted_servers)
            if vector is not None:
                found = await meant if meant else None
                found = await self._near(connection, side, sequence, vector, depth, wanted_servers, found)
                near += [pair for pair in found if query.max_distance is None or pair[1].distance <= query.max_distance]
            answers.terms = answers.terms or terms
            answers.matching += [match for match, _ in matches]
            answers.servers |= {match.id: allowed[server] for match, server in matches if server in allowed}
            named = await self._ops(side).named(connection, {wanted, words})
            exact = [(tool, allowed[server]) for tool, server in named if server in allowed][:depth]
            answers.exact += [tool for tool, _ in exact]
            answers.servers |= dict(exact)
            answers.servers |= {item.id: allowed[item.server_id] for _, item in near if item.server_id in allowed}
        answers.matching.sort(key=lambda match: (-match.score, match.id))
        near.sort(key=lambda pair: (pair[0], pair[1].id))
        answers.near = [(item.id, item.distance) for _, item in near]
        return answers

    async def _nearest(
        self, held: Vectors, vector: Vector, limit: int, servers: Mapping[str, SearchedServer] | None
    ) -> list[Near]:
        """The nearest of the vectors at hand; the event loop goes on where that takes long."""
        if held.count <= self._at_once:
            return held.nearest(vector, limit=limit, servers=servers)
        return await asyncio.to_thread(held.nearest, vector, limit=limit, servers=servers)

    async def _near(
        self,
        connection: AsyncConnection,
        side: Side,
        sequence: int,
        vector: Vector,
        depth: int,
        servers: Mapping[str, SearchedServer] | None,
        near: list[Near] | None,
    ) -> list[tuple[float, Near]]:
        """The tools nearest by meaning, each with what it is ranked by: its server's likeness helps a little.

        ``near``: those that are nearest, where that is known already.
        """
        if near is None:
            near = await index_of(connection).nearest_tools(connection, side, vector, limit=depth, servers=servers)
        blobs = await self.reach.vectors(connection, side, sequence, {item.server_id for item in near})
        likeness = {key: 1 - float(np.frombuffer(blob, dtype="<f4") @ vector) for key, blob in blobs.items()}
        by_id = {item.id: item for item in near}
        distances = {item.id: item.distance for item in near}
        of_server = {item.id: likeness[item.server_id] for item in near if item.server_id in likeness}
        ranked = by_meaning(distances, of_server)
        return [(score, by_id[key]) for key, score in ranked]

    async def _words(
        self,
        connection: AsyncConnection,
        side: Side,
        sequence: int,
        wanted: str,
        depth: int,
        servers: Mapping[str, SearchedServer] | None,
    ) -> tuple[list[str], list[tuple[TextMatch, str]]]:
        """The terms looked for, and the tools that hold them, each with its server's id.

        Words that no tool has are taken for misspelt, or not finished, and are looked for as what they probably mean.
        """
        terms = query_terms(wanted)
        found = await index_of(connection).matching_tools(connection, side, terms, limit=depth, servers=servers)
        matches = [(text_match(terms, row.id, row.score, row.fields), row.server_id) for row in found]
        seen = {word for match, _ in matches for words in match.matched.values() for word in words}
        meant = await self.reach.corrections(connection, side, sequence, [term for term in terms if term not in seen])
        if not meant:
            return terms, matches
        terms = list(dict.fromkeys(meant.get(term, term) for term in terms))
        found = await index_of(connection).matching_tools(connection, side, terms, limit=depth, servers=servers)
        return terms, [(text_match(terms, row.id, row.score, row.fields), row.server_id) for row in found]

    async def hits(self, connection: AsyncConnection, answers: Answers, ranked: Sequence[Found]) -> list[SearchHit]:
        """What is shown of tools that were found, in their order."""
        tools: dict[str, tuple[Side, StoredTool]] = {}
        for side in Side:
            ids = [item.id for item in ranked if answers.servers[item.id].side is side]
            tools |= {key: (side, tool) for key, tool in (await self._ops(side).by_ids(connection, ids)).items()}
        return [
            _hit(*tools[item.id], answers.servers[item.id].name, item, answers.terms)
            for item in ranked
            if item.id in tools
        ]

    def _ops(self, side: Side) -> ToolOps:
        return self._store.workload_tools if side is Side.WORKLOAD else self._store.registry_tools


def _depth(query: SearchQuery) -> int:
    """How deep each half looks for a query."""
    return max(DEPTH, 2 * query.limit)


def sides(scope: Scope) -> list[Side]:
    """The sides that a scope searches."""
    return [side for side in (Side.WORKLOAD, Side.REGISTRY) if scope in {Scope.ALL, side.value}]


def text_match(terms: Sequence[str], identifier: str, score: float, fields: Mapping[str, str]) -> TextMatch:
    """Which of the terms a tool has where, and how much of the query that is."""
    matched = matched_words(terms, fields)
    return TextMatch(identifier, score, coverage(terms, matched), matched)


def _hit(side: Side, tool: StoredTool, server: str, found: Found, terms: Sequence[str]) -> SearchHit:
    match = found.text
    if match is None:
        match = text_match(
            terms,
            tool.id,
            0.0,
            {
                "name": f"{tool.name} {name_words(tool.name)}",
                "server": f"{server} {name_words(server)}",
                "description": tool.definition.description,
                "parameters": parameter_words(tool.details),
            },
        )
    return SearchHit(
        server=server,
        tool=tool.name,
        scope=Scope(side.value),
        description=tool.definition.description,
        score=round(found.score, 6),
        semantic_rank=found.semantic_rank,
        semantic_distance=None if found.distance is None else round(found.distance, 6),
        text_rank=found.text_rank,
        exact_name=found.exact,
        tokens=tool.token_count,
        details=tool.details,
        text_score=None if found.text_rank is None else round(match.score, 6),
        coverage=round(match.coverage, 3),
        matched={name: tuple(words) for name, words in match.matched.items()},
    )
