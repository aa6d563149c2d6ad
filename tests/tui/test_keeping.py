"""What leaves the screens and what comes back: exports, snapshots, how things were left, the log, rebound keys."""

import io
import json
import logging
import warnings
from pathlib import Path
from typing import Any

import pytest
import structlog
from rich.console import Console
from textual.widgets import Static

from mcp_optimizer.cli.logs import keep_logs_off_the_screen
from mcp_optimizer.config import Settings
from mcp_optimizer.tui.actions import Area, KeyClashError
from mcp_optimizer.tui.app import Leaving, OptimizerApp
from mcp_optimizer.tui.areas.activity import ActivityArea
from mcp_optimizer.tui.dialogs.copy import CopyDialog
from mcp_optimizer.tui.dialogs.json import JsonDialog
from mcp_optimizer.tui.dialogs.save import SaveDialog
from mcp_optimizer.tui.format.columns import Sort
from mcp_optimizer.tui.format.exports import table_markdown, text_markdown
from mcp_optimizer.tui.format.themes import first_theme
from mcp_optimizer.tui.renderers.workloads import workload_renderer
from mcp_optimizer.tui.state.log_buffer import LogBuffer
from mcp_optimizer.tui.state.saved_state import Memory, recall, remember
from mcp_optimizer.tui.widgets.detail import DetailPane
from mcp_optimizer.tui.widgets.line_input import FilterLine
from tests.tui import sample
from tests.tui.fake_service import FakeService
from tests.tui.screens import NOW, press, running, settle, type_text
from tests.tui.test_flows import names, said, view


@pytest.fixture(autouse=True)
def _in_a_directory_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


# Export


@pytest.mark.parametrize(("downs", "file"), [(0, "workloads.md"), (1, "workloads.json")])
async def test_the_list_that_is_shown_is_exported(downs: int, file: str, tmp_path: Path) -> None:
    async with running() as (app, pilot):
        await press(pilot, "3", "slash")
        await type_text(pilot, "fetch")
        await press(pilot, "enter", "x", "shift+tab", *["down"] * downs, "tab", "enter")
        text = (tmp_path / file).read_text()
        assert "fetch-a" in text
        assert "notes" not in text
        assert said(app).startswith(f"✓ Written to {tmp_path / file}: ")
    if file.endswith(".json"):
        assert [row["name"] for row in json.loads(text)] == ["fetch-a", "fetch-b"]


async def test_an_explanation_is_exported_and_a_file_is_not_replaced_unasked(tmp_path: Path) -> None:
    async with running(size=(120, 36)) as (app, pilot):
        await press(pilot, "3", *"jjjj", "e", "x", "shift+tab", "down", "down", "tab")
        target = tmp_path / "explain-maps-v1.md"
        target.write_text("mine")
        await press(pilot, "enter")
        assert target.read_text() == "mine"
        assert isinstance(app.screen, SaveDialog)
        await press(pilot, "enter")
        assert "NEAR MISSES" in target.read_text()
        await press(pilot, "x", "shift+tab", "up", "tab", "enter")
        assert json.loads((tmp_path / "explain-maps-v1.json").read_text())["workload"] == "maps-v1"


async def test_a_file_that_can_not_be_written_is_said_and_the_dialog_stays(tmp_path: Path) -> None:
    async with running() as (app, pilot):
        await press(pilot, "3", "x", "ctrl+u")
        await type_text(pilot, str(tmp_path / "no" / "such" / "place.md"))
        await press(pilot, "enter")
        assert isinstance(app.screen, SaveDialog)


@pytest.mark.parametrize("area", ["2", "4", "5", "6"])
async def test_every_list_can_be_exported(area: str, tmp_path: Path) -> None:
    async with running() as (_, pilot):
        await press(pilot, area)
        if area == "5":
            await press(pilot, "slash")
            await type_text(pilot, "issue")
            await press(pilot, "enter")
        await press(pilot, "x", "shift+tab", "down", "tab", "enter")
    (file,) = tmp_path.glob("*.json")
    assert json.loads(file.read_text())


def test_markdown_holds_hostile_text_as_text() -> None:
    hostile = sample.workload(sample.HOSTILE + "|x```\n# y", "a.example/b:1")
    text = table_markdown("Workloads", workload_renderer(lambda: NOW), [hostile])
    assert {c for c in text if not c.isprintable()} == {"\n"}
    assert len(text.splitlines()) == 5
    assert "\\|x\\`\\`\\`" in text
    assert text_markdown("t", "a\n```\nb").count("````") == 2


async def test_a_snapshot_of_everything(tmp_path: Path) -> None:
    async with running(read_only=True) as (app, pilot):
        await press(pilot, "X", "enter")
        assert (tmp_path / "mcp-optimizer-snapshot.json").exists()
        assert "6 registry servers, 8 workloads" in said(app)


# How things were left


async def test_area_theme_sort_and_filters_come_back(tmp_path: Path) -> None:
    state = tmp_path / "state" / "tui.json"

    def app() -> OptimizerApp:
        return OptimizerApp(FakeService.loaded, now=lambda: NOW, state_file=state)

    first = app()
    async with first.run_test() as pilot:
        await settle(pilot)
        await press(pilot, "6", "p", "3", "s", "s", "S", "slash", *"fetch", "enter", "colon")
        await type_text(pilot, "theme light mcp")
        await press(pilot, "enter", "2", "4", "3", "q")
    second = app()
    async with second.run_test() as pilot:
        await settle(pilot)
        assert (second.area, second.theme) == (Area.WORKLOADS, "mcp-optimizer-light")
        assert names(second) == ["fetch-a", "fetch-b"]
        assert view(second).table.rows.sort == Sort("relation", descending=True)
        assert view(second).filter_line.field.value == "fetch"
        await press(pilot, "2", "6")
        assert isinstance(second.view, ActivityArea)
        assert second.view.shown == "problems"


async def test_nothing_is_kept_while_nothing_may_move(tmp_path: Path) -> None:
    async with running(state_file=tmp_path / "tui.json") as (_, pilot):
        await press(pilot, "3")
    assert not (tmp_path / "tui.json").exists()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"area":"nowhere"}', b"\xff\x00"])
def test_a_broken_state_file_is_no_state(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "tui.json"
    path.write_bytes(content)
    assert recall(path) == Memory()


def test_a_place_that_can_not_be_written_to_is_no_reason_to_fail(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    remember(tmp_path / "file" / "tui.json", Memory())
    assert recall(tmp_path / "file" / "tui.json") == Memory()


# Log


def test_whatever_is_logged_is_kept_and_nothing_is_written(capfd: pytest.CaptureFixture[str]) -> None:
    book = LogBuffer()
    logging.getLogger("mcp.shared").addHandler(logging.StreamHandler())
    keep_logs_off_the_screen(book.take)
    structlog.get_logger().warning("found", url="https://u:secret@host/x", note="\x1b[2J")
    logging.getLogger("httpx2").info("GET %s", "/every-request")
    logging.getLogger("uvicorn").info("GET %s", "/a")
    logging.getLogger("mcp.shared").error("lost", exc_info=OSError("gone"))
    logging.getLogger("x").warning("%d", "no number")
    warnings.warn("old", DeprecationWarning, stacklevel=1) if False else logging.getLogger("py.warnings").warning("old")
    lines = book.lines()
    assert [line.level for line in lines] == ["warning", "warning", "error", "info", "warning"]
    assert "OSError('gone')" in lines[2].detail
    assert "secret" not in lines[-1].detail
    assert all((line.event + line.detail).isprintable() for line in lines)
    assert capfd.readouterr() == ("", "")


def test_the_log_keeps_the_last_lines_only() -> None:
    book = LogBuffer(most=3)
    for number in range(9):
        book.take("info" if number % 2 else "error", str(number))
    assert [line.event for line in book.lines()] == ["8", "7", "6"]
    assert [line.event for line in book.lines("warning")] == ["8", "6"]


async def test_the_log_is_shown_by_level_and_filtered_by_text() -> None:
    book = LogBuffer(now=lambda: NOW)
    for level in ("debug", "info", "warning", "error"):
        book.take(level, f"an event of {level}", {"server": "fetch"})
    async with running(logbook=book) as (app, pilot):

        def events() -> list[str]:
            return [line.level for line in view_log(app).table.rows.visible]

        await press(pilot, "6", *"ppppp")
        assert events() == ["error", "warning", "info"]
        await press(pilot, "V")
        assert events() == ["error", "warning"]
        await press(pilot, "slash")
        await type_text(pilot, "warn")
        assert events() == ["warning"]


def view_log(app: OptimizerApp) -> ActivityArea:
    """The area of the log."""
    assert isinstance(app.view, ActivityArea)
    return app.view


# Keys


@pytest.mark.parametrize(
    ("keys", "said_of"),
    [
        ({"filter": "d"}, ("filter", "delete")),
        ({"nonsense": "x"}, ("nonsense",)),
        ({"help": ["i"]}, ("help", "ingest")),
    ],
)
def test_a_clash_or_an_unknown_action_is_an_error_before_the_screen_opens(keys: Any, said_of: tuple[str, ...]) -> None:
    with pytest.raises(KeyClashError) as error:
        OptimizerApp(FakeService.loaded, keys=keys)
    assert all(repr(word) in error.value.message for word in said_of)
    assert error.value.remedy


def test_keys_come_from_the_configuration_file(home: Path) -> None:
    from mcp_optimizer.config import config_file

    config_file().parent.mkdir(parents=True)
    config_file().write_text('theme = "nord"\n[keys]\nfilter = "f"\n"area.search" = ["0", "f9"]\n')
    settings = Settings()
    assert settings.keys == {"filter": "f", "area.search": ["0", "f9"]}
    assert "theme" in settings.model_fields_set
    assert OptimizerApp(FakeService.loaded, keys=settings.keys).context.keymap.find("f", Area.REGISTRY)


async def test_the_overview_is_copied_exported_and_shown_as_json(tmp_path: Path) -> None:
    async with running() as (app, pilot):
        await press(pilot, "1", "y")
        assert isinstance(app.screen, CopyDialog)
        await press(pilot, "enter")
        assert app.clipboard == app.context.feed.overview.database
        await press(pilot, "J")
        assert isinstance(app.screen, JsonDialog)
        await press(pilot, "escape", "x", "shift+tab", "down", "down", "tab", "enter")
        assert json.loads((tmp_path / "overview.json").read_text())["registry_servers"] == 6
        await press(pilot, "x", "shift+tab", "tab", "enter")
        assert "Registry servers" in (tmp_path / "overview.md").read_text()


@pytest.mark.parametrize(("downs", "word"), [(1, "maps-v1"), (4, "weather"), (5, "tools not listed")])
async def test_entries_of_activity_are_copied(downs: int, word: str) -> None:
    book = LogBuffer(now=lambda: NOW)
    book.take("error", "tools not listed", {})
    async with running(logbook=book) as (app, pilot):
        await press(pilot, "6", *["p"] * downs, "G", "y", "enter")
        assert word in app.clipboard
        assert not app.clipboard.startswith("{"), "its words come first, the JSON last"


async def test_a_column_that_is_not_shown_can_be_sorted_by_and_says_so() -> None:
    async with running() as (app, pilot):
        await press(pilot, "3")
        await press(pilot, *["s"] * len(view(app).table.widths))
        table = view(app).table
        assert table.rows.sort is not None
        assert table.rows.sort.column not in {column.id for column, _ in table.widths}
        counted = str(app.view.query_one(FilterLine).query_one(".count", Static).content)
        assert counted == f"{table.order}  8"
        assert table.order.endswith("↑")


@pytest.mark.parametrize(("term", "theme"), [("xterm", "mcp-optimizer-16"), ("xterm-256color", "mcp-optimizer-dark")])
def test_a_terminal_of_sixteen_colours_gets_a_theme_of_its_own(term: str, theme: str) -> None:
    terminal = Console(file=io.StringIO(), force_terminal=True, _environ={"TERM": term})
    assert first_theme(terminal.color_system) == theme


async def test_a_theme_that_nobody_chose_is_not_kept(tmp_path: Path) -> None:
    state = tmp_path / "tui.json"
    remember(state, Memory(theme="nord"))
    app = OptimizerApp(FakeService.loaded, state_file=state, theme="mcp-optimizer-light")
    async with app.run_test() as pilot:
        await settle(pilot)
        await pilot.press("q")
    assert recall(state).theme == "nord"


async def test_the_way_to_the_sample_data_is_on_the_first_screen() -> None:
    async with running(FakeService()) as (app, pilot):
        assert "press D" in app.view.query_one(DetailPane).text
        await pilot.press("D")
    assert app.return_value is Leaving.DEMO
