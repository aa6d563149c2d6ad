"""A ToolHive that is none: its API and real MCP endpoints on loopback, for the demonstration, tests and benchmarks."""

import asyncio
import json
import socket
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import uvicorn

from mcp_optimizer.demo.faults import Fault, Faults
from mcp_optimizer.demo.sample import sample_catalog, sample_workloads
from mcp_optimizer.demo.simulator_api import simulator_app
from mcp_optimizer.demo.simulator_state import SimulatorState, endpoint_url
from mcp_optimizer.errors import SourceError

_LOOPBACK = "127.0.0.1"


class ToolHiveSimulator:
    """A simulated ToolHive. Use it as an async context manager; ``url`` is its base URL while it runs.

    Without a catalog or workloads it has those of the sample. ``port`` 0 takes a free one. It binds loopback only.
    """

    def __init__(
        self,
        *,
        catalog: Mapping[str, Any] | None = None,
        workloads: Iterable[Mapping[str, Any]] | None = None,
        port: int = 0,
    ) -> None:
        self.state = SimulatorState(catalog=dict(sample_catalog() if catalog is None else catalog))
        for item in sample_workloads() if workloads is None else workloads:
            self.state.put(item)
        self._port = port
        self._faults = Faults()
        self._url = ""
        self._server: _Server | None = None
        self._serving: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """The base URL, ``http://127.0.0.1:PORT``; empty before it has started."""
        return self._url

    def set_catalog(self, catalog: Mapping[str, Any]) -> None:
        """Replace the catalog."""
        self.state.catalog = dict(catalog)

    def put_workload(self, item: Mapping[str, Any]) -> None:
        """Add or replace a workload, in a snapshot file's fields."""
        self.state.put(item)

    def remove_workload(self, name: str) -> None:
        """Remove a workload, if it is there."""
        self.state.workloads.pop(name, None)

    def set_tools(self, name: str, tools: Iterable[Mapping[str, Any]]) -> None:
        """Replace the tools of a workload."""
        self.state.workloads[name].tools = [dict(tool) for tool in tools]

    def set_status(self, name: str, status: str, context: str = "") -> None:
        """Change the status of a workload; only a ``running`` one answers by MCP."""
        self.state.workloads[name].item.update(status=status, status_context=context)

    def set_fault(self, key: str, fault: Fault | None) -> None:
        """Let a route go wrong (``workloads``), or one workload's (``export:fetch``); None puts it right again."""
        self._faults.set(key, fault)

    def endpoint(self, name: str) -> str:
        """Where the MCP server of a workload answers."""
        return endpoint_url(self._url, self.state.workloads[name])

    async def start(self) -> None:
        """Bind and serve. Raises :class:`SourceError` when the port is taken."""
        app = simulator_app(self.state, self._faults, lambda: self._url)
        # What goes wrong here goes wrong on purpose; nothing of it belongs on a terminal.
        config = uvicorn.Config(
            app, log_config=None, log_level="critical", access_log=False, lifespan="on", timeout_graceful_shutdown=1
        )
        listening = _bound_socket(self._port)
        self._url = f"http://{_LOOPBACK}:{listening.getsockname()[1]}"
        self._server = _Server(config)
        self._serving = asyncio.create_task(self._server.serve(sockets=[listening]), name="toolhive-simulator")
        while not self._server.started and not self._serving.done():  # noqa: ASYNC110 - uvicorn gives no event
            await asyncio.sleep(0.001)
        if self._serving.done():
            listening.close()
            await self._serving
            raise SourceError("the simulator did not start")

    async def stop(self) -> None:
        """End all answers under way and close the port."""
        self._faults.stopping.set()
        if self._server is not None and self._serving is not None:
            self._server.should_exit = True
            await self._serving
        self._url = ""

    async def serve_forever(self) -> None:
        """Serve until cancelled; for the foreground command."""
        if self._serving is not None:
            await asyncio.shield(self._serving)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.stop()


class _Server(uvicorn.Server):
    """Leaves signals alone: they belong to the program in which the simulator runs."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


def _bound_socket(port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((_LOOPBACK, port))
    except OSError as error:
        listening.close()
        raise SourceError(
            f"port {port} can't be used: {error.strerror}", remedy="name another, or 0 for a free one"
        ) from None
    return listening


def load_registry(path: Path) -> dict[str, Any]:
    """The catalog for ``--registry FILE``, as it stands in the file. Raises :class:`SourceError`."""
    document = _load(path)
    if not isinstance(document, dict):
        raise SourceError(f"{path} holds no registry document: expected an object")
    inner = document.get("registry")
    return inner if isinstance(inner, dict) else document


def load_workloads(path: Path) -> list[dict[str, Any]]:
    """The workloads for ``--workloads FILE``: a list, or a snapshot's ``workloads``. Raises :class:`SourceError`."""
    document = _load(path)
    items = document.get("workloads") if isinstance(document, dict) else document
    named = isinstance(items, list) and all(
        isinstance(item, dict) and isinstance(item.get("name"), str) and item["name"] for item in items
    )
    if not named or not isinstance(items, list):
        raise SourceError(f"{path} holds no workloads: expected a list of objects, each with a name")
    return items


def _load(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise SourceError(f"{path} can't be read: {error}") from None
