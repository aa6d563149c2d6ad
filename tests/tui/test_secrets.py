"""Secrets planted wherever ToolHive gives secrets away are on no screen, nor in the log that it shows (S7)."""

import re
from html import unescape
from pathlib import Path

import pytest
from textual.pilot import Pilot

from mcp_optimizer.config import Settings
from mcp_optimizer.domain.reports import IngestPart
from mcp_optimizer.service import DataService
from mcp_optimizer.tui.actions import Area
from mcp_optimizer.tui.app import OptimizerApp
from mcp_optimizer.tui.areas.table_area import TableArea
from mcp_optimizer.tui.state.saved_state import ListState, Memory, recall, remember
from mcp_optimizer.tui.widgets.detail import DetailPane
from tests.support.embedders import FakeEmbedder
from tests.support.planted import PLACES, PUBLIC, URL_CANARY, leaked, planted_toolhive
from tests.tui.screens import press, running, type_text

ROWS = {
    Area.REGISTRY: ["keyed"],
    Area.WORKLOADS: ["keyed-away", "keyed-in-url"],
    Area.RELATIONSHIPS: ["keyed-away", "keyed-in-url"],
}


def on_screen(app: OptimizerApp) -> str:
    """Every letter of the screen, and of the documents that scroll on it; without spaces, as lines are wrapped."""
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", app.export_screenshot())
    texts += [pane.text for pane in app.screen.query(DetailPane)]
    return re.sub(r"\s", "", unescape("".join(texts)))


async def of_rows(app: OptimizerApp, pilot: Pilot, area: Area) -> list[str]:
    """What an area shows of the planted rows, in detail and as JSON."""
    await press(pilot, str(area.number), "slash")
    await type_text(pilot, "keyed")
    await press(pilot, "enter", "g")
    shown, met = [], ""
    assert isinstance(app.view, TableArea)
    for _ in app.view.table.rows.visible:
        met += app.view.pane.text
        shown.append(on_screen(app))
        await press(pilot, "J")
        if len(app.screen_stack) > 1:  # the head of a group has no JSON
            shown.append(on_screen(app))
            await press(pilot, "escape")
        await press(pilot, "j")
    assert all(name in met for name in ROWS[area])
    return shown


@pytest.mark.sqlite
async def test_s7_no_secret_is_on_any_screen(settings: Settings, fake_embedder: FakeEmbedder) -> None:
    async with planted_toolhive() as toolhive:
        service = DataService(settings.model_copy(update={"toolhive_url": toolhive.url}), embedder=fake_embedder)
        async with running(service, size=(160, 40)) as (app, pilot):
            (report,) = await service.ingest(IngestPart.ALL)
            assert report.workloads is not None
            assert report.workloads.added > 20
            await press(pilot, "R")
            shown = [on_screen(app)]
            for area in ROWS:
                shown += await of_rows(app, pilot, area)
            await press(pilot, "6")
            for _ in range(5):
                shown.append(on_screen(app))
                await press(pilot, "p")
    text = "".join(shown)
    assert all(name in text for name in PLACES)
    assert PUBLIC in text, "the URL is shown, but for its secret"
    assert leaked(text) == []


def test_s7_what_is_remembered_of_a_filter_holds_no_credential(tmp_path: Path) -> None:
    path = tmp_path / "ui.json"
    lists = {"1": ListState.of(f"API_KEY={URL_CANARY}", None), "2": ListState.of("weather token", None)}
    remember(path, Memory(lists=lists))
    assert leaked(path.read_text()) == []
    assert recall(path).lists["2"].filter == "weather token"
