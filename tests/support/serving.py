"""The MCP server on loopback, in the test's own loop, and clients of it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import uvicorn
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from mcp_optimizer.server.app import make_app
from mcp_optimizer.server.runner import Running, bound_socket, http_config, running, url_of
from mcp_optimizer.server.transport.endpoint import MAX_SESSIONS
from mcp_optimizer.server.transport.http import ConnectionLimits
from mcp_optimizer.service import DataService


class _Quiet(uvicorn.Server):
    """Leaves signals to the test runner."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[Any] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.ready.set()

    async def serve(self, sockets: list[Any] | None = None) -> None:
        await self._serve(sockets)


@asynccontextmanager
async def served(
    service: DataService,
    *,
    source: str | None = None,
    max_sessions: int = MAX_SESSIONS,
    limits: ConnectionLimits | None = None,
) -> AsyncGenerator[tuple[str, Running]]:
    """The URL of a server of this service, which stays the caller's, and what it was put together from."""
    listening = bound_socket(service.settings)
    url = url_of(service.settings.mcp_host, listening.getsockname()[1])
    async with running(service, address=url, transport="streamable-http", source=source) as made:
        app = make_app(made.protocol.server(), service, made.metrics, max_sessions=max_sessions)
        server = _Quiet(http_config(app, leave_seconds=1, limits=limits))
        task = asyncio.create_task(server.serve([listening]))
        try:
            await asyncio.wait_for(server.ready.wait(), 10)
            yield url, made
        finally:
            server.should_exit = True
            await asyncio.wait_for(task, 10)
            listening.close()


@asynccontextmanager
async def client_of(url: str, headers: dict[str, str] | None = None) -> AsyncGenerator[Client]:
    """The official client, over streamable HTTP."""
    async with (
        httpx2.AsyncClient(headers=headers, timeout=30, trust_env=False) as http,
        Client(streamable_http_client(url, http_client=http)) as client,
    ):
        yield client
