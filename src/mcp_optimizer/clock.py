"""Time and chance, handed in so that a test can decide both."""

import asyncio
import random
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime


def _now() -> datetime:
    return datetime.now(UTC)


def _new_id() -> str:
    return str(uuid.uuid4())


@dataclass(frozen=True)
class Runtime:
    """What a program takes from the world around it."""

    now: Callable[[], datetime] = _now
    """The present time, UTC."""
    new_id: Callable[[], str] = _new_id
    """A new random UUID (version 4) as text."""
    monotonic: Callable[[], float] = time.monotonic
    """Seconds, for durations."""
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    """Lets seconds pass."""
    random: Callable[[], float] = random.random
    """A random number from 0 up to 1; never for secrets."""

    def timestamp(self) -> str:
        """The present time as stored: ISO 8601, UTC, whole seconds."""
        return self.now().astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
