"""Polling a simulated ToolHive over real HTTP: what happens to it, and what then is stored.

The clock stands still but for what a test lets pass; only requests on loopback take real time.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from mcp_optimizer.config import Settings
from mcp_optimizer.demo.faults import Fault
from mcp_optimizer.demo.simulator import ToolHiveSimulator
from mcp_optimizer.domain.reports import IngestPart
from mcp_optimizer.domain.serving.presence import PollView
from mcp_optimizer.domain.views import SearchQuery
from mcp_optimizer.operations.polling import Poller
from mcp_optimizer.service import DataService
from mcp_optimizer.sources.toolhive.source import ToolHiveSource
from tests.support.database import raw_connection
from tests.support.embedders import FakeEmbedder
from tests.support.places import Place
from tests.support.services import assert_sound
from tests.support.time import FakeTime

CATALOG = {"servers": {"fetch": {"image": "example.org/fetch:1", "description": "Fetches.", "transport": "stdio"}}}


def item(name: str, **more: object) -> dict[str, object]:
    """A workload that ToolHive lists."""
    tools = [{"name": "ping", "description": "Pings.", "inputSchema": {"type": "object"}}]
    given = {"name": name, "package": f"example.org/{name}:1", "status": "running", "tool_definitions": tools}
    return {**given, **more}


class Watched:
    """A service that polls a ToolHive, and time that passes when a test says so."""

    def __init__(self, settings: Settings, source: ToolHiveSource) -> None:
        self.time = FakeTime()
        self.service = DataService(settings, embedder=FakeEmbedder(), runtime=self.time.runtime())
        self.told: list[PollView] = []
        self.source = source
        self.polling: Poller | None = None

    async def polls(self, number: int) -> list[PollView]:
        """Let time pass until that many more polls have ended; they."""
        before = len(self.told)
        start = time.monotonic()
        while len(self.told) < before + number:
            await self.time.pass_(0.5)
            await asyncio.sleep(0.002)
            assert time.monotonic() - start < 90, "no poll ends"
        return self.told[before:]

    async def statuses(self) -> dict[str, str]:
        """What is stored of workloads."""
        return {view.name: view.status for view in await self.service.workloads()}


@asynccontextmanager
async def watched(settings: Settings, home: Path) -> AsyncIterator[Watched]:
    """A polling that runs."""
    seen = Watched(settings, ToolHiveSource(settings, state_home=home))
    async with seen.service:
        seen.polling = seen.service.polling(seen.source, on_poll=seen.told.append)
        task = asyncio.create_task(seen.polling.run())
        try:
            yield seen
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await assert_sound(seen.service)


@pytest.fixture
def quick(settings: Settings) -> Settings:
    """Short patience with what hangs."""
    return settings.model_copy(update={"mcp_timeout": 0.4, "toolhive_timeout": 0.4, "busy_timeout": 0.2})


async def test_it_survives_toolhive_coming_going_and_changing_its_port(quick: Settings, tmp_path: Path) -> None:
    state = tmp_path / "toolhive" / "server" / "server.json"
    state.parent.mkdir(parents=True)
    async with watched(quick, tmp_path) as seen:
        assert {poll.outcome for poll in await seen.polls(1)} == {"failed"}, "it is not there yet"
        ports = set()
        for name in ("one", "two"):
            async with ToolHiveSimulator(catalog=CATALOG, workloads=[item(name)]) as toolhive:
                ports.add(toolhive.url)
                state.write_text(f'{{"url": "{toolhive.url}"}}')
                while (await seen.polls(1))[0].outcome == "failed":
                    pass
                while await seen.statuses() != {name: "running"}:
                    await seen.polls(1)
            assert {poll.outcome for poll in await seen.polls(1)} == {"failed"}, "it is gone"
            assert await seen.statuses() == {name: "running"}, "what is stored stays"
        assert len(ports) == 2
        assert [view.name for view in await seen.service.registry_servers()] == ["fetch"]


@asynccontextmanager
async def polled(
    quick: Settings, tmp_path: Path, *items: dict[str, object]
) -> AsyncIterator[tuple[ToolHiveSimulator, Watched]]:
    """A ToolHive with these workloads, polled twice."""
    async with ToolHiveSimulator(catalog=CATALOG, workloads=items) as toolhive:
        there = quick.model_copy(update={"toolhive_url": toolhive.url})
        async with watched(there, tmp_path) as seen:
            await seen.polls(2)
            yield toolhive, seen


async def test_stopped_workloads_stay_with_their_tools(quick: Settings, tmp_path: Path) -> None:
    async with polled(quick, tmp_path, item("fetch"), item("calc")) as (toolhive, seen):
        toolhive.set_status("fetch", "stopped", "Exited (0)")
        await seen.polls(1)
        assert await seen.statuses() == {"fetch": "stopped", "calc": "running"}
        assert (await seen.service.workload("fetch")).tools == 1


async def test_an_unknown_status_is_stored_as_given_and_not_running(quick: Settings, tmp_path: Path) -> None:
    async with polled(quick, tmp_path, item("fetch", status="hibernating"), item("calc")) as (_, seen):
        assert await seen.statuses() == {"fetch": "hibernating", "calc": "running"}
        assert (
            await seen.service.search_tokens(SearchQuery(text="ping")) == (await seen.service.workload("calc")).tokens
        )


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=500),
        Fault(truncated=True),
        Fault(drop=True),
        Fault(stall=5.0),
        Fault(body=b'{"workloads": {}}'),
        Fault(body=b"[]"),
        Fault(body=b"{"),
    ],
    ids=str,
)
async def test_l9_a_half_answer_deletes_nothing(quick: Settings, tmp_path: Path, fault: Fault) -> None:
    async with polled(quick, tmp_path, item("fetch"), item("calc")) as (toolhive, seen):
        toolhive.set_fault("workloads", fault)
        assert (await seen.polls(1))[0].outcome == "failed"
        assert set(await seen.statuses()) == {"fetch", "calc"}
        toolhive.set_fault("workloads", None)
        toolhive.remove_workload("calc")
        await seen.polls(1)
        assert set(await seen.statuses()) == {"fetch"}


async def test_a_listing_with_a_nameless_workload_deletes_nothing(quick: Settings, tmp_path: Path) -> None:
    async with polled(quick, tmp_path, item("fetch"), item("calc")) as (toolhive, seen):
        toolhive.set_fault("workloads", Fault(body=b'{"workloads": [{"package": "example.org/x:1"}]}'))
        assert (await seen.polls(1))[0].outcome == "partial"
        assert set(await seen.statuses()) == {"fetch", "calc"}


async def test_a_bad_workload_hides_no_good_one(quick: Settings, tmp_path: Path) -> None:
    good = [item(f"good{number}") for number in range(5)]
    patient = quick.model_copy(update={"mcp_timeout": 4.0, "toolhive_timeout": 20.0, "busy_timeout": 20.0})
    async with polled(patient, tmp_path, *good, item("hangs"), item("breaks")) as (toolhive, seen):
        toolhive.set_fault("mcp:hangs", Fault(stall=60.0))
        toolhive.set_fault("mcp:breaks", Fault(status=500))
        toolhive.set_tools("good1", [{"name": "new", "description": "New.", "inputSchema": {"type": "object"}}])
        assert (await seen.polls(1))[0].outcome == "partial"
        statuses = await seen.statuses()
        assert (statuses.pop("hangs"), statuses.pop("breaks")) == ("running", "running")
        assert set(statuses.values()) == {"running"}
        assert [tool.name for tool in (await seen.service.workload("good1")).tool_list] == ["new"]
        assert (await seen.service.workload("hangs")).tools == 1


async def test_s6_no_lock_is_held_while_a_workload_hangs(quick: Settings, database: Place, tmp_path: Path) -> None:
    patient = quick.model_copy(update={"mcp_timeout": 1.5})
    async with polled(patient, tmp_path, item("fetch"), item("hangs")) as (toolhive, seen):
        toolhive.set_fault("mcp:hangs", Fault(stall=30.0))
        assert seen.polling is not None
        refresh = asyncio.create_task(seen.polling.refresh())
        written = 0
        start = time.monotonic()
        while time.monotonic() - start < 0.8:
            with raw_connection(database) as other:
                other.execute(database.wait_for_nobody)  # taking the lock raises at once when somebody holds it
                other.execute(database.take_lock)
            written += 1
            await asyncio.sleep(0.01)
        assert written > 10
        assert not refresh.done(), "it hung all the while"
        await refresh


async def test_a_workload_that_starts_is_there_when_a_refresh_ends(quick: Settings, tmp_path: Path) -> None:
    async with polled(quick, tmp_path, item("fetch")) as (toolhive, seen):
        assert seen.polling is not None
        asked = asyncio.create_task(seen.polling.refresh("calc"))
        await _until(seen, lambda: _polls(seen, 1))
        toolhive.put_workload(item("calc", status="starting"))
        await _until(seen, lambda: _status(seen, "calc", "starting"))
        toolhive.set_status("calc", "running")
        await _until(seen, lambda: _done(asked))
        refresh = await asked
        assert refresh.answered
        assert (await seen.service.workload("calc")).tools == 1


async def _until(seen: Watched, true: Callable[[], Awaitable[bool]]) -> None:
    start = time.monotonic()
    while not await true():
        await seen.time.pass_(0.1)
        await asyncio.sleep(0.01)
        assert time.monotonic() - start < 90


async def _polls(seen: Watched, number: int) -> bool:
    return len(seen.told) >= number


async def _status(seen: Watched, name: str, status: str) -> bool:
    return (await seen.statuses()).get(name) == status


async def _done(task: "asyncio.Task[object]") -> bool:
    return task.done()


async def test_the_registry_is_not_polled_where_there_is_none(settings: Settings) -> None:
    service = DataService(settings.model_copy(update={"runtime_mode": "k8s"}), embedder=FakeEmbedder())
    assert list(service.polling().paces) == [IngestPart.WORKLOADS]
