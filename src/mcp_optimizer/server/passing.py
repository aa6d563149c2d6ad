"""Results of called tools as they came, and what their servers ask of the client meanwhile.

The SDK checks a result against its own models, and refuses what it does not know after the tool has been executed.
So a handler gives the SDK an empty result, and the middleware puts the real one in its place.
"""

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import LOG_LEVEL_META_KEY, CallToolResult
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from mcp_optimizer.domain.progress import CallProgressCallback
from mcp_optimizer.domain.tools.calls import ABILITY_OF, PeerRefusalError, RawResult

type RequestContext = ServerRequestContext[Any, Any]

_RESULT: ContextVar[list[RawResult] | None] = ContextVar("raw_result", default=None)
_ENVELOPE: Final = ("resultType",)
"""Members of a result that are about our own connection."""


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
    return enveloped(place[0], shaped) if place and isinstance(shaped, dict) else shaped


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

    async def notify(self, method: str, params: Mapping[str, Any] | None) -> None:
        """Pass a notification on; to newer clients log messages only where they asked for them."""
        modern = self.context.protocol_version in MODERN_PROTOCOL_VERSIONS
        if modern and method == "notifications/message" and LOG_LEVEL_META_KEY not in self.meta:
            return
        await self.context.session._request_outbound.notify(method, params)
