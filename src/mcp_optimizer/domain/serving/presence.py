"""What a running server says of itself: that it is there, and how its polls went."""

from datetime import datetime, timedelta
from typing import Final

from mcp_optimizer.domain.models import Value

HEARTBEAT_SECONDS: Final = 15.0
"""How often a running server says that it is."""
STALE_SECONDS: Final = 50.0
"""A server that has not said so for this long is not running: it was killed, or can't write."""


class PollView(Value):
    """The last poll of one part. ``outcome`` is done, partial or failed."""

    part: str
    """``registry`` or ``workloads``."""
    source: str = ""
    at: str = ""
    """When it began."""
    seconds: float = 0.0
    outcome: str = ""
    detail: str = ""
    """The report in one line, or the error."""
    failures: int = 0
    """How many polls in a row have failed."""
    next_at: str = ""
    """When the next one begins."""


class ServerView(Value):
    """A server that is running, or was until it was last heard of."""

    id: str
    pid: int
    host: str
    address: str
    """Where it answers: a URL, or ``stdio``."""
    transport: str
    version: str
    started_at: str
    heartbeat_at: str
    polls: tuple[PollView, ...] = ()


def is_alive(server: ServerView, now: datetime) -> bool:
    """Whether the server's last heartbeat is fresh. One from the future is: clocks of two machines differ."""
    try:
        beat = datetime.fromisoformat(server.heartbeat_at)
    except ValueError:
        return False
    return now - beat <= timedelta(seconds=STALE_SECONDS)
