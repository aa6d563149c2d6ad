"""The sessions of HTTP clients: whose each is, which requests are under way, and which one ends when there are many."""

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class HttpSession:
    """One client. ``owner``: the name of the token that began it."""

    id: str
    owner: str
    last_used: float
    ids_under_way: dict[str, asyncio.Event] = field(default_factory=dict)
    """Each with the event of its end."""
    posts: int = 0
    streams: int = 0


class SessionTable:
    """The sessions that are open. ``most``: beyond it the longest idle one is to end before another begins."""

    def __init__(self, most: int, monotonic: Callable[[], float]) -> None:
        self._most = most
        self._monotonic = monotonic
        self._sessions: dict[str, HttpSession] = {}
        self._opening = 0

    def __len__(self) -> int:
        return len(self._sessions)

    def get(self, session_id: str | None) -> HttpSession | None:
        """The session of an id."""
        return None if session_id is None else self._sessions.get(session_id)

    def add(self, session_id: str, owner: str) -> None:
        """A session has begun."""
        self._sessions[session_id] = HttpSession(session_id, owner, self._monotonic())

    def remove(self, session_id: str) -> None:
        """A session has ended."""
        self._sessions.pop(session_id, None)

    @contextmanager
    def opening(self) -> Generator[list[HttpSession]]:
        """A block in which a session may begin; gives those that are to end first, which are forgotten already."""
        self._opening += 1
        try:
            yield self._excess()
        finally:
            self._opening -= 1

    @contextmanager
    def using(self, session: HttpSession, *, stream: bool) -> Generator[None]:
        """A block in which a request of a session is under way; an open event stream is one, but no sign of use."""
        session.posts += not stream
        session.streams += stream
        try:
            yield
        finally:
            session.posts -= not stream
            session.streams -= stream
            if not stream:
                session.last_used = self._monotonic()

    def _excess(self) -> list[HttpSession]:
        number = len(self._sessions) + self._opening - self._most
        if number <= 0:
            return []
        idle = [session for session in self._sessions.values() if not session.posts]
        # A client that listens is there still: it goes after those of which nobody knows.
        ended = sorted(idle, key=lambda session: (session.streams > 0, session.last_used))[:number]
        for session in ended:
            self.remove(session.id)
        return ended
