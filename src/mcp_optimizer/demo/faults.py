"""What the simulator can be told to do wrong, and how it does it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

type AsgiHandler = Callable[[Scope, Receive, Send], Awaitable[None]]

_DRIP_SECONDS = 0.02


@dataclass(frozen=True)
class Fault:
    """How an answer goes wrong. Several may be combined; ``stall`` comes first.

    ``status``: this HTTP status with a short text, or with ``body``. ``stall``: seconds of silence before the answer.
    ``body``: this body instead of the right one. ``truncated``: half of the right body under its full length.
    ``drop``: headers, then a closed connection. ``drip``: a body that never ends, byte by byte.
    ``times``: for so many requests only.
    """

    status: int | None = None
    stall: float = 0.0
    body: bytes | None = None
    truncated: bool = False
    drop: bool = False
    drip: bool = False
    times: int | None = None


@dataclass
class Faults:
    """The faults in force, by route (``workloads``) or by route and workload (``export:fetch``).

    Routes: health, version, groups, workloads, workload, export, status, registry, registry-pages, mcp.
    ``stopping`` ends every stall at once.
    """

    by_key: dict[str, Fault] = field(default_factory=dict)
    used: dict[str, int] = field(default_factory=dict)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    def set(self, key: str, fault: Fault | None) -> None:
        """Put a fault in force, or end the one that is."""
        self.used.pop(key, None)
        if fault is None:
            self.by_key.pop(key, None)
        else:
            self.by_key[key] = fault

    def take(self, route: str, workload: str) -> Fault | None:
        """The fault for one request, the workload's own before the route's."""
        for key in (f"{route}:{workload}", route):
            fault = self.by_key.get(key)
            if fault is not None and (fault.times is None or self.used.get(key, 0) < fault.times):
                self.used[key] = self.used.get(key, 0) + 1
                return fault
        return None


class Faulty:
    """An ASGI endpoint that goes wrong when it was told to, and else is the endpoint it wraps."""

    def __init__(self, route: str, handler: AsgiHandler, faults: Faults) -> None:
        self._route = route
        self._handler = handler
        self._faults = faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        fault = self._faults.take(self._route, scope.get("path_params", {}).get("name", ""))
        if fault is None:
            await self._handler(scope, receive, send)
            return
        if fault.stall:
            await self._pause(fault.stall)
        if fault.drop or fault.drip:
            await self._start(send, length=None if fault.drip else 1_000_000)
            while fault.drip and not self._faults.stopping.is_set():
                await send({"type": "http.response.body", "body": b" ", "more_body": True})
                await self._pause(_DRIP_SECONDS)
        elif fault.truncated:
            await self._truncated(scope, receive, send)
        elif fault.status is not None or fault.body is not None:
            body = fault.body if fault.body is not None else f"simulated fault {fault.status}"
            media = "application/json" if fault.body is not None else "text/plain"
            response = PlainTextResponse(body, status_code=fault.status or 200, media_type=media)
            await response(scope, receive, send)
        else:
            await self._handler(scope, receive, send)

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._faults.stopping.wait(), seconds)
        except TimeoutError:
            return

    async def _truncated(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Half of the right answer. To return without the rest makes the server close the connection."""
        body = b""

        async def keep(message: Message) -> None:
            nonlocal body
            body += message.get("body", b"")

        await self._handler(scope, receive, keep)
        await self._start(send, length=len(body))
        await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})

    @staticmethod
    async def _start(send: Send, *, length: int | None) -> None:
        headers = [(b"content-type", b"application/json")]
        if length is not None:
            headers.append((b"content-length", str(length).encode()))
        await send({"type": "http.response.start", "status": 200, "headers": headers})
