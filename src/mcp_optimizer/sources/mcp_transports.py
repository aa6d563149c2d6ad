"""The ways to an MCP server: streamable HTTP, SSE, and the handshake that comes first on both."""

import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final

import httpx2
from mcp.client.session import ClientSession
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from mcp_types import DiscoverResult, Implementation
from mcp_types.version import LATEST_MODERN_VERSION

from mcp_optimizer.sources.bounded_http import Answers, bounded_client

CLIENT: Final = Implementation(name="mcp-optimizer", version="0")

# The SDK logs what servers sent, which may be secret, with a traceback; what went wrong is in the errors we raise.
_SDK_LOG: Final = logging.getLogger("mcp.client")
_SDK_LOG.propagate = False
_SDK_LOG.addHandler(logging.NullHandler())

type Streams = AbstractAsyncContextManager[tuple[Any, Any]]
type Transport = Callable[[str, Answers], Streams]


def transports_for(endpoint: str, transport: str) -> tuple[Transport, ...]:
    """The transports to try at an endpoint, in order. ``transport`` is ToolHive's proxy mode or transport."""
    says_sse = endpoint.partition("?")[0].rstrip("/").endswith("/sse")
    if transport == "sse" or (says_sse and transport != "streamable-http"):
        return (_sse,)
    return (_streamable, _sse)


@asynccontextmanager
async def _streamable(endpoint: str, answers: Answers) -> AsyncGenerator[tuple[Any, Any]]:
    async with (
        bounded_client(answers, endpoint) as client,
        streamable_http_client(endpoint, http_client=client, max_sse_event_size=answers.max_bytes) as streams,
    ):
        yield streams


@asynccontextmanager
async def _sse(endpoint: str, answers: Answers) -> AsyncGenerator[tuple[Any, Any]]:
    def client(headers: Any = None, timeout: Any = None, auth: Any = None) -> httpx2.AsyncClient:
        return bounded_client(answers, endpoint, headers=headers, auth=auth)

    async with sse_client(endpoint, httpx_client_factory=client) as streams:
        yield streams


async def shake_hands(session: ClientSession) -> None:
    """The handshake nearly every server knows; the newer discovery for one that knows nothing else."""
    try:
        await session.initialize()
    except MCPError as refusal:
        try:
            session.adopt(DiscoverResult.model_validate(await session.send_discover(LATEST_MODERN_VERSION)))
        except (MCPError, ValueError, RuntimeError):
            raise refusal from None
