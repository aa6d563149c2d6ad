"""Logs are forgotten by age and number, and nobody misses a change by that (L11, S4)."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from mcp_optimizer.config import Settings
from mcp_optimizer.domain.views import SearchQuery
from mcp_optimizer.read_model.change_feed import RELOAD
from tests.conftest import OpenService
from tests.support.builders import catalog, entry, listing, workload
from tests.support.database import dump, rows, value
from tests.support.places import Place
from tests.support.runtime import Clock
from tests.support.services import ingest

ALPHA = "example.org/alpha:1"
CATALOG = catalog(entry("alpha", ALPHA, ["ping"]))
DAY = 86_400


def changes(database: Place) -> list[tuple[int, str]]:
    """What is left of the change log."""
    return rows(database, "SELECT sequence, entity FROM change_log ORDER BY sequence")


async def test_l11_changes_runs_and_closed_problems_go_when_they_are_too_old(
    open_service: OpenService, settings: Settings, clock: Clock, database: Place
) -> None:
    service = await open_service(settings.model_copy(update={"log_max_days": 30}))
    bad = workload("bad", ALPHA).model_copy(update={"identity": None, "identity_problem": "no image"})
    await ingest(service, CATALOG, listing(bad))
    await ingest(service, CATALOG, listing())
    assert value(database, "SELECT COUNT(*) FROM ingestion_problems") == 1
    newest = value(database, "SELECT MAX(sequence) FROM change_log WHERE entity <> 'run'")
    clock.advance(31 * DAY)
    await ingest(service, CATALOG, listing())
    left = changes(database)
    assert left[0] == (newest, "workload"), "the newest change stays: others see by it that nothing changed"
    assert [entity for _, entity in left[1:]] == ["run"]
    assert value(database, "SELECT COUNT(*) FROM ingestion_runs") == 1
    assert value(database, "SELECT COUNT(*) FROM ingestion_problems") == 0
    assert [view.name for view in await service.registry_servers()] == ["alpha"], "only logs go"


async def test_l11_changes_go_when_they_are_too_many(
    open_service: OpenService, settings: Settings, database: Place
) -> None:
    service = await open_service(settings.model_copy(update={"change_log_max_rows": 100}))
    for number in range(60):
        await ingest(service, catalog(entry("alpha", ALPHA, description=f"{number}"), entry("beta", f"b:{number}")))
    assert 90 <= len(changes(database)) <= 101
    assert changes(database)[-1][1] == "run"


async def test_e2_where_nothing_is_to_be_forgotten_or_has_changed_nothing_is_written(
    open_service: OpenService, clock: Clock, database: Place
) -> None:
    service = await open_service()
    said = ("Exited (0) 3 minutes ago", "Exited (0) 4 minutes ago", "Exited (0) About an hour ago")
    seen = [listing(workload("one", ALPHA, None, status="stopped", status_reason=text)) for text in said]
    failing = [
        listing(workload("one", ALPHA, None, tools_problem=f"it did not answer within {seconds} seconds"))
        for seconds in ("20.1", "20.2")
    ]
    for group in (seen, failing):
        await ingest(service, CATALOG, group[0])
        before = dump(database)
        for given in group[1:]:
            clock.advance(60)
            report = await ingest(service, CATALOG, given)
            assert report.workloads is not None
            assert (report.workloads.updated, dump(database)) == (0, before)


async def test_who_falls_behind_what_is_forgotten_reads_everything_anew(
    open_service: OpenService, settings: Settings, clock: Clock, database: Place
) -> None:
    writer, looking = await open_service(), await open_service()
    await ingest(writer, CATALOG, listing(workload("one", ALPHA, ["ping"])))
    first = await looking.search(SearchQuery(text="ping"))
    assert [hit.tool for hit in first] == ["ping"]
    seen = value(database, "SELECT MAX(sequence) FROM change_log")
    await ingest(writer, CATALOG, listing(workload("one", ALPHA, ["ping", "pong"])))
    for day in range(3):
        clock.advance(100 * DAY)
        await ingest(writer, catalog(entry("alpha", ALPHA, ["ping"], description=f"{day}")))
    assert value(database, "SELECT MIN(sequence) FROM change_log") > seen + 1
    assert next(hit.tool for hit in await looking.search(SearchQuery(text="pong"))) == "pong"
    assert [view.tools for view in await looking.workloads()] == [2]


@pytest.mark.parametrize("forgotten", [True, False])
async def test_a_watcher_is_told_to_reload_only_where_it_missed_something(
    open_service: OpenService, clock: Clock, forgotten: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer, looking = await open_service(), await open_service()
    await ingest(writer, CATALOG)
    gate, committed = asyncio.Event(), asyncio.Event()

    async def commits(_interval: float) -> AsyncIterator[None]:
        committed.set()
        await gate.wait()
        yield
        await asyncio.Event().wait()

    monkeypatch.setattr(looking.store.database, "commits", commits)
    waiting = asyncio.ensure_future(anext(aiter(looking.watch())))
    await committed.wait()
    for day in range(3):
        clock.advance(100 * DAY if forgotten else 1)
        await ingest(writer, catalog(entry("alpha", ALPHA, ["ping"], description=f"{day}")))
    gate.set()
    told = await asyncio.wait_for(waiting, 5)
    assert (RELOAD in told) == forgotten
    assert told[-1].entity == "run"
