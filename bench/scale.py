"""The store at its stated size: 1,000 registry servers and 1,000 workloads of 100 tools each."""

import asyncio
import resource
import tempfile
from pathlib import Path
from typing import Final

from sqlalchemy import text

from bench.data import MadeUpSource, catalog, listing
from bench.embedders import Switchable, hashed
from bench.report import Figures, measured
from mcp_optimizer.config import Settings
from mcp_optimizer.domain.models import Catalog, ObservedWorkload, WorkloadListing
from mcp_optimizer.domain.reports import IngestPart
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
        made = catalog(servers, tools)
        listed = listing(made, servers, tools)
        async with DataService(settings, embedder=embedder) as service:
            await _ingest(figures, service, made, listed)
            await _baseline(figures, service, made)
            await _no_change(figures, service, embedder, made, listed)
            await _changes(figures, service, embedder, made, listed)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    figures.say("most memory used by this process", peak, "MB", most=1024)


async def _ingest(figures: Figures, service: DataService, made: Catalog, listed: WorkloadListing) -> None:
    with measured() as watch:
        await service.ingest_from(IngestPart.REGISTRY, MadeUpSource(made, None))
    figures.say("first ingestion of the registry, vectors given", watch.seconds, "s")
    with measured() as watch:
        await service.ingest_from(IngestPart.WORKLOADS, MadeUpSource(None, listed))
    figures.say("first ingestion of the workloads, vectors given", watch.seconds, "s")


async def _baseline(figures: Figures, service: DataService, made: Catalog) -> None:
    """The rows of the registry's tools again, by a plain executemany into bare tables of the same file format."""
    rows = [(f"{e.name}/{t.name}", e.name, t.name, str(t.details)) for e in made.entries for t in e.tools]
    blobs = [hashed(row[0], 384).tobytes() for row in rows[:1000]]
    async with service.store.database.writing() as connection:
        await connection.execute(
            text("CREATE TABLE plain (id TEXT PRIMARY KEY, server TEXT, name TEXT, d TEXT, e BLOB)")
        )
        with measured() as watch:
            await connection.execute(
                text("INSERT INTO plain VALUES (:id, :server, :name, :d, :e)"),
                [
                    {"id": i, "server": s, "name": n, "d": d, "e": blobs[place % 1000]}
                    for place, (i, s, n, d) in enumerate(rows)
                ],
            )
        await connection.execute(text("DROP TABLE plain"))
    figures.say("baseline: plain executemany of the same tool rows", watch.seconds, "s")


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
    figures.say("delete a linked registry server, its workload re-embedded", watch.seconds * 1000, "ms", most=700)
    retagged = [
        entry if entry.name != "server-00005" else catalog(6, len(entry.tools), version=2).entries[5]
        for entry in made.entries
        if entry.name != "server-00003"
    ]
    with measured() as watch:
        await service.ingest_from(IngestPart.REGISTRY, MadeUpSource(Catalog(source="x", entries=tuple(retagged)), None))
    figures.say("one entry re-tagged, the whole catalog ingested", watch.seconds * 1000, "ms")
    renamed = [
        entry if entry.name != "server-00006" else entry.model_copy(update={"name": "server-renamed"})
        for entry in retagged
    ]
    with measured() as watch:
        await service.ingest_from(IngestPart.REGISTRY, MadeUpSource(Catalog(source="x", entries=tuple(renamed)), None))
    figures.say("one entry renamed: 200 tools re-embedded", watch.seconds * 1000, "ms")


def run(figures: Figures) -> None:
    """Measure at the stated size."""
    asyncio.run(measure(figures))
