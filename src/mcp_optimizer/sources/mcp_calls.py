"""Calling tools of MCP servers, over connections that are kept between calls."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import ContextVar
from typing import Any, Final

import anyio
from mcp.client.session import ClientSession
from mcp.shared.dispatcher import CallOptions
from mcp.shared.exceptions import MCPError
from mcp.shared.jsonrpc_dispatcher import JSONRPCDispatcher
from mcp_types import CONNECTION_CLOSED, CallToolRequest, CallToolRequestParams, CallToolResult

from mcp_optimizer.errors import CallError
from mcp_optimizer.sources.bounded_http import Answers, Exchange
from mcp_optimizer.sources.json_values import reason_of
from mcp_optimizer.sources.mcp_tools import failure_reason
from mcp_optimizer.sources.mcp_transports import CLIENT, Transport, shake_hands, transports_for

type OnCallProgress = Callable[[float, float | None, str | None], Awaitable[None]]

_CLOSING_SECONDS: Final = 3.0
"""How long a server may take to be told that a connection ends."""
_SETTLING_SECONDS: Final = 1.0
"""How long it is waited for how a request was taken, after the answer to it can't come any more."""
_CALL_ID: ContextVar[int] = ContextVar("call_id")
_BROKEN: Final = "broke off the connection"
_SESSION_UNKNOWN: Final = frozenset({400, 404})
"""What a server that was restarted answers to a session of before; it has not looked at the call then."""


class _NotSentError(Exception):
    """The server has not seen the call. The reason in words."""


class Connections:
    """Connections to MCP servers, one per endpoint, each shared by the calls to it and closed when idle."""

    def __init__(self, *, idle_seconds: float = 60.0, most: int = 32) -> None:
        self._idle_seconds = idle_seconds
        self._most = most
        self._open: dict[tuple[str, str], _Connection] = {}
        self._ending: set[asyncio.Task[None]] = set()
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
        on_progress: OnCallProgress | None = None,
    ) -> CallToolResult:
        """The tool's own result. Raises CallError; one about the server has it as subject: ``did not answer …``.

        A kept connection that turns out to be broken is replaced once, if the server has not seen the call. When
        ``seconds`` are over, or the caller is cancelled, the server is told that nobody waits any more.
        """
        try:
            async with asyncio.timeout(seconds):
                while True:
                    connection, kept = self._connection(endpoint, transport)
                    with connection.in_use():
                        await connection.wait_until_open(connect_seconds)
                        try:
                            return await connection.call(tool, parameters, on_progress)
                        except _NotSentError as error:
                            self._retire(connection)
                            if not kept:
                                raise CallError(str(error)) from None
        except TimeoutError:
            raise CallError(f"did not answer within {seconds:g} s") from None

    async def close(self) -> None:
        """End every connection."""
        for connection in list(self._open.values()):
            self._retire(connection)
        await asyncio.gather(*self._ending, return_exceptions=True)

    def _connection(self, endpoint: str, transport: str) -> "tuple[_Connection, bool]":
        """The connection to use, and whether it was there before."""
        kept = self._open.pop((endpoint, transport), None)
        if kept is not None and not kept.ended:
            self._open[endpoint, transport] = kept  # now the one used last
            return kept, True
        connection = _Connection(endpoint, transport, idle_seconds=self._idle_seconds, on_end=self._forget)
        self._open[endpoint, transport] = connection
        self.opened += 1
        idle = [other for other in self._open.values() if other.idle and other is not connection]
        for other in idle[: max(len(self._open) - self._most, 0)]:
            self._retire(other)
        return connection, False

    def _retire(self, connection: "_Connection") -> None:
        """Have no new call use a connection, and end it once those under way are done."""
        if self._open.get(connection.key) is connection:
            del self._open[connection.key]
        self._ending.add(connection.task)
        connection.task.add_done_callback(self._ending.discard)
        connection.end_when_idle()

    def _forget(self, connection: "_Connection") -> None:
        if self._open.get(connection.key) is connection:
            del self._open[connection.key]


class _Connection:
    """A session with one server, held open by a task of its own: no call's end or cancellation ends it for others."""

    def __init__(
        self, endpoint: str, transport: str, *, idle_seconds: float, on_end: "Callable[[_Connection], None]"
    ) -> None:
        self.key = (endpoint, transport)
        self._idle_seconds = idle_seconds
        self._on_end = on_end
        self._answers = Answers()
        self._ids = itertools.count(1_000_000)  # beyond those that the session numbers its own requests with
        self._users = 0
        self._unused = asyncio.Event()
        self._unused.set()
        self._retired = False
        self._idle_timer: asyncio.TimerHandle | None = None
        self._session: ClientSession | None = None
        self._enough = asyncio.Event()
        self._opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._opened.add_done_callback(lambda future: future.cancelled() or future.exception())
        self.task = asyncio.create_task(self._keep_open(), name="mcp-connection")
        self.task.add_done_callback(lambda _: self._ended())

    @property
    def ended(self) -> bool:
        """Whether it can't be used any more."""
        return self.task.done() or self._enough.is_set()

    @property
    def idle(self) -> bool:
        """Whether no call uses it."""
        return self._users == 0

    def in_use(self) -> "_InUse":
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
        if self._users == 0:
            self._unused.set()
        if self._users == 0 and not self.task.done():  # one that failed is not kept, not even by a timer
            seconds = 0.0 if self._retired else self._idle_seconds
            self._idle_timer = asyncio.get_running_loop().call_later(seconds, self._finish)

    def end_when_idle(self) -> None:
        """End it once no call uses it."""
        self._retired = True
        if self._users == 0:
            self._finish()

    def _finish(self) -> None:
        """End it now; one that is not open yet can only be given up."""
        self._enough.set()
        if not self._opened.done():
            self.task.cancel()

    async def wait_until_open(self, seconds: float) -> None:
        """Wait for the handshake. Raises CallError."""
        try:
            async with asyncio.timeout(seconds):
                await asyncio.shield(self._opened)
        except TimeoutError:
            self._finish()
            raise CallError(f"did not answer within {seconds:g} s") from None

    async def call(self, tool: str, parameters: dict[str, Any], on_progress: OnCallProgress | None) -> CallToolResult:
        """The result. Raises CallError, _NotSentError."""
        session = self._session
        if session is None or self.ended:
            raise _NotSentError(_BROKEN)
        self._answers.bytes_read = 0
        number = next(self._ids)
        exchange = self._answers.exchanges[number] = Exchange()
        _CALL_ID.set(number)
        request = CallToolRequest(params=CallToolRequestParams(name=tool, arguments=parameters))

        async def pass_on(progress: float, total: float | None, message: str | None) -> None:
            if on_progress is not None:
                await on_progress(progress, total, message)

        answer = asyncio.create_task(
            session.send_request(request, CallToolResult, progress_callback=pass_on if on_progress else None)
        )
        broken = asyncio.create_task(exchange.failed.wait())
        try:
            await asyncio.wait({answer, broken}, return_when=asyncio.FIRST_COMPLETED)
            if not answer.done() and exchange.status is not None:
                # The body of a refusal may hold the reason; SSE gives it nowhere, so it is not waited for long.
                await asyncio.wait({answer}, timeout=1.0)
            if not answer.done():
                raise self._failure(exchange, None)
            return answer.result()
        except (MCPError, ValueError, RuntimeError, anyio.ClosedResourceError, anyio.BrokenResourceError) as error:
            if _is_end(error):
                # A server that was restarted ends the stream of before, and then says that it does not know it.
                with anyio.move_on_after(_SETTLING_SECONDS):
                    await exchange.settled.wait()
            raise self._failure(exchange, error) from None
        finally:
            broken.cancel()
            answer.cancel()
            await asyncio.wait({answer, broken}, timeout=_CLOSING_SECONDS)
            with suppress(BaseException):
                answer.exception()
            del self._answers.exchanges[number]

    def _failure(self, exchange: Exchange, error: Exception | None) -> CallError | _NotSentError:
        """What went wrong with a call, in words."""
        if exchange.unsent:
            return _NotSentError(reason_of(exchange.failure or "can't be reached"))
        if exchange.status is not None:
            said = f"answered HTTP {exchange.status}"
            if isinstance(error, MCPError) and not _is_end(error):
                said = f"{said}: {error.message}"
            return _NotSentError(reason_of(said)) if exchange.status in _SESSION_UNKNOWN else CallError(reason_of(said))
        if exchange.failure is not None:
            return CallError(reason_of(exchange.failure))
        if _is_end(error):
            return CallError("broke off before its answer was complete") if exchange.begun else _NotSentError(_BROKEN)
        if isinstance(error, MCPError):
            return CallError(reason_of(f"refused the call: {error.message}"))
        return CallError("sent an answer that is not MCP")

    async def _keep_open(self) -> None:
        attempts = transports_for(*self.key)
        for place, attempt in enumerate(attempts):
            try:
                await self._with(attempt)
            except Exception as error:  # noqa: BLE001 - SDK and server between them raise anything
                if self._opened.done():
                    return
                if place == len(attempts) - 1 or not self._answers.unknown_here:
                    self._opened.set_exception(CallError(failure_reason(error, self._answers)))
                    return
                self._answers.forget()
            else:
                return

    async def _with(self, attempt: Transport) -> None:
        async with attempt(self.key[0], self._answers) as (read_stream, write_stream):
            dispatcher = _CallDispatcher(read_stream, write_stream)
            async with ClientSession(dispatcher=dispatcher, client_info=CLIENT) as session:
                await shake_hands(session)
                self._session = session
                self._opened.set_result(None)
                ended = asyncio.create_task(dispatcher.ended.wait())
                enough = asyncio.create_task(self._enough.wait())
                try:
                    await asyncio.wait({ended, enough}, return_when=asyncio.FIRST_COMPLETED)
                    self._enough.set()
                    with anyio.move_on_after(_CLOSING_SECONDS):  # requests under way may yet be answered
                        await self._unused.wait()
                finally:
                    self._enough.set()
                    ended.cancel()
                    enough.cancel()
                    asyncio.get_running_loop().call_later(_CLOSING_SECONDS, self.task.cancel)

    def _ended(self) -> None:
        if not self._opened.done():
            self._opened.set_exception(CallError(_BROKEN))
        if not self.task.cancelled():
            self.task.exception()
        if self._idle_timer is not None:
            self._idle_timer.cancel()
        self._on_end(self)


def _is_end(error: Exception | None) -> bool:
    """Whether the connection ended before the answer. Servers use the same code for errors of their own."""
    return isinstance(error, MCPError) and (error.code, error.message) == (CONNECTION_CLOSED, "Connection closed")


class _InUse:
    def __init__(self, connection: _Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        self._connection.entered()

    def __exit__(self, *exception: object) -> None:
        self._connection.left()


class _CallDispatcher(JSONRPCDispatcher[Any]):
    """Numbers calls as their callers say, so that each is told from others, and tells when the server has gone."""

    def __init__(self, read_stream: Any, write_stream: Any) -> None:
        super().__init__(read_stream, write_stream)
        self.ended = asyncio.Event()

    async def send_raw_request(
        self, method: str, params: Any, opts: CallOptions | None = None, **context: Any
    ) -> dict[str, Any]:
        if method == "tools/call":
            opts = {**(opts or {}), "request_id": _CALL_ID.get()}
        return await super().send_raw_request(method, params, opts, **context)

    async def run(self, *arguments: Any, **named: Any) -> None:
        try:
            await super().run(*arguments, **named)
        finally:
            self.ended.set()
