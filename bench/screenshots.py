"""Pictures of every area, made from the demonstration's data: ``task screenshots`` writes them to ``screenshots/``.

Clocks are set and the data is the sample's, so that the same program makes the same pictures, byte by byte: a test
holds them to what the program shows.
"""

import asyncio
import itertools
import json
import re
import sys
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import chdir
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from textual import events
from textual.pilot import Pilot

from mcp_optimizer.clock import Runtime
from mcp_optimizer.config import Settings
from mcp_optimizer.demo.sample import sample_snapshot
from mcp_optimizer.domain.reports import IngestPart
from mcp_optimizer.service import DataService
from mcp_optimizer.tui.app import OptimizerApp

DIRECTORY: Final = Path(__file__).resolve().parent.parent / "screenshots"
SIZE: Final = (120, 36)
_NOW: Final = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
_AGES: Final = {"catalog-of-yesterday": timedelta(days=1), "catalog": timedelta(minutes=4)}
"""The sample's two ingestions, and how long ago they were."""

type Steps = Callable[[Pilot[Any]], Awaitable[None]]


class Pasted(str):
    """Text that is pasted, where a person would type it."""

    __slots__ = ()


def _press(*keys: str) -> Steps:
    async def steps(pilot: Pilot[Any]) -> None:
        for key in keys:
            if isinstance(key, Pasted):
                pilot.app.post_message(events.Paste(key))
            else:
                await pilot.press(key)
            await settle(pilot)

    return steps


AREAS: Final[dict[str, Steps]] = {
    "overview": _press("1"),
    "registry": _press("2", "G", *["k"] * 6),
    "workloads": _press("3", "G", *["k"] * 5),
    "relationships": _press("3", "/", Pasted("ledgerly-beta"), "enter", "e"),
    "search": _press("5", "slash", Pasted("find out how warm it will be"), "enter"),
    "activity": _press("6", "p", "p"),
}
"""What is pressed before each picture, one after the other."""


async def settle(pilot: Pilot[Any]) -> None:
    """Wait until no worker is busy but the one that watches the database."""
    quiet = 0
    while quiet < 3:
        await pilot.pause(0.01)
        busy = any(not worker.is_finished and worker.group != "watch" for worker in pilot.app.workers)
        quiet = 0 if busy else quiet + 1


def _runtime(ago: timedelta) -> Runtime:
    """A clock that stands still, and counted ids."""
    start = int(ago.total_seconds()) << 64 | 1
    numbers = itertools.count(1)
    return Runtime(
        now=lambda: _NOW - ago,
        new_id=lambda: str(UUID(int=start + (next(numbers) << 96), version=4)),
        monotonic=lambda: 0.0,
    )


async def _fill(settings: Settings) -> None:
    """Ingest the sample as it was, then as it is."""
    for name, ago in _AGES.items():
        document = json.dumps(sample_snapshot(before=name != "catalog"))
        Path(name).write_text(document, encoding="utf-8")
        async with DataService(settings, runtime=_runtime(ago)) as service:
            await service.ingest(IngestPart.ALL, [name])


async def pictures() -> dict[str, str]:
    """An SVG by name for each area. The files are named relative to a temporary directory, so as no path shows."""
    result: dict[str, str] = {}
    settings = Settings(db_url="sqlite:///demo.db", toolhive_end_port_scan=0)
    with tempfile.TemporaryDirectory() as temporary, chdir(temporary):
        await _fill(settings)
        app = OptimizerApp(
            lambda: DataService(settings, runtime=_runtime(timedelta())),
            theme="mcp-optimizer-dark",
            now=lambda: _NOW,
            stopwatch=lambda: 0.0,
            still=True,
        )
        async with app.run_test(size=SIZE) as pilot:
            await settle(pilot)
            for name, steps in AREAS.items():
                await steps(pilot)
                await settle(pilot)
                result[name] = _named(name, app.export_screenshot(title="mcp-optimizer", simplify=True))
    return result


def _named(name: str, svg: str) -> str:
    """The picture with its own name in its classes, in place of a number that hangs on the paths of this machine."""
    return re.sub(r"terminal-\d+", f"terminal-{name}", svg)


def main() -> None:
    """Write the pictures."""
    DIRECTORY.mkdir(exist_ok=True)
    for name, svg in asyncio.run(pictures()).items():
        path = DIRECTORY / f"{name}.svg"
        path.write_text(svg, encoding="utf-8")
        sys.stdout.write(f"{path.relative_to(DIRECTORY.parent)}\n")


if __name__ == "__main__":
    main()
