"""An MCP server of the official SDK, in the test's own loop, whose tools do what a test needs."""

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Any

import anyio
import uvicorn
from mcp.server.lowlevel import Server
from mcp.server.sse import SseServerTransport
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.shared.exceptions import MCPError
from mcp_types import CallToolRequestParams, CallToolResult, TextContent
from starlette.applications import Starlette
from starlette.routing import Mount, Route
from starlette.types import Receive, Scope, Send

RESULTS: dict[str, dict[str, Any]] = {
    "everything": {
        "content": [
            {"type": "text", "text": "words", "annotations": {"audience": ["user"], "priority": 0.5}},
            {"type": "image", "data": "aW1hZ2U=", "mimeType": "image/png"},
            {"type": "audio", "data": "c291bmQ=", "mimeType": "audio/wav"},
            {"type": "resource", "resource": {"uri": "file:///a.txt", "mimeType": "text/plain", "text": "embedded"}},
            {"type": "resource", "resource": {"uri": "file:///b.bin", "blob": "YmxvYg=="}},
            {"type": "resource_link", "uri": "file:///c.txt", "name": "c", "description": "linked"},
        ],
        "structuredContent": {"deep": [{"a": None, "ü": 1.5}]},
        "_meta": {"example.org/cost": 3},
        "isError": False,
    },
    "failing": {"content": [{"type": "text", "text": "the disk is full"}], "isError": True},
    "wide": {"content": [{"type": "image", "data": "QUJD" * 500_000, "mimeType": "image/png"}], "isError": False},
}


class ToolServer:
    """Streamable HTTP at ``/mcp``, SSE at ``/sse``. A restart forgets every session."""

    def __init__(self) -> None:
        self.started = 0
        """Calls of ``slow`` that began."""
        self.cancelled = 0
        """Those that a client cancelled."""
        self.port = 0
        self._server: uvicorn.Server | None = None
        self._serving: asyncio.Task[None] | None = None

    def url(self, transport: str) -> str:
        """Its endpoint for a transport."""
        return f"http://127.0.0.1:{self.port}/{'sse' if transport == 'sse' else 'mcp'}"

    async def call(self, context: Any, params: CallToolRequestParams) -> CallToolResult:
        """What its tools do."""
        if params.name == "slow":
            self.started += 1
            try:
                for step in range(3):
                    await context.session.report_progress(step + 1, 3, f"step {step + 1}")
                await asyncio.sleep(float((params.arguments or {}).get("seconds", 30)))
            except (asyncio.CancelledError, anyio.get_cancelled_exc_class()):
                self.cancelled += 1
                raise
            return CallToolResult(content=[TextContent(type="text", text="done")])
        if params.name == "refused":
            raise MCPError(code=-32000, message="too many calls today")
        return CallToolResult.model_validate(RESULTS[params.name], by_alias=True)

    async def start(self) -> None:
        """Bind (the same port again after a stop) and serve."""
        lowlevel: Server[Any] = Server("tool-server", version="1", on_call_tool=self.call)
        manager = StreamableHTTPSessionManager(lowlevel)
        sse = SseServerTransport("/messages/")

        @asynccontextmanager
        async def lifespan(_: Starlette) -> AsyncGenerator[None]:
            async with manager.run():
                yield

        class Sse:
            async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
                with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
                    async with sse.connect_sse(scope, receive, send) as (reading, writing):
                        await lowlevel.run(reading, writing, lowlevel.create_initialization_options())

        class Streamable:
            async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
                await manager.handle_request(scope, receive, send)

        routes = [
            Route("/mcp", Streamable(), methods=["GET", "POST", "DELETE"]),
            Route("/sse", Sse()),
            Mount("/messages/", sse.handle_post_message),
        ]
        config = uvicorn.Config(
            Starlette(routes=routes, lifespan=lifespan),
            log_config=None,
            log_level="critical",
            access_log=False,
            timeout_graceful_shutdown=1,
        )
        listening = socket.socket()
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", self.port))
        self.port = listening.getsockname()[1]
        self._server = uvicorn.Server(config)
        self._serving = asyncio.create_task(self._server._serve([listening]))
        while not self._server.started:  # noqa: ASYNC110 - uvicorn gives no event
            await asyncio.sleep(0.005)

    async def stop(self) -> None:
        """End all answers under way and close the port."""
        assert self._server is not None
        assert self._serving is not None
        self._server.should_exit = True
        self._server.force_exit = True
        await asyncio.wait_for(self._serving, 10)
