"""What a search costs as the store grows, beside one scan of the vector table in the same run.

The first 10,000 tools and all queries are embedded by the real model, the rest quickly made: no search knows which.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import numpy as np
from sqlalchemy import text

from bench.data import MadeUpSource, catalog
from bench.embedders import Switchable
from bench.report import Figures, measured
from mcp_optimizer.config import Settings
from mcp_optimizer.db import search_reads
from mcp_optimizer.db.search_index import Side
from mcp_optimizer.db.sqlite import full_text as sqlite_words
from mcp_optimizer.db.sqlite import vector_index as sqlite_search
from mcp_optimizer.domain.models import Kind
from mcp_optimizer.domain.reports import IngestPart
from mcp_optimizer.domain.search.words import query_terms
from mcp_optimizer.domain.views import Scope, SearchQuery
from mcp_optimizer.embeddings import open_embedder
from mcp_optimizer.search.hybrid import DEPTH
from mcp_optimizer.service import DataService

SIZES: Final = (1_000, 10_000, 100_000, 200_000)
_EACH: Final = 100
"""Tools of a server."""
_QUERIES: Final = (
    "list issues of a project",
    "create a calendar event in the workspace without waiting for it to finish",
    "weather report",
    "rotate certificate",
    "needs permission to delete",
    "export_invoice_17",
    "dashboard",
    "which customers changed since a given date",
)
_ROUNDS: Final = 3
_LIMIT: Final = 20
_REAL: Final = 10_000
"""So many tools are embedded by the real model."""


async def _spent(work: Callable[[str], Awaitable[object]]) -> list[float]:
    """Milliseconds of every query and round, in ascending order."""
    spent = []
    for _ in range(_ROUNDS):
        for query in _QUERIES:
            start = time.perf_counter()
            await work(query)
            spent.append((time.perf_counter() - start) * 1000)
    return sorted(spent)


async def _median(work: Callable[[str], Awaitable[object]]) -> float:
    """Milliseconds, the middle of all queries and rounds."""
    return statistics.median(await _spent(work))


async def measure(figures: Figures, directory: Path, sizes: tuple[int, ...] = SIZES) -> None:
    """Let one store grow, and search it at every size."""
    settings = Settings(db_url=f"sqlite:///{directory / 'speed.db'}")
    embedder = Switchable(open_embedder(settings))
    sys.stdout.write(
        f"{'tools':>8} {'scan ms':>9} {'search':>8} {'x scan':>7} {'kind':>8} {'words':>8} {'unloaded':>9} "
        f"{'writing':>8} {'(p95)':>7} {'load s':>7} {'MB':>6}\n"
    )
    async with DataService(settings, embedder=embedder) as service:
        for size in sizes:
            embedder.real = size <= _REAL
            result = catalog(size // _EACH, _EACH)
            await service.ingest_from(IngestPart.REGISTRY, MadeUpSource(result, None))
            embedder.real = True
            await _row(figures, service, size)


async def _row(figures: Figures, service: DataService, size: int) -> None:
    search, resident = service._search, service._search.resident

    def asked(query: str, kind: Kind | None = None) -> SearchQuery:
        return SearchQuery(text=query, scope=Scope.REGISTRY, limit=_LIMIT, kind=kind)

    vectors = {query: await search.vector(query) for query in _QUERIES}

    async def scan(query: str) -> object:
        vector = vectors[query]
        assert vector is not None
        async with service.store.database.reading() as connection:
            return await sqlite_search.nearest_tools(connection, Side.REGISTRY, vector, limit=50, servers=None)

    async def found(query: str, kind: Kind | None = None) -> object:
        search._queries._kept.clear()  # every query is a new one, which has to be embedded
        return await service.search(asked(query, kind))

    async def words(query: str) -> object:
        async with service.store.database.reading() as connection:
            terms = query_terms(query)
            return await sqlite_words.matching_tools(connection, Side.REGISTRY, terms, limit=DEPTH, servers=None)

    resident._held.clear()
    resident._asked.clear()
    await service.search(asked(_QUERIES[0]))  # what is read once is in the page cache
    resident._asked.clear()
    unloaded = await _median_of_first(service, asked)
    with measured() as loading:
        await resident.load(Side.REGISTRY)
    scanned = await _median(scan)
    searched = await _median(found)
    scanned = min(scanned, await _median(scan))
    filtered = await _median(lambda query: found(query, Kind.REMOTE))
    worded = await _median(words)
    written = await _while_writing(service, asked)
    late = written[int(0.95 * len(written))]
    sys.stdout.write(
        f"{size:>8} {scanned:>9.1f} {searched:>8.1f} {searched / scanned:>7.2f} {filtered:>8.1f} {worded:>8.1f} "
        f"{unloaded:>9.1f} {statistics.median(written):>8.1f} {late:>7.1f} {loading.seconds:>7.2f} "
        f"{resident.bytes / 2**20:>6.0f}\n"
    )
    if size == 100_000:
        figures.say("search against the scan, 100,000 tools", searched / scanned, "times", most=0.4)
        figures.say("search with a filter against the scan", filtered / scanned, "times", most=0.6)
    if size <= 100_000:
        figures.say(f"recall@20 against brute force, {size} tools", await _recall(service), "", least=0.99)


async def _median_of_first(service: DataService, asked: Callable[[str], SearchQuery]) -> float:
    """Milliseconds of a search before the vectors are at hand."""
    resident = service._search.resident

    async def first(query: str) -> object:
        resident._asked.clear()
        return await service.search(asked(query))

    return await _median(first)


async def _while_writing(service: DataService, asked: Callable[[str], SearchQuery]) -> list[float]:
    """Milliseconds, ascending, while another connection commits a change of one server's tools after the other."""
    result = catalog(2, _EACH)
    stop = asyncio.Event()

    async def write() -> None:
        version = 2
        while not stop.is_set():
            changed = catalog(1, _EACH, version=version).entries
            whole = result.model_copy(update={"entries": (*changed, *result.entries[1:]), "complete": False})
            await service.ingest_from(IngestPart.REGISTRY, MadeUpSource(whole, None))
            version += 1
            await asyncio.sleep(0.05)

    writing = asyncio.create_task(write())
    try:
        return await _spent(lambda query: service.search(asked(query)))
    finally:
        stop.set()
        await writing


async def _recall(service: DataService) -> float:
    """Share of the 20 nearest by brute force that the vectors at hand find, without and with a filter."""
    async with service.store.database.reading() as connection:
        rows = (await connection.execute(text("SELECT id, server_id, details_embedding FROM tools_registry"))).all()
        sequence, model, _, _ = await search_reads.version(connection)
        held = await service._search.resident.current(connection, Side.REGISTRY, sequence, model)
    if held is None:
        return 0.0
    every = np.stack([np.frombuffer(row[2], dtype="<f4") for row in rows])
    owners = sorted({row[1] for row in rows})
    results = []
    for share in (1, 3, len(owners)):
        servers = set(owners[::share])
        allowed = np.array([row[1] in servers for row in rows])
        for vector in [await service._search.vector(query) for query in _QUERIES]:
            assert vector is not None
            likeness = np.where(allowed, every @ vector, -2)
            best = {rows[place][0] for place in np.argsort(-likeness)[:_LIMIT]}
            (ours,) = held.nearest([vector], limit=_LIMIT, servers=None if share == 1 else servers)
            results.append(len(best & {near.id for near in ours}) / len(best))
    return statistics.mean(results)


def run(figures: Figures) -> None:
    """Print the table."""
    figures.head("Speed of search (milliseconds, medians; scan: one nearest-50 scan of the vector table)")
    with tempfile.TemporaryDirectory() as temporary:
        asyncio.run(measure(figures, Path(temporary)))
