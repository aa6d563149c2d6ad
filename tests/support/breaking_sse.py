"""An MCP server over SSE that breaks its stream off just as a call is posted, as one does that is being restarted."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

_SERVER = {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": {"name": "s", "version": "1"}}
_DONE = {"content": [{"type": "text", "text": "done"}]}


class BreakingSse:
    """The second call breaks off the stream; ``status`` is what its request is answered with, a little later."""

    def __init__(self, status: int) -> None:
        self.status = status
        self.url = ""
        self.streams = 0
        """How often a stream was opened."""
        self.taken = 0
        """Calls that were taken on."""
        self._stream: asyncio.StreamWriter | None = None

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """The time in which it answers."""
        server = await asyncio.start_server(self._handle, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/sse"
        yield
        server.close()
        if self._stream is not None:
            self._stream.close()

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        if head.startswith("get"):
            self.streams += 1
            self._stream = writer
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
            writer.write(b"event: endpoint\ndata: /messages\n\n")
            return
        length = int(head.partition("content-length:")[2].partition("\r\n")[0])
        status = await self._taken(json.loads(await reader.readexactly(length)))
        writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        writer.close()

    async def _taken(self, message: dict[str, Any]) -> int:
        """How a message is answered to whoever posted it."""
        assert self._stream is not None
        if message["method"] == "tools/call" and self.streams == self.taken == 1:
            self._stream.close()
            await asyncio.sleep(0.1)
            self.taken += self.status < 400
            return self.status
        if "id" in message:
            result = _DONE if message["method"] == "tools/call" else _SERVER
            answer = json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result})
            self._stream.write(f"event: message\ndata: {answer}\n\n".encode())
            self.taken += message["method"] == "tools/call"
        return 202
