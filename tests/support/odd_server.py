"""An MCP server written by hand on plain sockets, which misbehaves as a test says. It knows no SDK."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

VERSION = "2025-06-18"


@dataclass
class Request:
    """One HTTP request. ``message`` is its JSON-RPC message, empty for one without a body."""

    verb: str
    path: str
    headers: Mapping[str, str]
    message: dict[str, Any]
    number: int
    """How many requests of this JSON-RPC method there were, this one included."""

    @property
    def method(self) -> str:
        """The JSON-RPC method, empty for an answer."""
        return str(self.message.get("method", ""))


@dataclass
class Reply:
    """What is sent back. A body of bytes is sent as it is; parts of a list are sent one after the other, chunked."""

    body: bytes | list[bytes] = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    hang: float = 0.0


type Answer = Callable[[Request], Reply | Awaitable[Reply | None] | None]
"""What a request is answered with; None: as a sound server would."""


def rpc(request: Request, result: Any) -> Reply:
    """A JSON answer with a result."""
    return Reply(json.dumps({"jsonrpc": "2.0", "id": request.message.get("id"), "result": result}).encode())


def rpc_error(request: Request, code: int, message: str, data: Any = None, status: int = 200) -> Reply:
    """A JSON answer with an error."""
    error = {"code": code, "message": message, **({} if data is None else {"data": data})}
    body = json.dumps({"jsonrpc": "2.0", "id": request.message.get("id"), "error": error}).encode()
    return Reply(body, status=status)


def sse(*messages: Any, **headers: str) -> Reply:
    """A stream of events."""
    parts = [b"event: message\ndata: " + json.dumps(message).encode() + b"\n\n" for message in messages]
    return Reply(parts, headers={"Content-Type": "text/event-stream", **headers})


class OddServer:
    """Answers ``answer`` first, and what that leaves alone as a sound server of one tool ``x`` would."""

    def __init__(self, answer: Answer = lambda _: None, *, session: str | None = None) -> None:
        self.answer = answer
        self.session = session
        self.requests: list[Request] = []
        self.url = ""
        self.port = 0

    def count(self, method: str) -> int:
        """How many requests of a JSON-RPC method came."""
        return sum(request.method == method for request in self.requests)

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[str]:
        """The time in which it answers, at ``/mcp``."""
        server = await asyncio.start_server(self._handle, "127.0.0.1", 0, limit=2**26)
        self.port = server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/mcp"
        try:
            yield self.url
        finally:
            server.close()
            server.close_clients()

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                first, *rest = head.strip().split("\r\n")
                headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in rest)}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                verb, path, _ = first.split(" ", 2)
                message = json.loads(body or b"{}")
                number = 1 + self.count(str(message.get("method", "")))
                request = Request(verb, path, headers, message, number)
                self.requests.append(request)
                reply = self.answer(request)
                reply = await reply if isinstance(reply, Awaitable) else reply
                await self._send(writer, reply or self.sound(request))
        writer.close()

    def sound(self, request: Request) -> Reply:
        """What a sound server answers."""
        if request.verb == "GET":
            return Reply(status=405)
        match request.method:
            case "initialize":
                capabilities = {"tools": {"listChanged": True}}
                server = {"name": "odd", "version": "1"}
                reply = rpc(request, {"protocolVersion": VERSION, "capabilities": capabilities, "serverInfo": server})
                if self.session:
                    reply.headers["Mcp-Session-Id"] = self.session
                return reply
            case "tools/list":
                return rpc(request, {"tools": [{"name": "x", "inputSchema": {"type": "object"}}]})
            case "tools/call":
                return rpc(request, {"content": [{"type": "text", "text": "done"}]})
        return Reply(status=202)

    @staticmethod
    async def _send(writer: asyncio.StreamWriter, reply: Reply) -> None:
        await asyncio.sleep(reply.hang)
        chunked = isinstance(reply.body, list)
        length = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(reply.body)}"
        lines = "".join(f"{name}: {value}\r\n" for name, value in reply.headers.items())
        writer.write(f"HTTP/1.1 {reply.status} X\r\n{lines}{length}\r\n\r\n".encode())
        for part in reply.body if isinstance(reply.body, list) else ():
            writer.write(b"%x\r\n%b\r\n" % (len(part), part))
            await writer.drain()
        writer.write(b"0\r\n\r\n" if isinstance(reply.body, list) else reply.body)
        await writer.drain()
