"""Results that are JSON already: the SDK carries a stand-in, and a transport puts the bytes in its place.

The SDK makes JSON of a result on the event loop, in several copies, and not of one that is nested deeply.
"""

import json
from typing import Any, Final
from uuid import uuid4

import orjson
from starlette.datastructures import MutableHeaders
from starlette.types import Message, Send

READY_RESULTS: Final = "ready_results"
"""Where a request's ready results are left in the state of its scope: bytes by the name of their stand-in."""
_MEMBER: Final = "mcp-optimizer/ready"
_PIECE_BYTES: Final = 256 * 1024
"""So much is written before the connection may ask to wait."""


class ReadyResult(str):
    """The name of a stand-in, which holds the JSON of a result."""

    __slots__ = ("content",)
    content: bytes


def json_of(value: object) -> bytes:
    """A value as JSON. Raises RecursionError for one that is nested too deeply."""
    try:
        return orjson.dumps(value)
    except TypeError:  # whole numbers beyond 64 bits, or more levels than it takes: slowly, letting others have a turn
        encoder = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
        return "".join(encoder.iterencode(value)).encode()


def stand_in(content: bytes) -> tuple[dict[str, Any], ReadyResult]:
    """What the SDK carries instead of a result, and the name of it."""
    name = ReadyResult(uuid4().hex)
    name.content = content
    return {_MEMBER: name}, name


def ready_content(result: object) -> bytes | None:
    """The JSON that a result stands for; None for one that stands for itself."""
    name = result.get(_MEMBER) if isinstance(result, dict) else None
    return name.content if isinstance(name, ReadyResult) else None


class ReadySend:
    """Sends, with the ready results of a request in the places of their stand-ins."""

    def __init__(self, send: Send, ready: dict[str, bytes]) -> None:
        self._send = send
        self._ready = ready
        self._start: Message | None = None

    async def send(self, message: Message) -> None:
        """Pass a message on; the start of one whose length is declared waits for its first part."""
        if message["type"] == "http.response.start" and "content-length" in MutableHeaders(scope=message):
            self._start = message
            return
        if message["type"] != "http.response.body" or not (self._ready or self._start):
            await self._send(message)
            return
        body = bytes(message.get("body", b""))
        for name in list(self._ready):
            marker = b'{"%b":"%b"}' % (_MEMBER.encode(), name.encode())
            before, place, after = body.partition(marker)
            if place:
                content = self._ready.pop(name)
                await self._begin(len(content) - len(marker))
                await self._write(before, content, after, more=message.get("more_body", False))
                return
        await self._begin(0)
        await self._send(message)

    async def _begin(self, growth: int) -> None:
        start, self._start = self._start, None
        if start is None:
            return
        headers = MutableHeaders(raw=list(start["headers"]))
        headers["content-length"] = str(int(headers["content-length"]) + growth)
        await self._send({**start, "headers": headers.raw})

    async def _write(self, before: bytes, content: bytes, after: bytes, *, more: bool) -> None:
        if len(content) <= _PIECE_BYTES:
            await self._send({"type": "http.response.body", "body": before + content + after, "more_body": more})
            return
        await self._send({"type": "http.response.body", "body": before, "more_body": True})
        for at in range(0, len(content), _PIECE_BYTES):
            await self._send({"type": "http.response.body", "body": content[at : at + _PIECE_BYTES], "more_body": True})
        await self._send({"type": "http.response.body", "body": after, "more_body": more})
