"""A Kubernetes API server that is none: lists custom resources of ToolHive on loopback, with the faults asked for."""

import asyncio
import itertools
import json
import socket
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from mcp_optimizer.demo.faults import Fault, Faults, Faulty

GROUP = "toolhive.stacklok.dev"
PLURALS = {
    "MCPServer": "mcpservers",
    "MCPRemoteProxy": "mcpremoteproxies",
    "MCPServerEntry": "mcpserverentries",
    "VirtualMCPServer": "virtualmcpservers",
}
SECRET = "canary-7d30-not-a-real-secret"
"""Stands where resources hold what must never be stored."""

type Json = dict[str, Any]


def resource(kind: str, key: str, spec: Json | None = None, status: Json | None = None, **metadata: Any) -> Json:
    """A custom resource as the API server gives it, secrets in all the places that may have some."""
    namespace, _, name = key.partition("/")
    secrets = {
        "env": [{"name": "API_KEY", "value": SECRET}],
        "headerForward": {"addPlaintextHeaders": {"X-Api-Key": SECRET}},
        "secrets": [{"name": SECRET, "key": SECRET}],
        "podTemplateSpec": {"spec": {"containers": [{"env": [{"name": "A", "value": SECRET}]}]}},
        "args": [f"--token={SECRET}"],
    }
    annotations = {"kubectl.kubernetes.io/last-applied-configuration": json.dumps(secrets)}
    return {
        "apiVersion": f"{GROUP}/v1beta1",
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace, "annotations": annotations, "uid": key, **metadata},
        "spec": {**secrets, **(spec or {})},
        "status": {"phase": "Ready", **(status or {})},
    }


class FakeApiServer:
    """Use it as an async context manager; ``url`` is its base URL while it runs.

    ``resources``: what there is, by plural, in any order. ``versions``: those of the API that each plural is served in.
    ``forbidden``: (plural, namespace) that may not be listed, ``""`` being the whole cluster. ``token``: what it wants.
    ``certificate``: certificate and key to serve TLS with.
    """

    def __init__(
        self, *resources: Any, token: str = "", page_size: int = 500, certificate: tuple[Path, Path] | None = None
    ) -> None:
        self.resources: dict[str, list[Any]] = {plural: [] for plural in PLURALS.values()}
        self.versions = dict.fromkeys(PLURALS.values(), ("v1beta1", "v1alpha1"))
        self.forbidden: set[tuple[str, str]] = set()
        self.token = token
        self.page_size = page_size
        self._certificate = certificate
        self.requests: list[str] = []
        self.on_page: Callable[[], None] = lambda: None
        """Called after each page that others follow."""
        self.url = ""
        self.faults = Faults()
        self._snapshots: dict[int, list[Any]] = {}
        self._numbers = itertools.count()
        self.put(*resources)

    def put(self, *resources: Json) -> None:
        """Add resources, or replace those of the same kind and name."""
        for item in resources:
            self.remove(item["kind"], f"{item['metadata']['namespace']}/{item['metadata']['name']}")
            self.resources[PLURALS[item["kind"]]].append(item)

    def remove(self, kind: str, key: str) -> None:
        """Remove a resource, if it is there."""
        here = self.resources[PLURALS[kind]]
        here[:] = [item for item in here if _key(item) != key]

    def fault(self, plural: str, fault: Fault | None) -> None:
        """Let the listing of a kind go wrong; None puts it right."""
        self.faults.set(plural, fault)

    def expire(self) -> None:
        """Forget what pages follow from: who asks for the next one is told that it is gone."""
        self._snapshots.clear()

    async def __aenter__(self) -> Self:
        app = Starlette(
            routes=[
                Route("/version", self._version),
                Route(f"/apis/{GROUP}/{{version}}/{{plural}}", self._list),
                Route(f"/apis/{GROUP}/{{version}}/namespaces/{{namespace}}/{{plural}}", self._list),
            ]
        )
        listening = socket.create_server(("127.0.0.1", 0))
        config = uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=1)
        if self._certificate:
            config.ssl_certfile, config.ssl_keyfile = map(str, self._certificate)
        self.url = f"{'https' if self._certificate else 'http'}://127.0.0.1:{listening.getsockname()[1]}"
        self._server = _Server(config)
        self._serving = asyncio.create_task(self._server.serve(sockets=[listening]))
        while not self._server.started:  # noqa: ASYNC110 - uvicorn gives no event
            await asyncio.sleep(0.001)
        return self

    async def __aexit__(self, *exception: object) -> None:
        self.faults.stopping.set()
        self._server.should_exit = True
        await self._serving

    async def _version(self, request: Request) -> Response:
        return JSONResponse({"major": "1", "minor": "34", "gitVersion": "v1.34.1"})

    async def _list(self, request: Request) -> Response:
        """The route of a listing; a fault is that of its kind."""
        self.requests.append(f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path)

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            await self._answer(request)(scope, receive, send)

        return _Asgi(Faulty(request.path_params["plural"], answer, self.faults))

    def _answer(self, request: Request) -> Response:
        version, plural = request.path_params["version"], request.path_params["plural"]
        namespace = request.path_params.get("namespace", "")
        if self.token and request.headers.get("authorization") != f"Bearer {self.token}":
            return _status(401, "Unauthorized", "Unauthorized")
        if (plural, namespace) in self.forbidden:
            return _status(403, "Forbidden", f'{plural}.{GROUP} is forbidden: User "a" cannot list resource "{plural}"')
        if version not in self.versions.get(plural, ()):
            return PlainTextResponse("404 page not found\n", status_code=404)
        return self._page(plural, namespace, request.query_params)

    def _page(self, plural: str, namespace: str, query: Any) -> Response:
        size = min(int(query.get("limit", self.page_size)), self.page_size)
        snapshot, start = next(self._numbers), 0
        if "continue" in query:
            snapshot, start = json.loads(urlsafe_b64decode(query["continue"]))
            if snapshot not in self._snapshots:
                return _status(410, "Expired", "The provided continue parameter is too old")
        else:
            every = self.resources[plural]
            self._snapshots[snapshot] = [item for item in every if not namespace or _namespace(item) == namespace]
        here = self._snapshots[snapshot]
        metadata: Json = {"resourceVersion": "1"}
        if start + size < len(here):
            metadata["continue"] = urlsafe_b64encode(json.dumps([snapshot, start + size]).encode()).decode()
            metadata["remainingItemCount"] = len(here) - start - size
        page = {"kind": "List", "apiVersion": "v1", "metadata": metadata, "items": here[start : start + size] or None}
        answer = JSONResponse(page)
        if "continue" in metadata:
            self.on_page()
        return answer


class _Asgi(Response):
    """A response that another ASGI endpoint gives."""

    def __init__(self, endpoint: Faulty) -> None:
        super().__init__()
        self._endpoint = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._endpoint(scope, receive, send)


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


def _status(code: int, reason: str, message: str) -> Response:
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "reason": reason}
    return JSONResponse({**body, "code": code}, status_code=code)


def _namespace(item: Any) -> str:
    metadata = item.get("metadata") if isinstance(item, dict) else None
    return str(metadata.get("namespace", "")) if isinstance(metadata, dict) else ""


def _key(item: Any) -> str:
    metadata = item.get("metadata") if isinstance(item, dict) else None
    return f"{metadata.get('namespace')}/{metadata.get('name')}" if isinstance(metadata, dict) else ""
