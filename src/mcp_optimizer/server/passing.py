"""Results of called tools as they came, and what their servers ask of the client meanwhile.

The SDK checks a result against its own models, and refuses what it does not know after the tool has been executed.
So a handler gives the SDK an empty result, and the middleware puts the real one in its place.
"""

import asyncio
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final, get_args

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import LOG_LEVEL_META_KEY, CallToolResult, EmptyResult, LoggingLevel, SetLevelRequestParams
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from mcp_optimizer.domain.progress import CallProgressCallback
from mcp_optimizer.domain.tools.calls import ABILITY_OF, PeerRefusalError, RawResult
from mcp_optimizer.server.transport.ready_results import READY_RESULTS, json_of, stand_in

type RequestContext = ServerRequestContext[Any, Any]

_RESULT: ContextVar[list[RawResult] | None] = ContextVar("raw_result", default=None)
_ENVELOPE: Final = ("resultType",)
"""Members of a result that are about our own connection."""
_LEVELS: Final[tuple[str, ...]] = get_args(LoggingLevel)
"""From the least important on."""
_LEAST_LEVEL: Final = "least_log_level"
"""Where a session's level is kept in the state of its connection."""


async def set_log_level(context: RequestContext, params: SetLevelRequestParams) -> EmptyResult:
    """Have a session's client told of log messages of called servers from this level on."""
    context.session._connection.state[_LEAST_LEVEL] = params.level
    return EmptyResult()


def is_logged(level: object, least: str | None) -> bool:
    """Whether a message of a level is passed on; one of a level that MCP does not know is. Pure."""
    if least not in _LEVELS:
        return False
    return level not in _LEVELS or _LEVELS.index(str(level)) >= _LEVELS.index(least)


async def pass_raw_results(ctx: RequestContext, call_next: CallNext) -> HandlerResult:
    """Middleware: put the result that :func:`raw_result` was given in the place of the SDK's."""
    if ctx.method != "tools/call":
        return await call_next(ctx)
    place: list[RawResult] = []
    token = _RESULT.set(place)
    try:
        shaped = await call_next(ctx)
    finally:
        _RESULT.reset(token)
    return await _ready(ctx, enveloped(place[0], shaped)) if place and isinstance(shaped, dict) else shaped


async def _ready(ctx: RequestContext, result: RawResult) -> dict[str, Any]:
    """What the SDK carries in the place of a result that is JSON already."""
    try:
        content = await asyncio.to_thread(json_of, result)
    except RecursionError:
        text = "the tool was executed; its result is nested too deeply to be passed on"
        content = json_of({"content": [{"type": "text", "text": text}], "isError": True})
    carried, name = stand_in(content)
    ready = getattr(getattr(ctx.request, "state", None), READY_RESULTS, None)
    if ready is not None:
        ready[name] = content
    return carried


def enveloped(result: RawResult, shaped: Mapping[str, Any]) -> RawResult:
    """A raw result with what the SDK adds for the version that the client speaks. Pure."""
    ours = {name: shaped[name] for name in _ENVELOPE if name in shaped}
    theirs = {name: member for name, member in result.items() if name not in _ENVELOPE}
    meta, stamped = result.get("_meta"), shaped.get("_meta")
    if isinstance(stamped, Mapping) and isinstance(meta, Mapping | None):
        theirs["_meta"] = {**(meta or {}), **stamped}
    return {**ours, **theirs}


def raw_result(result: RawResult) -> CallToolResult:
    """A stand-in for a result that the middleware passes on as it came."""
    place = _RESULT.get()
    if place is None:
        return CallToolResult.model_validate(result)
    place.append(result)
    return CallToolResult(content=[], is_error=result.get("isError") is True)


@dataclass(frozen=True)
class ClientPeer:
    """The client that made a request: its ``_meta``, how to tell it of progress, and what it can be asked."""

    context: RequestContext

    @property
    def meta(self) -> Mapping[str, Any]:
        """The request's ``_meta``, as it came."""
        meta = (self.context.params or {}).get("_meta")
        return meta if isinstance(meta, Mapping) else {}

    @property
    def on_progress(self) -> CallProgressCallback | None:
        """Tells the client of progress, where it asked to be told."""
        return self.context.session.report_progress if self.meta.get("progressToken") is not None else None

    @property
    def abilities(self) -> Mapping[str, Any]:
        """What the client declared that it can answer, if it can be asked at all."""
        capabilities = self.context.session.client_capabilities
        if capabilities is None or not self.context.session.can_send_request:
            return {}
        declared = capabilities.model_dump(by_alias=True, mode="json", exclude_none=True)
        return {name: declared[name] for name in ABILITY_OF.values() if name in declared}

    async def request(self, method: str, params: Mapping[str, Any] | None) -> dict[str, Any]:
        """What the client answers, as it came. Raises PeerRefusalError."""
        try:
            return await self.context.session._request_outbound.send_raw_request(method, params)
        except MCPError as error:
            raise PeerRefusalError(error.error.model_dump(mode="json", exclude_none=True)) from None

    @property
    def _least_level(self) -> str | None:
        """From which level on the client wants log messages; None for no message at all."""
        if self.context.protocol_version in MODERN_PROTOCOL_VERSIONS:
            return self.meta.get(LOG_LEVEL_META_KEY)
        return self.context.session._connection.state.get(_LEAST_LEVEL, _LEVELS[0])

    async def notify(self, method: str, params: Mapping[str, Any] | None) -> None:
        """Pass a notification on; to newer clients log messages only where they asked for them."""
        if method == "notifications/message" and not is_logged((params or {}).get("level"), self._least_level):
            return
        await self.context.session._request_outbound.notify(method, params)
