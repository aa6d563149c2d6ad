"""Calling tools of MCP servers, over connections that are kept between calls."""

import asyncio
import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Final, Self

from mcp_optimizer.domain.progress import CallProgressCallback
from mcp_optimizer.domain.tools.calls import CallPeer, RawResult
from mcp_optimizer.errors import CallError
from mcp_optimizer.sources.mcp.failures import McpServerError
from mcp_optimizer.sources.mcp.session import Call, Session, open_session

MAX_CONTENT_ITEMS: Final = 10_000
"""Content items of one result."""
_MAX_EXTENSION: Final = 10
"""Progress may extend a call to this many times its time limit."""
_CLOSING_SECONDS: Final = 3.0

type EndpointCallback = Callable[[str], None]
"""Told of an endpoint whose server says that its tools are others now."""
type _Key = tuple[str, str, str]


class Connections:
    """Connections to MCP servers, one per endpoint, each shared by the calls to it and closed when idle.

    Clients that can answer different things have connections of their own: a server asks what the connection's
    client said that it can answer.
    """

    def __init__(
        self, *, idle_seconds: float = 60.0, most: int = 32, on_tools_changed: EndpointCallback | None = None
    ) -> None:
        self._idle_seconds = idle_seconds
        self._most = most
        self._on_tools_changed = on_tools_changed
        self._open: dict[_Key, _Connection] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._leaving: set[_Connection] = set()
        self.opened = 0
        """How many connections were made so far."""

    async def call(
        self,
        endpoint: str,
        transport: str,
        tool: str,
        parameters: dict[str, Any],
        *,
        seconds: float,
        connect_seconds: float,
        meta: Mapping[str, Any] | None = None,
        on_progress: CallProgressCallback | None = None,
        peer: CallPeer | None = None,
    ) -> RawResult:
        """The tool's own result, as it came. Raises CallError; one about the server has it as subject.

        A kept connection that turns out to be broken is replaced once, if the server has not looked at the call.
        ``seconds`` are counted from the last progress, up to ten times as long in all. When they are over, or the
        caller is cancelled, the server is told that nobody waits any more.
        """
        params = {"name": tool, "arguments": parameters, **({"_meta": dict(meta)} if meta else {})}
        clock = asyncio.get_running_loop().time
        start = clock()
        try:
            async with asyncio.timeout(seconds) as limit:

                def touch() -> None:
                    if not limit.expired():
                        limit.reschedule(min(clock() + seconds, start + _MAX_EXTENSION * seconds))

                call = Call(peer=peer, on_progress=on_progress, touch=touch)
                try:
                    result = await self._called(endpoint, transport, params, call, connect_seconds)
                finally:
                    await call.end()
        except TimeoutError:
            raise CallError(f"did not answer within {round(clock() - start, 1):g} s") from None
        return _checked(result)

    async def _called(
        self, endpoint: str, transport: str, params: dict[str, Any], call: Call, connect_seconds: float
    ) -> RawResult:
        while True:
            connection, cached = self._connection(endpoint, transport, call.peer.abilities if call.peer else {})
            with connection.in_use():
                session = await connection.session(connect_seconds)
                try:
                    return await session.call_tool(params, call)
                except McpServerError as failure:
                    if failure.retires:
                        self._retire(connection)
                    if not (cached and failure.retries):
                        raise CallError(str(failure)) from None

    async def close(self) -> None:
        """End every connection."""
        for connection in list(self._open.values()):
            self._retire(connection)
        for connection in list(self._leaving):
            connection.force_soon(_CLOSING_SECONDS)
        await asyncio.gather(*self._ending, return_exceptions=True)

    def _connection(self, endpoint: str, transport: str, abilities: Mapping[str, Any]) -> "tuple[_Connection, bool]":
        """The connection to use, and whether it was there before."""
        key = (endpoint, transport, json.dumps(abilities, sort_keys=True))
        cached = self._open.pop(key, None)
        if cached is not None and not cached.ended:
            self._open[key] = cached  # now the one used last
            return cached, True
        if cached is not None:
            self._end(cached)
        connection = _Connection(key, self._opening(endpoint, transport, abilities), on_idle=self._retire)
        connection.idle_seconds = self._idle_seconds
        self._open[key] = connection
        self.opened += 1
        idle = [other for other in self._open.values() if other.idle and other is not connection]
        for other in idle[: max(len(self._open) - self._most, 0)]:
            self._retire(other)
        return connection, False

    def _opening(self, endpoint: str, transport: str, abilities: Mapping[str, Any]) -> "asyncio.Task[Session]":
        text = self._on_tools_changed
        changed = None if text is None else lambda: text(endpoint)
        return asyncio.create_task(
            open_session(endpoint, transport, abilities=abilities, on_tools_changed=changed or (lambda: None)),
            name="mcp-connection",
        )

    def _retire(self, connection: "_Connection") -> None:
        """Have no new call use a connection, and end it once those under way are done."""
        if self._open.get(connection.key) is connection:
            del self._open[connection.key]
        self._end(connection)

    def _end(self, connection: "_Connection") -> None:
        if connection.ending is None:
            connection.ending = asyncio.create_task(connection.close_when_idle(), name="mcp-connection")
            self._ending.add(connection.ending)
            self._leaving.add(connection)
            connection.ending.add_done_callback(self._ending.discard)
            connection.ending.add_done_callback(lambda _: self._leaving.discard(connection))


class _Connection:
    """A session with one server that is shared: no call's end or cancellation ends it for others."""

    def __init__(
        self, key: _Key, opening: "asyncio.Task[Session]", *, on_idle: "Callable[[_Connection], None]"
    ) -> None:
        self.key = key
        self.ending: asyncio.Task[None] | None = None
        self.idle_seconds = 60.0
        self._opening = opening
        self._on_idle = on_idle
        self._users = 0
        self._unused = asyncio.Event()
        self._unused.set()
        self._idle_timer: asyncio.TimerHandle | None = None

    @property
    def ended(self) -> bool:
        """Whether it can't be used any more."""
        if self.ending is not None:
            return True
        if not self._opening.done():
            return False
        return self._opening.cancelled() or self._opening.exception() is not None or self._opening.result().ended

    @property
    def idle(self) -> bool:
        """Whether no call uses it."""
        return self._users == 0

    def in_use(self) -> AbstractContextManager[Self]:
        """A block in which it is not closed for being idle."""
        return _InUse(self)

    def entered(self) -> None:
        """A call begins to use it."""
        self._users += 1
        self._unused.clear()
        if self._idle_timer is not None:
            self._idle_timer.cancel()
            self._idle_timer = None

    def left(self) -> None:
        """A call uses it no more."""
        self._users -= 1
        if self._users:
            return
        self._unused.set()
        if self.ended:  # one that failed is not kept, not even by a timer
            self._on_idle(self)
        else:
            self._idle_timer = asyncio.get_running_loop().call_later(self.idle_seconds, self._on_idle, self)

    async def session(self, seconds: float) -> Session:
        """Wait for the handshake. Raises CallError."""
        try:
            async with asyncio.timeout(seconds):
                return await asyncio.shield(self._opening)
        except McpServerError as failure:
            raise CallError(str(failure)) from None
        except TimeoutError:
            self._opening.cancel()
            raise CallError(f"did not answer within {seconds:g} s") from None
        except asyncio.CancelledError:
            if self._opening.cancelled():  # another that waited gave it up
                raise CallError(f"did not answer within {seconds:g} s") from None
            raise

    async def close_when_idle(self) -> None:
        """End it once no call uses it; calls under way get some seconds."""
        if self._idle_timer is not None:
            self._idle_timer.cancel()
        if not self._opening.done():
            self._opening.cancel()
        await asyncio.wait({self._opening})
        if self._opening.cancelled() or self._opening.exception() is not None:
            return
        session = self._opening.result()
        if not session.ended:
            await self._unused.wait()
        await session.close()

    def force_soon(self, seconds: float) -> None:
        """Wait for the calls under way no longer than this."""
        asyncio.get_running_loop().call_later(seconds, self._unused.set)


class _InUse:
    def __init__(self, connection: _Connection) -> None:
        self._connection = connection

    def __enter__(self) -> Any:
        self._connection.entered()
        return self._connection

    def __exit__(self, *exception: object) -> None:
        self._connection.left()


def _checked(result: RawResult) -> RawResult:
    """The result, if it is not too long for anyone. Raises CallError."""
    content = result.get("content")
    if isinstance(content, list) and len(content) > MAX_CONTENT_ITEMS:
        raise CallError(f"sent {len(content):,} content items; at most {MAX_CONTENT_ITEMS:,} are taken")
    return result
