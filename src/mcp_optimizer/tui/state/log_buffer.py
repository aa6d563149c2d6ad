"""The log while the screens are open: the last lines, kept in memory, since the terminal belongs to the screens."""

from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from mcp_optimizer.domain.models import Value
from mcp_optimizer.text import redact_message, shorten

LEVELS = ("debug", "info", "warning", "error")
MOST = 2_000
"""Lines that are kept."""
_LONGEST = 2_000


class LogLine(Value):
    """One event."""

    sequence: int
    at: str
    level: str
    event: str
    detail: str = ""


class LogBuffer:
    """Takes events from any thread; the oldest go first."""

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC), most: int = MOST) -> None:
        self._lines: deque[LogLine] = deque(maxlen=most)
        self._now = now
        self.taken = 0
        """How many it has taken in all: another number means news."""

    def take(self, level: str, event: str, fields: Mapping[str, Any] | None = None) -> None:
        """Keep an event, made safe to show (and without what may be secret, S7)."""
        detail = " ".join(f"{name}={value}" for name, value in (fields or {}).items())
        self.taken += 1
        self._lines.append(
            LogLine(
                sequence=self.taken,
                at=self._now().isoformat(timespec="seconds"),
                level=_LEVEL_WORDS.get(level.lower(), level.lower()),
                event=_safe(event),
                detail=_safe(detail),
            )
        )

    def lines(self, least: str = "debug") -> list[LogLine]:
        """Newest first; those of a level and the graver ones."""
        place = LEVELS.index(least)
        return [line for line in reversed(tuple(self._lines)) if _gravity(line.level) >= place]


_LEVEL_WORDS = {"warn": "warning", "critical": "error", "fatal": "error", "exception": "error", "notset": "debug"}


def _gravity(level: str) -> int:
    return LEVELS.index(level) if level in LEVELS else len(LEVELS)


def _safe(text: str) -> str:
    return redact_message(shorten(text, _LONGEST))
