"""Pictures of every area, made from the demonstration's data: ``task screenshots`` writes them to ``screenshots/``.

The clock stands still and the data is the sample's, so that the same program makes the same pictures.
"""

import asyncio
import itertools
import json
import sys
import tempfile
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from textual.pilot import Pilot

from mcp_optimizer.config import Settings
from mcp_optimizer.demo.sample import sample_snapshot
from mcp_optimizer.domain.reports import IngestPart
from mcp_optimizer.service import DataService
from mcp_optimizer.surroundings import Surroundings
from mcp_optimizer.tui.app import OptimizerApp

DIRECTORY: Final = Path(__file__).resolve().parent.parent / "screenshots"
SIZE: Final = (120, 36)
_NOW: Final = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)

type Steps = Callable[[Pilot[Any]], Awaitable[None]]


def _press(*keys: str) -> Steps:
    async def steps(pilot: Pilot[Any]) -> None:
        for key in keys:
            await pilot.press(key)
            await settle(pilot)

    return steps


AREAS: Final[dict[str, Steps]] = {
    "overview": _press("1"),
    "registry": _press("2", *["j"] * 8),
    "workloads": _press("3", *["j"] * 20),
    "relationships": _press("3", "/", *"ledgerly-beta", "enter", "e"),
    "search": _press("5", *"find out how warm it will be", "enter"),
    "activity": _press("6"),
}
"""What is pressed before each picture."""


async def settle(pilot: Pilot[Any]) -> None:
    """Wait until no worker is busy but the one that watches the database."""
    quiet = 0
    while quiet < 3:
        await pilot.pause(0.01)
        busy = any(not worker.is_finished and worker.group != "watch" for worker in pilot.app.workers)
        quiet = 0 if busy else quiet + 1


def still_surroundings() -> Surroundings:
    """A clock that stands still, and counted ids."""
    numbers = itertools.count(1)
    return Surroundings(
        now=lambda: _NOW, new_id=lambda: str(UUID(int=next(numbers) << 64 | 1, version=4)), monotonic=lambda: 0.0
    )


async def fill(settings: Settings, surroundings: Surroundings, directory: Path) -> None:
    """Ingest the sample as it was, then as it is."""
    async with DataService(settings, surroundings=surroundings) as service:
        for before in (True, False):
            path = directory / "sample-catalog"
            path.write_text(json.dumps(sample_snapshot(before=before)))
            await service.ingest(IngestPart.ALL, [str(path)])


async def pictures() -> dict[str, str]:
    """An SVG by name for each area."""
    made: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary)
        settings = Settings(db_url=f"sqlite:///{directory / 'demo.db'}", toolhive_end_port_scan=0)
        surroundings = still_surroundings()
        await fill(settings, surroundings, directory)
        for name, steps in AREAS.items():
            app = OptimizerApp(
                lambda: DataService(settings, surroundings=surroundings),
                now=lambda: _NOW,
                stopwatch=lambda: 0.0,
                still=True,
            )
            async with app.run_test(size=SIZE) as pilot:
                await settle(pilot)
                await steps(pilot)
                await settle(pilot)
                made[name] = app.export_screenshot(title="mcp-optimizer", simplify=True)
    return {name: svg.replace(temporary, "/tmp") for name, svg in made.items()}


def main() -> None:
    """Write the pictures."""
    DIRECTORY.mkdir(exist_ok=True)
    for name, svg in asyncio.run(pictures()).items():
        path = DIRECTORY / f"{name}.svg"
        path.write_text(svg, encoding="utf-8")
        sys.stdout.write(f"{path.relative_to(DIRECTORY.parent)}\n")


if __name__ == "__main__":
    main()
