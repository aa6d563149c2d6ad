"""Running the server: over HTTP or stdio, polling its sources beside it, seen by others on the same database."""

import asyncio
import contextlib
import signal
import socket
import time
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, cast

import structlog
import uvicorn
from sse_starlette.sse import AppStatus
from starlette.types import ASGIApp

from mcp_optimizer.config import Settings
from mcp_optimizer.errors import OptimizerError, ServeError
from mcp_optimizer.event_loop import spare_what_stays
from mcp_optimizer.server.access_rules import bind_refusal
from mcp_optimizer.server.app import make_app
from mcp_optimizer.server.handlers import ToolHandlers
from mcp_optimizer.server.learning import learn_when_due
from mcp_optimizer.server.list_changes import ListChanges
from mcp_optimizer.server.metrics import Metrics
from mcp_optimizer.server.protocol import McpServer
from mcp_optimizer.server.telemetry import tracing
from mcp_optimizer.server.tokens import read_tokens
from mcp_optimizer.server.tool_changes import ToolChanges
from mcp_optimizer.server.transport.endpoint import MCP_PATH
from mcp_optimizer.server.transport.http import ConnectionLimits, HeaderLimitProtocol, max_connections
from mcp_optimizer.server.transport.stdio import StdioServer
from mcp_optimizer.server.workers.pool import SearchPool
from mcp_optimizer.text import redact_message

if TYPE_CHECKING:
    from mcp_optimizer.service import DataService

_SHUTDOWN_SECONDS = 5
"""How long calls that are under way may take when the server is asked to end."""

_DRAIN_POLL_SECONDS = 0.05
_STREAM_END_SECONDS = 1
"""How long streams may take to end once they are told to."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Running:
    """What is put together for a transport."""

    protocol: McpServer
    metrics: Metrics
    changes: ListChanges


@asynccontextmanager
async def running(
    service: "DataService", *, address: str, transport: str, source: str | None = None
) -> AsyncGenerator[Running]:
    """An open service that polls, and says that it is there, for as long as the block runs."""
    metrics = Metrics()
    polling = service.polling(source, on_poll=metrics.polled)
    pool = SearchPool(service, most=0 if transport == "stdio" else service.settings.most_search_processes())
    metrics.searched_in(lambda: pool.processes)
    tool_changes = ToolChanges(polling, service.runtime)
    service.tell_of_tool_changes(tool_changes.note)
    handlers = ToolHandlers(service, metrics, polling, pool.counted)
    changes = ListChanges(service)
    async with service.presence.kept(address=address, transport=transport, polls=lambda: polling.polls) as server:
        handlers.server_id = server.id
        tasks = [
            asyncio.create_task(polling.run(), name="polling"),
            asyncio.create_task(_warm_up(service), name="warming up"),
            asyncio.create_task(tool_changes.run(), name="tool changes"),
            asyncio.create_task(changes.run(), name="list changes"),
            asyncio.create_task(learn_when_due(service), name="learning"),
        ]
        try:
            async with pool.kept():
                with tracing():
                    yield Running(McpServer(handlers, changes), metrics, changes)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _warm_up(service: "DataService") -> None:
    """So that the first agent does not wait for the model; whatever is in the way is told to those who search."""
    try:
        await service.warm_up()
    except OptimizerError as error:
        log.warning("not ready to search", reason=redact_message(str(error)))


async def serve_http(
    service: "DataService", *, source: str | None = None, on_ready: Callable[[str], None] | None = None
) -> None:
    """Serve over streamable HTTP until a signal ends it. ``on_ready`` gets the URL once requests are taken.

    Raises ServeError where the settings would expose it unprotected, or the address can't be had.
    """
    settings = service.settings
    with contextlib.closing(bound_socket(settings)) as listening:
        url = url_of(settings.mcp_host, listening.getsockname()[1])
        async with running(service, address=url, transport="streamable-http", source=source) as result:
            config = http_config(make_app(result.protocol.server(), service, result.metrics))
            log.info("serving", url=url)
            await HttpServer(config, lambda: on_ready(url) if on_ready else None).serve(sockets=[listening])


def http_config(
    app: ASGIApp, *, leave_seconds: int = _SHUTDOWN_SECONDS, limits: ConnectionLimits | None = None
) -> uvicorn.Config:
    """How an application is served over HTTP. ``leave_seconds``: for calls that are under way at the end."""
    limits = limits or ConnectionLimits(connections=max_connections())
    return uvicorn.Config(
        app,
        http=cast("type[HeaderLimitProtocol]", partial(HeaderLimitProtocol, limits=limits)),
        ws="none",
        proxy_headers=False,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=leave_seconds,
        timeout_keep_alive=30,
    )


class HttpServer(uvicorn.Server):
    """Tells when it takes requests; at its end it lets calls under way finish, and takes no new ones."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """End in order at a signal, and let what stands around the server end in order too."""
        loop, signals = asyncio.get_running_loop(), (signal.SIGINT, signal.SIGTERM)
        for number in signals:
            loop.add_signal_handler(number, self.end)
        try:
            yield
        finally:
            for number in signals:
                loop.remove_signal_handler(number)

    def end(self) -> None:
        """Begin to end; at once where that was asked for before."""
        self.force_exit = self.should_exit
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and tell."""
        await super().startup(sockets=sockets)
        spare_what_stays()
        self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let requests finish, but not the streams on which clients listen for whatever comes: these end themselves."""
        for listening in sockets or []:
            listening.close()
        for server in self.servers:
            server.close()
        until = time.monotonic() + (self.config.timeout_graceful_shutdown or 0)
        for connection in list(self.server_state.connections):
            connection.shutdown()
        while self._calls_under_way() and time.monotonic() < until and not self.force_exit:  # noqa: ASYNC110 (as uvicorn)
            await asyncio.sleep(_DRAIN_POLL_SECONDS)
        self.config.timeout_graceful_shutdown = _STREAM_END_SECONDS
        AppStatus.should_exit = True
        try:
            await super().shutdown(sockets=sockets)
        finally:
            AppStatus.should_exit = False

    def _calls_under_way(self) -> bool:
        return any(
            isinstance(connection, HeaderLimitProtocol) and connection.is_called
            for connection in self.server_state.connections
        )


async def serve_stdio(service: "DataService", *, source: str | None = None) -> int:
    """Serve one client over stdin and stdout, until it leaves or a signal ends it; what to leave with."""
    stdio = StdioServer(max_line_bytes=service.settings.max_request_bytes)
    with stdio.signals():
        async with running(service, address="stdio", transport="stdio", source=source) as result:
            await stdio.serve(result.protocol.server())
    return stdio.exit_code


def bound_socket(settings: Settings) -> socket.socket:
    """A socket that listens where the settings say. Raises ServeError with the reason and what to do."""
    has_token = bool(read_tokens(settings))
    refused = bind_refusal(settings.mcp_host, has_token=has_token, allowed_hosts=settings.allowed_hosts)
    if refused is not None:
        raise ServeError(
            refused, remedy="set MCP_OPTIMIZER_MCP_TOKEN and MCP_OPTIMIZER_ALLOWED_HOSTS, or bind 127.0.0.1"
        )
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.mcp_host.strip("[]"), settings.mcp_port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ServeError(f"{settings.mcp_host} is no address of this machine: {error.strerror or error}") from error
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(512)
    except OSError as error:
        listening.close()
        raise ServeError(
            f"can't listen at {settings.mcp_host}:{settings.mcp_port}: {error.strerror or error}",
            remedy="name another port with --port, or end what uses it",
        ) from error
    return listening


def url_of(host: str, port: int) -> str:
    """Where clients reach the server; one that is bound to every address is reached on this machine by loopback."""
    name = "127.0.0.1" if host in {"0.0.0.0", "::"} else host.strip("[]")  # noqa: S104 (compared, not bound)
    shown = f"[{name}]" if ":" in name else name
    return f"http://{shown}:{port}{MCP_PATH}"
