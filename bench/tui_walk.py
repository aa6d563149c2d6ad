"""One walk through the terminal UI on a store, measured: ``python -m bench.tui_walk FILE``; prints JSON, line by line.

It is a process of its own, which knows nothing but the store, as a person's is.
"""

# ruff: noqa: E402 - what is imported when is part of what is measured
import time

BEFORE = time.perf_counter()
import textual.app  # noqa: F401 - for its time alone

STARTED = time.perf_counter()

import asyncio
import json
import os
import sys
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from textual import events
from textual._compositor import CompositorUpdate
from textual.keys import _character_to_key
from textual.screen import Screen

from mcp_optimizer.config import Settings
from mcp_optimizer.tui import garbage
from mcp_optimizer.tui.actions import Area
from mcp_optimizer.tui.app import OptimizerApp
from mcp_optimizer.tui.areas.list_area import ListArea

SIZE: Final = (120, 36)
VERBOSE: Final = bool(os.environ.get("BENCH_VERBOSE"))
_BEAT: Final = 0.002
_AREAS: Final = tuple(Area)


class Heart:
    """Beats in the event loop; a beat that comes late tells how long the loop was blocked, and meanwhile by what."""

    def __init__(self) -> None:
        self.doing = "opening"
        self.late: dict[str, float] = {}

    async def beat(self) -> None:
        """For as long as the task lives."""
        while True:
            before, doing = time.perf_counter(), self.doing
            await asyncio.sleep(_BEAT)
            late = time.perf_counter() - before - _BEAT
            for what in {doing, self.doing}:
                self.late[what] = max(late, self.late.get(what, 0.0))


@asynccontextmanager
async def beating(heart: Heart) -> AsyncGenerator[None]:
    """Beat while the block runs."""
    task = asyncio.create_task(heart.beat())
    try:
        yield
    finally:
        task.cancel()


def say(name: str, seconds: float, most: float | None = None) -> None:
    """One figure, in milliseconds, with its limit."""
    sys.stdout.write(json.dumps({"name": name, "value": seconds * 1000, "most": most}) + "\n")
    sys.stdout.flush()


class Walk:
    """The app, the paints of its screen, and the heart beside it.

    Textual's own way to press a key waits until the process is idle, which a beating heart never is: keys are sent, and
    what they lead to is waited for, paint by paint. Every paint is also turned into what a terminal is sent.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self.heart = Heart()
        settings = Settings(db_url=f"sqlite:///{file}", cache_dir=file.parent)

        def service() -> Any:
            from mcp_optimizer.service import DataService  # noqa: PLC0415 - as the program does

            return DataService(settings)

        self.app = OptimizerApp(service, settled=garbage.settled)
        self._display = self.app._display
        self.app._display = self._painted
        self._holds: Callable[[], bool] = lambda: False
        self._shown = asyncio.Event()
        self.paints = 0

    def _painted(self, screen: Screen, renderable: Any) -> None:
        self._display(screen, renderable)
        if isinstance(renderable, CompositorUpdate):
            renderable.render_segments(self.app.console)
            self.paints += 1
            if self._holds():
                self._shown.set()

    async def run(self) -> None:
        """Do what a person does."""
        async with beating(self.heart), self.app.run_test(size=SIZE):
            await self._first_paint()
            await self._areas()
            await self._filter()
            await self._rows()
            await self._refresh()
        for what, late in self._worst():
            say(f"longest block of the event loop while {what}", late, 50)

    def _worst(self) -> Iterator[tuple[str, float]]:
        kinds: dict[str, float] = {}
        for what, late in self.heart.late.items():
            kind = what.split()[0]
            kinds[kind] = max(late, kinds.get(kind, 0.0))
            if VERBOSE:
                sys.stderr.write(f"    {what}: {late * 1000:.0f} ms\n")
        yield from kinds.items()

    async def _first_paint(self) -> None:
        say("Textual's own import", STARTED - BEFORE)
        say("first paint of the frame, after that", time.perf_counter() - STARTED, 1000)
        await self._until(lambda: self.app.context.feed.overview is not None)
        say("first paint with every count, after that", time.perf_counter() - STARTED, 1000)
        await self._rest()

    async def _areas(self) -> None:
        for turn in ("first look at", "switch to"):
            for place, area in enumerate(_AREAS, 1):
                self.heart.doing = f"switching to {area} ({turn})"
                seconds = await self._pressed(str(place), lambda area=area: self._filled(area))
                say(f"{turn} {area}", seconds, 150)
                if area is Area.SEARCH:
                    self._press("escape")
                await self._rest()

    def _filled(self, area: Area) -> bool:
        view = self.app.view
        return self.app.area is area and view.display and (not isinstance(view, ListArea) or self._rows_shown() > 0)

    async def _filter(self) -> None:
        for key, name in (("2", "registry"), ("3", "workloads"), ("4", "relationships")):
            self._press(key)
            await self._rest()
            self._press("slash")
            await self._rest()
            view = self.app.view
            assert isinstance(view, ListArea)
            slowest, typed = 0.0, ""
            self.heart.doing = f"filtering {name}"
            for letter in ("server-000 is:linked ~x", *["backspace"] * 23):
                for key_ in letter if letter != "backspace" else [letter]:
                    typed = typed[:-1] if key_ == "backspace" else typed + key_
                    holds = lambda view=view, typed=typed: view.table.rows.filter_text == typed  # noqa: E731
                    slowest = max(slowest, await self._pressed(key_, holds))
                    await asyncio.sleep(0.03)  # a quick typist
            say(f"slowest of 46 keys in the filter of {name}", slowest, 100)
            self._press("escape")
            await self._rest()

    async def _rows(self) -> None:
        moving = ("G", "g", "j", "j", "ctrl+d", "space")
        for key, name, steps in (("3", "workloads", (*moving, "s", "S")), ("4", "relationships", moving)):
            self._press(key)
            await self._rest()
            slowest = 0.0
            for step in steps:
                self.heart.doing = f"moving in {name} with {step}"
                slowest = max(slowest, await self._pressed(step, lambda: True))
                await asyncio.sleep(0.1)  # the detail is read, and shown
            say(f"slowest key that moves or sorts in {name}", slowest, 100)
            await self._rest()

    async def _refresh(self) -> None:
        """5% of the workloads change by another process; the beats tell whether anyone noticed."""
        for area in (Area.WORKLOADS, Area.RELATIONSHIPS):
            await self.app.show_area(area)
            await self._rest()
            view = self.app.view
            assert isinstance(view, ListArea)
            update, spent = view.update, [0.0]

            def measured(update: Callable[[], None] = update, spent: list[float] = spent) -> None:
                before = time.perf_counter()
                update()
                spent[0] = max(spent[0], time.perf_counter() - before)

            view.update = measured
            self.heart.doing = f"refreshing {area}"
            arguments = ("-m", "bench.tui_store", "change", str(self.file), "0.05")
            other = await asyncio.create_subprocess_exec(sys.executable, *arguments)
            assert await other.wait() == 0
            await asyncio.sleep(1.5)
            await self._rest()
            view.update = update
            assert spent[0], "nothing has changed"
            say(f"5% of the rows changed, shown in {area}", spent[0], 100)

    def _press(self, key: str) -> None:
        named = _character_to_key(key) if len(key) == 1 and not key.isalnum() else key
        driver = self.app._driver
        assert driver is not None
        event = events.Key(named, key if len(key) == 1 else None)
        event.set_sender(self.app)
        driver.send_message(event)

    async def _pressed(self, key: str, holds: Callable[[], bool]) -> float:
        """Seconds from a key until a paint when ``holds`` is true."""
        self._shown.clear()
        self._holds = holds
        before = time.perf_counter()
        self._press(key)
        await asyncio.wait_for(self._shown.wait(), 30)
        self._holds = lambda: False
        return time.perf_counter() - before

    def _rows_shown(self) -> int:
        view = self.app.view
        return len(view.table.rows.visible) if isinstance(view, ListArea) else 0

    async def _until(self, holds: Callable[[], bool], seconds: float = 30.0) -> None:
        end = time.perf_counter() + seconds
        while not holds():
            if time.perf_counter() > end:
                raise TimeoutError("the screen did not come to show it")
            await asyncio.sleep(0.001)

    async def _rest(self) -> None:
        """Until everything that a key led to is over."""
        paints = -1
        while paints != self.paints:
            paints = self.paints
            await asyncio.sleep(0.15)
            await self._until(lambda: all(w.is_finished or w.group == "watch" for w in self.app.workers))


if __name__ == "__main__":
    with garbage.kept_small():
        asyncio.run(Walk(Path(sys.argv[1])).run())
