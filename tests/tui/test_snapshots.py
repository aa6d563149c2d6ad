"""The screens as pictures: every area in every state at the sizes people have, and every dialog.

One run of the app serves many pictures: it is walked through, and each picture is compared on the way.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from pytest_textual_snapshot import SVGImageExtension
from textual.pilot import Pilot

from mcp_optimizer.errors import StoreError
from mcp_optimizer.tui.state.log_buffer import LogBuffer
from tests.tui import sample
from tests.tui.fake_service import FakeService
from tests.tui.screens import NOW, press, running, type_text

READING = ("overview", "registry_servers", "workloads", "groups", "runs", "problems", "changes")
AREAS = {
    "overview": ["1"],
    "registry": ["2"],
    "workloads": ["3"],
    "relationships": ["4"],
    "search": ["5", "slash"],
    "activity": ["escape", "6"],
}
"""The keys that lead from one area to the next, in this order."""

type Walk = Callable[[str, Pilot[Any]], Awaitable[None]]


class Pictures:
    """Compares pictures with those that are kept, and remembers which differ."""

    def __init__(self, snapshot: Any) -> None:
        self._snapshot = snapshot.use_extension(SVGImageExtension)
        self._differ: list[str] = []

    def take(self, pilot: Pilot[Any], name: str) -> None:
        """One more picture."""
        picture = pilot.app.export_screenshot(title="mcp-optimizer", simplify=True)
        if self._snapshot(name=name) != picture:
            self._differ.append(name)

    def check(self) -> None:
        """At the end."""
        assert not self._differ, f"these differ (--snapshot-update after a look): {', '.join(self._differ)}"


@pytest.fixture
def pictures(snapshot: Any) -> Pictures:
    """The pictures of a test."""
    return Pictures(snapshot)


def logbook() -> LogBuffer:
    """A log of three lines."""
    book = LogBuffer(now=lambda: NOW)
    book.take("info", "ToolHive found", {"address": "127.0.0.1:50001", "version": "0.9"})
    book.take("warning", "part of a workload not read", {"reason": "timeout"})
    book.take("error", "tools not listed", {"server": "maps-v1", "error": "unauthorized (401)"})
    return book


async def walk(
    pictures: Pictures,
    service: FakeService,
    size: tuple[int, int] = (80, 24),
    *,
    typed: str = "",
    query: str = "",
    waiting: bool = False,
    **options: Any,
) -> None:
    """A picture of each area; ``typed`` goes into the filters, ``query`` into the search."""
    but = ("feed",) if waiting else ()
    async with running(service, size=size, but=but, logbook=logbook(), **options) as (_, pilot):
        for area, keys in AREAS.items():
            await press(pilot, *keys, but=but)
            if query and area == "search":
                await type_text(pilot, query)
                await press(pilot, "enter")
            elif typed and area not in {"overview", "search"}:
                await press(pilot, "slash")
                await type_text(pilot, typed)
                await press(pilot, "enter")
            pictures.take(pilot, area)
    pictures.check()


@pytest.mark.parametrize(
    ("size", "theme"),
    [((80, 24), "dark"), ((120, 36), "dark"), ((200, 50), "dark"), ((120, 36), "light"), ((80, 24), "16")],
    ids=lambda value: value if isinstance(value, str) else f"{value[0]}x{value[1]}",
)
async def test_loaded(pictures: Pictures, size: tuple[int, int], theme: str) -> None:
    await walk(pictures, FakeService.loaded(), size, query="open an issue", theme=f"mcp-optimizer-{theme}")


async def test_empty(pictures: Pictures) -> None:
    await walk(pictures, FakeService())


async def test_empty_and_read_only(pictures: Pictures) -> None:
    await walk(pictures, FakeService(), read_only=True)


async def test_loading(pictures: Pictures) -> None:
    service = FakeService.loaded()
    service.stalled = set(READING)
    await walk(pictures, service, waiting=True)


async def test_failed(pictures: Pictures) -> None:
    service = FakeService.loaded()
    broken = StoreError("the database is locked by another process", remedy="close it and press R")
    service.errors = dict.fromkeys((*READING, "search"), broken)
    await walk(pictures, service, query="issue")


async def test_filtered(pictures: Pictures) -> None:
    await walk(pictures, FakeService.loaded(), typed="git", query="open an issue")


async def test_nothing_passes_the_filter(pictures: Pictures) -> None:
    await walk(pictures, FakeService.loaded(), typed="nothing", query="nothing")


async def test_read_only(pictures: Pictures) -> None:
    await walk(pictures, FakeService.loaded(), query="open an issue", read_only=True)


async def test_hostile_text(pictures: Pictures) -> None:
    service = FakeService.loaded()
    bad = sample.HOSTILE
    entry = sample.registry_server(bad, "evil.example/x:1", description=bad * 3, workloads=1)
    workload = sample.workload(bad, "evil.example/x:1", bad, group=bad, status=bad)
    service.registry, service.views = [entry, *service.registry], [workload, *service.views]
    service.hits = [sample.hit(bad, bad, 2), *service.hits]
    service.problem_views = [p.model_copy(update={"name": bad, "reason": bad}) for p in service.problem_views]
    service.run_views = [r.model_copy(update={"error": bad, "source": bad}) for r in service.run_views]
    await walk(pictures, service, query=bad)


async def test_a_thousand_rows(pictures: Pictures) -> None:
    service = FakeService()
    service.registry = [sample.registry_server(f"s{n:04}", f"x.example/s:{n}", workloads=1) for n in range(1000)]
    service.views = [sample.workload(f"w{n:04}", f"x.example/s:{n}", f"s{n:04}") for n in range(1000)]
    service.hits = [sample.hit(f"tool_{n:03}", f"w{n:04}", n + 1) for n in range(200)]
    service.change_views = [sample.changes()[0].model_copy(update={"sequence": n}) for n in range(200)]
    await walk(pictures, service, (120, 36), query="tool")


async def test_can_not_open(pictures: Pictures) -> None:
    service = FakeService()
    service.errors = {"open": StoreError("the database is of a newer version", remedy="upgrade mcp-optimizer")}
    await walk(pictures, service)


DIALOGS: dict[str, list[str]] = {
    "help": ["3", "question_mark"],
    "help-relationships": ["4", "question_mark"],
    "help-search": ["5", "question_mark"],
    "help-activity": ["6", "question_mark"],
    "palette": ["3", "colon"],
    "ingest": ["i"],
    "copy": ["3", "y"],
    "json": ["3", "J"],
    "export": ["3", "x"],
    "snapshot": ["X"],
    "delete-servers": ["2", "space", "space", "d"],
    "delete-workload": ["3", "d"],
    "rematch": ["3", "G", "m"],
    "rematch-all": ["3", "M"],
    "unlink": ["3", "g", "U"],
    "link-choose": ["3", "g", "L"],
    "link": ["3", "L", "down", "enter"],
    "resolve-choose": ["2", "g", *"jjjj", "v"],
    "resolve": ["2", "v", "enter"],
    "accept": ["3", "g", *"jjjjj", "A"],
    "query-hits": ["6", *"pppp", "enter"],
    "check": ["6", "C"],
    "backup": ["6", "B"],
    "reindex": ["6", "N"],
    "report": ["i", "enter"],
}


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (200, 50)], ids=lambda size: f"{size[0]}x{size[1]}")
async def test_dialogs(pictures: Pictures, size: tuple[int, int]) -> None:
    async with running(FakeService.loaded(), size=size) as (app, pilot):
        for name, keys in DIALOGS.items():
            await press(pilot, *keys)
            assert len(app.screen_stack) == 2, name
            pictures.take(pilot, name)
            await press(pilot, "escape")
    pictures.check()


MOMENTS: dict[str, tuple[tuple[int, int], list[str], str]] = {
    "filtered-and-marked": ((80, 24), ["3", "space", "space", "slash"], "fetch"),
    "drift": ((120, 36), ["3", "j", "j", "e"], ""),
    "near-miss": ((120, 36), ["3", *"jjjj", "e"], ""),
    "near-miss-narrow": ((80, 24), ["3", *"jjjj", "e", "z"], ""),
    "log": ((120, 36), ["6", *"ppppp"], ""),
    "servers": ((80, 24), ["6", *"ppp"], ""),
    "queries": ((120, 36), ["6", *"pppp"], ""),
    "queries-narrow": ((80, 24), ["6", *"pppp"], ""),
    "changed-tool": ((120, 36), ["3", *"jjjjj"], ""),
    "problems": ((120, 36), ["6", "p"], ""),
    "very-small": ((40, 12), ["3"], ""),
}


@pytest.mark.parametrize("name", list(MOMENTS))
async def test_moments(pictures: Pictures, name: str) -> None:
    size, keys, text = MOMENTS[name]
    async with running(size=size, logbook=logbook()) as (_, pilot):
        await press(pilot, *keys)
        if text:
            await type_text(pilot, text)
        pictures.take(pilot, name)
    pictures.check()


async def test_progress(pictures: Pictures) -> None:
    service = FakeService.loaded()
    async with running(service) as (_, pilot):
        service.ingest_gate = asyncio.Event()
        await press(pilot, "3", "i", "enter", but=("ingest",))
        pictures.take(pilot, "progress")
    pictures.check()
