"""The MCP servers of the simulated workloads: real protocol, all on one HTTP server, nothing started per workload."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Any

import anyio
from mcp.server.lowlevel import Server
from mcp.server.sse import SseServerTransport
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    Tool,
)
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from mcp_optimizer.demo.simulator_state import SimulatorState

MESSAGES_PATH = "/mcp-messages/"


class McpEndpoints:
    """Streamable HTTP and SSE endpoints for every workload of ``state``. ``stopping`` ends open SSE streams."""

    def __init__(self, state: SimulatorState, stopping: asyncio.Event) -> None:
        self._state = state
        self._stopping = stopping
        self._sse = SseServerTransport(MESSAGES_PATH)
        # One stateless manager serves all: which workload is meant stands in the path of each request.
        self._streamable = StreamableHTTPSessionManager(self._server(None), json_response=True, stateless=True)

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """The time in which requests can be handled."""
        async with self._streamable.run():
            yield

    async def streamable(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The endpoint ``/workloads/NAME/mcp``."""
        if await self._refused(scope, receive, send, sse=False):
            return
        await self._streamable.handle_request(scope, receive, send)

    async def sse(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The endpoint ``/workloads/NAME/sse``."""
        if await self._refused(scope, receive, send, sse=True):
            return
        if scope["method"] != "GET":
            await PlainTextResponse("only GET opens a stream", status_code=405)(scope, receive, send)
            return
        server = self._server(scope["path_params"]["name"])
        async with self._sse.connect_sse(scope, receive, send) as (read_stream, write_stream):
            options = server.create_initialization_options()
            serving = asyncio.ensure_future(server.run(read_stream, write_stream, options))
            stopped = asyncio.ensure_future(self._stopping.wait())
            await asyncio.wait({serving, stopped}, return_when=asyncio.FIRST_COMPLETED)
            for task in (serving, stopped):
                task.cancel()
                with suppress(asyncio.CancelledError, anyio.BrokenResourceError, anyio.ClosedResourceError):
                    await task

    async def messages(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The endpoint to which clients of SSE post their messages."""
        await self._sse.handle_post_message(scope, receive, send)

    async def _refused(self, scope: Scope, receive: Receive, send: Send, *, sse: bool) -> bool:
        workload = self._state.workloads.get(scope["path_params"]["name"])
        if workload is not None and workload.running and workload.uses_sse is sse:
            return False
        await PlainTextResponse("no such MCP server", status_code=404)(scope, receive, send)
        return True

    def _server(self, fixed_name: str | None) -> Server[Any]:
        """A server for one workload, or for the one that each request's path names."""

        def tools_of(context: Any) -> tuple[str, list[Tool]]:
            name = context.request.path_params["name"] if fixed_name is None else fixed_name
            workload = self._state.workloads.get(name)
            return name, [Tool.model_validate(tool) for tool in (workload.tools if workload else None) or []]

        async def list_tools(context: Any, params: PaginatedRequestParams | None) -> ListToolsResult:
            _, tools = tools_of(context)
            size = self._state.tools_page_size or len(tools) or 1
            start = _cursor(params)
            more = start + size < len(tools)
            return ListToolsResult(tools=tools[start : start + size], next_cursor=str(start + size) if more else None)

        async def call_tool(context: Any, params: CallToolRequestParams) -> CallToolResult:
            name, tools = tools_of(context)
            if params.name not in {tool.name for tool in tools}:
                return _text(f"{name} has no tool {params.name}", is_error=True)
            arguments = json.dumps(params.arguments or {}, sort_keys=True, ensure_ascii=False)
            return _text(f"{name} answered {params.name} with {arguments}")

        return Server("toolhive-simulator", version="1", on_list_tools=list_tools, on_call_tool=call_tool)


def _cursor(params: PaginatedRequestParams | None) -> int:
    cursor = params.cursor if params else None
    if not cursor:
        return 0
    if not cursor.isdigit():
        raise MCPError(code=INVALID_PARAMS, message="unknown cursor")
    return int(cursor)


def _text(text: str, *, is_error: bool = False) -> CallToolResult:
    return CallToolResult(content=[TextContent(type="text", text=text)], is_error=is_error)
