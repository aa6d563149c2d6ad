"""The HTTP application: the MCP endpoint, and what is said of it to those who look after it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog
from mcp.server.lowlevel import Server
from mcp.server.transport_security import TransportSecuritySettings
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from mcp_optimizer.errors import OptimizerError
from mcp_optimizer.server.access import REQUEST_ID, AccessMiddleware
from mcp_optimizer.server.metrics import CONTENT_TYPE, Metrics
from mcp_optimizer.server.tokens import read_tokens
from mcp_optimizer.server.transport.endpoint import MAX_SESSIONS, MCP_PATH, McpEndpoint
from mcp_optimizer.text import redact_message

if TYPE_CHECKING:
    from mcp_optimizer.service import DataService

_IDLE_SECONDS = 1800.0
"""A session that nobody used for so long is ended; its client begins another."""

log = structlog.get_logger(__name__)


def make_app(
    server: Server[Any], service: "DataService", metrics: Metrics, *, max_sessions: int = MAX_SESSIONS
) -> ASGIApp:
    """The application, guarded: nothing behind the guard is reached by a request that it refuses. Raises ServeError."""
    settings, pages = service.settings, _Pages(service, metrics)
    app = server.streamable_http_app(
        streamable_http_path=MCP_PATH,
        max_request_body_size=settings.max_request_bytes,
        session_idle_timeout=_IDLE_SECONDS,
        max_sessions=None,  # the endpoint's middleware ends the longest idle one instead of refusing another
        # The access middleware checks Host and Origin, before every route and in every mode.
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
        custom_starlette_routes=[
            Route("/", pages.health, methods=["GET"]),
            Route("/health", pages.health, methods=["GET"]),
            Route("/metrics", pages.metrics, methods=["GET"]),
        ],
    )
    app.router.redirect_slashes = False
    monotonic = service.runtime.monotonic
    endpoint = McpEndpoint(
        app, max_body_bytes=settings.max_request_bytes, monotonic=monotonic, max_sessions=max_sessions
    )
    return AccessMiddleware(endpoint, settings, service.runtime, read_tokens(settings))


@dataclass(frozen=True)
class _Pages:
    service: "DataService"
    figures: Metrics

    async def health(self, _: Request) -> Response:
        """Whether the server is there; asked often, so nothing is looked up for it."""
        return JSONResponse({"status": "ok"})

    async def metrics(self, request: Request) -> Response:
        """Figures for Prometheus. Where the store can't be read the others are given all the same."""
        try:
            overview = await self.service.overview()
        except OptimizerError as error:
            log.warning(
                "figures without the store's",
                request_id=request.scope["state"][REQUEST_ID],
                reason=redact_message(str(error)),
            )
            overview = None
        return Response(self.figures.text(overview), media_type=CONTENT_TYPE)
