"""The terminal UI on 1,000 registry servers and 1,000 workloads of 100 tools: how quick, and does it ever block."""

import asyncio
import tempfile
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from textual.pilot import Pilot

from bench.data import MadeUpSource, catalog, listing
from bench.embedders import Switchable
from bench.report import Figures, measured
from mcp_optimizer.config import Settings
from mcp_optimizer.domain.models import ObservedWorkload, WorkloadListing
from mcp_optimizer.domain.reports import IngestPart
from mcp_optimizer.embeddings import open_embedder
from mcp_optimizer.service import DataService
from mcp_optimizer.tui.actions import Area
from mcp_optimizer.tui.app import OptimizerApp
from mcp_optimizer.tui.areas.list_area import ListArea

SERVERS: Final = 1000
TOOLS: Final = 100
SIZE: Final = (120, 36)
_BEAT: Final = 0.002


class Heart:
    """Beats in the event loop; a beat that comes late tells how long the loop was blocked."""

    def __init__(self) -> None:
        self.longest = 0.0
        self.when = ""
        self.doing = ""

    async def beat(self) -> None:
        """For as long as the task lives."""
        while True:
            before = time.perf_counter()
            await asyncio.sleep(_BEAT)
            late = time.perf_counter() - before - _BEAT
            if late > self.longest:
                self.longest, self.when = late, self.doing


@asynccontextmanager
async def beating(heart: Heart) -> AsyncGenerator[None]:
    """Beat while the block runs."""
    task = asyncio.create_task(heart.beat())
    try:
        yield
    finally:
        task.cancel()


async def _until(holds: Callable[[], bool], seconds: float = 30.0) -> None:
    end = time.perf_counter() + seconds
    while not holds():
        if time.perf_counter() > end:
            raise TimeoutError("the screen did not come to show it")
        await asyncio.sleep(0.001)


def _painted(app: OptimizerApp) -> int:
    """Rows that the area in sight shows."""
    view = app.view
    return len(view.table.rows.visible) if isinstance(view, ListArea) else 0


async def measure(figures: Figures, servers: int = SERVERS, tools: int = TOOLS) -> None:
    """Fill a store, open the screens on it and do what a person does."""
    figures.head(f"terminal UI on {servers} registry servers and {servers} workloads of {tools} tools")
    with tempfile.TemporaryDirectory() as temporary:
        settings = Settings(db_url=f"sqlite:///{Path(temporary) / 'tui.db'}", cache_dir=Path(temporary))
        made = catalog(servers, tools)
        listed = listing(made, servers, tools)
        async with DataService(settings, embedder=Switchable(open_embedder(settings))) as service:
            await service.ingest_from(IngestPart.ALL, MadeUpSource(made, listed))
            await _screens(figures, settings, service, listed)


async def _screens(
    figures: Figures, settings: Settings, other: DataService, listed: WorkloadListing, heart: Heart | None = None
) -> None:
    heart = heart or Heart()
    app = OptimizerApp(lambda: DataService(settings, embedder=Switchable(open_embedder(settings))))
    start = time.perf_counter()
    async with beating(heart), app.run_test(size=SIZE) as pilot:
        heart.doing = "opening"
        figures.say("first paint of the frame", (time.perf_counter() - start) * 1000, "ms", most=1000)
        await _until(lambda: app.context.feed.overview is not None)
        figures.say("first paint with every count", (time.perf_counter() - start) * 1000, "ms", most=1000)
        await _areas(figures, app, pilot, heart)
        await _filter(figures, app, pilot, heart)
        await _refresh(figures, app, other, listed, heart)
    figures.say(f"longest block of the event loop ({heart.when})", heart.longest * 1000, "ms", most=50)


async def _areas(figures: Figures, app: OptimizerApp, pilot: Pilot[Any], heart: Heart) -> None:
    for key, name in (("2", "registry"), ("3", "workloads"), ("4", "relationships")):
        heart.doing = f"opening {name}"
        with measured() as watch:
            await pilot.press(key)
            await _until(lambda: _painted(app) > 0)
        figures.say(f"{name} opened for the first time", watch.seconds * 1000, "ms")
        await _rest(app)
    for key, name in (
        ("2", "registry"),
        ("3", "workloads"),
        ("4", "relationships"),
        ("5", "search"),
        ("1", "overview"),
    ):
        heart.doing = f"switching to {name}"
        with measured() as watch:
            await pilot.press(key)
            await pilot.pause()
        figures.say(f"switch to {name}", watch.seconds * 1000, "ms", most=150)
        await pilot.press("escape")
        await _rest(app)


async def _filter(figures: Figures, app: OptimizerApp, pilot: Pilot[Any], heart: Heart) -> None:
    for key, name in (("3", "workloads"), ("4", "relationships")):
        await pilot.press(key, "slash")
        await _rest(app)
        slowest = 0.0
        for letter in "server:=server-00042":
            heart.doing = f"filtering {name}"
            with measured() as watch:
                await pilot.press(letter)
                await pilot.pause()
            slowest = max(slowest, watch.seconds)
        figures.say(f"slowest of 20 keys into the filter of {name}", slowest * 1000, "ms", most=100)
        await pilot.press("escape")
        await _rest(app)


async def _refresh(
    figures: Figures, app: OptimizerApp, other: DataService, listed: WorkloadListing, heart: Heart
) -> None:
    """5% of the rows of Workloads change by another process; from reading them to showing them."""
    await app.show_area(Area.WORKLOADS)
    await _rest(app)
    heart.doing = "refreshing"
    changed = tuple(
        ObservedWorkload.model_validate({**w.model_dump(), "status": "paused"}) if place % 20 == 0 else w
        for place, w in enumerate(listed.workloads)
    )
    few = WorkloadListing(source="few", workloads=changed[::20], complete=False)
    view = app.view
    assert isinstance(view, ListArea)
    await other.ingest_from(IngestPart.WORKLOADS, MadeUpSource(None, few))
    await _until(lambda: any(row.status == "paused" for row in view.table.rows.all))
    rows = [
        row.model_copy(update={"status": "stopped"}) if place % 20 == 0 else row
        for place, row in enumerate(view.table.rows.all)
    ]
    with measured() as watch:
        view.table.put(rows)
        await asyncio.sleep(0)
    figures.say("5% of 1,000 rows changed and shown", watch.seconds * 1000, "ms", most=100)


async def _rest(app: OptimizerApp) -> None:
    await asyncio.sleep(0.02)
    await _until(lambda: all(worker.is_finished or worker.group == "watch" for worker in app.workers))


def run(figures: Figures) -> None:
    """Measure at the stated size."""
    asyncio.run(measure(figures))
