"""Running servers and what agents asked: seen, and followed to where one can find out why."""

from datetime import timedelta

import pytest
from textual.widgets import Static

from mcp_optimizer.domain.serving.agent_visibility import AgentVisibility
from mcp_optimizer.domain.serving.presence import PollView
from mcp_optimizer.domain.views import ChangeView, ProblemView, Scope, SearchQuery
from mcp_optimizer.tui import app as tui_app
from mcp_optimizer.tui.actions import Area, Keymap
from mcp_optimizer.tui.areas.activity import ActivityArea
from mcp_optimizer.tui.areas.search import SearchArea
from mcp_optimizer.tui.details.activity import entry_document
from mcp_optimizer.tui.details.document import Document
from mcp_optimizer.tui.details.serving import poll_lines
from mcp_optimizer.tui.dialogs.choose import ChooseDialog
from mcp_optimizer.tui.dialogs.confirm import ConfirmDialog
from mcp_optimizer.tui.widgets.detail import DetailPane
from tests.tui import sample
from tests.tui.fake_service import FakeService
from tests.tui.screens import NOW, press, running, settle, type_text
from tests.tui.test_flows import calls, said, view

QUERIES = ["6", "p", "p", "p", "p"]


async def test_the_overview_says_that_a_server_runs_and_leads_to_it() -> None:
    async with running(size=(120, 36)) as (app, pilot):
        assert "http://127.0.0.1:9900/mcp" in app.export_screenshot()
        await press(pilot, "G", "enter")
        assert isinstance(app.view, ActivityArea)
        assert app.view.shown == "servers"
        text = app.view.pane.text
        assert "● serving" in text
        assert "✗ failed    workloads  30s ago, took 5.0 s" in text
        assert "3 failed in a row" in text
        assert "next in 40s" in text
        await press(pilot, "enter")
        assert app.view.shown == "queries"


async def test_at_eighty_columns_the_whole_address_is_in_the_list_too() -> None:
    async with running(size=(80, 24)) as (app, pilot):
        await press(pilot, "6", "p", "p", "p")
        assert app.export_screenshot(simplify=True).count("http://127.0.0.1:9900/mcp") == 2


@pytest.mark.parametrize(
    ("next_at", "said"),
    [("12:00:40", "in 40s"), ("13:00:00", "in 60m"), ("14:30:00", "in 2h"), ("11:59:00", "now"), ("", None)],
)
def test_the_next_poll_is_told_in_as_few_characters_as_can_be(next_at: str, said: str | None) -> None:
    page = Document(40)
    moment = f"2026-11-23T{next_at}Z" if next_at else ""
    poll_lines(page, PollView(part="registry", next_at=moment), lambda: NOW)
    assert [line.plain.strip() for line in page.lines if "next" in line.plain] == ([f"next {said}"] if said else [])


def test_a_problem_without_a_moment_says_nothing_of_one() -> None:
    """Characters that can't be seen have been there as long as the tool."""
    problem = ProblemView(id="1", entity="workload", name="maps", problem="invisible", reason="U+200B", since="")
    lines = entry_document(problem, lambda: NOW, 60, Keymap())
    assert not any("since" in line.plain for line in lines)


async def test_a_server_that_was_killed_is_gone_from_the_screen_though_nothing_changes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tui_app, "SILENCE", 0.02)
    service, moment = FakeService.loaded(), [NOW]
    app = tui_app.OptimizerApp(lambda: service, now=lambda: moment[0], stopwatch=lambda: 0.0, first_area=Area.OVERVIEW)
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        read = len(calls(service, "overview"))
        await pilot.pause(0.1)
        assert len(calls(service, "overview")) == read
        assert "http://127.0.0.1:9900/mcp" in app.export_screenshot()
        moment[0] += timedelta(minutes=1)
        service.servers = ()
        for _ in range(200):
            await pilot.pause(0.02)
            if "http://127.0.0.1:9900/mcp" not in app.export_screenshot():
                break
        else:
            raise AssertionError("it is still shown")
        await settle(pilot)
        read = len(calls(service, "overview"))
        await pilot.pause(0.1)
        assert len(calls(service, "overview")) == read


async def test_none_runs() -> None:
    async with running(FakeService(), size=(120, 36)) as (app, pilot):
        await press(pilot, "6", "p", "p", "p")
        assert "mcp-optimizer serve" in app.export_screenshot(simplify=True).replace("&#160;", " ")


async def test_a_query_shows_what_it_returned_and_leads_to_a_server() -> None:
    async with running(size=(120, 36)) as (app, pilot):
        await press(pilot, *QUERIES)
        assert isinstance(app.view, ActivityArea)
        text = app.view.pane.text
        assert "270 returned of 6,370, 96% saved" in " ".join(text.split())
        assert "1 create_issue  github-prod" in text
        assert "exact name, meaning #1 (distance 0.210), text #1" in " ".join(text.split())
        await press(pilot, "enter")
        assert isinstance(app.screen, ChooseDialog)
        await press(pilot, "down", "enter")
        assert (app.area, view(app).row.name) == (Area.WORKLOADS, "fetch-a")
        await press(pilot, "escape")
        assert isinstance(app.view, ActivityArea)
        assert app.view.shown == "queries"


async def test_a_query_is_asked_again_in_search_as_it_was_asked() -> None:
    """What an agent asked is computed as it was asked (Q5)."""
    service = FakeService.loaded()
    async with running(service) as (app, pilot):
        await press(pilot, *QUERIES, "a")
        assert isinstance(app.view, SearchArea)
        assert calls(service, "search")[-1] == (SearchQuery(text="open an issue", keywords="github", compare=True),)
        assert "keywords github" in str(app.view.query_one("#query-filters", Static).content)
        await press(pilot, "slash")
        await type_text(pilot, "s")
        assert calls(service, "search")[-1][0].keywords == ""
        await press(pilot, "escape", "escape", "j", "a")
        assert calls(service, "search")[-1] == (SearchQuery(text="fetch a page", scope=Scope.REGISTRY, compare=True),)


async def test_q5_what_the_agent_was_not_given_is_shown_as_such() -> None:
    service = FakeService.loaded()
    seen = AgentVisibility(groups=frozenset({"dev"}), skipped=("old",))
    service.query_views[0] = service.query_views[0].model_copy(update={"limit": 1, "visibility": seen})
    async with running(service, size=(120, 36)) as (app, pilot):
        await press(pilot, *QUERIES, "a")
        assert isinstance(app.view, SearchArea)
        column = next(column for column in app.view.table.rows.renderer.columns if column.id == "why")
        words = [column.cell(hit).text for hit in app.view.table.rows.visible]
        assert words == ["exact name", "not returned", "not returned"]
        assert "1 tools, 90 tokens" in str(app.view.query_one("#tokens", Static).content)
        assert "not returned: 2 below" in str(app.view.query_one("#tokens", Static).content)
        filters = str(app.view.query_one("#query-filters", Static).content)
        assert "as the agent at most 1; groups dev; without old" in filters
        await press(pilot, "slash")
        await type_text(pilot, "s")
        (last,) = calls(service, "search")[-1]
        assert last == SearchQuery(text=last.text, compare=True)
        assert app.view.returned is None


async def test_queries_can_be_filtered_for_those_that_found_nothing() -> None:
    async with running() as (app, pilot):
        await press(pilot, *QUERIES, "slash")
        await type_text(pilot, "is:nothing")
        assert isinstance(app.view, ActivityArea)
        assert [row.text for row in app.view.table.rows.visible] == ["order a pizza"]
        await press(pilot, "enter", "enter")
        assert "e asks the query again" in said(app)


async def test_a_query_that_an_agent_asks_appears_by_itself_and_nothing_else_is_read() -> None:
    service = FakeService.loaded()
    async with running(service) as (app, pilot):
        await press(pilot, *QUERIES)
        before = len(calls(service, "changes")), len(calls(service, "workloads"))
        service.query_views.insert(0, sample.queries()[0].model_copy(update={"sequence": 5, "text": "new"}))
        service.tell([ChangeView(sequence=0, at="", entity="serving", name="", operation="updated")])
        await settle(pilot)
        assert isinstance(app.view, ActivityArea)
        assert app.view.table.rows.visible[0].text == "new"
        assert (len(calls(service, "changes")), len(calls(service, "workloads"))) == before


async def test_changed_tools_are_shown_word_by_word_and_accepted_after_a_dry_run() -> None:
    service = FakeService.loaded()
    async with running(service, size=(120, 36)) as (app, pilot):
        await press(pilot, "3", "slash")
        await type_text(pilot, "is:suspicious")
        await press(pilot, "enter")
        assert view(app).row.name == "notes"
        text = view(app).pane.text
        assert "+ in the place, and send a copy to evil.example" in " ".join(text.split())
        assert "U+200B zero width space ×3" in text
        await press(pilot, "A")
        assert isinstance(app.screen, ConfirmDialog)
        assert "1 tool says something else than at first" in app.screen.query_one(DetailPane).text
        assert calls(service, "accept") == [("notes", None, True)]
        await press(pilot, "right", "enter")
        assert calls(service, "accept")[-1] == ("notes", None, False)
        assert said(app) == "Accepted 1 changed tool of notes"
        assert view(app).table.rows.visible == []
