"""The screens on the real service: from an empty database to a sample of everything, and back to less."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

from textual.pilot import Pilot

from mcp_optimizer.config import Settings
from mcp_optimizer.demo.sample import sample_snapshot
from mcp_optimizer.service import DataService
from mcp_optimizer.tui.actions import Area
from mcp_optimizer.tui.app import OptimizerApp
from mcp_optimizer.tui.areas.table_area import TableArea
from mcp_optimizer.tui.dialogs.report import ReportDialog
from mcp_optimizer.tui.dialogs.save import SaveDialog
from mcp_optimizer.tui.widgets.detail import DetailPane
from mcp_optimizer.tui.widgets.line_input import LineInput
from tests.support.builders import catalog, entry
from tests.support.database import damage, value
from tests.support.embedders import FakeEmbedder
from tests.support.services import assert_sound, ingest
from tests.tui.screens import press, running, settle, type_text
from tests.tui.test_flows import said


def snapshot_file(directory: Path) -> Path:
    """A file with the sample."""
    path = directory / "sample.json"
    path.write_text(json.dumps(sample_snapshot()), encoding="utf-8")
    return path


def shown(app: OptimizerApp) -> list[str]:
    """Names of the rows that are shown."""
    assert isinstance(app.view, TableArea)
    return [row.name for row in app.view.table.rows.visible]


async def until(pilot: Pilot, holds: Callable[[], bool]) -> None:
    """Wait for something that another process leads to."""
    for _ in range(300):
        await settle(pilot)
        if holds():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it did not come to be")


async def test_ingest_explain_delete(settings: Settings, fake_embedder: FakeEmbedder, tmp_path: Path) -> None:
    service = DataService(settings, embedder=fake_embedder)
    async with running(service, size=(120, 36)) as (app, pilot):
        await press(pilot, "i")
        await type_text(pilot, str(snapshot_file(tmp_path)))
        await press(pilot, "enter")
        assert isinstance(app.screen, ReportDialog)
        await press(pilot, "enter", "3")
        await until(pilot, lambda: len(shown(app)) > 20)
        before = len(shown(app))
        await press(pilot, "e")
        assert app.area is Area.RELATIONSHIPS
        assert isinstance(app.view, TableArea)
        assert "STEPS" in app.view.pane.text
        await press(pilot, "escape", "d", "right", "enter")
        await until(pilot, lambda: len(shown(app)) == before - 1)
        assert len(await service.workloads()) == before - 1


async def test_what_another_process_changes_appears_by_itself(
    settings: Settings, fake_embedder: FakeEmbedder, tmp_path: Path
) -> None:
    from mcp_optimizer.domain.reports import IngestPart

    async with running(DataService(settings, embedder=fake_embedder)) as (app, pilot):
        await press(pilot, "3")
        assert shown(app) == []
        async with DataService(settings, embedder=fake_embedder) as other:
            await other.ingest(IngestPart.ALL, [str(snapshot_file(tmp_path))])
        await until(pilot, lambda: len(shown(app)) > 20)


async def test_a_read_only_service_has_a_read_only_screen(settings: Settings, fake_embedder: FakeEmbedder) -> None:
    async with DataService(settings, embedder=fake_embedder):
        pass
    service = DataService(settings, embedder=fake_embedder, read_only=True)
    async with running(service, read_only=True) as (app, pilot):
        await press(pilot, "i", "3", "d")
        assert len(app.screen_stack) == 1


async def test_the_database_is_checked_backed_up_and_indexed_anew(
    settings: Settings, fake_embedder: FakeEmbedder, tmp_path: Path, database_path: Path
) -> None:
    service = DataService(settings, embedder=fake_embedder)
    async with running(service, size=(120, 36)) as (app, pilot):
        await ingest(service, catalog(entry("alpha", "example.org/alpha:1", ["ping"])))
        await press(pilot, "6", "C")
        await until(pilot, lambda: "✓ sound" in app.screen.query_one(DetailPane).text)
        await press(pilot, "enter", "B")
        assert isinstance(app.screen, SaveDialog)
        app.screen.query_one("#path", LineInput).value = str(tmp_path / "kept.db")
        await press(pilot, "enter")
        await until(pilot, (tmp_path / "kept.db").exists)
        damage(database_path, "DELETE FROM registry_tool_vectors")
        await press(pilot, "N")
        await until(pilot, lambda: "✗ 1 wrong" in app.screen.query_one(DetailPane).text)
        await press(pilot, "right", "enter")
        await until(pilot, lambda: value(database_path, "SELECT COUNT(*) FROM registry_tool_vectors") == 1)
        await assert_sound(service)


async def test_an_ingestion_that_is_stopped_leaves_nothing_and_goes_on_nowhere(
    settings: Settings, tmp_path: Path
) -> None:
    embedder = FakeEmbedder(delay=0.05, batch=2)
    service = DataService(settings, embedder=embedder)
    async with running(service) as (app, pilot):
        await press(pilot, "i")
        await type_text(pilot, str(snapshot_file(tmp_path)))
        await press(pilot, "enter", but=("ingest",))
        await asyncio.wait_for(embedder.started.wait(), 20)
        await press(pilot, "escape", but=("ingest",))
        await until(pilot, lambda: not app.ingesting.running)
        embedded = len(embedder.texts)
        assert "Ingestion stopped" in said(app)
        await asyncio.sleep(0.2)
        assert len(embedder.texts) == embedded
        assert await service.workloads() == []
        assert await service.registry_servers() == []
        await assert_sound(service)
        embedder.delay = 0.0
        await press(pilot, "i")
        await type_text(pilot, str(snapshot_file(tmp_path)))
        await press(pilot, "enter")
        await until(pilot, lambda: isinstance(app.screen, ReportDialog))
        assert len(await service.workloads()) > 20
