"""What stands before the SDK's MCP endpoint: messages are read, ids and sessions watched, JSON given to who wants it.

The SDK keys the answers of a session by the request's id, has no room left after so many sessions, and insists on
clients that take event streams. All of that is put right here, in front of it, with what HTTP itself says.
"""

import asyncio
import contextlib
from collections.abc import Callable, Generator
from typing import Any, Final, NamedTuple

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mcp_optimizer.server.tokens import ACCESS, FULL_ACCESS
from mcp_optimizer.server.transport.json_answer import JsonAnswer
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
from mcp_optimizer.server.transport.ready_results import READY_RESULTS, ReadySend
from mcp_optimizer.server.transport.sessions import HttpSession, SessionTable

MCP_PATH: Final = "/mcp"
MAX_SESSIONS: Final = 1000

_END_SECONDS: Final = 0.25
"""How long a request may take to end after its answer: a client may use its id again as soon as it has that."""

_SESSION: Final = "mcp-session-id"
_JSON: Final = "application/json"
_EVENTS: Final = "text/event-stream"
_STREAM_ONLY_METHODS: Final = frozenset({"subscriptions/listen"})
"""Methods whose answer is a stream; who does not take one gets the SDK's refusal."""


class _Call(NamedTuple):
    """A request to the endpoint."""

    scope: Scope
    receive: Receive
    send: Send


class McpEndpoint:
    """An ASGI middleware before ``app``, for the MCP path alone."""

    def __init__(
        self, app: ASGIApp, *, max_body_bytes: int, monotonic: Callable[[], float], max_sessions: int = MAX_SESSIONS
    ) -> None:
        self._app = app
        self._max_body_bytes = max_body_bytes
        self.sessions = SessionTable(max_sessions, monotonic)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it."""
        if scope["type"] != "http" or scope["path"] != MCP_PATH:
            await self._app(scope, receive, send)
            return
        ready: dict[str, bytes] = {}
        scope.setdefault("state", {})[READY_RESULTS] = ready
        call = _Call(scope, receive, ReadySend(send, ready).send)
        session_id = Headers(scope=scope).get(_SESSION)
        session = self.sessions.get(session_id)
        if session is not None and session.owner != _owner(scope):
            # As if it were not there: whose it is, is not told.
            await _refuse(call, 404, Malformed(INVALID_REQUEST, "HttpSession not found"))
        elif scope["method"] == "POST":
            await self._post(call, session)
        elif session is not None:
            with self.sessions.using(session, stream=scope["method"] == "GET"):
                await self._app(scope, receive, self._watched(call, session))
        else:
            await self._app(scope, receive, send)

    async def _post(self, call: _Call, session: HttpSession | None) -> None:
        headers = Headers(scope=call.scope)
        body = await _body(call.receive, headers, self._max_body_bytes)
        if body is None:
            return  # the client has left
        if len(body) > self._max_body_bytes:
            await _refuse(call, 413, Malformed(INVALID_REQUEST, f"more than {self._max_body_bytes} bytes"))
            return
        call = call._replace(receive=_replayed(body, call.receive))
        if _JSON not in headers.get("content-type", ""):
            await self._app(*call)  # the SDK says what it takes
            return
        message = read_message(body)
        if isinstance(message, Malformed):
            await _refuse(call, 400, message)
            return
        call = self._for_accept(call, headers.get("accept", ""), message)
        if session is None:
            await self._open(call, Headers(scope=call.scope).get(_SESSION))
            return
        request_id = request_id_of(message)
        if request_id is not None and not await _is_free(request_id, session):
            await _refuse(call, 400, in_use(request_id))
            return
        await self._pass_on(call, session, request_id)

    async def _pass_on(self, call: _Call, session: HttpSession, request_id: RequestId | None) -> None:
        with self.sessions.using(session, stream=False), _marked(request_id, session):
            await self._app(call.scope, call.receive, self._watched(call, session))

    async def _open(self, call: _Call, session_id: str | None) -> None:
        """A request without a session that is known here: the first of one, or one of a client that needs none."""
        if session_id is not None:
            await self._app(*call)
            return
        with self.sessions.opening() as ended:
            for session in ended:
                await self._inside(call.scope, "DELETE", session.id)
            await self._app(call.scope, call.receive, self._admitting(call))

    def _admitting(self, call: _Call) -> Send:
        async def send(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] < 400:
                begun = Headers(raw=message["headers"]).get(_SESSION)
                if begun is not None:
                    self.sessions.add(begun, _owner(call.scope))
            await call.send(message)

        return send

    def _watched(self, call: _Call, session: HttpSession) -> Send:
        """Sends, and forgets a session that has ended."""

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                ended = message["status"] == 404 or (call.scope["method"] == "DELETE" and message["status"] < 400)
                if ended:
                    self.sessions.remove(session.id)
            await call.send(message)

        return send

    def _for_accept(self, call: _Call, accept: str, message: dict[str, Any]) -> _Call:
        """A request as the SDK wants it, and its answer as the client wants it."""
        streams = _EVENTS in accept.lower()
        if not streams and message.get("method") in _STREAM_ONLY_METHODS:
            return call
        scope = _with_header(call.scope, b"accept", f"{_JSON}, {_EVENTS}".encode())
        if streams:
            return call._replace(scope=scope)
        session_id = Headers(scope=call.scope).get(_SESSION)

        async def refuse(request_id: RequestId) -> None:
            reason = "the client takes no event stream in this request, so it can't be asked anything"
            await self._inside(call.scope, "POST", session_id, error_message(INVALID_REQUEST, reason, request_id))

        return call._replace(scope=scope, send=JsonAnswer(call.send, refuse).send)

    async def _inside(self, scope: Scope, method: str, session_id: str | None, body: bytes = b"") -> None:
        """A request of the server's own to the SDK."""
        headers = [(b"content-type", _JSON.encode()), (b"accept", f"{_JSON}, {_EVENTS}".encode())]
        if session_id is not None:
            headers.append((_SESSION.encode(), session_id.encode()))

        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(_: Message) -> None:
            """Nobody waits for the answer."""

        await self._app({**scope, "method": method, "headers": headers}, receive, send)


async def _is_free(request_id: RequestId, session: HttpSession) -> bool:
    """Whether no request under way has the id. One that was answered may need a moment to end."""
    ended = session.ids_under_way.get(id_key(request_id))
    if ended is not None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_END_SECONDS):
                await ended.wait()
    return id_key(request_id) not in session.ids_under_way


@contextlib.contextmanager
def _marked(request_id: RequestId | None, session: HttpSession) -> Generator[None]:
    """A block in which a request with the id is under way."""
    if request_id is None:
        yield
        return
    ended = session.ids_under_way[id_key(request_id)] = asyncio.Event()
    try:
        yield
    finally:
        del session.ids_under_way[id_key(request_id)]
        ended.set()


def _owner(scope: Scope) -> str:
    return scope.get("state", {}).get(ACCESS, FULL_ACCESS).name


async def _body(receive: Receive, headers: Headers, most: int) -> bytes | None:
    """A request's body, no more than a part of it beyond ``most`` bytes; None where its client leaves meanwhile."""
    length = headers.get("content-length", "0")
    if length.isdecimal() and int(length) > most:
        return bytes(most + 1)
    parts: list[bytes] = []
    size = 0
    while size <= most:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if not message.get("more_body", False):
            break
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Gives a body that was read already, then whatever comes after it."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _with_header(scope: Scope, name: bytes, value: bytes) -> Scope:
    others = [header for header in scope["headers"] if header[0] != name]
    return {**scope, "headers": [*others, (name, value)]}


async def _refuse(call: _Call, status: int, refusal: Malformed) -> None:
    content = error_message(refusal.code, refusal.reason, refusal.id)
    await Response(content, status_code=status, media_type=_JSON)(*call)
