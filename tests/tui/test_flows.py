"""What a person does, key by key, and what the service holds afterwards."""

import asyncio
from typing import Any

import pytest
from textual.events import Key
from textual.widgets import Button, Static

from mcp_optimizer.domain.reports import IngestPart
from mcp_optimizer.domain.views import Scope
from mcp_optimizer.errors import StoreError
from mcp_optimizer.tui.actions import Area
from mcp_optimizer.tui.app import OptimizerApp
from mcp_optimizer.tui.areas.activity import ActivityArea
from mcp_optimizer.tui.areas.table_area import TableArea
from mcp_optimizer.tui.dialogs.confirm import ConfirmDialog
from mcp_optimizer.tui.dialogs.ingest import IngestDialog
from mcp_optimizer.tui.dialogs.report import ReportDialog
from mcp_optimizer.tui.widgets.header import Header
from mcp_optimizer.tui.widgets.line_input import LineInput
from mcp_optimizer.tui.widgets.notice import Notice
from tests.tui import sample
from tests.tui.fake_service import FakeService
from tests.tui.screens import press, running, settle, type_text


def view(app: OptimizerApp) -> TableArea[Any]:
    """The area that is shown."""
    shown = app.view
    assert isinstance(shown, TableArea)
    return shown


def names(app: OptimizerApp) -> list[str]:
    """The rows that are shown."""
    return [row.name for row in view(app).table.rows.visible]


def said(app: OptimizerApp) -> str:
    """The line above the footer."""
    return app.base.query_one(Notice).said


def calls(service: FakeService, method: str) -> list[tuple[Any, ...]]:
    """With what a method was called."""
    return [call[1:] for call in service.calls if call[0] == method]


async def test_every_area_by_its_key() -> None:
    async with running() as (app, pilot):
        for area in Area:
            await press(pilot, "escape", str(area.number))
            assert app.area is area


async def test_filter_as_you_type_and_it_survives_leaving_and_refresh() -> None:
    service = FakeService.loaded()
    async with running(service) as (app, pilot):
        await press(pilot, "3", "slash")
        await type_text(pilot, "is:linked !fetch")
        assert names(app) == ["github-prod", "notes"]
        await press(pilot, "enter", "2", "3")
        assert names(app) == ["github-prod", "notes"]
        service.views.append(sample.workload("notes-2", "https://mcp.notion.example/mcp", "notion"))
        service.tell()
        await settle(pilot)
        assert names(app) == ["github-prod", "notes", "notes-2"]
        await press(pilot, "slash", "escape")
        assert len(names(app)) == 9


async def test_sort_both_ways_keeps_the_cursor_on_its_row() -> None:
    async with running() as (app, pilot):
        await press(pilot, "3", "j", "j")
        assert view(app).row.name == "github-prod"
        for _ in range(4):
            await press(pilot, "s")
        assert view(app).table.rows.sort.column == "tools"
        assert names(app)[-1] == "github-prod"
        assert view(app).row.name == "github-prod"
        await press(pilot, "S")
        assert names(app)[0] == view(app).row.name == "github-prod"


async def test_a_click_on_a_head_sorts_and_on_a_row_selects() -> None:
    async with running() as (app, pilot):
        await press(pilot, "3")
        await pilot.click("#workloads Table", offset=(17, 0))
        await pilot.click("#workloads Table", offset=(5, 1))
        await settle(pilot)
        assert view(app).table.rows.sort.column == "status"
        assert view(app).table.rows.cursor == 0


async def test_live_refresh_keeps_cursor_marks_and_detail() -> None:
    service = FakeService.loaded()
    async with running(service) as (app, pilot):
        await press(pilot, "3", "j", "space")
        assert view(app).row.name == "github-prod"
        service.views.insert(0, sample.workload("aaa", "x.example/y:1"))
        service.views = [w for w in service.views if w.name != "fetch-a"]
        service.tell()
        await settle(pilot)
        assert names(app)[0] == "aaa"
        assert view(app).row.name == "github-prod"
        assert view(app).table.rows.marks == {"fetch-b"}
        assert "github-prod" in view(app).pane.text


async def test_jump_from_workload_to_its_server_and_back() -> None:
    async with running() as (app, pilot):
        await press(pilot, "3", "j", "j", "enter")
        assert app.area is Area.REGISTRY
        assert view(app).row.name == "github"
        await press(pilot, "enter")
        assert (app.area, names(app)) == (Area.WORKLOADS, ["github-prod"])
        await press(pilot, "escape")
        assert (app.area, view(app).row.name) == (Area.REGISTRY, "github")
        await press(pilot, "escape")
        assert (app.area, view(app).row.name) == (Area.WORKLOADS, "github-prod")
        assert len(names(app)) == 8


async def test_an_overview_number_leads_to_its_list() -> None:
    async with running() as (app, pilot):
        await press(pilot, *"jjj", "enter")
        assert (app.area, names(app)) == (
            Area.WORKLOADS,
            ["fetch-a", "github-prod", "home-grown", "notes", "parcels", "sqlite-dev"],
        )
        await press(pilot, "escape", "G", "k", "k", "enter")
        assert names(app) == ["parcels"]


async def test_explain_shows_the_near_miss_marked_and_leads_to_it() -> None:
    async with running(size=(120, 36)) as (app, pilot):
        await press(pilot, "3", *"jjjj", "e")
        assert app.area is Area.RELATIONSHIPS
        text = view(app).pane.text
        assert "maps-v1  ○ autonomous" in text
        line = next(line for line in text.splitlines() if line.startswith("  runs"))
        marks = text.splitlines()[text.splitlines().index(line) + 1]
        assert line[marks.index("^")] == "1"
        await press(pilot, "n")
        assert (app.area, view(app).row.name) == (Area.REGISTRY, "maps")
        await press(pilot, "escape")
        assert view(app).row.workload.name == "maps-v1"


async def test_the_outline_opens_closes_and_filters() -> None:
    async with running() as (app, pilot):
        await press(pilot, "4", "G", "right")
        assert view(app).table.rows.visible[-1].label == "sqlite"
        await press(pilot, "left")
        assert view(app).row.key == "unused"
        await press(pilot, "slash")
        await type_text(pilot, "is:drifted")
        assert [line.label for line in view(app).table.rows.visible if line.workload] == ["github-prod", "github-prod"]


async def test_delete_shows_first_what_it_means_and_cancel_has_the_focus() -> None:
    service = FakeService.loaded()
    async with running(service) as (app, pilot):
        await press(pilot, "2", "space", "space", "d")
        assert isinstance(app.screen, ConfirmDialog)
        assert app.focused is app.screen.query_one("#cancel", Button)
        await press(pilot, "enter")
        assert calls(service, "delete_registry_servers") == [(("r-fetch", "r-github"), True)]
        assert len(names(app)) == 6
        await press(pilot, "d", "right", "enter")
        assert calls(service, "delete_registry_servers")[-1] == (("r-fetch", "r-github"), False)
        assert names(app) == ["maps", "notion", "parcels", "sqlite"]
        assert said(app).startswith("Deleted 2 with 6 tools, 3 became autonomous")
        assert not view(app).table.rows.marks


async def test_a_deletion_that_fails_says_why_and_deletes_nothing() -> None:
    service = FakeService.loaded()
    service.errors["delete_workloads"] = StoreError("the database is locked", remedy="try again")
    async with running(service) as (app, pilot):
        await press(pilot, "3", "d")
        assert isinstance(app.screen, ConfirmDialog)
        assert app.screen.query_one("#do", Button).disabled
        await press(pilot, "escape")
        assert len(names(app)) == 8


async def test_ingest_a_file_as_a_dry_run_and_see_the_report() -> None:
    service = FakeService.loaded()
    async with running(service) as (app, pilot):
        await press(pilot, "i")
        assert isinstance(app.screen, IngestDialog)
        await type_text(pilot, "/tmp/a.json")
        await press(pilot, "tab", "down", "tab", "space", "enter")
        assert calls(service, "ingest") == [(IngestPart.REGISTRY, ("/tmp/a.json",), True)]
        assert isinstance(app.screen, ReportDialog)
        await press(pilot, "enter")
        assert said(app).startswith("✓ would be registry: 2 added")
        await press(pilot, "I")
        assert isinstance(app.screen, ReportDialog)


async def test_a_path_typed_beside_the_field_is_the_path_and_enter_starts_from_anywhere() -> None:
    service = FakeService.loaded()
    async with running(service) as (_, pilot):
        await press(pilot, "i", "tab", "/", "t", "m", "p", "tab", "tab", "enter")
        assert calls(service, "ingest") == [(IngestPart.ALL, ("/tmp",), False)]


async def test_the_report_after_a_failure_is_not_that_of_an_earlier_success() -> None:
    service = FakeService.loaded()
    async with running(service) as (app, pilot):
        await press(pilot, "i", "enter", "enter")
        service.errors["ingest"] = StoreError("ToolHive did not answer")
        await press(pilot, "i", "enter", "I")
        assert app.area is Area.ACTIVITY
        assert len(app.screen_stack) == 1


async def test_another_query_begins_at_its_best_answer_and_the_cursor_at_its_end() -> None:
    service = FakeService.loaded()
    async with running(service) as (app, pilot):
        await press(pilot, "5", "slash")
        await type_text(pilot, "issue")
        await press(pilot, "enter", "G", "s")
        assert view(app).table.rows.cursor > 0
        await press(pilot, "5", "slash")
        field = app.view.query_one(LineInput)
        assert field.has_focus
        assert field.cursor_position == len("issue")
        await type_text(pilot, " two")
        assert (view(app).table.rows.cursor, view(app).table.rows.sort) == (0, None)
        await press(pilot, "enter", "G")
        service.tell()
        await settle(pilot)
        assert view(app).table.rows.cursor > 0


async def test_the_cursor_is_in_sight_when_the_filter_goes_and_unknown_fields_are_told() -> None:
    service = FakeService.loaded()
    service.views = [sample.workload(f"w{number:03}", f"x.example/w:{number}") for number in range(100)]
    async with running(service) as (app, pilot):
        await press(pilot, "3", "slash")
        await type_text(pilot, "w090")
        await press(pilot, "escape")
        table = view(app).table

        def in_sight() -> bool:
            top = table.scroll_offset.y
            return table.rows.cursor == 90 and top <= 90 < top + table.size.height

        for _ in range(1_000):
            if in_sight():
                break
            await pilot.pause(0.01)
        assert in_sight(), (table.rows.cursor, table.scroll_offset.y)
        await press(pilot, "slash")
        await type_text(pilot, "foo:bar")
        assert "There is no field foo; there are: description, drift" in " ".join(text for text, _ in table.message)


async def test_what_can_be_done_elsewhere_is_in_the_palette_and_leads_there() -> None:
    async with running() as (app, pilot):
        await press(pilot, "6", "colon")
        await type_text(pilot, "link by hand (in workloads")
        await press(pilot, "enter")
        assert app.area is Area.WORKLOADS


async def test_ingestion_shows_progress_leaves_the_screens_usable_and_stops_with_esc() -> None:
    service = FakeService.loaded()
    async with running(service) as (app, pilot):
        service.ingest_gate = asyncio.Event()
        await press(pilot, "i", "enter", "3", "j", but=("ingest",))
        assert said(app) == "all: embedding 120 of 400  github"
        assert view(app).row.name == "fetch-b"
        await press(pilot, "i", but=("ingest",))
        assert not isinstance(app.screen, IngestDialog)
        await press(pilot, "escape")
        assert service.cancelled == ["ingest"]
        assert "stopped" in said(app)
        assert not app.ingesting.running


async def test_a_failed_ingestion_says_why_and_what_to_do() -> None:
    service = FakeService.loaded()
    service.errors["ingest"] = StoreError("ToolHive did not answer", remedy="start it with `thv serve`")
    async with running(service) as (app, pilot):
        await press(pilot, "i", "enter")
        assert said(app) == "✗ Ingestion failed: ToolHive did not answer – start it with `thv serve`"


async def test_search_as_you_type_with_filters_and_jump() -> None:
    service = FakeService.loaded()
    async with running(service) as (app, pilot):
        await press(pilot, "5", "slash")
        await type_text(pilot, "issue")
        assert [query.text for (query,) in calls(service, "search")][-1] == "issue"
        await press(pilot, "f2", "enter", "t", "u")
        (query,) = calls(service, "search")[-1]
        assert (query.scope, query.status, query.group) == (Scope.REGISTRY, None, "default")
        await press(pilot, "j", "enter")
        assert (app.area, view(app).row.name) == (Area.WORKLOADS, "fetch-a")
        await press(pilot, "escape")
        assert (app.area, view(app).row.tool) == (Area.SEARCH, "fetch_page")


async def test_q6_the_plain_order_is_one_key_away() -> None:
    service = FakeService.loaded()
    async with running(service) as (app, pilot):
        await press(pilot, "5", "slash")
        await type_text(pilot, "issue")
        asked = []
        for _ in range(2):
            await press(pilot, "f5")
            (query,) = calls(service, "search")[-1]
            filters = str(app.screen.query_one("#query-filters", Static).content)
            asked.append((query.plain, "order plain" in filters))
        assert asked == [(True, True), (False, False)]


async def test_tokens_are_compared_with_those_of_all_that_was_searched() -> None:
    service = FakeService.loaded()
    service.views = [sample.workload("a", "x/a:1", group="one"), sample.workload("b", "x/b:1", group="two")]
    async with running(service) as (app, pilot):
        await press(pilot, "5", "slash")
        await type_text(pilot, "issue")
        both = sum(item.tokens for item in service.views)
        assert f"of {both} that all tools searched cost" in str(app.screen.query_one("#tokens", Static).content)
        await press(pilot, "f4")
        assert f"of {both // 2} that" in str(app.screen.query_one("#tokens", Static).content)


async def test_superseded_searches_are_cancelled_and_quick_typing_asks_once() -> None:
    service = FakeService.loaded()
    service.stalled = {"search"}
    async with running(service, search_delay=0.0) as (_, pilot):
        await press(pilot, "5", "slash", "a", "b", but=("search",))
        assert service.cancelled == ["search"]
    service = FakeService.loaded()
    async with running(service, search_delay=0.2) as (_, pilot):
        await press(pilot, "5", "slash")
        await pilot.press(*"issue")
        await asyncio.sleep(0.3)
        await settle(pilot)
        assert len(calls(service, "search")) == 1


async def test_a_failed_refresh_keeps_what_was_shown_and_says_that_it_is_stale() -> None:
    service = FakeService.loaded()
    async with running(service) as (app, pilot):
        await press(pilot, "3")
        service.errors["workloads"] = StoreError("disk I/O error")
        service.tell()
        await settle(pilot)
        assert len(names(app)) == 8
        assert app.base.query_one(Header).state.stale
        assert "disk I/O error" in said(app)
        service.errors.clear()
        await press(pilot, "R")
        assert not app.base.query_one(Header).state.stale


async def test_watching_that_breaks_is_shown_and_tried_again() -> None:
    service = FakeService.loaded()
    async with running(service) as (app, pilot):
        service.break_watch(StoreError("gone"))
        await settle(pilot)
        assert app.base.query_one(Header).state.stale
        assert app.is_running


async def test_a_service_that_can_not_open_can_be_tried_again() -> None:
    service = FakeService.loaded()
    service.errors["open"] = StoreError("locked")
    async with running(service) as (app, pilot):
        assert app.context.service is None
        service.errors.clear()
        await press(pilot, "R", "2")
        assert len(names(app)) == 6
    assert not service.is_open


async def test_read_only_has_no_dangerous_key_command_or_hint() -> None:
    service = FakeService.loaded()
    async with running(service, read_only=True) as (app, pilot):
        await press(pilot, "2", "d", "i")
        assert len(app.screen_stack) == 1
        await app.action_perform("delete")
        await app.action_perform("ingest")
        assert len(app.screen_stack) == 1
        assert not [action for action in app.context.keymap.actions if action.dangerous]


async def test_copy_shows_what_it_copies_and_hostile_text_is_made_safe() -> None:
    service = FakeService.loaded()
    service.views = [sample.workload(sample.HOSTILE, "evil.example/x:1")]
    async with running(service) as (app, pilot):
        await press(pilot, "3", "y", "enter")
        assert app.clipboard == sample.HOSTILE
        assert said(app).isprintable()
        await press(pilot, "J", "escape", "e", "question_mark")


async def test_no_control_character_of_a_name_reaches_the_screen() -> None:
    service = FakeService.loaded()
    service.registry = [
        sample.registry_server(sample.HOSTILE, "evil.example/x:1", description=sample.HOSTILE, workloads=1)
    ]
    service.views = [
        sample.workload(sample.HOSTILE, "evil.example/x:1", sample.HOSTILE, status=sample.HOSTILE, group=sample.HOSTILE)
    ]
    service.hits = [sample.hit(sample.HOSTILE, sample.HOSTILE, 2)]
    async with running(service) as (app, pilot):
        for keys in (
            ["2"],
            ["3"],
            ["4"],
            ["3", "d"],
            ["escape", "J"],
            ["escape", "y"],
            ["escape", "5", "slash", "a", "enter"],
        ):
            await press(pilot, *keys)
            picture = app.export_screenshot()
            assert "evil" in picture
            assert not {"\x1b", "\x9b", "\u202e"} & set(picture)


async def test_json_folds() -> None:
    async with running() as (app, pilot):
        await press(pilot, "3", "J")
        rows = app.screen.table.rows
        before = len(rows.visible)
        await press(pilot, "G", "left", "left")
        assert len(rows.visible) < before
        await press(pilot, "y", "escape")
        assert app.clipboard.startswith("{")


async def test_palette_runs_actions_and_opens_filtered_lists() -> None:
    async with running() as (app, pilot):
        await press(pilot, "colon")
        await type_text(pilot, "wl git")
        await press(pilot, "enter")
        assert (app.area, names(app)) == (Area.WORKLOADS, ["github-prod"])
        await press(pilot, "escape", "ctrl+p")
        await type_text(pilot, "theme light mcp")
        await press(pilot, "enter")
        assert app.theme == "mcp-optimizer-light"


async def test_activity_leads_from_a_problem_to_its_workload() -> None:
    async with running() as (app, pilot):
        await press(pilot, "6", "p", "j", "enter")
        assert (app.area, view(app).row.name) == (Area.WORKLOADS, "maps-v1")
        await press(pilot, "escape")
        assert isinstance(app.view, ActivityArea)
        assert app.view.shown == "problems"


async def test_resize_with_a_dialog_open() -> None:
    async with running(size=(120, 36)) as (app, pilot):
        await press(pilot, "3", "d")
        for size in ((80, 24), (40, 10), (200, 50)):
            await pilot.resize_terminal(*size)
            await settle(pilot)
        await press(pilot, "escape")
        assert len(names(app)) == 8


async def test_detail_alone_and_back() -> None:
    async with running() as (app, pilot):
        await press(pilot, "3", "z", "j", "escape")
        assert app.focused is view(app).table


async def test_keys_can_be_rebound() -> None:
    async with running(keys={"filter": "f", "area.search": ["0"]}) as (app, pilot):
        await press(pilot, "3", "f")
        assert isinstance(app.focused, LineInput)
        await press(pilot, "escape", "0")
        assert app.area is Area.SEARCH


async def test_a_thousand_of_each() -> None:
    service = FakeService()
    service.registry = [sample.registry_server(f"s{n:04}", f"x.example/s:{n}", workloads=1) for n in range(1000)]
    service.views = [sample.workload(f"w{n:04}", f"x.example/s:{n}", f"s{n:04}") for n in range(1000)]
    async with running(service) as (app, pilot):
        await press(pilot, "4", "G", "3", "G")
        assert view(app).row.name == "w0999"
        service.views = [w.model_copy(update={"tools": 9}) if n % 20 == 0 else w for n, w in enumerate(service.views)]
        service.tell()
        await settle(pilot)
        assert view(app).row.name == "w0999"
        await press(pilot, "slash")
        await type_text(pilot, "w05")
        assert len(names(app)) == 100


def send(app: OptimizerApp, *keys: str) -> None:
    """Keys in one bunch, as a slow line brings them."""
    for key in keys:
        name = "space" if key == " " else key
        app.post_message(Key(name, key if len(key) == 1 else None))


async def test_keys_that_come_in_a_bunch_go_where_they_are_meant() -> None:
    service = FakeService.loaded()
    async with running(service) as (app, pilot):
        send(app, "5", "slash", *"read a file")
        await settle(pilot)
        assert app.view.query_one(LineInput).value == "read a file"
        await press(pilot, "escape")
        send(app, "3", "slash", *"dmi", "enter")
        await settle(pilot)
        assert view(app).table.rows.filter_text == "dmi"
        send(app, "escape", "i", "enter")
        await settle(pilot)
        assert calls(service, "ingest") == [(IngestPart.ALL, (None,), False)]
        await press(pilot, "enter")
        send(app, "colon", *"wl notes", "enter")
        await settle(pilot)
        assert names(app) == ["notes"]
        send(app, "d", "j", "j", "enter")  # the focus is on Cancel
        await settle(pilot)
        assert [call[-1] for call in calls(service, "delete_workloads")] == [True]


async def test_keys_that_come_before_a_dialog_has_the_focus_reach_it() -> None:
    service = FakeService.loaded()
    async with running(service) as (app, pilot):
        await app.action_press("i")
        app.post_message(Key("enter", None))
        await settle(pilot)
        assert calls(service, "ingest") == [(IngestPart.ALL, (None,), False)]
        await press(pilot, "enter", "3")
        await app.action_press("colon")
        for key in "wl notes":
            app.post_message(Key("space" if key == " " else key, key))
        app.post_message(Key("enter", None))
        await settle(pilot)
        assert names(app) == ["notes"]


@pytest.mark.parametrize("keys", [["3", "d"], ["i"], ["3", "x"], ["3", "L"], ["colon"], ["3", "y"], ["3", "J"], ["I"]])
async def test_what_a_dialog_wants_pressed_is_in_sight_on_a_few_lines(keys: list[str]) -> None:
    async with running(size=(50, 14)) as (app, pilot):
        await press(pilot, *keys)
        for widget in (*app.screen.query(Button), *app.screen.query(".hints")):
            assert widget.region.height > 0
            assert app.screen.region.contains_region(widget.region), widget
            frame = app.screen.query_one(".frame")
            assert frame.content_region.contains_region(widget.region), widget


async def test_why_an_expected_tool_is_not_found() -> None:
    service = FakeService.loaded()
    async with running(service, size=(120, 36)) as (app, pilot):
        await press(pilot, "5", "w")
        assert said(app) == "Type a query first."
        await press(pilot, "slash")
        await type_text(pilot, "issue")
        await press(pilot, "enter", "w")
        await type_text(pilot, "fetch-a")
        await press(pilot, "enter", "enter")
        text = view(app).pane.text
        assert "13 tools are ranked above it" in text
        assert "and 11 more" in text
        assert view(app).pane.has_focus
        await press(pilot, "escape")
        assert "found by" in view(app).pane.text
        await press(pilot, "w")
        await type_text(pilot, "fetch-b")
        await press(pilot, "enter", "enter")
        assert "The server is stopped, not running." in view(app).pane.text
        service.errors["search_why"] = StoreError("the database is locked", remedy="close the other program")
        await press(pilot, "escape", "w", "enter", "enter")
        assert said(app) == "✗ the database is locked – close the other program"
        assert {call[1:] for call in calls(service, "search_why")} >= {("fetch-a", "tool_1"), ("fetch-b", "tool_1")}
