"""Hybrid search: by meaning and by words, fused by value (Q1-Q4)."""

import asyncio
import copy
from collections.abc import Collection, Sequence
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from mcp_optimizer.db import search_reads
from mcp_optimizer.db.search_index import Side
from mcp_optimizer.db.store import Store
from mcp_optimizer.db.tool_ops import ToolOps
from mcp_optimizer.domain.models import StoredTool
from mcp_optimizer.domain.search.rank import RankedTool
from mcp_optimizer.domain.search.words import sentences
from mcp_optimizer.domain.tools.text import name_words, parameter_words
from mcp_optimizer.domain.vectors import Embedder, Vector
from mcp_optimizer.domain.views import CountedHits, OfferedTool, Scope, SearchHit, SearchQuery
from mcp_optimizer.embeddings import OFFLINE_MODELS
from mcp_optimizer.errors import ModelMismatchError, TooManyError
from mcp_optimizer.search.candidates import Candidates, Phrase, PhraseAnswers, sides, text_match
from mcp_optimizer.search.filters import SearchScope
from mcp_optimizer.search.learned import OrderSource, StoredOrder, calls_after, with_plain_ranks
from mcp_optimizer.search.query_vectors import QueryVectors
from mcp_optimizer.search.training import transform
from mcp_optimizer.search.vector_cache import VectorCache
from mcp_optimizer.text import to_storable

DEPTH: Final = 100
"""Each half looks at least this deep, so that a tool found by both can rise."""
_TELLING: Final = 20
"""So many of the nearest tools tell how a model's cosines are spread."""


class Search:
    """Finds tools."""

    def __init__(
        self,
        store: Store,
        embedder: Embedder,
        *,
        memory: int = 0,
        single_threaded: bool = False,
        order: OrderSource | None = None,
    ) -> None:
        self._store = store
        self._order = order or StoredOrder()
        self._embedder = embedder
        self._queries = QueryVectors(embedder)
        self.resident = VectorCache(store.database, memory=memory)
        self.reach = SearchScope(store)
        self._candidates = Candidates(store, self.reach, self.resident, single_threaded=single_threaded)

    def with_order(self, order: OrderSource) -> "Search":
        """The same search, its memory shared, with another order."""
        result = copy.copy(self)
        result._order = order
        return result

    async def close(self) -> None:
        """Give back memory and stop what works aside."""
        await self.resident.close()

    async def run(self, query: SearchQuery) -> list[SearchHit]:
        """The best tools for the query, an exact tool name first (Q1). Any text is a safe query (Q2).

        Raises ModelMismatchError when another process has re-embedded the store with another model meanwhile.
        """
        if not query.text.strip() and not query.keywords.strip():
            return []
        phrases = await self.phrases(query)
        async with self._store.database.reading() as connection:
            return (await self._answered(connection, query, phrases))[0]

    async def counted(self, query: SearchQuery) -> CountedHits:
        """What :meth:`run` finds, and what :meth:`baseline` counts, of one state of the store."""
        phrases = await self.phrases(query)
        async with self._store.database.reading() as connection:
            hits, sequence = await self._answered(connection, query, phrases)
            return CountedHits(hits, await self._tokens(connection, query, sequence))

    async def _answered(
        self, connection: AsyncConnection, query: SearchQuery, phrases: Sequence[Phrase]
    ) -> tuple[list[SearchHit], int]:
        """The best tools, and the last change of the store in which they were looked for."""
        answers = await self.answers(connection, query, phrases, depth=_depth(query))
        ranked = answers.ranked()[: query.limit]
        hits = await self.hits(connection, answers, ranked)
        if query.compare and answers.order is not None and len(hits) == len(ranked):
            plain = await self.answers(
                connection, query.model_copy(update={"plain": True}), phrases, depth=_depth(query)
            )
            vector = phrases[0].vector
            calls = {} if vector is None else calls_after(answers.order, vector)
            hits = with_plain_ranks(hits, [item.id for item in ranked], [item.id for item in plain.ranked()], calls)
        return hits, answers.sequence

    async def baseline(self, query: SearchQuery) -> int:
        """Tokens of every tool that the query's scope and filters let through."""
        async with self._store.database.reading() as connection:
            return await self._tokens(connection, query, (await search_reads.version(connection)).sequence)

    async def _tokens(self, connection: AsyncConnection, query: SearchQuery, sequence: int) -> int:
        return sum([await self.reach.tokens(connection, side, sequence, query) for side in sides(query.scope)])

    async def every(self, query: SearchQuery, *, most: int) -> list[OfferedTool]:
        """Every tool that the query's scope and filters let through, by server and name. Raises TooManyError."""
        results: list[OfferedTool] = []
        async with self._store.database.reading() as connection:
            sequence = (await search_reads.version(connection)).sequence
            for side in sides(query.scope):
                allowed = await self.reach.servers(connection, side, sequence, query)
                number = await self._ops(side).number_of_servers(connection, allowed)
                if number + len(results) > most:
                    raise TooManyError(f"there are {number + len(results):,} tools, which is more than {most:,}")
                tools = await self._ops(side).of_servers(connection, allowed)
                results += [
                    OfferedTool(server=server.name, name=tool.name, details=tool.details, tokens=tool.token_count)
                    for server in sorted(allowed.values(), key=lambda server: server.name)
                    for tool in tools.get(server.id, ())
                ]
        return results

    async def vector(self, text: str) -> Vector | None:
        """The query's own vector; None when the model is not to be had: words still find what they find.

        Every vector that is searched with comes from here, and is turned by :meth:`turned`.
        """
        return await self._queries.of(text)

    async def phrases(self, query: SearchQuery) -> list[Phrase]:
        """What is looked for: the whole query first, then its sentences, where it has several."""
        target = to_storable(query.text).strip()
        keywords = to_storable(query.keywords).strip()
        results = [Phrase(target, keywords or target, await self.vector(target) if target else None)]
        if results[0].vector is None and keywords:
            return results  # each sentence would find the same
        parts = sentences(target)
        vectors = await asyncio.gather(*map(self.vector, parts))
        return results + [Phrase(part, keywords or part, vector) for part, vector in zip(parts, vectors, strict=True)]

    async def answers(
        self, connection: AsyncConnection, query: SearchQuery, phrases: Sequence[Phrase], *, depth: int
    ) -> PhraseAnswers:
        """What both halves find on every side. Raises ModelMismatchError."""
        version = await search_reads.version(connection)
        model = self._embedder.model
        if version.model != model:
            raise ModelMismatchError(
                f"the database now holds embeddings of the model {version.model}, not of {model}",
                remedy=f"set embedding_model_name to {version.model} and restart the program",
            )
        order = None if query.plain else await self._order.current(connection, version)
        if order is not None:
            phrases = [
                phrase if phrase.vector is None else phrase._replace(vector=transform(phrase.vector, order.matrix))
                for phrase in phrases
            ]
        answers = await self._candidates.gather(
            connection, query, phrases, version=version, depth=depth, bounds=self.bounds
        )
        answers.order = order
        return answers

    async def turned(self, connection: AsyncConnection, vector: Vector) -> Vector:
        """A query's vector as what was learned has it (Q6)."""
        order = await self._order.current(connection, await search_reads.version(connection))
        return vector if order is None else transform(vector, order.matrix)

    def bounds(self, distances: Collection[float]) -> tuple[float, float] | None:
        """Least and greatest likeness of the nearest, where the model's are not those that the fusion is tuned for.

        Of a few tools they say nothing about the model.
        """
        if self._embedder.model in OFFLINE_MODELS or len(distances) < _TELLING:
            return None
        return 1 - max(distances), 1 - min(distances)

    async def hits(
        self, connection: AsyncConnection, answers: PhraseAnswers, ranked: Sequence[RankedTool]
    ) -> list[SearchHit]:
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


def _hit(side: Side, tool: StoredTool, server: str, found: RankedTool, terms: Sequence[str]) -> SearchHit:
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
        vector_score=round(found.vector_score, 6),
        word_score=round(found.word_score, 6),
        sentence=found.sentence,
        matched={name: tuple(words) for name, words in match.matched.items()},
    )
