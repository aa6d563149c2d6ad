"""The store at its stated size: 1,000 registry servers and 1,000 workloads of 100 tools each."""

import asyncio
import resource
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from sqlalchemy import text

from bench.data import MadeUpSource, catalog, listing
from bench.embedders import Switchable
from bench.report import Figures, measured
from mcp_optimizer.config import Settings
from mcp_optimizer.db.sqlite import driver as sqlite_driver
from mcp_optimizer.domain.models import Catalog, CatalogEntry, ObservedWorkload, WorkloadListing
from mcp_optimizer.domain.reports import IngestPart, IngestProgress
from mcp_optimizer.embeddings import open_embedder
from mcp_optimizer.service import DataService

SERVERS: Final = 1000
TOOLS: Final = 100


async def measure(figures: Figures, servers: int = SERVERS, tools: int = TOOLS) -> None:
    """Fill a store, then change it in every way that has a limit."""
    figures.head(f"{servers} registry servers, {servers} workloads, {tools} tools each")
    with tempfile.TemporaryDirectory() as temporary:
        settings = Settings(db_url=f"sqlite:///{Path(temporary) / 'scale.db'}", cache_dir=Path(temporary))
        embedder = Switchable(open_embedder(settings))
        result = catalog(servers, tools)
        listed = listing(result, servers, tools)
        async with DataService(settings, embedder=embedder) as service:
            written = await _ingest(figures, service, result, listed)
            await _no_change(figures, service, embedder, result, listed)
            await _changes(figures, service, embedder, result, listed)
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            figures.say("most memory used by this process", peak, "MB", most=1024)
            await _baseline(figures, service, written)


class _Phases:
    """Seconds spent in each phase of an ingestion."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._phase = ""
        self._since = time.perf_counter()

    def __call__(self, progress: IngestProgress) -> None:
        """Note where the ingestion is."""
        now = time.perf_counter()
        self.seconds[self._phase] = self.seconds.get(self._phase, 0.0) + now - self._since
        self._phase, self._since = progress.phase, now


async def _ingest(figures: Figures, service: DataService, made: Catalog, listed: WorkloadListing) -> float:
    """Fill the store; the seconds that writing the registry took."""
    phases = _Phases()
    with measured() as watch:
        await service.ingest_from(IngestPart.REGISTRY, MadeUpSource(made, None), on_progress=phases)
    figures.say("first ingestion of the registry, vectors given", watch.seconds, "s")
    written = phases.seconds["writing"]
    figures.say("  of that writing", written, "s")
    with measured() as watch:
        await service.ingest_from(IngestPart.WORKLOADS, MadeUpSource(None, listed))
    figures.say("first ingestion of the workloads, vectors given", watch.seconds, "s")
    return written


async def _baseline(figures: Figures, service: DataService, written: float) -> None:
    plain = await _plainly_written(service)
    figures.say("baseline: the registry's rows again, by plain executemany", plain, "s")
    figures.say("writing against the baseline", written / plain, "times", most=3)


async def _plainly_written(service: DataService) -> float:
    """Seconds to write every row of the registry's tables into an empty database of the same schema, by hand."""
    copied = ["mcpservers_registry", "tools_registry", "registry_server_vector", "registry_tool_vectors"]
    columns = {
        "registry_server_vector": "key, embedding, id",
        "registry_tool_vectors": "key, embedding, server_id, id",
        "registry_tool_fts": "rowid, name, words, description, parameters, server, id, server_id",
    }
    rows: dict[str, list[tuple[object, ...]]] = {}
    async with service.store.database.reading() as connection:
        for table in (*copied, "registry_tool_fts"):
            result = await connection.execute(text(f"SELECT {columns.get(table, '*')} FROM {table}"))
            rows[table] = [tuple(row) for row in result]
    with tempfile.TemporaryDirectory() as temporary:
        empty = Settings(db_url=f"sqlite:///{Path(temporary) / 'plain.db'}", cache_dir=Path(temporary))
        async with DataService(empty, embedder=service.embedder):
            pass
        database = sqlite_driver.connect(Path(temporary) / "plain.db")
        try:
            with measured() as watch:
                database.execute("BEGIN IMMEDIATE")
                for table, items in rows.items():
                    into = f"{table} ({columns[table]})" if table in columns else table
                    marks = ", ".join("?" * len(items[0]))
                    database.executemany(f"INSERT INTO {into} VALUES ({marks})", items)
                database.execute("COMMIT")
        finally:
            database.close()
    return watch.seconds


async def _no_change(
    figures: Figures, service: DataService, embedder: Switchable, made: Catalog, listed: WorkloadListing
) -> None:
    before = embedder.texts
    with measured() as watch:
        await service.ingest_from(IngestPart.ALL, MadeUpSource(made, listed))
    figures.say("ingestion in which nothing changed", watch.seconds, "s", most=3)
    figures.say("texts it embedded", embedder.texts - before, "texts", most=0)


async def _changes(
    figures: Figures, service: DataService, embedder: Switchable, made: Catalog, listed: WorkloadListing
) -> None:
    embedder.real = True
    await embedder.embed(["warm"])
    with measured() as watch:
        await service.delete_workloads(["workload-00001"])
    figures.say("delete a workload of 100 tools", watch.seconds * 1000, "ms", most=100)
    one = WorkloadListing(
        source="one", workloads=tuple(w for w in listed.workloads if w.name == "workload-00002"), complete=False
    )
    moved = ObservedWorkload.model_validate({**one.workloads[0].model_dump(), "endpoint": "http://127.0.0.1:9/mcp"})
    with measured() as watch:
        await service.ingest_from(
            IngestPart.WORKLOADS, MadeUpSource(None, one.model_copy(update={"workloads": (moved,)}))
        )
    figures.say("match and relate one re-ingested workload", watch.seconds * 1000, "ms", most=300)
    with measured() as watch:
        await service.delete_registry_servers(["server-00003"])
    figures.say("delete a linked registry server, its 100 tools re-embedded", watch.seconds * 1000, "ms", most=700)
    left = [entry for entry in made.entries if entry.name != "server-00003"]
    retagged = [
        entry if entry.name != "server-00005" else catalog(6, len(entry.tools), version=2).entries[5] for entry in left
    ]
    figures.say("write one re-tagged entry among all", await _write_seconds(service, retagged) * 1000, "ms")
    figures.say("  baseline: the same among 10", await _write_among_ten(service) * 1000, "ms")
    renamed = [
        entry if entry.name != "server-00006" else entry.model_copy(update={"name": "server-renamed"})
        for entry in retagged
    ]
    with measured() as watch:
        await service.ingest_from(IngestPart.REGISTRY, MadeUpSource(Catalog(source="x", entries=tuple(renamed)), None))
    figures.say("one entry renamed: its 100 tools and a workload's 100 re-embedded", watch.seconds * 1000, "ms")
    figures.say("  of that for 100 tools", watch.seconds * 1000 / 2, "ms", most=500)


async def _write_seconds(service: DataService, entries: Sequence[CatalogEntry]) -> float:
    """Seconds of the write transaction of an ingestion of these entries."""
    phases = _Phases()
    source = MadeUpSource(Catalog(source="x", entries=tuple(entries)), None)
    await service.ingest_from(IngestPart.REGISTRY, source, on_progress=phases)
    return phases.seconds["writing"]


async def _write_among_ten(service: DataService) -> float:
    with tempfile.TemporaryDirectory() as temporary:
        small = Settings(db_url=f"sqlite:///{Path(temporary) / 'small.db'}", cache_dir=Path(temporary))
        async with DataService(small, embedder=service.embedder) as other:
            result = catalog(10, TOOLS)
            await other.ingest_from(IngestPart.ALL, MadeUpSource(result, listing(result, 10, TOOLS)))
            changed = list(result.entries)
            changed[5] = catalog(6, TOOLS, version=2).entries[5]
            return await _write_seconds(other, changed)


def run(figures: Figures) -> None:
    """Measure at the stated size."""
    asyncio.run(measure(figures))
