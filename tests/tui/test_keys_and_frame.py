"""One meaning a letter, help that fits, a header that says where one is, a footer that says that it is cut."""

import pytest
from textual.widgets import Input

from mcp_optimizer.domain.views import Overview
from mcp_optimizer.tui.actions import Area, Keymap
from mcp_optimizer.tui.areas.activity import ActivityArea
from mcp_optimizer.tui.dialogs.help import HelpDialog
from mcp_optimizer.tui.dispatch import source_words
from mcp_optimizer.tui.widgets.footer import Footer
from mcp_optimizer.tui.widgets.header import Header
from mcp_optimizer.tui.widgets.notice import Notice
from tests.tui import sample
from tests.tui.fake_service import FakeService
from tests.tui.screens import press, running, type_text


def test_a_letter_means_one_thing_everywhere() -> None:
    for key in Keymap().keys:
        if len(key) == 1:
            meanings = {action.id for action in Keymap().actions if key in action.keys}
            assert len(meanings) == 1, (key, meanings)


async def test_the_keys_of_the_areas_work_in_search_and_a_new_query_replaces_the_old() -> None:
    async with running() as (app, pilot):
        for number in "514253":
            await press(pilot, number)
            assert app.area.number == int(number)
        await press(pilot, "5", "slash")
        await type_text(pilot, "issue")
        await press(pilot, "enter", "3", "5", "slash", "n")
        assert app.view.query_one("#query-text", Input).value == "n"


@pytest.mark.parametrize(
    ("keys", "pane"), [("tab", 1), ("right", 1), ("tab right p", 3), ("left", -1), ("tab shift+tab", 0)]
)
async def test_tab_and_arrows_go_through_the_lists_of_activity(keys: str, pane: int) -> None:
    panes = ["runs", "problems", "changes", "servers", "queries", "log"]
    async with running() as (app, pilot):
        await press(pilot, "6", *keys.split())
        assert isinstance(app.view, ActivityArea)
        assert app.view.shown == panes[pane]


@pytest.mark.parametrize("size", [(80, 24), (60, 20), (40, 12)])
@pytest.mark.parametrize("area", [Area.WORKLOADS, Area.ACTIVITY])
async def test_help_has_every_key_and_none_is_cut(area: Area, size: tuple[int, int]) -> None:
    async with running(size=size) as (app, pilot):
        await press(pilot, str(area.number), "question_mark")
        assert isinstance(app.screen, HelpDialog)
        body = app.screen.query_one("#keys")
        words = " ".join("".join(strip.text for strip in body.render_lines(body.size.region)).split())
        for action in app.context.keymap.in_area(area):
            if action.section in {"Look", "Program"} and action.id not in {"sort", "sort_reverse"}:
                assert action.help in words, action.help
        scroll = app.screen.query_one(".scroll")
        await press(pilot, "j")
        assert scroll.scroll_y == min(1, scroll.max_scroll_y)


async def test_ctrl_c_says_the_key_of_the_program_and_ctrl_r_refreshes() -> None:
    service = FakeService.loaded()
    async with running(service) as (app, pilot):
        await press(pilot, "ctrl+c")
        assert "q" in app.base.query_one(Notice).said
        before = len([call for call in service.calls if call[0] == "overview"])
        await press(pilot, "ctrl+r")
        assert len([call for call in service.calls if call[0] == "overview"]) == before + 1


@pytest.mark.parametrize("width", [80, 140])
@pytest.mark.parametrize("area", ["1", "6"])
async def test_the_header_names_the_database_and_the_badges(width: int, area: str) -> None:
    async with running(size=(width, 24), read_only=True, badges=("DEMO",)) as (app, pilot):
        await press(pilot, area)
        shown = app.base.query_one(Header).render().plain
        assert len(shown) <= width
        database = app.context.feed.overview.database  # ty: ignore[missing-attribute]
        for word in ("DEMO", "READ-ONLY", database[-6:]):
            assert word in shown, shown


async def test_the_footer_says_that_it_is_cut() -> None:
    for width, cut in ((40, True), (200, False)):
        async with running(size=(width, 24)) as (app, pilot):
            await press(pilot, "3")
            shown = app.base.query_one(Footer).render().plain
            assert shown.rstrip().endswith("…") is cut
            assert len(shown) <= width + 2


def test_a_source_that_failed_the_last_time_is_named() -> None:
    run = sample.runs()[0]
    failed = run.model_copy(
        update={"what": "workloads", "source": "ToolHive at x", "outcome": "failed", "started_at": "9"}
    )
    later = failed.model_copy(update={"outcome": "done", "started_at": "99"})
    assert source_words(None) == ""
    assert source_words(Overview(runs=(failed, run))) == "✗ ToolHive"
    assert source_words(Overview(runs=(failed, later))) == ""
    assert source_words(Overview(runs=(failed.model_copy(update={"source": "/x.json"}),))) == "✗ source"
