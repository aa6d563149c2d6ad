"""The server as the MCP SDK sees it: which tools it lists, and what becomes of a call."""

import time
from typing import Any

import structlog
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp_types import CallToolRequestParams, CallToolResult, ListToolsResult, PaginatedRequestParams
from structlog.contextvars import bound_contextvars

from mcp_optimizer import __version__
from mcp_optimizer.errors import NotFoundError, OptimizerError
from mcp_optimizer.server.answering import Answering, known_arguments
from mcp_optimizer.server.arguments import BadArgumentsError, parsed
from mcp_optimizer.server.guard import REQUEST_ID
from mcp_optimizer.server.offers import INSTRUCTIONS, Offer, offers
from mcp_optimizer.server.passing import Caller, pass_raw_results
from mcp_optimizer.server.results import failed
from mcp_optimizer.server.telemetry import is_configured
from mcp_optimizer.text import public_message

type Context = ServerRequestContext[Any, Any]

NAME = "mcp-optimizer"
_UNKNOWN = "unknown"
"""What a tool that there is not is counted as: names from outside are no labels."""

log = structlog.get_logger(__name__)


class Protocol:
    """Handles requests: each call has an id, is timed, and ends in a result, whatever goes wrong."""

    def __init__(self, answering: Answering) -> None:
        self._answering = answering
        self._surroundings = answering.service.surroundings
        self._offers = offers(answering.service.settings)

    def server(self) -> Server[Any]:
        """A server of these tools, for any transport."""
        made: Server[Any] = Server(
            NAME,
            version=__version__,
            title="MCP optimizer",
            instructions=INSTRUCTIONS,
            on_list_tools=self._list_tools,
            on_call_tool=self._call_tool,
            get_tool_input_schema=lambda _: None,  # none of ours asks for headers; the SDK would look at each call
        )
        if not is_configured():  # what the SDK puts around every request makes spans, and nothing else
            made.middleware.clear()
        made.middleware.append(pass_raw_results)
        return made

    async def _list_tools(self, _: Context, __: PaginatedRequestParams | None) -> ListToolsResult:
        return ListToolsResult(tools=[offer.tool for offer in self._offers.values()])

    async def _call_tool(self, context: Context, params: CallToolRequestParams) -> CallToolResult:
        request_id = self._id_of(context)
        with bound_contextvars(request_id=request_id):
            return await self._timed(context, params, request_id)

    async def _timed(self, context: Context, params: CallToolRequestParams, request_id: str) -> CallToolResult:
        name = params.name if params.name in self._offers else _UNKNOWN
        start, outcome = time.perf_counter(), "cancelled"
        try:
            result = await self._result(context, params, request_id)
            outcome = "error" if result.is_error else "ok"
            return result
        finally:
            seconds = time.perf_counter() - start
            self._answering.metrics.requested(name, outcome, seconds)
            log.info(
                "tool called",
                tool=name,
                outcome=outcome,
                milliseconds=round(1000 * seconds, 1),
                arguments=known_arguments(params.arguments),
            )

    async def _result(self, context: Context, params: CallToolRequestParams, request_id: str) -> CallToolResult:
        try:
            offer = self._offered(params.name)
            arguments = parsed(offer.arguments, offer.tool.name, params.arguments)
            return await self._answering.answer(
                arguments,
                request_id=request_id,
                caller=Caller(context),
                tool=offer.tool.name,
            )
        except (BadArgumentsError, OptimizerError) as error:
            reason = public_message(str(error))
            log.warning("tool call failed", reason=reason)
            return failed(reason)
        except Exception:  # a mistake of ours ends one call, not the server
            log.exception("tool call failed unexpectedly", tool=params.name)
            return failed(f"the call failed unexpectedly; the log has more under the id {request_id}")

    def _offered(self, name: str) -> Offer:
        """Raises NotFoundError, which names those that there are."""
        offer = self._offers.get(name)
        if offer is None:
            known = ", ".join(self._offers)
            raise NotFoundError(f"there is no tool {public_message(name)[:100]} here; there are: {known}")
        return offer

    def _id_of(self, context: Context) -> str:
        state = getattr(getattr(context.request, "state", None), "_state", {})
        return str(state.get(REQUEST_ID) or self._surroundings.new_id())
