"""HTTP/1.1 as the server speaks it: parsed in C, with bounds to heads, times and connections, which uvicorn lacks."""

import asyncio
import sys
from enum import Enum
from typing import Any, Final, NamedTuple

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from mcp_optimizer.server.access import OPEN_PATHS, canonical_path

MAX_HEAD_BYTES: Final = 64 * 1024
"""Bytes of the headers and trailers of one request, and of a piece of them that does not end."""

_MAX_CONNECTIONS: Final = 2000
_MIN_CONNECTIONS: Final = 16
_OWN_DESCRIPTORS: Final = 48
"""Descriptors that the database, the log and the loop need."""
_MAX_DESCRIPTORS: Final = 8192
_UNFINISHED: Final = b"The request was not complete in time."
_FULL: Final = b"Too many connections."


class ConnectionLimits(NamedTuple):
    """Beyond ``connections`` the one that has waited longest without a request is ended for a new one; where all have
    requests under way, ``reserve`` more are taken for health checks."""

    connections: int = _MAX_CONNECTIONS
    reserve: int = 8
    head_seconds: float = 10.0
    body_seconds: float = 60.0


class _Phase(Enum):
    BETWEEN = 0
    HEAD = 1
    BODY = 2


class HeaderLimitProtocol(HttpToolsProtocol):
    """A connection. A request with too long a head is answered with 400, one that takes too long with 408, and the
    connection closed."""

    def __init__(self, *arguments: Any, limits: ConnectionLimits | None = None, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._limits = limits or ConnectionLimits()
        self._head = 0
        """Bytes of the present request's headers."""
        self._unread = 0
        """Bytes that were received since the parser last told of a header or of a body."""
        self._phase = _Phase.HEAD
        self._timed = _Phase.BETWEEN
        self._timer: asyncio.TimerHandle | None = None
        self._spare = False
        """Whether it is one too many, and is answered about health only."""

    @property
    def is_called(self) -> bool:
        """Whether a call is under way, as opposed to a stream on which a client listens."""
        return self._is_busy and self.cycle.scope["method"] == "POST"

    @property
    def _is_busy(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A connection; an old one that only waits makes room for it."""
        super().connection_made(transport)
        self._watch_time()
        excess = len(self.connections) - self._limits.connections
        if excess <= 0:
            return
        waiting = [one for one in self.connections if isinstance(one, HeaderLimitProtocol) and one.is_waiting]
        oldest = min((one for one in waiting if one is not self), key=lambda one: one.waiting_since, default=None)
        if oldest is not None:
            oldest.transport.abort()
        elif excess > self._limits.reserve:
            transport.abort()
        else:
            self._spare = True

    @property
    def is_waiting(self) -> bool:
        """Whether nothing is under way that anybody waits for."""
        return not self._is_busy and not self.transport.is_closing()

    waiting_since = 0.0
    """When it began to wait for a request, by the loop's clock."""

    def connection_lost(self, exc: Exception | None) -> None:
        """It has ended."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse, unless nothing but an endless line comes."""
        self._unread += len(data)
        super().data_received(data)
        if self._unread > MAX_HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response("Too long a line before the body.")
        self._watch_time()

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._head = 0
        self._phase = _Phase.HEAD

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer. Raising has the parser end the connection with a 400."""
        self._unread = 0
        self._head += len(name) + len(value)
        if self._head > MAX_HEAD_BYTES:
            raise ValueError("too many headers")
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is complete: the request is taken, unless the connection is one too many."""
        self._phase = _Phase.BODY
        super().on_headers_complete()

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        if self._spare and canonical_path(cycle.scope["path"]) not in OPEN_PATHS:
            self._end_with(503, _FULL)
            cycle.response_complete = True
            return
        super()._start_asgi_task(cycle, app)

    def on_body(self, body: bytes) -> None:
        """A part of a body, which is bounded further up."""
        self._unread = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is complete."""
        self._phase = _Phase.BETWEEN
        super().on_message_complete()

    def _watch_time(self) -> None:
        """Time the part of a request that is still to come; one that came whole needs no timer."""
        if self._phase is self._timed:
            return
        self._stop_timer()
        self._timed = self._phase
        self.waiting_since = self.loop.time()
        if self._phase is not _Phase.BETWEEN and not self.transport.is_closing():
            seconds = self._limits.head_seconds if self._phase is _Phase.HEAD else self._limits.body_seconds
            self._timer = self.loop.call_later(seconds, self._time_out)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _time_out(self) -> None:
        if self.transport.is_closing():
            return
        if self._is_busy and self.cycle.response_started:
            self.transport.close()
        else:
            self._end_with(408, _UNFINISHED)

    def _end_with(self, status: int, reason: bytes) -> None:
        words = {408: b"Request Timeout", 503: b"Service Unavailable"}[status]
        self.transport.write(
            b"HTTP/1.1 %d %b\r\ncontent-type: text/plain\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%b"
            % (status, words, len(reason), reason)
        )
        self.transport.close()


def max_connections() -> int:
    """How many connections there are descriptors for, with as many left for the servers that are called."""
    descriptors = _descriptors()
    return max(_MIN_CONNECTIONS, min(_MAX_CONNECTIONS, (descriptors - _OWN_DESCRIPTORS) // 2))


def _descriptors() -> int:
    """How many descriptors the process may have; some systems give far fewer than it may ask for."""
    if sys.platform == "win32":
        return _MAX_DESCRIPTORS
    import resource  # noqa: PLC0415 (there is none for Windows)

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return _MAX_DESCRIPTORS
    target = _MAX_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _MAX_DESCRIPTORS)
    if soft < target:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (target, hard))
        except (OSError, ValueError):
            return soft
    return max(soft, target)
