"""The API of an MCP registry over real HTTP on loopback, in the styles of paging that registries have."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

OFFICIAL = "io.modelcontextprotocol.registry/official"


def listed(
    name: str, updated_at: str = "", *, version: str = "1.0.0", status: str = "active", latest: bool = True
) -> Any:
    """One item as the official registry lists it."""
    meta: dict[str, Any] = {"status": status, "isLatest": latest}
    if updated_at:
        meta["updatedAt"] = updated_at
    remotes = [{"type": "streamable-http", "url": f"https://{name}.example/mcp"}]
    server = {"name": f"io.example/{name}", "description": f"Server {name}", "version": version, "remotes": remotes}
    return {"server": server, "_meta": {OFFICIAL: meta}}


type Answer = Callable[["RegistryApi", Request], Response]


def by_cursor(api: "RegistryApi", request: Request) -> Response:
    """As the official registry: a cursor after each page but the last; ``updated_since`` where that is offered."""
    items = api.items
    since = request.query_params.get("updated_since", "")
    if since and api.offers_updated_since:
        items = [item for item in items if item["_meta"][OFFICIAL].get("updatedAt", "") >= since]
    elif api.offers_updated_since:
        items = [item for item in items if item["_meta"][OFFICIAL]["status"] != "deleted"]
    start = int(request.query_params.get("cursor") or 0)
    end = start + min(int(request.query_params.get("limit", 30)), 100)
    metadata: dict[str, Any] = {"count": len(items[start:end])}
    if end < len(items):
        metadata["nextCursor"] = str(end)
    return JSONResponse({"servers": items[start:end], "metadata": metadata})


def by_page(api: "RegistryApi", request: Request) -> Response:
    """As ToolHive: page, limit and a total."""
    limit = min(int(request.query_params.get("limit", 50)), 200)
    page = int(request.query_params.get("page", 1))
    items = api.items[(page - 1) * limit : page * limit]
    return JSONResponse({"servers": items, "metadata": {"total": len(api.items), "page": page, "limit": limit}})


def by_link(api: "RegistryApi", request: Request) -> Response:
    """A header names the next page."""
    start = int(request.query_params.get("start", 0))
    headers = {"link": f'</v0/servers?start={start + 3}>; rel="next"'} if start + 3 < len(api.items) else {}
    return JSONResponse(api.items[start : start + 3], headers=headers)


def whole(api: "RegistryApi", _request: Request) -> Response:
    """All at once, whatever is asked."""
    return JSONResponse({"servers": api.items})


@dataclass
class RegistryApi:
    """Use it as an async context manager. ``faults`` answer the next requests, where not None."""

    items: list[Any]
    answer: Answer = by_cursor
    paths: tuple[str, ...] = ("/v0/servers", "/v0.1/servers")
    offers_updated_since: bool = True
    faults: list[Response | None] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    async def _serve(self, request: Request) -> Response:
        self.requests.append(f"{request.url.path}?{request.url.query}")
        fault = self.faults.pop(0) if self.faults else None
        return fault or self.answer(self, request)

    async def __aenter__(self) -> Self:
        app = Starlette(routes=[Route(path, self._serve) for path in self.paths])
        self._server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, access_log=False))
        self._task = asyncio.create_task(self._server.serve())
        while not self._server.started:  # noqa: ASYNC110 - uvicorn gives no event
            await asyncio.sleep(0.01)
        port = self._server.servers[0].sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        await self._task
