"""An answer that the SDK gives as an event stream, for a client that takes JSON only."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from pydantic_core import from_json
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import Message, Send

from mcp_optimizer.server.transport.jsonrpc import INTERNAL_ERROR, RequestId, error_message

_EVENTS: Final = "text/event-stream"
_DATA: Final = b"data:"


class JsonAnswer:
    """Sends what answers the request; what comes before it (progress, log messages) has no place in JSON.

    ``refuse`` answers a request that the server makes of its client meanwhile: it would wait for ever.
    """

    def __init__(self, send: Send, refuse: Callable[[RequestId], Awaitable[None]]) -> None:
        self._send = send
        self._refuse = refuse
        self._start: Message | None = None
        self._line = bytearray()
        self._answer: bytes | None = None

    async def send(self, message: Message) -> None:
        """Take a part of the stream; pass on what is none."""
        if message["type"] == "http.response.start":
            if Headers(raw=message["headers"]).get("content-type", "").startswith(_EVENTS):
                self._start = message
                return
        elif message["type"] == "http.response.body" and self._start is not None:
            await self._take(message.get("body", b""))
            if not message.get("more_body", False):
                await self._finish(self._start)
            return
        await self._send(message)

    async def _take(self, part: bytes) -> None:
        self._line += part
        *lines, rest = bytes(self._line).split(b"\n")
        self._line = bytearray(rest)
        for line in lines:
            if line.startswith(_DATA):
                await self._event(line[len(_DATA) :].strip())

    async def _event(self, data: bytes) -> None:
        if not data:
            return
        message: dict[str, Any] = from_json(data)
        if "method" not in message:
            self._answer = data
        elif "id" in message:
            await self._refuse(message["id"])

    async def _finish(self, start: Message) -> None:
        body = self._answer
        if body is None:
            start = {**start, "status": 500}
            body = error_message(INTERNAL_ERROR, "the session ended before the request was answered")
        start = {**start, "headers": [header for header in start["headers"] if header[0] != b"content-length"]}
        headers = MutableHeaders(scope=start)
        headers["content-type"] = "application/json"
        headers["content-length"] = str(len(body))
        await self._send(start)
        await self._send({"type": "http.response.body", "body": body, "more_body": False})
