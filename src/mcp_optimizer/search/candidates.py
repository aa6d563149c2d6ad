"""What the two halves of a search find, for the whole query and for each of its sentences (Q1)."""

import asyncio
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np
from sqlalchemy.ext.asyncio import AsyncConnection

from mcp_optimizer.db import search_reads
from mcp_optimizer.db.dialects import index_of
from mcp_optimizer.db.learning_ops import LearnedOrder
from mcp_optimizer.db.search_index import Near, Side
from mcp_optimizer.db.store import Store
from mcp_optimizer.domain.search.rank import PhraseMatches, RankedTool, TextMatch, fused
from mcp_optimizer.domain.search.words import coverage, matched_words, query_terms
from mcp_optimizer.domain.vectors import Vector
from mcp_optimizer.domain.views import Scope, SearchQuery
from mcp_optimizer.search.filters import SearchedServer, SearchScope
from mcp_optimizer.search.vector_cache import VectorCache
from mcp_optimizer.search.vector_matrix import VectorMatrix

AT_ONCE: Final = 4096
"""So many vectors are compared in less time than it takes to have another thread do it."""


class Phrase(NamedTuple):
    """What is looked for: the whole query, or one sentence of it."""

    text: str
    words: str
    """Looked for by words: the query's keywords, where it has some."""
    vector: Vector | None


@dataclass
class _Gathered:
    """What was found for one phrase, on all sides."""

    near: list[Near] = field(default_factory=list)
    distances: dict[str, float] = field(default_factory=dict)
    server_distances: dict[str, float] = field(default_factory=dict)
    matches: dict[str, TextMatch] = field(default_factory=dict)


@dataclass
class PhraseAnswers:
    """What the halves of a search say, for all sides searched, and of which servers the tools are."""

    phrases: list[PhraseMatches] = field(default_factory=list)
    """The whole query, then its sentences."""
    near: dict[str, float] = field(default_factory=dict)
    """The tools found by meaning, with their cosine distance from what found them."""
    exact: list[str] = field(default_factory=list)
    terms: list[str] = field(default_factory=list)
    servers: dict[str, SearchedServer] = field(default_factory=dict)
    """Tool id to its server."""
    sequence: int = 0
    """The last change of the store as it was searched."""
    semantic_ratio: float = 0.5
    order: LearnedOrder | None = None
    """What was learned from use, where it was searched with."""

    def ranked(self) -> list[RankedTool]:
        """Every tool found, best first."""
        return fused(self.phrases, self.near, self.exact, semantic_ratio=self.semantic_ratio)


@dataclass(frozen=True)
class _SideQuery:
    """What one side is asked, and on which connection."""

    connection: AsyncConnection
    side: Side
    version: search_reads.StoreVersion
    phrases: Sequence[Phrase]
    depth: int
    allowed: Mapping[str, SearchedServer]
    """The servers that the filters let through."""
    servers: Mapping[str, SearchedServer] | None
    """The same; None where these are all, so that no half looks at them."""


class Candidates:
    """Asks both halves, on one connection."""

    def __init__(
        self, store: Store, reach: SearchScope, resident: VectorCache, *, single_threaded: bool = False
    ) -> None:
        self._store = store
        self._reach = reach
        self._resident = resident
        self._at_once = sys.maxsize if single_threaded else AT_ONCE

    async def gather(
        self,
        connection: AsyncConnection,
        query: SearchQuery,
        phrases: Sequence[Phrase],
        *,
        version: search_reads.StoreVersion,
        depth: int,
        bounds: Callable[[Collection[float]], tuple[float, float] | None],
    ) -> PhraseAnswers:
        """Ask on every side; the filters hold inside both halves, so a filtered search fills its limit (Q1).

        ``bounds``: least and greatest likeness of what is nearest, where they are to be stretched.
        """
        answers = PhraseAnswers(semantic_ratio=query.semantic_ratio, sequence=version.sequence)
        gathered = [_Gathered() for _ in phrases]
        for side in sides(query.scope):
            allowed = await self._reach.servers(connection, side, version.sequence, query)
            every = await self._reach.everything(connection, side, version.sequence)
            servers = None if len(every) == len(allowed) else allowed
            request = _SideQuery(connection, side, version, phrases, depth, allowed, servers)
            owners, terms = await self._halves(request, gathered, query.max_distance)
            exact = await self._exact(request)
            answers.exact += exact
            owners |= exact
            answers.terms = answers.terms or terms
            answers.servers |= {tool: allowed[server] for tool, server in owners.items()}
            await self._measure(request, gathered, owners)
        answers.near = {near.id: near.distance for part in reversed(gathered) for near in part.near}
        for phrase, part in zip(phrases, gathered, strict=True):
            limits = bounds([near.distance for near in part.near])
            instance = PhraseMatches(phrase.text, part.distances, part.server_distances, part.matches, limits)
            answers.phrases.append(instance)
        return answers

    async def _halves(
        self, asked: _SideQuery, gathered: Sequence[_Gathered], most: float | None
    ) -> tuple[dict[str, str], list[str]]:
        """The tools found, each with its server's id, and the terms looked for. ``most``: distance for meaning."""
        held = None
        if asked.phrases[0].vector is not None:
            version = asked.version
            held = await self._resident.current(asked.connection, asked.side, version.sequence, version.model)
        # numpy works while the database looks for words
        aside = asyncio.create_task(self._held(held, asked)) if held is not None else None
        owners, terms = await self._words(asked, gathered)
        result = await aside if aside else await _scanned(asked)
        for part, near in zip(gathered, result, strict=True):
            remaining = [item for item in near if most is None or item.distance <= most]
            part.near += remaining
            part.distances |= {item.id: item.distance for item in near}
            owners |= {item.id: item.server_id for item in remaining}
        return {tool: server for tool, server in owners.items() if server in asked.allowed}, terms

    async def _held(self, held: VectorMatrix, asked: _SideQuery) -> list[list[Near]]:
        """The nearest of the vectors at hand, for each phrase; the event loop goes on where that takes long."""

        def nearest() -> list[list[Near]]:
            vectors = [phrase.vector for phrase in asked.phrases if phrase.vector is not None]
            result = iter(held.nearest(vectors, limit=asked.depth, servers=asked.servers))
            return [[] if phrase.vector is None else next(result) for phrase in asked.phrases]

        quick = held.count * len(asked.phrases) <= self._at_once
        return nearest() if quick else await asyncio.to_thread(nearest)

    async def _exact(self, asked: _SideQuery) -> dict[str, str]:
        """The tools of exactly this name, each with its server's id."""
        ops = self._store.workload_tools if asked.side is Side.WORKLOAD else self._store.registry_tools
        named = await ops.named(asked.connection, {asked.phrases[0].text, asked.phrases[0].words})
        return dict([pair for pair in named if pair[1] in asked.allowed][: asked.depth])

    async def _words(self, asked: _SideQuery, gathered: Sequence[_Gathered]) -> tuple[dict[str, str], list[str]]:
        """The tools that hold words of the phrases, with their servers' ids; the terms of the whole query.

        The sentences together are looked at as deep as the whole: several do not multiply what a search costs.
        """
        share = asked.depth // max(len(asked.phrases) - 1, 1)
        owners: dict[str, str] = {}
        answered: dict[str, tuple[list[str], list[tuple[TextMatch, str]]]] = {}
        for phrase, part in zip(asked.phrases, gathered, strict=True):
            if phrase.words not in answered:
                answered[phrase.words] = await self._matching(asked, phrase.words, share if answered else asked.depth)
            for match, server in answered[phrase.words][1]:
                part.matches[match.id] = match
                owners[match.id] = server
        return owners, answered[asked.phrases[0].words][0]

    async def _matching(
        self, asked: _SideQuery, words: str, depth: int
    ) -> tuple[list[str], list[tuple[TextMatch, str]]]:
        """The terms looked for, and the tools that hold them, each with its server's id.

        Words that no tool has are taken for misspelt, or not finished, and are looked for as what they probably mean.
        """

        async def matches(terms: Sequence[str]) -> list[tuple[TextMatch, str]]:
            result = await index_of(asked.connection).matching_tools(
                asked.connection, asked.side, terms, limit=depth, servers=asked.servers
            )
            return [(text_match(terms, row.id, row.score, row.fields), row.server_id) for row in result]

        terms = query_terms(words)
        result = await matches(terms)
        seen = {word for match, _ in result for words in match.matched.values() for word in words}
        unknown = [term for term in terms if term not in seen]
        meant = await self._reach.corrections(asked.connection, asked.side, asked.version.sequence, unknown)
        if not meant:
            return terms, result
        terms = list(dict.fromkeys(meant.get(term, term) for term in terms))
        return terms, await matches(terms)

    async def _measure(self, asked: _SideQuery, gathered: Sequence[_Gathered], owners: Mapping[str, str]) -> None:
        """The distances that are not known yet: what words found, or another sentence, has its own as well."""
        parts = [(p.vector, part) for p, part in zip(asked.phrases, gathered, strict=True) if p.vector is not None]
        missing = {tool for _, part in parts for tool in owners if tool not in part.distances}
        if not parts:
            return
        connection, side, version = asked.connection, asked.side, asked.version
        tools = await search_reads.tool_vectors(connection, side, missing, version.dimension)
        servers = await self._reach.vectors(connection, side, version.sequence, set(owners.values()))
        for vector, part in parts:
            part.distances = _distances(tools, vector) | part.distances
            of_server = _distances(servers, vector)
            part.server_distances |= {tool: of_server[key] for tool, key in owners.items() if key in of_server}


async def _scanned(asked: _SideQuery) -> list[list[Near]]:
    """The nearest by the database itself, for each phrase."""
    index = index_of(asked.connection)
    results: list[list[Near]] = []
    for phrase in asked.phrases:
        near: list[Near] = []
        if phrase.vector is not None:
            near = await index.nearest_tools(
                asked.connection, asked.side, phrase.vector, limit=asked.depth, servers=asked.servers
            )
        results.append(near)
    return results


def sides(scope: Scope) -> list[Side]:
    """The sides that a scope searches."""
    return [side for side in (Side.WORKLOAD, Side.REGISTRY) if scope in {Scope.ALL, side.value}]


def _distances(blobs: Mapping[str, bytes], vector: Vector) -> dict[str, float]:
    """Cosine distances of stored vectors."""
    if not blobs:
        return {}
    matrix = np.frombuffer(b"".join(blobs.values()), dtype="<f4").reshape(len(blobs), -1)
    return dict(zip(blobs, (1 - matrix @ vector).tolist(), strict=True))


def text_match(terms: Sequence[str], identifier: str, score: float, fields: Mapping[str, str]) -> TextMatch:
    """Which of the terms a tool has where, and how much of the query that is."""
    matched = matched_words(terms, fields)
    return TextMatch(identifier, score, coverage(terms, matched), matched)
