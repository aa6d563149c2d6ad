"""The infrastructure itself: a service on an empty store, and the sample ingested into it."""

import json
from pathlib import Path

from mcp_optimizer.demo.sample import sample_snapshot
from mcp_optimizer.domain.reports import IngestPart
from mcp_optimizer.service import DataService
from tests.conftest import OpenService


async def test_an_empty_store_answers_everything(open_service: OpenService) -> None:
    service = await open_service(fresh=True)
    overview = await service.overview()
    assert (overview.registry_servers, overview.workloads, overview.problems) == (0, 0, ())
    assert await service.registry_servers() == []
    assert await service.workloads() == []
    assert await service.runs() == []
    assert await service.changes() == []
    assert await service.groups() == []


async def test_the_sample_shows_every_state(service: DataService, tmp_path: Path) -> None:
    for before in (True, False):
        file = tmp_path / f"sample-{before}.json"
        file.write_text(json.dumps(sample_snapshot(before=before)))
        await service.ingest(IngestPart.ALL, [str(file)])
    overview = await service.overview()
    assert overview.linked > 0
    assert overview.autonomous > 0
    assert overview.drifted > 0
    assert overview.rejected > 0
    assert overview.duplicates == 1
