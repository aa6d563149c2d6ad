"""Learning the order from what agents called after asking, and proving it on queries held out (Q6)."""

import asyncio
import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mcp_optimizer.clock import Runtime
from mcp_optimizer.db import learning_ops, search_reads
from mcp_optimizer.db.learning_ops import LearnedOrder
from mcp_optimizer.db.search_index import Side
from mcp_optimizer.db.store import Store
from mcp_optimizer.domain.search.learning import (
    DUE_CALLS,
    DUE_DAYS,
    DUE_NEW_CALLS,
    LEAST_QUERIES,
    SHOWN,
    ForgetReport,
    LabelledQuery,
    LearnReport,
    MovedTool,
    NotedCall,
    labelled_queries,
    quality,
    query_key,
    splits,
    verdict,
    vote_counts,
)
from mcp_optimizer.domain.search.offers import ToolName
from mcp_optimizer.domain.search.words import sentences
from mcp_optimizer.domain.vectors import Embedder
from mcp_optimizer.domain.views import SavedQuery, SearchQuery
from mcp_optimizer.errors import EmbeddingError, ModelMismatchError
from mcp_optimizer.search.hybrid import Search
from mcp_optimizer.search.learned import FixedOrder
from mcp_optimizer.search.training import train

_DEPTH: Final = 50
"""A called tool that is not among so many is not found."""
_PROBES: Final = 100
"""Other tools that are looked for by what they say of themselves."""
_NAMES: Final = 20
"""Tools that are looked for by their exact names."""
_MAX_HELD_OUT: Final = 40
"""Of each fifth."""
_MAX_EXAMPLES: Final = 1000
_MAX_TOLD: Final = 50
_MAX_QUERY_TOLD: Final = 100
"""Characters."""

type Places = list[list[int | None]]
"""For each query, the places of its tools."""


class _Tools(NamedTuple):
    """The tools of running workloads, and others: their names, texts and vectors, row by row."""

    names: list[ToolName]
    descriptions: list[str]
    vectors: NDArray[np.float32]


class _Known(NamedTuple):
    """What must not be lost."""

    saved: Sequence[SavedQuery]
    names: Sequence[SavedQuery]
    probes: Sequence[SavedQuery]


class Learning:
    """Learns, and forgets. Reads and trains first; what it stores is one short write."""

    def __init__(self, store: Store, embedder: Embedder, search: Search, runtime: Runtime) -> None:
        self._store = store
        self._embedder = embedder
        self._search = search
        self._runtime = runtime

    async def is_due(self) -> bool:
        """Whether so much is new, or so old, that a server should learn."""
        async with self._store.database.reading() as connection:
            mark = await learning_ops.learning_mark(connection, self._embedder.model)
        if mark.calls < DUE_CALLS:
            return False
        if mark.tried_at is None or mark.new_calls >= DUE_NEW_CALLS:
            return True
        return self._runtime.now() - datetime.fromisoformat(mark.tried_at) >= timedelta(days=DUE_DAYS)

    async def last_report(self) -> LearnReport | None:
        """How the last learning went."""
        async with self._store.database.reading() as connection:
            return await learning_ops.learn_report(connection, self._embedder.model)

    async def run(self, *, saved: Sequence[SavedQuery] = (), dry_run: bool = False) -> LearnReport:
        """Learn, and use it where it is better. Raises EmbeddingError, ModelMismatchError; nothing is stored then."""
        start = self._runtime.monotonic()
        async with self._store.database.reading() as connection:
            calls, last_call = await learning_ops.calls(connection)
        tools = await self._tools()
        present = set(tools.names)
        now = self._runtime.now()
        queries = labelled_queries([call for call in calls if (call.server, call.tool) in present], now)
        report = LearnReport(
            calls=len(calls),
            queries=len(queries),
            dry_run=dry_run,
            reason=f"too few different queries: {len(queries)} of at least {LEAST_QUERIES}",
            tools=tuple(vote_counts(calls, queries)[:_MAX_TOLD]),
        )
        order = None
        if len(queries) >= LEAST_QUERIES:
            order, report = await self._tried(report, calls, queries, tools, saved)
        report = report.model_copy(update={"seconds": round(self._runtime.monotonic() - start, 1)})
        if not dry_run:
            await self._store_result(order if report.accepted else None, report, last_call)
        return report

    async def forget(self, *, dry_run: bool = False) -> ForgetReport:
        """Forget what was learned, for every model, and the calls that it was learned from."""
        if dry_run:
            async with self._store.database.reading() as connection:
                result = await learning_ops.counts(connection)
        else:
            async with self._store.database.writing() as connection:
                result = await learning_ops.counts(connection)
                await learning_ops.forget_all(connection)
        return ForgetReport(calls=result[0], orders=result[1], dry_run=dry_run)

    async def _tools(self) -> _Tools:
        """Those of all workloads that have a vector; of one name, the first."""
        async with self._store.database.reading() as connection:
            version = await search_reads.version(connection)
            if version.model != self._embedder.model:
                raise ModelMismatchError(f"the database holds embeddings of {version.model} now")
            servers = {row.id: row.name for row in await search_reads.server_rows(connection, Side.WORKLOAD)}
            stored = await self._store.workload_tools.of_servers(connection, servers)
            vectors: dict[str, bytes] = {}
            async for batch in search_reads.all_vectors(connection, Side.WORKLOAD, version.dimension):
                vectors |= {row[0]: row[2] for row in batch}
        remaining = [(servers[key], tool) for key, tools in stored.items() for tool in tools if tool.id in vectors]
        matrix = np.frombuffer(b"".join(vectors[tool.id] for _, tool in remaining), dtype="<f4")
        return _Tools(
            [(server, tool.name) for server, tool in remaining],
            [tool.definition.description for _, tool in remaining],
            matrix.reshape(len(remaining), version.dimension),
        )

    async def _tried(
        self,
        report: LearnReport,
        calls: Sequence[NotedCall],
        queries: Sequence[LabelledQuery],
        tools: _Tools,
        saved: Sequence[SavedQuery],
    ) -> tuple[LearnedOrder, LearnReport]:
        """An order, and how queries that it was not trained on find with it."""
        vectors = await self._vectors([query.text for query in queries])
        row_of = {query.text: row for row, query in enumerate(queries)}
        plain = self._search.with_order(FixedOrder(None))
        request: list[LabelledQuery] = []
        before: Places = []
        after: Places = []
        for training, part in splits(queries):
            held_out = part[:_MAX_HELD_OUT]
            rows = [row_of[query.text] for query in training]
            matrix = await asyncio.to_thread(train, vectors[rows], tools.vectors, _labels(training, tools))
            trial = self._search.with_order(FixedOrder(LearnedOrder("", matrix, vectors[:0], [])))
            request += held_out
            before += await _places(plain, held_out)
            after += await _places(trial, held_out)
        order = await self._trained(calls, queries, vectors, tools)
        learned = self._search.with_order(FixedOrder(order))
        known = _known(saved, tools, {tool for query in queries for tool in query.votes})
        lost_known = await _lost(plain, learned, [*known.saved, *known.names])
        lost = await _lost(plain, learned, known.probes)
        accepted, reason = verdict(
            quality(before), quality(after), lost_known=lost_known, lost=len(lost), probes=len(known.probes)
        )
        return order, report.model_copy(
            update={
                "held_out": len(request),
                "before": quality(before),
                "after": quality(after),
                "accepted": accepted,
                "reason": reason,
                "moved": tuple(_moved(request, before, after)[:_MAX_TOLD]),
                "lost": tuple([*lost_known, *lost][:_MAX_TOLD]),
            }
        )

    async def _trained(
        self,
        calls: Sequence[NotedCall],
        queries: Sequence[LabelledQuery],
        vectors: NDArray[np.float32],
        tools: _Tools,
    ) -> LearnedOrder:
        """An order of all the queries, with those that explain it."""
        matrix = await asyncio.to_thread(train, vectors, tools.vectors, _labels(queries, tools))
        sessions = Counter(
            (query, tool)
            for _, query, tool in {(call.session, query_key(call.query), (call.server, call.tool)) for call in calls}
        )
        examples = [
            (row, tool, sessions[query_key(query.text), tool])
            for row, query in enumerate(queries)
            for tool in query.votes
        ][:_MAX_EXAMPLES]
        return LearnedOrder(
            self._runtime.new_id(),
            matrix,
            vectors[[row for row, _, _ in examples]],
            [(tool, count) for _, tool, count in examples],
        )

    async def _vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Of queries, as a search has them."""
        results = [await self._search.vector(text) for text in texts]
        vectors = [vector for vector in results if vector is not None]
        if len(vectors) < len(results):
            raise EmbeddingError("the queries can't be embedded", remedy="see `doctor`")
        return np.stack(vectors)

    async def _store_result(self, order: LearnedOrder | None, report: LearnReport, last_call: int) -> None:
        """What is in use is always what was learned last; the plain order where that was not accepted."""
        model, at = self._embedder.model, self._runtime.timestamp()
        async with self._store.database.writing() as connection:
            version = await search_reads.version(connection)
            if version.model != model:
                raise ModelMismatchError(f"the database holds embeddings of {version.model} now; nothing was learned")
            await learning_ops.put_result(connection, model, order, at=at, last_call=last_call, report=report)


def _labels(queries: Sequence[LabelledQuery], tools: _Tools) -> list[dict[int, float]]:
    """For each query the rows of its tools, with their votes."""
    rows = {tool: row for row, tool in reversed(list(enumerate(tools.names)))}
    return [{rows[tool]: vote for tool, vote in query.votes.items()} for query in queries]


async def _places(search: Search, queries: Iterable[LabelledQuery]) -> Places:
    """At which places a search finds what was called."""
    results: Places = []
    for query in queries:
        hits = await search.run(SearchQuery(text=query.text, status=None, limit=_DEPTH))
        places = {(hit.server, hit.tool): place for place, hit in reversed(list(enumerate(hits, start=1)))}
        results.append([places.get(tool) for tool in query.votes])
    return results


def _moved(queries: Sequence[LabelledQuery], before: Places, after: Places) -> list[MovedTool]:
    return [
        MovedTool(query=query.text, server=tool[0], tool=tool[1], plain_rank=plain, learned_rank=learned)
        for query, was, will in zip(queries, before, after, strict=True)
        for tool, plain, learned in zip(query.votes, was, will, strict=True)
        if plain != learned
    ]


def _known(saved: Sequence[SavedQuery], tools: _Tools, called: set[ToolName]) -> _Known:
    """Saved queries; some exact names; and what tools say of themselves, first those that nobody called."""
    order = sorted(
        range(len(tools.names)),
        key=lambda row: (tools.names[row] in called, hashlib.sha256(repr(tools.names[row]).encode()).digest()),
    )
    names = [_saved(tools.names[row], tools.names[row][1], 1) for row in order[:_NAMES]]
    probes = [
        _saved(tools.names[row], next(iter(sentences(tools.descriptions[row])), tools.descriptions[row]), SHOWN)
        for row in order
        if tools.descriptions[row].strip()
    ]
    return _Known(saved, names, probes[:_PROBES])


def _saved(tool: ToolName, text: str, within: int) -> SavedQuery:
    return SavedQuery(query=text[:1000], expect=("/".join(tool),), within=within)


async def _lost(plain: Search, learned: Search, known: Sequence[SavedQuery]) -> list[str]:
    """The known answers that the plain order finds and the learned one does not."""
    return [
        f"{one.query[:_MAX_QUERY_TOLD]}: {', '.join(one.expect)}"
        for one in known
        if await _finds(plain, one) and not await _finds(learned, one)
    ]


async def _finds(search: Search, one: SavedQuery) -> bool:
    hits = await search.run(SearchQuery(text=one.query, scope=one.scope, limit=one.within))
    return {f"{hit.server}/{hit.tool}" for hit in hits}.issuperset(one.expect)
