"""Results that only JSON-RPC allows, a server that asks back, and a client that can be asked."""

import asyncio
import json
from typing import Any

from mcp_optimizer.domain.tools.calls import PeerRefusalError
from tests.support.odd_server import OddServer, Reply, Request

_ITEM = {"type": "text", "text": "x"}


def nested(levels: int) -> Any:
    """A value of many levels."""
    value: Any = 10**30
    for _ in range(levels):
        value = {"a": [value]}
    return value


RESULTS: dict[str, Any] = {
    "structured list": {"content": [], "structuredContent": [1, None, {"a": "b"}]},
    "unknown type": {"content": [{"type": "hologram", "cube": [1, 2]}]},
    "image without type": {"content": [{"type": "image", "data": "QQ=="}]},
    "null isError": {"content": [_ITEM], "isError": None},
    "unknown members": {"content": [_ITEM], "x-cost": {"eur": 0.5}, "_meta": {"a/b": None}},
    "no content": {"answer": 42},
    "content a text": {"content": "words"},
    "numbers": {"content": [], "structuredContent": {"big": 10**30, "exact": 0.1, "neg": -1}},
    "null members": {"content": [{"type": "text", "text": "x", "annotations": None}], "structuredContent": None},
    "nested": {"content": [], "structuredContent": nested(140)},
    "long": {"content": [{"type": "text", "text": "é," * 500_000}], "structuredContent": {"a": [1] * 20_000}},
    "nul and emoji": {"content": [{"type": "text", "text": "a\0b \U0001f600"}]},
}


class Peer:
    """A client that can answer some of what servers ask."""

    def __init__(self, **abilities: Any) -> None:
        self.abilities = abilities
        self.heard: list[tuple[str, Any]] = []

    async def request(self, method: str, params: Any) -> dict[str, Any]:
        if (params or {}).get("message") == "refuse":
            raise PeerRefusalError({"code": -1, "message": "the person said no"})
        return {"action": "accept", "asked": method, "params": params}

    async def notify(self, method: str, params: Any) -> None:
        self.heard.append((method, params))


def asking(method: str, params: dict[str, Any] | None = None) -> OddServer:
    """A server that asks something before it answers a call, and answers with what it got."""
    got: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def answer(request: Request) -> Reply | None:
        if request.message.get("id") == "q1" and not request.method:
            got.put_nowait(request.message)
        return None

    class Asking(OddServer):
        @staticmethod
        async def _send(writer: asyncio.StreamWriter, reply: Reply) -> None:
            if reply.status != 299:
                await OddServer._send(writer, reply)
                return
            assert isinstance(reply.body, bytes)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
            ask = {"jsonrpc": "2.0", "id": "q1", "method": method, "params": params or {}}
            log = {"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": "hm"}}
            for message in (log, ask):
                writer.write(b"data: " + json.dumps(message).encode() + b"\n\n")
            answered = await asyncio.wait_for(got.get(), 5)
            result = {"content": [], "structuredContent": answered}
            body = {"jsonrpc": "2.0", "id": int(reply.body), "result": result}
            writer.write(b"data: " + json.dumps(body).encode() + b"\n\n")
            writer.close()

    server = Asking(answer)
    sound = server.sound
    server.sound = lambda request: (  # ty: ignore[invalid-assignment]
        Reply(str(request.message["id"]).encode(), status=299) if request.method == "tools/call" else sound(request)
    )
    return server
