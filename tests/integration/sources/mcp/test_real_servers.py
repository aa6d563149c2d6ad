"""Real MCP servers, started as their users start them, behind a snapshot written by hand.

They are downloaded by ``uvx`` and ``npx``; where that can't be done, the tests skip with the reason.
"""

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from mcp_optimizer.domain.reports import IngestPart
from mcp_optimizer.domain.views import SearchQuery
from tests.conftest import USER_ENVIRONMENT, OpenService

pytestmark = [pytest.mark.xdist_group("real-servers"), pytest.mark.timeout(300)]

_START_SECONDS = 90.0
_TIME_IMAGE = "ghcr.io/stacklok/dockyard/uvx/mcp-server-time:2026.1.26"


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


@contextmanager
def _running(command: list[str], port: int, environment: dict[str, str], log: Path) -> Iterator[None]:
    """A server process in a group of its own, answering on ``port`` while the block runs."""
    if shutil.which(command[0], path=environment.get("PATH")) is None:
        pytest.skip(f"{command[0]} is not installed here")
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=output, stdin=subprocess.DEVNULL, env=environment, start_new_session=True
        )
    try:
        _wait_until_it_listens(process, port, log)
        yield
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=20)


def _wait_until_it_listens(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            pytest.skip(f"can't be downloaded or started here: {log.read_text(errors='replace')[-300:]}")
        with socket.socket() as probe:
            probe.settimeout(0.5)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.2)
    pytest.skip(f"did not start within {_START_SECONDS:.0f} s: {log.read_text(errors='replace')[-300:]}")


@pytest.fixture(scope="module")
def time_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """``mcp-server-time``, a stdio server, behind a proxy as ToolHive would put it; its streamable HTTP endpoint."""
    port = _free_port()
    command = [
        "uvx",
        "mcp-proxy",
        "--pass-environment",
        "--port",
        str(port),
        "--",
        "uvx",
        "mcp-server-time",
        "--local-timezone",
        "UTC",
    ]
    log = tmp_path_factory.mktemp("time-server") / "log"
    environment = {name: value for name, value in USER_ENVIRONMENT.items() if name != "VIRTUAL_ENV"}
    with _running(command, port, environment, log):
        yield f"http://127.0.0.1:{port}/mcp"


@contextmanager
def _everything(mode: str, path: str, directory: Path) -> Iterator[str]:
    """npm's ``server-everything`` over one of its transports; its endpoint."""
    port = _free_port()
    command = ["npx", "--yes", "@modelcontextprotocol/server-everything", mode]
    with _running(command, port, {**USER_ENVIRONMENT, "PORT": str(port)}, directory / "log"):
        yield f"http://127.0.0.1:{port}/{path}"


@pytest.fixture(scope="module")
def everything_over_sse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Over SSE."""
    with _everything("sse", "sse", tmp_path_factory.mktemp("everything-over-sse")) as endpoint:
        yield endpoint


@pytest.fixture(scope="module")
def everything_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Over streamable HTTP."""
    with _everything("streamableHttp", "mcp", tmp_path_factory.mktemp("everything-server")) as endpoint:
        yield endpoint


def _item(name: str, endpoint: str, package: str, mode: str = "streamable-http") -> dict[str, Any]:
    return {
        "name": name,
        "package": package,
        "url": endpoint,
        "transport_type": mode,
        "proxy_mode": mode,
        "status": "running",
        "group": "default",
    }


def _snapshot(path: Path, *workloads: dict[str, Any]) -> str:
    registry = {
        "servers": {"time": {"image": _TIME_IMAGE, "description": "Tells the time and converts time zones"}},
    }
    document = {"format": "mcp-optimizer-snapshot/1", "registry": registry, "workloads": list(workloads)}
    path.write_text(json.dumps(document))
    return str(path)


async def test_tools_of_real_servers_come_in_are_found_and_go(
    time_server: str, everything_server: str, open_service: OpenService, real_embedder: Any, tmp_path: Path
) -> None:
    """Tools are listed over HTTP, embedded, found by what they do, and gone with their workload (L9)."""
    service = await open_service(embedder=real_embedder)
    clock = _item("clock", time_server, _TIME_IMAGE)
    every = _item("everything", everything_server, "docker.io/mcp/everything:latest")
    source = _snapshot(tmp_path / "snapshot.json", clock, every)

    (report,) = await service.ingest(IngestPart.ALL, [source])
    assert report.workloads is not None
    assert report.workloads.failed == ()

    workloads = {view.name: view for view in await service.workloads()}
    assert workloads["clock"].registry_server == "time"
    assert workloads["clock"].description == "Tells the time and converts time zones"
    assert workloads["everything"].registry_server is None
    assert workloads["everything"].tools > 3

    first = (await service.search(SearchQuery(text="convert a time from one time zone to another")))[0]
    assert (first.server, first.tool) == ("clock", "convert_time")
    assert any(hit.tool == "echo" for hit in await service.search(SearchQuery(text="echo back a message", limit=3)))

    await service.ingest(IngestPart.WORKLOADS, [_snapshot(tmp_path / "later.json", every)])
    servers = {hit.server for hit in await service.search(SearchQuery(text="convert time zone", limit=50))}
    assert servers == {"everything"}


async def test_real_servers_are_asked_side_by_side_and_a_dead_one_hides_none(
    time_server: str, open_service: OpenService, tmp_path: Path
) -> None:
    """A server that refuses is a problem of its own; the others' tools come in (L8)."""
    service = await open_service()
    dead = _item("dead", f"http://127.0.0.1:{_free_port()}/mcp", "example/dead:1")
    source = _snapshot(tmp_path / "snapshot.json", _item("clock", time_server, _TIME_IMAGE), dead)
    await asyncio.wait_for(service.ingest(IngestPart.ALL, [source]), timeout=60)
    workloads = {view.name: view for view in await service.workloads()}
    assert workloads["clock"].tools == 2
    assert workloads["dead"].status == "running"
    assert workloads["dead"].status_reason


def _noting(steps: list[Any]) -> Any:
    async def note(progress: float, total: float | None, _: str | None) -> None:
        steps.append((progress, total))

    return note


async def test_tools_of_real_servers_are_called(
    time_server: str, everything_server: str, everything_over_sse: str, open_service: OpenService, tmp_path: Path
) -> None:
    """Every content type that npm's server gives, over both transports, and a stdio server behind a proxy."""
    service = await open_service()
    image = "docker.io/mcp/everything"
    source = _snapshot(
        tmp_path / "snapshot.json",
        _item("clock", time_server, _TIME_IMAGE),
        _item("everything", everything_server, f"{image}:1"),
        _item("everything-sse", everything_over_sse, f"{image}:2", "sse"),
    )
    await service.ingest(IngestPart.ALL, [source])
    time_of = {"source_timezone": "UTC", "time": "12:00", "target_timezone": "Asia/Tokyo"}
    assert "T21:00:00+09:00" in (await service.call_tool("clock", "convert_time", time_of))["content"][0]["text"]

    for server in ("everything", "everything-sse"):
        steps: list[Any] = []

        async def call(tool: str, _server: str = server, _steps: list[Any] = steps, **arguments: Any) -> dict[str, Any]:
            return await service.call_tool(_server, tool, arguments, on_progress=_noting(_steps))

        assert (await call("echo", message="hi"))["content"] == [{"type": "text", "text": "Echo: hi"}]
        assert "image/png" in {item.get("mimeType") for item in (await call("get-tiny-image"))["content"]}
        assert "resource_link" in {item["type"] for item in (await call("get-resource-links", count=2))["content"]}
        for kind, member in (("Text", "text"), ("Blob", "blob")):
            content = (await call("get-resource-reference", resourceType=kind, resourceId=1))["content"]
            assert any(member in item.get("resource", {}) for item in content)
        structured = await call("get-structured-content", location="Chicago")
        assert set(structured["structuredContent"]) == {"temperature", "conditions", "humidity"}
        annotated = await call("get-annotated-message", messageType="error", includeImage=True)
        assert annotated["content"][0]["annotations"]["priority"] == 1
        assert (await call("echo"))["isError"] is True
        await call("trigger-long-running-operation", duration=0.3, steps=3)
        assert steps == [(1, 3), (2, 3), (3, 3)]
