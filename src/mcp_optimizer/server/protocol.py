"""The server as the MCP SDK sees it: which tools it lists, and what becomes of a call."""

import hashlib
import time
from collections.abc import Mapping
from typing import Any

import structlog
from mcp.server.lowlevel import NotificationOptions, Server
from mcp.server.models import InitializationOptions
from mcp.server.subscriptions import ListenHandler
from mcp_types import (
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    SetLevelRequestParams,
)
from structlog.contextvars import bound_contextvars

from mcp_optimizer import __version__
from mcp_optimizer.errors import NotFoundError, OptimizerError
from mcp_optimizer.server.access import REQUEST_ID
from mcp_optimizer.server.arguments import BadArgumentsError
from mcp_optimizer.server.handlers import Caller, ToolHandlers
from mcp_optimizer.server.list_changes import ListChanges
from mcp_optimizer.server.passing import ClientPeer, RequestContext, pass_raw_results, set_log_level
from mcp_optimizer.server.results import failed
from mcp_optimizer.server.telemetry import is_configured
from mcp_optimizer.server.tokens import ACCESS, FULL_ACCESS, Access
from mcp_optimizer.server.tool_specs import INSTRUCTIONS, SERVERS_PLACE, ToolSpec, tool_specs, with_hint
from mcp_optimizer.text import redact_message, shorten

NAME = "mcp-optimizer"
_UNKNOWN = "unknown"
"""What a tool that there is not is counted as: names from outside are no labels."""

log = structlog.get_logger(__name__)


class _ListChangingServer(Server[Any]):
    """A server that says in its handshake that its list of tools changes."""

    def create_initialization_options(
        self, notification_options: NotificationOptions | None = None, *more: Any, **named: Any
    ) -> InitializationOptions:
        """As the SDK makes them, with ``listChanged``."""
        options = notification_options or NotificationOptions(tools_changed=True)
        return super().create_initialization_options(options, *more, **named)


class McpServer:
    """Handles requests: each call has an id, is timed, and ends in a result, whatever goes wrong."""

    def __init__(self, handlers: ToolHandlers, changes: ListChanges) -> None:
        self._handlers = handlers
        self._changes = changes
        self._settings = handlers.service.settings
        self._runtime = handlers.service.runtime

    def server(self) -> Server[Any]:
        """A server of these tools, for any transport."""
        result: Server[Any] = _ListChangingServer(
            NAME,
            version=__version__,
            title="MCP optimizer",
            instructions=INSTRUCTIONS,
            on_list_tools=self._list_tools,
            on_call_tool=self._call_tool,
            on_subscriptions_listen=ListenHandler(self._changes.bus),
            get_tool_input_schema=lambda _: None,  # none of ours asks for headers; the SDK would look at each call
        )
        result.add_request_handler("logging/setLevel", SetLevelRequestParams, set_log_level)
        if not is_configured():  # what the SDK puts around every request makes spans, and nothing else
            result.middleware.clear()
        result.middleware.append(pass_raw_results)
        return result

    async def _list_tools(self, context: RequestContext, _: PaginatedRequestParams | None) -> ListToolsResult:
        access = _access_of(context)
        self._add_client(context, access)
        specs = tool_specs(self._settings, access)
        hint = self._settings.find_tool_hint
        servers = await self._servers(access) if SERVERS_PLACE in hint else []
        tools = [
            with_hint(spec.tool, hint, servers) if name == "find_tool" else spec.tool for name, spec in specs.items()
        ]
        return ListToolsResult(tools=tools)

    def _add_client(self, context: RequestContext, access: Access) -> None:
        """Have a client told of changes; one without a session asks for them by a request of its own."""
        key = _session_key(context)
        if key:
            self._changes.add_client(key, context.session, self._handlers.visibility(access))

    def _session_name(self, context: RequestContext) -> str:
        """What tells a session from others in the store: ids of sessions are secrets, and over stdio there are none.

        Newer clients have no session: what comes over one connection with one token counts as one.
        """
        key = _session_key(context) or _connection_key(context)
        return hashlib.sha256(f"{self._handlers.server_id} {key}".encode()).hexdigest()[:16] if key else ""

    async def _servers(self, access: Access) -> list[str]:
        """The running servers that a caller sees; none where that can't be told now."""
        try:
            return await self._handlers.service.running_workloads(self._handlers.visibility(access))
        except OptimizerError as error:
            log.warning("the hint names no servers", reason=redact_message(str(error)))
            return []

    async def _call_tool(self, context: RequestContext, params: CallToolRequestParams) -> CallToolResult:
        state = _state_of(context)
        request_id = str(state.get(REQUEST_ID) or self._runtime.new_id())
        access: Access = state.get(ACCESS, FULL_ACCESS)
        self._add_client(context, access)
        caller = Caller(request_id, access, ClientPeer(context), params.arguments, self._session_name(context))
        with bound_contextvars(request_id=request_id, **({"token": access.name} if access.name else {})):
            return await self._timed(params, caller)

    async def _timed(self, params: CallToolRequestParams, caller: Caller) -> CallToolResult:
        specs = tool_specs(self._settings, caller.access)
        start, outcome = time.perf_counter(), "cancelled"
        try:
            result = await self._result(specs, params, caller)
            outcome = "error" if result.is_error else "ok"
            return result
        finally:
            name = params.name if params.name in specs else _UNKNOWN
            seconds = time.perf_counter() - start
            self._handlers.metrics.requested(name, outcome, seconds)
            log.info(
                "tool called",
                tool=name,
                outcome=outcome,
                milliseconds=round(1000 * seconds, 1),
                arguments=_argument_names(params.arguments),
            )

    async def _result(
        self, specs: Mapping[str, ToolSpec[Any]], params: CallToolRequestParams, caller: Caller
    ) -> CallToolResult:
        try:
            spec = _spec_named(params.name, specs)
            return await spec.call(self._handlers, params.arguments, caller)
        except (BadArgumentsError, OptimizerError) as error:
            reason = redact_message(str(error))
            log.warning("tool call failed", reason=reason)
            return failed(reason)
        except Exception:  # a mistake of ours ends one call, not the server
            log.exception("tool call failed unexpectedly", tool=shorten(params.name, 100))
            return failed(f"the call failed unexpectedly; the log has more under the id {caller.request_id}")


def _spec_named(name: str, specs: Mapping[str, ToolSpec[Any]]) -> ToolSpec[Any]:
    """Raises NotFoundError, which names those that there are."""
    spec = specs.get(name)
    if spec is None:
        raise NotFoundError(f"unknown tool {redact_message(name)[:100]}; available: {', '.join(specs)}")
    return spec


def _state_of(context: RequestContext) -> Mapping[str, Any]:
    """What the access middleware left for a request; nothing over stdio."""
    return getattr(getattr(context.request, "state", None), "_state", {})


def _session_key(context: RequestContext) -> str:
    """The id of a client's session; empty where it has none."""
    return getattr(context.request, "headers", {}).get("mcp-session-id", "") if context.request is not None else "stdio"


def _connection_key(context: RequestContext) -> str:
    """The address and port that a request came from, and its token's name; empty where they can't be told."""
    client = getattr(context.request, "client", None)
    return f"{client.host} {client.port} {_access_of(context).name}" if client is not None else ""


def _access_of(context: RequestContext) -> Access:
    return _state_of(context).get(ACCESS, FULL_ACCESS)


def _argument_names(arguments: dict[str, Any] | None) -> list[str]:
    """The names of a call's arguments, fit for a log: their values may be secret."""
    return sorted(shorten(str(name), 64) for name in arguments or {})[:20]
