"""Polling: what is polled when, and what a failure changes. Time passes only when a test says so."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import pairwise

import pytest

from mcp_optimizer.domain.reports import IngestPart, IngestReport, WorkloadReport
from mcp_optimizer.domain.serving.poll_interval import PollInterval
from mcp_optimizer.domain.serving.presence import PollView
from mcp_optimizer.errors import SourceError, StoreError
from mcp_optimizer.operations.polling import Poller
from tests.support.time import FakeTime, settle

REGISTRY, WORKLOADS = IngestPart.REGISTRY, IngestPart.WORKLOADS


class World:
    """What a polling polls: it notes when, and fails as it is told."""

    def __init__(self, *, interval: float = 60.0, has_registry: bool = False) -> None:
        self.time = FakeTime()
        self.polled: list[tuple[float, IngestPart]] = []
        self.broken: dict[IngestPart, Exception] = {}
        self.takes = 0.0
        self.under_way = self.most_at_once = 0
        self.waiting_for = "is not listed yet"
        self.told: list[PollView] = []
        self.gate: asyncio.Event | None = None
        self.polling = Poller(
            ingest=self.ingest,
            answers=self.answers,
            paces={REGISTRY: PollInterval(interval=86400.0), WORKLOADS: PollInterval(interval=interval)},
            source=lambda: "somewhere",
            startup_delay=3.0,
            runtime=self.time.runtime(),
            has_registry=self.knows_registry,
            on_poll=self.told.append,
        )
        self._has_registry = has_registry

    async def knows_registry(self) -> bool:
        return self._has_registry

    async def ingest(self, part: IngestPart) -> IngestReport:
        self.polled.append((self.time.seconds, part))
        self.under_way += 1
        self.most_at_once = max(self.most_at_once, self.under_way)
        try:
            if self.gate is not None:
                await self.gate.wait()
            if self.takes:
                await self.time.sleep(self.takes)
            if part in self.broken:
                raise self.broken[part]
        finally:
            self.under_way -= 1
        return IngestReport(workloads=WorkloadReport(added=1) if part is WORKLOADS else None)

    async def answers(self, name: str) -> str | None:
        return f"{name} {self.waiting_for}" if self.waiting_for else None

    def moments(self, part: IngestPart) -> list[float]:
        return [moment for moment, polled in self.polled if polled is part]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.polling.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert task.cancelled(), "only its cancellation ends it"


async def test_it_begins_after_the_startup_delay_with_the_registry() -> None:
    world = World()
    async with world.running():
        await world.time.pass_(2.9)
        assert world.polled == []
        await world.time.pass_(0.2)
    assert world.polled == [(3.0, REGISTRY), (3.0, WORKLOADS)]


async def test_each_part_comes_at_its_interval() -> None:
    world = World()
    async with world.running():
        await world.time.pass_(86400 + 3)
    assert world.moments(REGISTRY) == [3.0, 86403.0]
    assert world.moments(WORKLOADS) == [3.0 + 60 * n for n in range(1441)]


async def test_a_failure_is_tried_again_soon_and_ever_more_slowly() -> None:
    world = World(has_registry=True)
    world.broken[WORKLOADS] = SourceError("ToolHive is away")
    async with world.running():
        await world.time.pass_(130)
    moments = world.moments(WORKLOADS)
    pauses = [after - before for before, after in pairwise(moments)]
    assert pauses[:6] == [0.75, 1.5, 3.0, 6.0, 12.0, 24.0]
    assert max(pauses) <= 60.0
    last = world.polling.polls[-1]
    assert (last.outcome, last.detail, last.failures) == ("failed", "ToolHive is away", len(moments))


async def test_when_it_is_back_the_interval_holds_again_and_the_registry_need_not_wait() -> None:
    world = World(has_registry=True)
    world.broken = dict.fromkeys((REGISTRY, WORKLOADS), SourceError("away"))
    async with world.running():
        await world.time.pass_(200)
        world.broken.clear()
        before = len(world.moments(REGISTRY))
        await world.time.pass_(70)
        assert len(world.moments(REGISTRY)) == before + 1
        assert [poll.failures for poll in world.polling.polls] == [0, 0]
        last = world.moments(WORKLOADS)[-1]
        await world.time.pass_(120)
    assert [moment - last for moment in world.moments(WORKLOADS) if moment > last] == [60.0, 120.0]


async def test_an_unexpected_error_does_not_end_it() -> None:
    world = World(has_registry=True)
    world.broken[WORKLOADS] = RuntimeError("a mistake\x1b[31m of the program")
    async with world.running():
        await world.time.pass_(5)
        world.broken.clear()
        await world.time.pass_(120)
    assert world.polling.polls[-1].outcome == "done"
    assert len(world.moments(WORKLOADS)) > 3
    assert all(view.detail.isprintable() for view in world.told)


async def test_l3_the_first_workloads_wait_for_the_first_registry_but_not_for_ever() -> None:
    world = World()
    world.broken[REGISTRY] = SourceError("registry_unavailable")
    async with world.running():
        await world.time.pass_(4)
        assert world.moments(WORKLOADS) == []
        world.broken.clear()
        await world.time.pass_(3)
        assert [part for _, part in world.polled] == [REGISTRY, REGISTRY, REGISTRY, WORKLOADS]
    other = World()
    other.broken[REGISTRY] = SourceError("registry_auth_required")
    async with other.running():
        await other.time.pass_(12)
    assert [part for _, part in other.polled][:4] == [REGISTRY, REGISTRY, REGISTRY, WORKLOADS]


async def test_where_a_registry_is_stored_workloads_do_not_wait_for_it() -> None:
    world = World(has_registry=True)
    world.broken[REGISTRY] = SourceError("registry_unavailable")
    async with world.running():
        await world.time.pass_(3)
    assert world.polled == [(3.0, REGISTRY), (3.0, WORKLOADS)]


async def test_one_poll_runs_at_a_time() -> None:
    world = World()
    world.takes = 100.0
    async with world.running():
        refreshes = [asyncio.create_task(world.polling.refresh()) for _ in range(3)]
        await world.time.pass_(1000)
        assert all(refresh.done() for refresh in refreshes)
    assert world.most_at_once == 1


async def test_those_who_ask_at_the_same_time_share_polls() -> None:
    world = World()
    world.gate = asyncio.Event()
    first = asyncio.create_task(world.polling.refresh())
    await settle()
    others = [asyncio.create_task(world.polling.refresh()) for _ in range(20)]
    await settle()
    world.gate.set()
    answers = await asyncio.gather(first, *others)
    assert all(refresh.answered for refresh in answers)
    assert len(world.polled) == 2, "the first began before the others asked, so they need one of their own"


async def test_a_refresh_polls_until_the_new_workload_answers() -> None:
    world = World()
    asked = asyncio.create_task(world.polling.refresh("fetch", within=30))
    await world.time.pass_(2)
    assert not asked.done()
    world.waiting_for = ""
    await world.time.pass_(5)
    refresh = await asked
    assert refresh.answered
    assert refresh.polls == len(world.polled) == 4
    assert refresh.seconds < 30


async def test_a_refresh_gives_up_in_time_and_says_why() -> None:
    world = World()
    asked = asyncio.create_task(world.polling.refresh("fetch", within=30))
    await world.time.pass_(31)
    refresh = await asked
    assert not refresh.answered
    assert refresh.reason == "fetch is not listed yet"
    assert refresh.seconds <= 30


async def test_a_refresh_does_not_wait_for_a_poll_that_hangs_nor_end_it() -> None:
    world = World()
    world.gate = asyncio.Event()
    refresh = await world.polling.refresh("fetch", within=0.05)
    assert (refresh.answered, refresh.reason) == (False, "the poll takes longer than that")
    assert world.under_way == 1
    world.gate.set()
    await settle()
    assert world.under_way == 0
    assert [view.outcome for view in world.told] == ["done"]
    await world.polling.close()


async def test_a_failed_refresh_says_what_failed() -> None:
    world = World()
    world.broken[WORKLOADS] = SourceError("ToolHive refused the connection")
    refresh = await world.polling.refresh()
    assert (refresh.answered, refresh.reason) == (False, "ToolHive refused the connection")


async def test_its_polls_are_told_with_their_outcome_and_the_next_moment() -> None:
    world = World()
    async with world.running():
        await world.time.pass_(3)
    registry, workloads = world.told
    assert (registry.part, workloads.part) == ("registry", "workloads")
    assert (workloads.at, workloads.next_at) == ("2026-01-02T03:04:08Z", "2026-01-02T03:05:08Z")
    assert (workloads.source, workloads.outcome, workloads.detail) == ("somewhere", "done", "workloads: 1 added")
    assert world.polling.polls == (registry, workloads)


@pytest.mark.parametrize("error", [StoreError("the disk is full"), TypeError("a mistake of the program")])
async def test_what_can_not_be_noted_does_not_end_it(error: Exception) -> None:
    world = World(has_registry=True)

    def refuse(view: PollView) -> None:
        raise error

    world.polling.on_poll = refuse
    async with world.running():
        await world.time.pass_(130)
    assert len(world.moments(WORKLOADS)) == 3


async def test_what_was_polled_on_demand_while_it_waited_is_not_polled_again_at_once() -> None:
    world = World(has_registry=True)
    world.takes = 5.0
    async with world.running():
        await world.time.pass_(70)  # the next one is due at 73
        before = len(world.moments(WORKLOADS))
        asked = asyncio.create_task(world.polling.refresh())
        await world.time.pass_(20)
        assert (await asked).answered
        assert len(world.moments(WORKLOADS)) == before + 1


@pytest.mark.parametrize("part", [REGISTRY, WORKLOADS])
async def test_an_interval_of_nothing_means_no_polls(part: IngestPart) -> None:
    """Workloads do not wait for a registry that is never polled, and may be polled on demand still."""
    world = World()
    other = WORKLOADS if part is REGISTRY else REGISTRY
    paces = {
        REGISTRY: PollInterval(interval=3600.0),
        WORKLOADS: PollInterval(interval=60.0),
        part: PollInterval(interval=0.0),
    }
    world.polling = replace(world.polling, paces={one: paces[one] for one in (REGISTRY, WORKLOADS)})
    async with world.running():
        await world.time.pass_(100_000.0)
        assert {polled for _, polled in world.polled} == {other}
        refreshing = asyncio.create_task(world.polling.refresh())
        await settle()
        assert (await refreshing).answered
        assert world.polled[-1][1] is WORKLOADS
        before = len(world.moments(part))
        await world.time.pass_(10_000.0)
        assert len(world.moments(part)) == before
