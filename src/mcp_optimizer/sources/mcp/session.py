"""A session with one MCP server: the handshake, requests with raw results, and what the server asks meanwhile.

Results are handed on as they came. The SDK's client checks and parses every message on the event loop and throws away
what it does not know; here only the envelope is looked at.
"""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, Final, TypeIs

from mcp.shared.inbound import encode_header_value
from mcp_types import CLIENT_CAPABILITIES_META_KEY, CLIENT_INFO_META_KEY, PROTOCOL_VERSION_META_KEY
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, LATEST_HANDSHAKE_VERSION, MODERN_PROTOCOL_VERSIONS

from mcp_optimizer.domain.progress import CallProgressCallback
from mcp_optimizer.domain.tools.calls import ABILITY_OF, CallPeer, PeerRefusalError
from mcp_optimizer.sources.json_values import kind_of, label_of, object_of
from mcp_optimizer.sources.mcp.failures import McpServerError, first_cause, rpc_failure
from mcp_optimizer.sources.mcp.messages import NOT_MCP
from mcp_optimizer.sources.mcp.transports import Message, OnMessage, Transport, transports_for

_CLIENT: Final = {"name": "mcp-optimizer", "version": "0"}
_CLOSING_SECONDS: Final = 3.0
_MAX_OUTBOX: Final = 1000
"""Notifications of one call that wait for its client; more are dropped."""
_MAX_ROUNDS: Final = 16
"""How often a server may answer a call by asking for input."""
_ROUND_SECONDS: Final = 0.25
_MAX_ASKED: Final = 16
"""Requests of a server that are answered at once."""
_METHOD_NOT_FOUND: Final = -32601
_INTERNAL_ERROR: Final = -32603
_RESERVED: Final = "io.modelcontextprotocol/"
"""Members of ``_meta`` that are about one connection, and not passed from one to another."""

type ToolsChangedCallback = Callable[[], None]


class Call:
    """A call under way, and the client behind it. ``touch`` is told that the server is at work."""

    def __init__(
        self,
        *,
        peer: CallPeer | None = None,
        on_progress: CallProgressCallback | None = None,
        touch: Callable[[], None] = lambda: None,
    ) -> None:
        self.peer = peer
        self.on_progress = on_progress
        self.touch = touch
        self.asked: set[asyncio.Task[None]] = set()
        self._outbox: asyncio.Queue[Callable[[], Awaitable[None]] | None] = asyncio.Queue()
        self._sending: asyncio.Task[None] | None = None

    def tell(self, sending: Callable[[], Awaitable[None]]) -> None:
        """Send something to the client, after what was sent before."""
        if self._sending is None:
            self._sending = asyncio.create_task(self._send())
        if self._outbox.qsize() < _MAX_OUTBOX:
            self._outbox.put_nowait(sending)

    async def _send(self) -> None:
        while (sending := await self._outbox.get()) is not None:
            with suppress(Exception):  # a client that went away ends no call
                await sending()

    async def end(self) -> None:
        """Let what was told reach the client, and stop asking it."""
        for task in self.asked:
            task.cancel()
        if self._sending is not None:
            self._outbox.put_nowait(None)
            _, late = await asyncio.wait({self._sending}, timeout=1.0)
            for task in late:
                task.cancel()


class Session:
    """A session over one transport. Use :func:`open_session`."""

    def __init__(
        self,
        transport: Callable[[str, OnMessage], Transport],
        endpoint: str,
        *,
        abilities: Mapping[str, Any],
        on_tools_changed: ToolsChangedCallback | None,
    ) -> None:
        self._transport = transport(endpoint, lambda message: self._take(message, None))
        self._abilities = dict(abilities)
        self._on_tools_changed = on_tools_changed
        self._ids = itertools.count(1)
        self._calls: dict[int, Call] = {}
        self._asked: dict[Any, asyncio.Task[None]] = {}
        self._loose: set[asyncio.Task[Any]] = set()
        self._version = ""
        self.capabilities: Mapping[str, Any] = {}
        """What the server says that it can do."""

    @property
    def ended(self) -> bool:
        """Whether the server has ended it."""
        return self._transport.ended.is_set()

    async def open(self) -> None:
        """Connect and shake hands. Raises McpServerError."""
        await self._transport.open()
        try:
            await self._initialize(LATEST_HANDSHAKE_VERSION)
        except McpServerError as refusal:
            if refusal.error is None and not refusal.other_transport:
                raise
            await self._other_version(refusal)
        if self._on_tools_changed is not None:
            self._background(self._transport.listen(self._headers("", {})))

    async def _initialize(self, version: str) -> None:
        given = {"protocolVersion": version, "capabilities": self._abilities, "clientInfo": _CLIENT}
        result = await self.request("initialize", given)
        answered = result.get("protocolVersion")
        if answered not in HANDSHAKE_PROTOCOL_VERSIONS:
            spoken = label_of(answered) if isinstance(answered, str) else kind_of(answered)
            raise McpServerError(f"speaks protocol version {spoken}, which is not known here")
        self._version = answered
        self.capabilities = object_of(result.get("capabilities"))
        method = "notifications/initialized"
        try:
            await self._transport.post({"jsonrpc": "2.0", "method": method}, self._headers(method, {}))
        except McpServerError as failure:
            if failure.status is None:  # else it was heard, and some have no ear for notifications
                raise

    async def _other_version(self, refusal: McpServerError) -> None:
        """Speak the version that a refusing server names, or the newer protocol without a handshake."""
        named = refusal.supported_versions
        handshakes = [version for version in reversed(HANDSHAKE_PROTOCOL_VERSIONS) if version in named]
        if handshakes:
            await self._initialize(handshakes[0])
            return
        modern = [version for version in reversed(MODERN_PROTOCOL_VERSIONS) if not named or version in named]
        if not modern:
            words = ", ".join(map(label_of, named[:10]))
            raise McpServerError(f"{refusal}; it speaks protocol versions {words}, none of which is known here")
        self._version = modern[0]
        try:
            result = await self.request("server/discover", {})
        except McpServerError:
            self._version = ""
            raise refusal from None
        self.capabilities = object_of(result.get("capabilities"))

    async def request(self, method: str, params: Mapping[str, Any], call: Call | None = None) -> dict[str, Any]:
        """The result of a request, as the server sent it. Raises McpServerError.

        When the caller is cancelled, the server is told that nobody waits any more.
        """
        number = next(self._ids)
        call = call or Call()
        self._calls[number] = call
        stamped = self._stamped(params, number if call.on_progress else None)
        message = {"jsonrpc": "2.0", "id": number, "method": method, "params": stamped}
        try:
            answer = await self._transport.exchange(
                message, self._headers(method, params), lambda message: self._take(message, call)
            )
        except asyncio.CancelledError:
            if method != "initialize":
                self._background(self._cancel(number))
            raise
        finally:
            del self._calls[number]
        if "error" in answer and answer.get("error") is not None:
            raise rpc_failure(answer["error"])
        result = answer.get("result")
        if not isinstance(result, dict):
            raise McpServerError(f"{NOT_MCP}: its result is {kind_of(result)}, not an object", other_transport=False)
        return result

    async def call_tool(self, params: Mapping[str, Any], call: Call) -> dict[str, Any]:
        """The result of a tool. Servers of the newer protocol ask for input by a result of their own."""
        for _ in range(_MAX_ROUNDS):
            result = await self.request("tools/call", params, call)
            if result.get("resultType") != "input_required":
                return result
            responses = {}
            for name, request in object_of(result.get("inputRequests")).items():
                given = object_of(request).get("params")
                try:
                    method = str(object_of(request).get("method"))
                    responses[name] = await self._answered(method, given if isinstance(given, dict) else None, call)
                except PeerRefusalError as refusal:
                    raise McpServerError(f"asks for input, which is refused: {refusal}") from None
            if not responses:
                await asyncio.sleep(_ROUND_SECONDS)
            state = {"requestState": result["requestState"]} if "requestState" in result else {}
            params = {**params, **state, **({"inputResponses": responses} if responses else {})}
        raise McpServerError("asks for input again and again")

    def _stamped(self, params: Mapping[str, Any], token: int | None) -> dict[str, Any]:
        """Parameters with what a connection adds to ``_meta``; without it where there is nothing to say."""
        meta = {
            key: value
            for key, value in object_of(params.get("_meta")).items()
            if key != "progressToken" and not key.startswith(_RESERVED)
        }
        if token is not None:
            meta["progressToken"] = token
        if self._version in MODERN_PROTOCOL_VERSIONS:
            meta[PROTOCOL_VERSION_META_KEY] = self._version
            meta[CLIENT_INFO_META_KEY] = _CLIENT
            meta[CLIENT_CAPABILITIES_META_KEY] = self._abilities
        rest = {key: value for key, value in params.items() if key != "_meta"}
        return {**rest, "_meta": meta} if meta else rest

    def _headers(self, method: str, params: Mapping[str, Any]) -> dict[str, str]:
        if not self._version:
            return {}
        headers = {"mcp-protocol-version": self._version}
        if self._version in MODERN_PROTOCOL_VERSIONS and method:
            headers["mcp-method"] = method
            if method == "tools/call":
                headers["mcp-name"] = encode_header_value(str(params.get("name", "")))
        return headers

    async def _cancel(self, number: int) -> None:
        if self._version in MODERN_PROTOCOL_VERSIONS:
            return  # closing the response is the cancellation
        params = {"requestId": number, "reason": "nobody waits for the result any more"}
        method = "notifications/cancelled"
        await self._transport.post({"jsonrpc": "2.0", "method": method, "params": params}, self._headers(method, {}))

    def _background(self, work: Coroutine[Any, Any, None]) -> None:
        async def run() -> None:
            with suppress(McpServerError):
                await work

        task = asyncio.create_task(run(), name="mcp-connection")
        self._loose.add(task)
        task.add_done_callback(self._loose.discard)

    async def _take(self, message: Message, call: Call | None) -> None:
        """A message that is no answer: what the server asks, or tells."""
        method, params = message.get("method"), message.get("params")
        if not isinstance(method, str):
            return
        params = params if isinstance(params, dict) else None
        if "id" in message:
            self._asked_for(message["id"], method, params, call)
        elif method == "notifications/progress":
            self._progressed(object_of(params))
        elif method == "notifications/cancelled":
            task = self._asked.get(str(object_of(params).get("requestId")))
            if task is not None:
                task.cancel()
        elif method == "notifications/tools/list_changed":
            if self._on_tools_changed is not None:
                self._on_tools_changed()
        elif method in {"notifications/message", "notifications/elicitation/complete"}:
            behind = call or self._only_call()
            if behind is not None and behind.peer is not None:
                behind.tell(partial(behind.peer.notify, method, params))

    def _progressed(self, params: Mapping[str, Any]) -> None:
        token: object = params.get("progressToken")
        call = self._calls.get(int(token)) if isinstance(token, int | str) and str(token).isdecimal() else None
        progress, total, words = params.get("progress"), params.get("total"), params.get("message")
        if call is None or call.on_progress is None or not _is_number(progress):
            return
        call.touch()
        call.tell(
            partial(
                call.on_progress,
                progress,
                total if _is_number(total) else None,
                words if isinstance(words, str) else None,
            )
        )

    def _only_call(self) -> Call | None:
        """The call under way, where there is one only: what comes beside it is meant for its client."""
        return next(iter(self._calls.values())) if len(self._calls) == 1 else None

    def _asked_for(self, identifier: Any, method: str, params: dict[str, Any] | None, call: Call | None) -> None:
        behind = call or self._only_call()
        task = asyncio.create_task(self._answer(identifier, method, params, behind), name="mcp-connection")
        self._asked[str(identifier)] = task
        self._loose.add(task)
        task.add_done_callback(self._loose.discard)
        task.add_done_callback(lambda _: self._asked.pop(str(identifier), None))
        if behind is not None:
            behind.asked.add(task)
            task.add_done_callback(behind.asked.discard)

    async def _answer(self, identifier: Any, method: str, params: dict[str, Any] | None, call: Call | None) -> None:
        answer: dict[str, Any]
        try:
            answer = {"result": await self._answered(method, params, call)}
        except PeerRefusalError as refusal:
            answer = {"error": refusal.error}
        except asyncio.CancelledError:
            answer = {"error": {"code": _INTERNAL_ERROR, "message": "the call that this belongs to has ended"}}
            self._background(
                self._transport.post({"jsonrpc": "2.0", "id": identifier, **answer}, self._headers(method, {}))
            )
            raise
        except Exception:  # noqa: BLE001 - whatever became of the client, the server is told
            answer = {"error": {"code": _INTERNAL_ERROR, "message": "the client did not answer"}}
        with suppress(McpServerError):
            await self._transport.post({"jsonrpc": "2.0", "id": identifier, **answer}, self._headers(method, {}))

    async def _answered(self, method: str, params: dict[str, Any] | None, call: Call | None) -> dict[str, Any]:
        if method == "ping":
            return {}
        ability = ABILITY_OF.get(method)
        if ability is None:
            raise _refusal(f"{label_of(method)} is not known here")
        if len(self._asked) > _MAX_ASKED:
            raise _refusal("too many requests at once")
        if call is None:
            why = "no call is under way" if not self._calls else "several calls are under way, and it names none"
            raise _refusal(f"there is no client to pass {method} to: {why}")
        if call.peer is None or ability not in call.peer.abilities:
            raise _refusal(f"the client that made this call does not support {ability}")
        call.touch()
        try:
            return await call.peer.request(method, params)
        finally:
            call.touch()

    async def close(self) -> None:
        """End it, within some seconds."""
        await asyncio.sleep(0)
        leaving = [task for task in self._loose if not task.done()]
        if leaving:
            await asyncio.wait(leaving, timeout=0.05)
        for task in leaving:
            task.cancel()
        await asyncio.gather(*leaving, return_exceptions=True)
        try:
            async with asyncio.timeout(2 * _CLOSING_SECONDS):
                await self._transport.close()
        except TimeoutError:
            pass


def _is_number(value: object) -> TypeIs[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _refusal(message: str) -> PeerRefusalError:
    return PeerRefusalError({"code": _METHOD_NOT_FOUND, "message": message})


async def open_session(
    endpoint: str,
    announced: str,
    *,
    abilities: Mapping[str, Any] | None = None,
    on_tools_changed: ToolsChangedCallback | None = None,
) -> Session:
    """A session over the announced transport, or over the other one where the server does not speak it.

    Raises McpServerError: the first transport's, unless only the second says anything.
    """
    first: McpServerError | None = None
    for transport in transports_for(endpoint, announced):
        session = Session(transport, endpoint, abilities=abilities or {}, on_tools_changed=on_tools_changed)
        try:
            await session.open()
        except BaseException as error:
            await _close_quietly(session)
            if not isinstance(error, McpServerError):
                raise
            if first is not None:
                raise first_cause(first, error) from None
            if not error.other_transport:
                raise
            first = error
        else:
            return session
    raise AssertionError("unreachable: there are two transports")


async def _close_quietly(session: Session) -> None:
    """Close a session that did not come about, also when its opener is being cancelled."""
    closing = asyncio.create_task(session.close(), name="mcp-connection")
    with suppress(asyncio.CancelledError):
        await asyncio.shield(closing)
