"""A snapshot exported here opens in another person's program to the same explanations."""

import json
from pathlib import Path
from typing import Any

import pytest

from mcp_optimizer.config import Settings
from mcp_optimizer.demo.sample import sample_catalog, sample_catalog_before, sample_workloads
from mcp_optimizer.domain.reports import IngestPart
from mcp_optimizer.service import DataService
from tests.conftest import NewPlace, OpenService
from tests.support.builders import catalog, entry, listing, tool, workload
from tests.support.places import Place
from tests.support.services import ingest


async def _explanations(service: DataService) -> dict[str, Any]:
    """What is said of every workload, but for what the other program cannot know: ids, runs, times of its own."""
    said: dict[str, Any] = {}
    for view in await service.workloads():
        explanation = (await service.explain(view.name)).model_dump(mode="json", exclude={"history"})
        said[view.name] = (explanation, view.model_dump(mode="json", exclude={"id", "updated_at", "problem"}))
    return said


async def _opened_elsewhere(open_service: OpenService, path: Path, place: Place) -> DataService:
    place.prepare()
    other = await open_service(Settings(db_url=place.url))
    await other.ingest(IngestPart.ALL, [str(path)])
    return other


async def test_the_same_explanations_after_drift_rename_and_hand_made_relations(
    open_service: OpenService, new_place: NewPlace, tmp_path: Path
) -> None:
    service = await open_service()
    snapshots = []
    for number, registry in enumerate((sample_catalog_before(), sample_catalog())):
        document = {"format": "mcp-optimizer-snapshot/1", "registry": registry, "workloads": sample_workloads()}
        snapshots.append(tmp_path / f"{number}.json")
        snapshots[-1].write_text(json.dumps(document))
        await service.ingest(IngestPart.ALL, [str(snapshots[-1])])
    await service.link("ledgerly-beta", "ledgerly-books")
    await service.unlink(["weather"])
    exported = tmp_path / "exported.json"
    report = await service.export_snapshot(exported)
    assert report.tools > 0
    other = await _opened_elsewhere(open_service, exported, new_place("elsewhere"))
    assert await _explanations(other) == await _explanations(service)
    again = tmp_path / "again.json"
    await other.export_snapshot(again)
    assert json.loads(again.read_text()) == json.loads(exported.read_text())


async def test_a_resolution_and_a_moved_image_are_known_over_there(
    open_service: OpenService, new_place: NewPlace, tmp_path: Path
) -> None:
    service = await open_service()
    shared = "registry.example/shared:1"
    await ingest(service, catalog(entry("one", shared), entry("two", shared), entry("moving", "old.example/img:1")))
    await service.resolve(shared, "two")
    moved = catalog(entry("one", shared), entry("two", shared), entry("moving", "new.example/img:1"))
    seen = listing(workload("late", "old.example/img:1", [tool("ping")]), workload("w", shared, [tool("pong")]))
    await ingest(service, moved, seen)
    exported = tmp_path / "exported.json"
    await service.export_snapshot(exported)
    other = await _opened_elsewhere(open_service, exported, new_place("elsewhere"))
    (miss,) = (await other.explain("late")).near_misses
    assert (miss.registry_server, miss.reason) == ("moving", "moved-image")
    assert (await other.workload("w")).registry_server == "two"


async def test_a_snapshot_that_cannot_be_written_says_so_and_leaves_nothing(
    service: DataService, tmp_path: Path
) -> None:
    target = tmp_path / "missing" / "snapshot.json"
    with pytest.raises(Exception, match="can't write"):
        await service.export_snapshot(target)
    assert not target.exists()
