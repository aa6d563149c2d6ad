"""MCP over stdin and stdout: read in a thread that nothing waits for, so that a signal ends the server at once.

The SDK's own reader can't be interrupted while it waits for a line, passes over what is no message, and takes lines of
any length.
"""

import asyncio
import contextlib
import os
import queue
import select
import signal
import sys
import threading
from collections.abc import Generator
from typing import Any, Final

import anyio
import structlog
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.server.lowlevel import Server
from mcp.shared.message import SessionMessage
from mcp_types import JSONRPCError, JSONRPCMessage, JSONRPCResponse, jsonrpc_message_adapter
from pydantic import ValidationError

from mcp_optimizer.server.transport.jsonrpc import (
    INVALID_REQUEST,
    Malformed,
    RequestId,
    error_message,
    id_key,
    in_use,
    read_message,
    request_id_of,
)
from mcp_optimizer.server.transport.ready_results import json_of, ready_content

_READ_BYTES: Final = 64 * 1024
_MAX_LINES_WAITING: Final = 64
_DRAIN_SECONDS: Final = 4.0
"""How long calls under way may take when the server is asked to end; with what follows it is gone within five."""
_SHUTDOWN_SECONDS: Final = 4.7
"""After a signal the program leaves then at the latest: a thread that loads a model can't be told to end."""
_DRAIN_POLL_SECONDS: Final = 0.02
_SIGNAL_EXIT_BASE: Final = 128

log = structlog.get_logger(__name__)


def leave_in(seconds: float, code: int) -> None:
    """Leave the program after some seconds, whatever its threads do then."""
    timer = threading.Timer(seconds, leave_now, (code,))
    timer.daemon = True
    timer.start()


def leave_now(code: int) -> None:
    """Leave the program without waiting for its threads. What is stored is sound at any moment."""
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.flush()
    os._exit(code)


class LineSplitter:
    """Bytes in, lines out. Of a line longer than ``most`` bytes only that it was one is remembered (None)."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._parts: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> list[bytes | None]:
        """The lines that are complete now, without those that are empty."""
        first, *others = data.split(b"\n")
        self._add(first)
        lines: list[bytes | None] = []
        for part in others:
            lines.append(self._line())
            self._add(part)
        return [line for line in lines if line is None or line.strip()]

    def rest(self) -> list[bytes | None]:
        """The last line, where it has no end."""
        line = self._line()
        return [line] if line is None or line.strip() else []

    def _add(self, part: bytes) -> None:
        self._size += len(part)
        if self._size <= self._most:
            self._parts.append(part)
        else:
            self._parts.clear()

    def _line(self) -> bytes | None:
        line = b"".join(self._parts) if self._size <= self._most else None
        self._parts, self._size = [], 0
        return line


class _Writer:
    """Writes lines in a thread of its own: a client that does not read holds up neither the loop nor the end."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._loop = asyncio.get_running_loop()
        self._lines: queue.SimpleQueue[tuple[bytes, asyncio.Future[None]]] = queue.SimpleQueue()
        threading.Thread(target=self._run, name="stdout", daemon=True).start()

    async def write(self, content: bytes) -> None:
        """Write a line. Raises OSError where nobody reads any more."""
        done = self._loop.create_future()
        self._lines.put((content + b"\n", done))
        await done

    def _run(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: the program ends
            while True:
                line, done = self._lines.get()
                try:
                    _write_whole(self._target, line)
                except OSError as error:
                    self._loop.call_soon_threadsafe(_settle, done, error)
                else:
                    self._loop.call_soon_threadsafe(_settle, done, None)


def _settle(done: asyncio.Future[None], error: OSError | None) -> None:
    if done.done():
        return
    if error is None:
        done.set_result(None)
    else:
        done.set_exception(error)


class StdioServer:
    """Serves one client. Use it in a block of :meth:`signals`."""

    def __init__(self, *, max_line_bytes: int) -> None:
        self._max_line_bytes = max_line_bytes
        self._lines: asyncio.Queue[list[bytes | None] | None] = asyncio.Queue()
        self._room = threading.Semaphore(_MAX_LINES_WAITING)
        self._loop = asyncio.get_running_loop()
        self._ids_under_way: set[str] = set()
        self._writing = False
        self._signal = 0
        self._ended = asyncio.Event()
        self._serving: asyncio.Task[Any] | None = None

    @contextlib.contextmanager
    def signals(self) -> Generator[None]:
        """A block that ends in order at a signal: what surrounds the server too."""
        this, numbers = asyncio.current_task(), (signal.SIGINT, signal.SIGTERM)
        assert this is not None

        def end(number: int) -> None:
            if not self._signal:
                self._signal = number
                leave_in(_SHUTDOWN_SECONDS, self.exit_code)
            self._ended.set()
            if self._serving is None:
                this.cancel()

        for number in numbers:
            self._loop.add_signal_handler(number, end, number)
        try:
            yield
        except asyncio.CancelledError:
            if not self._signal:
                raise
            this.uncancel()
        finally:
            for number in numbers:
                self._loop.remove_signal_handler(number)

    @property
    def exit_code(self) -> int:
        """What the program is to leave with."""
        return _SIGNAL_EXIT_BASE + self._signal if self._signal else 0

    async def serve(self, server: Server[Any]) -> None:
        """Serve until the client leaves or a signal comes."""
        to_server, from_client = anyio.create_memory_object_stream[SessionMessage | Exception](0)
        to_client, from_server = anyio.create_memory_object_stream[SessionMessage](0)
        with _claimed_streams() as (source, target):
            writer = _Writer(target)
            threading.Thread(target=self._read, args=(source,), name="stdin", daemon=True).start()
            self._serving = asyncio.create_task(
                server.run(from_client, to_client, server.create_initialization_options()), name="serving"
            )
            writing = asyncio.create_task(self._write_all(from_server, writer), name="stdout")
            reading = asyncio.create_task(self._take_all(to_server, writer), name="messages")
            ended = asyncio.create_task(self._ended.wait(), name="signal")
            tasks = (self._serving, writing, reading, ended)
            try:
                await asyncio.wait((self._serving, writing, ended), return_when=asyncio.FIRST_COMPLETED)
                if self._signal:
                    reading.cancel()
                    await self._drain()
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                for stream in (to_server, from_client, to_client, from_server):
                    stream.close()

    async def _drain(self) -> None:
        """Let calls under way finish, for a while. Looking now and then costs nothing at the end."""
        until = self._loop.time() + _DRAIN_SECONDS
        while (self._ids_under_way or self._writing) and self._loop.time() < until:  # noqa: ASYNC110 (as above)
            await asyncio.sleep(_DRAIN_POLL_SECONDS)

    def _read(self, source: int) -> None:
        """Read until the end, in a thread. The program does not wait for it: it may read for ever."""
        splitter = LineSplitter(self._max_line_bytes)
        with contextlib.suppress(RuntimeError):  # the loop is closed: the program ends
            while data := _read_some(source):
                self._hand_over(splitter.feed(data))
            self._hand_over(splitter.rest())
            self._loop.call_soon_threadsafe(self._lines.put_nowait, None)

    def _hand_over(self, lines: list[bytes | None]) -> None:
        if lines:
            self._room.acquire()
            self._loop.call_soon_threadsafe(self._lines.put_nowait, lines)

    async def _take_all(self, to_server: MemoryObjectSendStream[SessionMessage | Exception], writer: _Writer) -> None:
        """Hand messages to the server, and answer what is none. Its end is the end of the server's input."""
        async with to_server:
            while (lines := await self._lines.get()) is not None:
                self._room.release()
                for line in lines:
                    message = self._read_line(line)
                    if isinstance(message, Malformed):
                        await writer.write(error_message(message.code, message.reason, message.id))
                    else:
                        await to_server.send(SessionMessage(message))
            leave_in(_SHUTDOWN_SECONDS, self.exit_code)
            await self._drain()  # who pipes its requests in waits for the answers

    def _read_line(self, line: bytes | None) -> JSONRPCMessage | Malformed:
        if line is None:
            return Malformed(INVALID_REQUEST, f"a message must not be longer than {self._max_line_bytes} bytes")
        content = read_message(line)
        if isinstance(content, Malformed):
            return content
        request_id = request_id_of(content)
        try:
            message = jsonrpc_message_adapter.validate_python(content, by_name=False)
        except ValidationError as error:
            return Malformed(INVALID_REQUEST, f"this is not a message: {error.errors()[0]['msg'][:200]}", request_id)
        if content.get("method") == "notifications/cancelled":
            self._forget((content.get("params") or {}).get("requestId"))  # it may never be answered
        if request_id is not None:
            if id_key(request_id) in self._ids_under_way:
                return in_use(request_id)
            self._ids_under_way.add(id_key(request_id))
        return message

    def _forget(self, request_id: RequestId | None) -> None:
        if request_id is not None:
            self._ids_under_way.discard(id_key(request_id))

    async def _write_all(self, from_server: MemoryObjectReceiveStream[SessionMessage], writer: _Writer) -> None:
        """Write what the server sends. Ends where nobody reads it any more."""
        async with from_server:
            async for sent in from_server:
                message = sent.message
                if isinstance(message, JSONRPCResponse | JSONRPCError):
                    self._forget(message.id)  # before: a client may use its id again as soon as it has its answer
                self._writing = True
                await writer.write(_line_of(message))
                self._writing = False


def _line_of(message: JSONRPCMessage) -> bytes:
    content = ready_content(message.result) if isinstance(message, JSONRPCResponse) else None
    if content is None or not isinstance(message, JSONRPCResponse):
        return message.model_dump_json(by_alias=True, exclude_unset=True).encode()
    return b'{"jsonrpc":"2.0","id":%b,"result":%b}' % (json_of(message.id), content)


def _read_some(source: int) -> bytes:
    while True:
        try:
            return os.read(source, _READ_BYTES)
        except BlockingIOError:  # a client may have made its end of it non-blocking, and so ours
            select.select([source], [], [])
        except OSError:
            return b""


def _write_whole(target: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        try:
            view = view[os.write(target, view) :]
        except BlockingIOError:
            select.select([], [target], [])


@contextlib.contextmanager
def _claimed_streams() -> Generator[tuple[int, int]]:
    """The real stdin and stdout. Meanwhile nothing else reads the one, and what a library prints goes to stderr."""
    sys.stdout.flush()
    source, target = os.dup(0), os.dup(1)  # not closed at the end: the threads may still use them
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    try:
        yield source, target
    finally:
        os.dup2(source, 0)
        os.dup2(target, 1)
