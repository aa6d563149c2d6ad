"""ToolHive's API over a :class:`SimulatorState`: the routes that MCP Optimizer uses."""

import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.types import Receive, Scope, Send

from mcp_optimizer.demo.faults import AsgiHandler, Faults, Faulty
from mcp_optimizer.demo.mcp_endpoints import MESSAGES_PATH, McpEndpoints
from mcp_optimizer.demo.simulator_state import SimulatorState, server_json_list

_MAX_PAGE = 200


def simulator_app(state: SimulatorState, faults: Faults, base_url: Callable[[], str]) -> Starlette:
    """The ASGI application. ``base_url`` is asked per request, as the port is only known once it is bound."""
    api = _Api(state, base_url)
    endpoints = McpEndpoints(state, faults.stopping)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        async with endpoints.running():
            yield

    def route(path: str, name: str, answer: Callable[[Request], Any]) -> Route:
        return Route(path, Faulty(name, _answering(answer), faults))

    # A name may hold a slash, so what follows a name stands before what ends with it.
    one = "/api/v1beta/workloads/{name:path}"
    return Starlette(
        lifespan=lifespan,
        routes=[
            route("/health", "health", api.health),
            route("/api/v1beta/version", "version", api.version),
            route("/api/v1beta/groups", "groups", api.groups),
            route("/api/v1beta/registry/default", "registry", api.registry),
            route("/registry/default/v0.1/servers", "registry-pages", api.registry_page),
            route("/api/v1beta/workloads", "workloads", api.workloads),
            route(f"{one}/export", "export", api.export),
            route(f"{one}/status", "status", api.status),
            route(one, "workload", api.workload),
            Route("/workloads/{name:path}/mcp", Faulty("mcp", endpoints.streamable, faults)),
            Route("/workloads/{name:path}/sse", Faulty("mcp", endpoints.sse, faults)),
            Mount(MESSAGES_PATH, endpoints.messages),
        ],
    )


def _answering(answer: Callable[[Request], Any]) -> AsgiHandler:
    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        response: Response = await answer(Request(scope, receive))
        await response(scope, receive, send)

    return handle


class _Api:
    def __init__(self, state: SimulatorState, base_url: Callable[[], str]) -> None:
        self._state = state
        self._base_url = base_url

    async def health(self, _: Request) -> Response:
        return Response(status_code=204)

    async def version(self, _: Request) -> Response:
        return JSONResponse({"version": self._state.version})

    async def groups(self, _: Request) -> Response:
        return JSONResponse({"groups": [{"name": name} for name in self._state.groups()]})

    async def registry(self, _: Request) -> Response:
        catalog = self._state.catalog
        containers = catalog.get("servers")
        return JSONResponse(
            {
                "name": "default",
                "version": catalog.get("version", ""),
                "last_updated": catalog.get("last_updated", ""),
                "server_count": len(containers) if isinstance(containers, dict) else 0,
                "type": "file",
                "source": "",
                "registry": catalog,
            }
        )

    async def registry_page(self, request: Request) -> Response:
        servers = server_json_list(self._state.catalog)
        page = max(_number(request, "page", 1), 1)
        limit = min(max(_number(request, "limit", 50), 1), _MAX_PAGE)
        start = (page - 1) * limit
        metadata = {"total": len(servers), "page": page, "limit": limit}
        return JSONResponse({"servers": servers[start : start + limit], "metadata": metadata})

    async def workloads(self, request: Request) -> Response:
        if request.method == "POST":
            return await self._create(request)
        everything = request.query_params.get("all") == "true"
        group = request.query_params.get("group")
        listing = self._state.listing(base_url=self._base_url(), everything=everything, group=group)
        return JSONResponse({"workloads": listing})

    async def workload(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in self._state.workloads:
            return _not_found()
        if request.method == "DELETE":
            del self._state.workloads[name]
            return Response(status_code=202)
        return JSONResponse(self._state.details(name))

    async def export(self, request: Request) -> Response:
        name = request.path_params["name"]
        return JSONResponse(self._state.export(name)) if name in self._state.workloads else _not_found()

    async def status(self, request: Request) -> Response:
        workload = self._state.workloads.get(request.path_params["name"])
        return JSONResponse({"status": workload.item.get("status", "running")}) if workload else _not_found()

    async def _create(self, request: Request) -> Response:
        try:
            query = json.loads(await request.body())
        except ValueError:
            return PlainTextResponse("Failed to decode request", status_code=400)
        name = query.get("name") if isinstance(query, dict) else None
        if not isinstance(name, str) or not name:
            return PlainTextResponse("A name is needed", status_code=400)
        if name in self._state.workloads:
            return PlainTextResponse("Workload already exists", status_code=409)
        group = str(query.get("group") or "default")
        if query.get("server"):
            if not self._state.start_from_registry(name, str(query["server"]), group):
                return _not_found()
        elif query.get("url"):
            self._state.put(
                {"name": name, "package": "remote", "remote": True, "remote_url": query["url"], "group": group}
            )
        elif query.get("image"):
            self._state.put({"name": name, "package": query["image"], "group": group})
        else:
            return PlainTextResponse("An image, a URL or a server is needed", status_code=400)
        return JSONResponse({"name": name, "port": int(self._base_url().rpartition(":")[2])}, status_code=201)


def _number(request: Request, field: str, default: int) -> int:
    given = request.query_params.get(field, "")
    return int(given) if given.isdigit() and len(given) < 10 else default


def _not_found() -> Response:
    return PlainTextResponse("Workload not found", status_code=404)
