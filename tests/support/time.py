"""Time that passes only when somebody sleeps."""

import asyncio
import heapq
import itertools
from datetime import datetime, timedelta

from mcp_optimizer.clock import Runtime
from tests.support.runtime import START, counted_ids


class FakeTime:
    """A clock whose sleepers wake in order, at once as soon as nothing else is to be done.

    Time jumps to the next sleeper's moment whenever :meth:`pass_` is told to let that much pass.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = itertools.count()
        self._ids = counted_ids()

    def now(self) -> datetime:
        """The time of day."""
        return START + timedelta(seconds=self.seconds)

    async def sleep(self, seconds: float) -> None:
        """Wait for that moment."""
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.seconds + seconds, next(self._order), woken))
        await woken

    async def pass_(self, seconds: float) -> None:
        """Let time pass, waking who sleeps as their moments come; what they then do is awaited, loopback included."""
        end = self.seconds + seconds
        await settle()
        while self._sleepers and self._sleepers[0][0] <= end:
            moment, _, woken = heapq.heappop(self._sleepers)
            self.seconds = max(self.seconds, moment)
            if not woken.done():
                woken.set_result(None)
            await settle()
        self.seconds = end

    def runtime(self, rng: float = 0.5) -> Runtime:
        """Runtime on this clock."""
        return Runtime(
            now=self.now,
            new_id=lambda: f"00000000-0000-4000-8000-{next(self._ids):012x}",
            monotonic=lambda: self.seconds,
            sleep=self.sleep,
            random=lambda: rng,
        )


async def settle(rounds: int = 50) -> None:
    """Let everything run that can run without waiting for a clock or a network."""
    for _ in range(rounds):
        await asyncio.sleep(0)
