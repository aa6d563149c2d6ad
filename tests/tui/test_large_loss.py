"""What would take away much is shown and asked about before it is done (C9); a file is looked at under its badge."""

import json
from pathlib import Path

import pytest

from mcp_optimizer.config import Settings
from mcp_optimizer.service import DataService
from mcp_optimizer.tui.dialogs.confirm import ConfirmDialog
from mcp_optimizer.tui.widgets.detail import DetailPane
from mcp_optimizer.tui.widgets.header import Header
from tests.support.builders import catalog, entry, listing, workload
from tests.support.embedders import FakeEmbedder
from tests.support.services import ingest
from tests.tui.fake_service import FakeService
from tests.tui.screens import press, running, type_text
from tests.tui.test_flows import said
from tests.tui.test_real_service import until


def other_catalog(directory: Path) -> str:
    file = directory / "other.json"
    file.write_text(json.dumps({"servers": {"x": {"image": "example.org/x:1", "description": "x"}}}))
    return str(file)


@pytest.mark.parametrize("agreed", [True, False])
async def test_c9_the_dry_run_is_shown_and_only_a_yes_does_it(settings: Settings, tmp_path: Path, agreed: bool) -> None:
    service = DataService(settings, embedder=FakeEmbedder())
    async with running(service) as (app, pilot):
        await ingest(
            service,
            catalog(*(entry(f"e{n}", f"example.org/e{n}:1") for n in range(9))),
            listing(*(workload(f"w{n}", f"example.org/e{n}:1") for n in range(3))),
        )
        await press(pilot, "i")
        await type_text(pilot, other_catalog(tmp_path))
        await press(pilot, "enter")
        await until(pilot, lambda: isinstance(app.screen, ConfirmDialog))
        text = app.screen.query_one(DetailPane).text
        assert "This would remove 9 of 9 entries and end 3 of 3 links." in " ".join(text.split())
        assert "e0, e1" in text
        assert "w0, w1, w2" in text
        assert len(await service.registry_servers()) == 9
        await press(pilot, *(["right", "enter"] if agreed else ["enter"]))
        await until(pilot, lambda: not isinstance(app.screen, ConfirmDialog))
        assert len(await service.registry_servers()) == (1 if agreed else 9)
        assert len(await service.workloads()) == 3
        assert ("9 removed" in said(app)) is agreed


@pytest.mark.parametrize("width", [60, 80, 100, 140])
async def test_the_badge_says_which_file_is_looked_at(width: int) -> None:
    async with running(FakeService.loaded(), size=(width, 24), read_only=True, file="[b]team\x1b[31m.json") as (
        app,
        _,
    ):
        header = app.query_one(Header)
        assert "m.json" in header.render().plain
        assert header.render().cell_length <= width
        assert ("READ-ONLY" in header.render().plain) or width < 80
