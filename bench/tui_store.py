"""Makes and changes the stores that the terminal UI is measured on: in a process of its own, as another program would.

``python -m bench.tui_store make FILE SERVERS WORKLOADS TOOLS CROWD``: the first ``CROWD`` workloads run
the first entry.
``python -m bench.tui_store change FILE SHARE``: that share of the workloads gets another status than it has.
"""

import asyncio
import sys
from pathlib import Path

from bench.data import MadeUpSource, catalog, listing
from bench.embedders import Switchable
from mcp_optimizer.config import Settings
from mcp_optimizer.domain.models import ObservedWorkload, WorkloadListing
from mcp_optimizer.domain.reports import IngestPart
from mcp_optimizer.embeddings import open_embedder
from mcp_optimizer.service import DataService


def service_of(file: Path) -> DataService:
    """The service on a store of this benchmark, with quick vectors."""
    settings = Settings(db_url=f"sqlite:///{file}", cache_dir=file.parent)
    return DataService(settings, embedder=Switchable(open_embedder(settings)))


async def make(file: Path, servers: int, workloads: int, tools: int, crowd: int) -> None:
    """Fill a store."""
    result = catalog(servers, tools)
    listed = listing(result, workloads, tools)
    first = result.entries[0].identity
    crowded = tuple(w.model_copy(update={"identity": first}) for w in listed.workloads[:crowd])
    listed = WorkloadListing(source="made up", workloads=crowded + listed.workloads[crowd:])
    async with service_of(file) as service:
        await service.ingest_from(IngestPart.ALL, MadeUpSource(result, listed))


async def change(file: Path, share: float) -> None:
    """Pause a share of the workloads, or let them run again."""
    step = round(1 / share)
    async with service_of(file) as service, service.store.database.reading() as connection:
        rows = (await service.store.workloads.all(connection))[::step]
        tools = [await service.store.workload_tools.of_server(connection, row.id) for row in rows]
    changed = tuple(
        ObservedWorkload(
            name=row.name,
            identity=row.identity,
            endpoint=row.endpoint,
            transport=row.transport,
            status="running" if row.status == "paused" else "paused",
            group=row.group,
            tools=tuple(tool.definition for tool in listed),
        )
        for row, listed in zip(rows, tools, strict=True)
    )
    async with service_of(file) as service:
        few = WorkloadListing(source="few", workloads=changed, complete=False)
        await service.ingest_from(IngestPart.WORKLOADS, MadeUpSource(None, few))


def main(what: str, file: str, *numbers: str) -> None:
    """Make or change."""
    if what == "make":
        asyncio.run(make(Path(file), *map(int, numbers)))
    else:
        asyncio.run(change(Path(file), float(numbers[0])))


if __name__ == "__main__":
    main(*sys.argv[1:])
