"""Running the app in tests: with a clock that stands still, and waiting until nothing is under way."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from textual.pilot import Pilot
from textual.widgets import Input

from mcp_optimizer.tui.app import OptimizerApp
from tests.tui.fake_service import FakeService

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def make_app(service: Any = None, **options: Any) -> OptimizerApp:
    """The app on a service (the sample in memory, unless another is given), whatever the terminal of the tests."""
    service = service if service is not None else FakeService.loaded()
    shown = {"theme": "mcp-optimizer-dark", **options}
    return OptimizerApp(lambda: service, now=lambda: NOW, stopwatch=lambda: 0.0, still=True, **shown)


async def settle(pilot: Pilot, *, but: tuple[str, ...] = ()) -> None:
    """Wait until all workers are through (but those of some groups) and all messages are handled."""
    app = pilot.app
    assert isinstance(app, OptimizerApp)
    waiting_for_ever = {"watch", *but}
    quiet = 0
    for _ in range(2_000):
        await pilot.pause()
        busy = not app.type_ahead.idle or any(
            not worker.is_finished and worker.group not in waiting_for_ever for worker in app.workers
        )
        quiet = 0 if busy else quiet + 1
        if quiet >= 2:
            return
        if busy:
            await asyncio.sleep(0.002)
    raise AssertionError(f"still busy: {[worker for worker in pilot.app.workers if not worker.is_finished]}")


@asynccontextmanager
async def running(
    service: Any = None, *, size: tuple[int, int] = (80, 24), but: tuple[str, ...] = (), **options: Any
) -> AsyncIterator[tuple[OptimizerApp, Pilot]]:
    """The app, running and settled; a mistake in the screens, which a person is only told of, fails the test."""
    app = make_app(service, **options)
    async with app.run_test(size=size) as pilot:
        await settle(pilot, but=but)
        yield app, pilot
    assert list(app.mistakes) == []


async def press(pilot: Pilot, *keys: str, but: tuple[str, ...] = ()) -> None:
    """Press keys one by one, settling after each."""
    for key in keys:
        await pilot.press(key)
        await settle(pilot, but=but)


async def type_text(pilot: Pilot, text: str) -> None:
    """Put a text into the field that has the focus, the last letter by key."""
    field = pilot.app.focused
    assert isinstance(field, Input)
    field.insert_text_at_cursor(text[:-1])
    await pilot.press(text[-1])
    await settle(pilot)


def keys(*names: str, text: str = "", but: tuple[str, ...] = ()) -> Callable[[Pilot], Awaitable[None]]:
    """For snapshots: press keys, then type a text, then be settled."""

    async def run(pilot: Pilot) -> None:
        await settle(pilot, but=but)
        await press(pilot, *names, but=but)
        if text:
            await type_text(pilot, text)

    return run
