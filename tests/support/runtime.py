"""Time and ids that a test decides."""

import itertools
from datetime import UTC, datetime, timedelta

from mcp_optimizer.clock import Runtime

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class Clock:
    """A clock that stands still until it is told to move."""

    def __init__(self) -> None:
        self.time = START

    def __call__(self) -> datetime:
        return self.time

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.time += timedelta(seconds=seconds)


def counted_ids(first: int = 1) -> "itertools.count[int]":
    """Numbers for :func:`deterministic`."""
    return itertools.count(first)


def deterministic(clock: Clock | None = None, numbers: "itertools.count[int] | None" = None) -> Runtime:
    """A clock that stands still, counted ids in the shape of uuid4, and no duration at all."""
    counter = counted_ids() if numbers is None else numbers
    return Runtime(
        now=clock or Clock(), new_id=lambda: f"00000000-0000-4000-8000-{next(counter):012x}", monotonic=lambda: 0.0
    )
