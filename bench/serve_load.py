"""Load on a server, from a process of its own: ``python -m bench.serve_load URL KIND SECONDS`` prints what came of it.

``offered``: 200 calls a second from 50 clients, whatever the answers take; each call is timed from when it was due,
also where its client still waits for the one before. ``most``: each client asks again as soon as it has its answer.
``most-sessions``: the same by the protocol before, whose clients have sessions and whose answers are streams.

What goes over the wire is what the official client sends; it is made with as little work as there need be, since server
and clients share the machine.
"""

import asyncio
import itertools
import json
import random
import resource
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

import httptools
import uvloop

from bench.data import phrases

CLIENTS: Final = 50
RATE: Final = 200.0
"""Calls a second, of all clients together."""
_SECONDS_TO_ANSWER: Final = 60.0
_PRESENT: Final = "2026-07-28"
_BEFORE: Final = "2025-06-18"
_INFO: Final = {"name": "load", "version": "1"}


@dataclass
class Load:
    """What became of the calls."""

    milliseconds: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    """Of the process that makes the load."""

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.milliseconds) / self.seconds if self.seconds else 0.0

    def percentile(self, share: float) -> float:
        """Milliseconds within which that share of the calls was answered."""
        ordered = sorted(self.milliseconds)
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)] if ordered else float("inf")


def queries(seed: int) -> Iterator[dict[str, str]]:
    """Arguments of find_tool, no two alike for a good while: a server that remembers answers gains nothing by it."""
    every = phrases()
    random.Random(seed).shuffle(every)
    for verb, noun, place, end in itertools.cycle(every):
        yield {"tool_description": f"{verb} a {noun} in the {place} {end}", "tool_keywords": f"{verb} {noun}"}


class _Connection(asyncio.Protocol):
    """A kept connection to the server: one request at a time, its answer's body."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._answered.done():
            self._answered.set_exception(ConnectionError(f"the server closed the connection: {exc}"))

    async def post(self, head: bytes, body: bytes) -> bytes:
        self._parser = httptools.HttpResponseParser(self)
        self._answered = asyncio.get_running_loop().create_future()
        self._parts: list[bytes] = []
        self.headers: dict[bytes, bytes] = {}
        self._transport.write(b"%bcontent-length: %d\r\n\r\n%b" % (head, len(body), body))
        async with asyncio.timeout(_SECONDS_TO_ANSWER):
            return await self._answered

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.lower()] = value

    def on_body(self, body: bytes) -> None:
        self._parts.append(body)

    def on_message_complete(self) -> None:
        status, body = self._parser.get_status_code(), b"".join(self._parts)
        if status < 300:
            self._answered.set_result(body)
        else:
            self._answered.set_exception(ConnectionError(f"{status} {body[:200]!r}"))


class _Client:
    """One that calls find_tool, one call at a time."""

    def __init__(self, url: str, version: str) -> None:
        self._url = urlsplit(url)
        self._version = version
        self._head = b""
        self._ids = itertools.count(1)
        self._turn = asyncio.Lock()

    async def begin(self) -> None:
        """Connect; by the protocol before, begin a session too."""
        loop = asyncio.get_running_loop()
        _, self._connection = await loop.create_connection(_Connection, self._url.hostname or "", self._url.port or 80)
        if self._version == _PRESENT:
            self._head = self._headed({"mcp-method": "tools/call", "mcp-name": "find_tool"})
            return
        self._head = self._headed({})
        params = {"protocolVersion": self._version, "capabilities": {}, "clientInfo": _INFO}
        await self._post({"id": 0, "method": "initialize", "params": params})
        self._head = self._headed({"mcp-session-id": self._connection.headers[b"mcp-session-id"].decode()})
        await self._post({"method": "notifications/initialized"})

    def _headed(self, more: dict[str, str]) -> bytes:
        headers = {
            "host": self._url.netloc,
            "accept": "application/json, text/event-stream",
            "content-type": "application/json",
            "mcp-protocol-version": self._version,
            **more,
        }
        lines = [f"POST {self._url.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        return "\r\n".join([*lines, ""]).encode()

    async def _post(self, message: dict[str, Any]) -> bytes:
        return await self._connection.post(self._head, json.dumps({"jsonrpc": "2.0", **message}).encode())

    async def find(self, arguments: dict[str, str]) -> None:
        """Call, and look at the answer. Raises what goes wrong."""
        params: dict[str, Any] = {"name": "find_tool", "arguments": arguments}
        if self._version == _PRESENT:
            text = {"protocolVersion": self._version, "clientInfo": _INFO, "clientCapabilities": {}}
            params["_meta"] = {f"io.modelcontextprotocol/{name}": value for name, value in text.items()}
        async with self._turn:
            answer = await self._post({"id": next(self._ids), "method": "tools/call", "params": params})
        if not answer.startswith(b"{"):  # a stream of events
            answer = next(line[5:] for line in answer.splitlines() if line.startswith(b"data:") and b'"id"' in line)
        result = json.loads(answer)["result"]
        if result.get("isError"):
            raise RuntimeError(result["content"][0]["text"])
        if not result["structuredContent"]["tools"]:
            raise RuntimeError("nothing found")


async def offered(clients: list[_Client], seconds: float, made: Load) -> None:
    """What becomes of calls that come at a fixed rate."""
    request, begun = queries(seed=1), time.perf_counter()
    async with asyncio.TaskGroup() as calls:
        for number in range(int(seconds * RATE)):
            due = begun + number / RATE
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            calls.create_task(_timed(clients[number % len(clients)], next(request), due, made))


async def most(clients: list[_Client], seconds: float, made: Load) -> None:
    """As many calls as are answered."""
    request, end = queries(seed=2), time.perf_counter() + seconds

    async def again(client: _Client) -> None:
        while (start := time.perf_counter()) < end:
            await _timed(client, next(request), start, made)

    await asyncio.gather(*map(again, clients))


async def _timed(client: _Client, arguments: dict[str, str], start: float, made: Load) -> None:
    try:
        await client.find(arguments)
    except Exception as error:  # noqa: BLE001 (whatever it is, it is an error of the run)
        made.errors.append(f"{type(error).__name__}: {error}")
    made.milliseconds.append(1000 * (time.perf_counter() - start))


async def put(kind: str, url: str, seconds: float) -> Load:
    """Put a load of a kind on the server."""
    version = _BEFORE if kind == "most-sessions" else _PRESENT
    clients, result = [_Client(url, version) for _ in range(CLIENTS)], Load()
    for client in clients:
        await client.begin()
    cpu, begun = _cpu(), time.perf_counter()
    await (offered if kind == "offered" else most)(clients, seconds, result)
    result.seconds, result.cpu_seconds = time.perf_counter() - begun, _cpu() - cpu
    return result


def _cpu() -> float:
    spent = resource.getrusage(resource.RUSAGE_SELF)
    return spent.ru_utime + spent.ru_stime


async def from_another_process(url: str, kind: str, seconds: float) -> Load:
    """What becomes of a load that a process of its own makes."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.serve_load", url, kind, str(seconds), stdout=asyncio.subprocess.PIPE
    )
    text, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"the load ended with {process.returncode}")
    return Load(**json.loads(text))


def main() -> None:
    """Make the load, and print what became of it."""
    url, kind, seconds = sys.argv[1:]
    result = asyncio.run(put(kind, url, float(seconds)), loop_factory=uvloop.new_event_loop)
    sys.stdout.write(json.dumps(asdict(result)))


if __name__ == "__main__":
    main()
