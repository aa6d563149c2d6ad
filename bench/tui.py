"""The terminal UI on 1,000 registry servers and 1,000 workloads of 100 tools: how quick, and does it ever block.

Two stores are walked through: one where every entry has a workload of its own, and one where all workloads run the
first entry. Each walk is a process of its own (see ``bench.tui_walk``). Beside it stands what Textual's own table needs
to be filled with as many rows.
"""

import asyncio
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from textual.app import App, ComposeResult
from textual.widgets import DataTable

from bench.report import Figures, measured

SERVERS: Final = 1000
TOOLS: Final = 100
FEW_TOOLS: Final = 2
COLUMNS: Final = 8


class _Plain(App[None]):
    """Textual's own table, for comparison."""

    def compose(self) -> ComposeResult:
        """Nothing but the table."""
        yield DataTable()


async def _filled(rows: int) -> float:
    """Seconds until Textual's own table shows so many rows."""
    app = _Plain()
    async with app.run_test(size=(120, 36)) as pilot:
        table = app.query_one(DataTable)
        table.add_columns(*(f"column {place}" for place in range(COLUMNS)))
        with measured() as watch:
            for row in range(rows):
                table.add_row(*(f"cell {row} {place}" for place in range(COLUMNS)))
            await pilot.pause()
    return watch.seconds


def _python(*arguments: str) -> list[str]:
    return [sys.executable, "-m", *arguments]


def _walk(figures: Figures, title: str, crowd: int, tools: int, servers: int = SERVERS) -> None:
    """Make a store and walk through it."""
    figures.head(title)
    with tempfile.TemporaryDirectory() as temporary:
        file = Path(temporary) / "tui.db"
        result = _python("bench.tui_store", "make", str(file), *map(str, (servers, servers, tools, crowd)))
        subprocess.run(result, check=True)
        with subprocess.Popen(_python("bench.tui_walk", str(file)), stdout=subprocess.PIPE, text=True) as walk:
            assert walk.stdout is not None
            for line in walk.stdout:
                figure = json.loads(line)
                figures.say(figure["name"], figure["value"], "ms", most=figure["most"])
    if walk.returncode:
        raise subprocess.CalledProcessError(walk.returncode, walk.args)


def run(figures: Figures) -> None:
    """Measure at the stated size."""
    figures.head("Textual itself")
    figures.say(f"its own table filled with {SERVERS} rows", asyncio.run(_filled(SERVERS)) * 1000, "ms")
    _walk(figures, f"{SERVERS} entries with a workload each, {TOOLS} tools everywhere", 0, TOOLS)
    _walk(figures, f"{SERVERS} workloads under one entry", SERVERS, FEW_TOOLS)
