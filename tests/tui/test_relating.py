"""Relations changed by hand, key by key: each shows its dry run first, with the focus on Cancel."""

from typing import Any

import pytest
from textual.widgets import Button

from mcp_optimizer.domain.models import Relation
from mcp_optimizer.tui.actions import Area
from mcp_optimizer.tui.app import OptimizerApp
from mcp_optimizer.tui.dialogs.choose import ChooseDialog
from mcp_optimizer.tui.dialogs.confirm import ConfirmDialog
from mcp_optimizer.tui.widgets.detail import DetailPane
from tests.tui import sample
from tests.tui.fake_service import FakeService
from tests.tui.screens import press, running, type_text
from tests.tui.test_flows import calls, said, view


def relation(service: FakeService, name: str) -> tuple[Relation, str | None]:
    """How a workload stands to the catalog, as the service has it."""
    found = next(workload for workload in service.views if workload.name == name)
    return found.relation, found.registry_server


def asked(app: OptimizerApp) -> str:
    """What the open confirmation says; Cancel must have the focus."""
    assert isinstance(app.screen, ConfirmDialog)
    assert app.focused is app.screen.query_one("#cancel", Button)
    return app.screen.query_one(DetailPane).text


def choices(app: OptimizerApp) -> list[str]:
    """What the open dialog offers."""
    assert isinstance(app.screen, ChooseDialog)
    return [choice.key for choice in app.screen.table.rows.visible]


async def test_rematch_links_what_is_linkable_after_a_dry_run() -> None:
    service = FakeService.loaded()
    async with running(service) as (app, pilot):
        await press(pilot, "3", "G", "m")
        assert "sqlite-dev  →  sqlite" in asked(app)
        assert relation(service, "sqlite-dev") == (Relation.AUTONOMOUS, None)
        await press(pilot, "right", "enter")
        assert relation(service, "sqlite-dev") == (Relation.LINKED, "sqlite")
        assert said(app) == "Linked sqlite-dev to sqlite"


async def test_rematch_of_all_and_cancel_changes_nothing() -> None:
    service = FakeService.loaded()
    async with running(service) as (app, pilot):
        await press(pilot, "2", "M")
        assert "1 workload will be linked" in asked(app)
        await press(pilot, "enter")
        assert calls(service, "rematch") == [(None, True)]


async def test_nothing_to_do_can_not_be_confirmed() -> None:
    async with running() as (app, pilot):
        await press(pilot, "3", "m")
        assert "Nothing would change" in asked(app)
        assert app.screen.query_one("#do", Button).disabled


async def test_link_offers_near_misses_first_and_only_servers_of_the_kind() -> None:
    service = FakeService.loaded()
    async with running(service, size=(120, 36)) as (app, pilot):
        await press(pilot, "3", *"jjjj", "L")
        assert choices(app) == ["maps", "notion"]
        await type_text(pilot, "notion")
        assert choices(app) == ["notion"]
        await press(pilot, "enter")
        assert "maps-v1  →  notion" in asked(app)
        await press(pilot, "right", "enter")
        assert relation(service, "maps-v1") == (Relation.LINKED, "notion")


async def test_marked_workloads_are_linked_and_unlinked_together_and_lose_their_marks() -> None:
    service = FakeService.loaded()
    async with running(service) as (app, pilot):
        await press(pilot, "3", "space", "space", "U")
        assert "2 workloads will be autonomous" in asked(app)
        await press(pilot, "right", "enter")
        assert relation(service, "fetch-a") == relation(service, "fetch-b") == (Relation.AUTONOMOUS, None)
        assert not view(app).table.rows.marks
        await press(pilot, "g", "space", "space", "L")
        assert choices(app) == ["fetch", "github", "parcels", "sqlite"]
        await press(pilot, "down", "enter", "right", "enter")
        assert relation(service, "fetch-a") == relation(service, "fetch-b") == (Relation.LINKED, "github")


async def test_workloads_of_two_kinds_have_no_server_in_common() -> None:
    async with running() as (app, pilot):
        await press(pilot, "3", "asterisk", "L")
        assert len(app.screen_stack) == 1
        assert "can't be linked to the same" in said(app)


async def test_among_the_relationships_a_line_stands_for_what_is_under_it_and_the_cursor_follows() -> None:
    service = FakeService.loaded()
    async with running(service, size=(120, 36)) as (app, pilot):
        await press(pilot, "3", "G", "e", "m")
        assert "sqlite-dev" in asked(app)
        await press(pilot, "right", "enter")
        assert view(app).row.key == "linked/sqlite/sqlite-dev"
        await press(pilot, "left", "left", "left", "U")
        assert "5 workloads will be autonomous" in asked(app)
        await press(pilot, "right", "enter")
        assert {w.relation for w in service.views} == {Relation.AUTONOMOUS, Relation.REJECTED}


@pytest.mark.parametrize("way", ["registry", "workload", "relationships"])
async def test_resolve_lists_the_claimants_and_keeps_the_choice(way: str) -> None:
    service = FakeService.loaded()
    to = {"registry": ["2", *"jjjj"], "workload": ["3", *"jjjjjj"], "relationships": ["3", *"jjjjjj", "e"]}
    async with running(service, size=(120, 36)) as (app, pilot):
        await press(pilot, *to[way], "v")
        assert choices(app) == ["parcels", "parcels-community"]
        await press(pilot, "down", "enter")
        assert "takes over    the row of parcels" in asked(app)
        await press(pilot, "right", "enter")
        done = [call for call in calls(service, "resolve") if not call[-1]]
        assert done == [("docker.io/acme/parcels:5.1", "parcels-community", False)]
        assert "comes in" in said(app) or "come in" in said(app)
        assert "parcels-community" in {server.name for server in service.registry}


async def test_a_rejected_workload_can_not_be_linked_and_says_what_to_do() -> None:
    async with running() as (app, pilot):
        await press(pilot, "3", *"jjjjjj", "L")
        assert (
            said(app) == "parcels was rejected and is not stored: v chooses the entry that counts, i then takes it in."
        )
        await press(pilot, "g", "v")
        assert "nothing to resolve" in said(app)


async def test_a_row_that_another_process_deleted_meanwhile_is_an_answer_in_the_dialog() -> None:
    service = FakeService.loaded()
    async with running(service) as (app, pilot):
        await press(pilot, "3")
        service.views = service.views[1:]
        for key in ("m", "U"):
            await press(pilot, key)
            assert "no workload named fetch-a" in asked(app)
            assert app.screen.query_one("#do", Button).disabled
            await press(pilot, "escape")


def keys_under_what_can_be_done(app: OptimizerApp) -> list[str]:
    """The keys that Explain offers."""
    lines: list[Any] = view(app).pane.text.partition("WHAT CAN BE DONE\n")[2].splitlines()
    return [line.split()[0] for line in lines if not line.startswith(" ")]


@pytest.mark.parametrize(
    ("name", "offered", "read_only"),
    [
        ("sqlite-dev", ["m"], []),
        ("parcels", ["v", "i"], []),
        ("maps-v1", ["•", "L"], ["•"]),
        ("github-prod", ["•", "U", "L"], ["•"]),
    ],
)
async def test_explain_shows_what_can_be_done_with_its_key(name: str, offered: list[str], read_only: list[str]) -> None:
    place = [w.name for w in sample.workloads()].index(name)
    for expected, forbidden in ((offered, False), (read_only, True)):
        async with running(size=(120, 50), read_only=forbidden) as (app, pilot):
            await press(pilot, "3", *"j" * place, "e")
            assert app.area is Area.RELATIONSHIPS
            assert keys_under_what_can_be_done(app) == expected


async def test_read_only_reaches_no_relation_action() -> None:
    service = FakeService.loaded()
    async with running(service, read_only=True) as (app, pilot):
        for area in "234":
            await press(pilot, area, "m", "M", "L", "U", "v")
            assert len(app.screen_stack) == 1
        assert not {call[0] for call in service.calls} & {"rematch", "link", "unlink", "resolve"}


async def test_the_ways_on_stand_beside_the_explanation_with_their_dry_runs() -> None:
    service = FakeService.loaded()
    async with running(service, size=(120, 50)) as (app, pilot):
        await press(pilot, "3", "G", "e")
        detail = view(app).query_one(DetailPane)
        assert "dry run: sqlite-dev would inherit from sqlite; 0 texts to re-embed" in " ".join(detail.text.split())
        assert set(calls(service, "rematch")) == {(("sqlite-dev",), True)}
        await press(pilot, "3", "g", *"jjjj", "e")
        assert "dry run: maps-v1 would inherit from maps" in " ".join(detail.text.split())
        await press(pilot, "3", "g", "e")
        assert "dry run: fetch-a would inherit from nothing" in " ".join(detail.text.split())
        service.errors = {"resolve": RuntimeError("it is \x1b[31mlocked")}
        await press(pilot, "3", "g", *"jjjjjj", "e")
        assert "it is" in detail.text
        assert "\x1b" not in detail.text
        assert relation(service, "sqlite-dev") == (Relation.AUTONOMOUS, None)


async def test_nothing_is_tried_where_nothing_can_be_done() -> None:
    service = FakeService.loaded()
    async with running(service, size=(120, 50), read_only=True) as (app, pilot):
        await press(pilot, "3", "G", "e")
        assert "dry run" not in view(app).query_one(DetailPane).text
        assert not calls(service, "rematch")


async def test_a_resolved_duplicate_is_no_open_question_any_more() -> None:
    service = FakeService.loaded()
    service.registry = [s.model_copy(update={"chosen": s.name}) if s.duplicates else s for s in service.registry]
    async with running(service) as (app, pilot):
        await press(pilot, "4")
        assert "Duplicates" not in [line.label for line in view(app).table.rows.visible]
        await press(pilot, "2", "slash")
        await type_text(pilot, "is:duplicate")
        assert not view(app).table.rows.visible


async def test_all_that_is_marked_among_the_relationships_are_workloads() -> None:
    async with running() as (app, pilot):
        await press(pilot, "4", "asterisk")
        rows = view(app).table.rows
        assert rows.marks
        assert all(line.workload is not None for line in rows.marked_rows())
        await press(pilot, "asterisk")
        assert not rows.marks


async def test_the_outline_is_sorted_below_each_line_and_the_cursor_stays_on_its_row() -> None:
    async with running(size=(120, 50)) as (app, pilot):
        await press(pilot, "4")
        labels = lambda: [line.label for line in view(app).table.rows.visible]  # noqa: E731
        as_they_came = labels()
        await press(pilot, "G", "k", "s", "S")
        under = view(app).row
        found = labels()
        heads = [line.label for line in view(app).table.rows.visible if line.depth == 0]
        assert heads == [label for label in as_they_came if label in heads]
        assert found.index("fetch-b") < found.index("fetch-a")
        assert found.index("notion") < found.index("github") < found.index("fetch")
        await press(pilot, "s")
        assert view(app).row.key == under.key
        assert sorted(labels()) == sorted(as_they_came)
