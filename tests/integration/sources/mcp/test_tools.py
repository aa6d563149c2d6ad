"""Tools from real MCP servers, and from servers that misbehave (L8, B)."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from mcp import Client

from mcp_optimizer.demo.faults import Fault
from mcp_optimizer.demo.simulator import ToolHiveSimulator
from mcp_optimizer.domain.models import ObservedWorkload
from mcp_optimizer.sources.mcp.tools import FetchedTools, ToolsError, fetch_all, fetch_tools

TOOLS = [{"name": f"tool-{n}", "description": f"Tool {n}.", "inputSchema": {"type": "object"}} for n in range(7)]


@pytest.fixture
async def sim() -> AsyncGenerator[ToolHiveSimulator]:
    workloads = [
        {"name": "plain", "package": "a/b", "tool_definitions": TOOLS},
        {"name": "a/b [x]", "package": "a/b", "proxy_mode": "sse", "tool_definitions": TOOLS},
    ]
    async with ToolHiveSimulator(catalog={}, workloads=workloads) as simulator:
        yield simulator


async def fetch(
    url: str, transport: str = "streamable-http", seconds: float = 3.0, max_tools: int = 100
) -> FetchedTools:
    return await fetch_tools(url, transport, timeout=seconds, max_tools=max_tools)


@pytest.mark.parametrize(
    ("name", "transport"),
    [("plain", "streamable-http"), ("plain", ""), ("a/b [x]", "sse"), ("a/b [x]", ""), ("a/b [x]", "streamable-http")],
)
async def test_tools_come_over_both_transports(sim: ToolHiveSimulator, name: str, transport: str) -> None:
    fetched = await fetch(sim.endpoint(name), transport)
    assert [tool.details for tool in fetched.tools] == TOOLS
    assert not fetched.cut


async def test_all_pages_are_read_and_too_many_tools_are_cut(sim: ToolHiveSimulator) -> None:
    sim.state.tools_page_size = 2
    assert len((await fetch(sim.endpoint("plain"))).tools) == 7
    assert len((await fetch(sim.endpoint("a/b [x]"), "sse")).tools) == 7
    cut = await fetch(sim.endpoint("plain"), max_tools=3)
    assert ([tool.name for tool in cut.tools], cut.cut) == (["tool-0", "tool-1", "tool-2"], True)
    assert not (await fetch(sim.endpoint("plain"), max_tools=7)).cut


async def test_the_simulator_answers_calls(sim: ToolHiveSimulator) -> None:
    async with Client(sim.endpoint("plain")) as client:
        result = await client.call_tool("tool-1", {"b": 1, "a": "ü"})
        assert not result.is_error
        assert getattr(result.content[0], "text", "") == 'plain answered tool-1 with {"a": "ü", "b": 1}'
        assert (await client.call_tool("no", {})).is_error


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Fault(status=401), "needs authentication (HTTP 401): simulated fault 401"),
        (Fault(status=403), "needs authentication (HTTP 403): simulated fault 403"),
        (Fault(status=500), "answered HTTP 500: simulated fault 500"),
        (Fault(status=404), "answered HTTP 404: simulated fault 404"),
        (Fault(stall=60), "did not answer within 0.5 s"),
        (Fault(drip=True), "did not answer within 0.5 s"),
        (Fault(drop=True), "closed the connection before the response was complete"),
        (Fault(truncated=True), "closed the connection before the response was complete"),
    ],
)
async def test_a_failing_server_is_one_reason_in_bounded_time(
    sim: ToolHiveSimulator, fault: Fault, reason: str
) -> None:
    sim.set_fault("mcp", fault)
    for name, transport in (("plain", "streamable-http"), ("a/b [x]", "sse")):
        if transport == "sse" and fault.truncated:
            continue  # the stream of SSE has no length to fall short of
        began = time.monotonic()
        with pytest.raises(ToolsError) as caught:
            await fetch(sim.endpoint(name), transport, seconds=0.5)
        assert time.monotonic() - began < 1.5
        if transport == "streamable-http":
            assert str(caught.value) == reason
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) <= 300


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"null", b"{", b'{"jsonrpc":"2.0","id":0,"result":5}', b"\xff"])
async def test_nonsense_is_a_reason(sim: ToolHiveSimulator, body: bytes) -> None:
    sim.set_fault("mcp", Fault(body=body))
    with pytest.raises(ToolsError):
        await fetch(sim.endpoint("plain"), seconds=0.5)


async def test_nothing_listens() -> None:
    for transport in ("streamable-http", "sse"):
        with pytest.raises(ToolsError, match="refused the connection"):
            await fetch("http://127.0.0.1:9/mcp", transport)


type Answer = dict[str, Any]


@asynccontextmanager
async def raw_server(tools_pages: list[Answer] | None) -> AsyncGenerator[str]:
    """A server that speaks JSON-RPC without any library; None: it accepts and never answers."""
    pages = iter(tools_pages or [])

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                length = int(head.partition("content-length: ")[2].partition("\r")[0] or 0)
                asked = json.loads(await reader.readexactly(length) or b"{}")
                if tools_pages is None:
                    await asyncio.sleep(60)
                result: Answer = {
                    "protocolVersion": "2025-06-18",
                    "capabilities": {},
                    "serverInfo": {"name": "x", "version": "1"},
                }
                if asked.get("method") == "tools/list":
                    result = next(pages)
                body = (
                    json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": result}).encode()
                    if "id" in asked
                    else b""
                )
                status = b"200 OK" if body else b"202 Accepted"
                header = b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
                writer.write(header % (status, len(body)) + body)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, StopIteration, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/mcp"
    finally:
        server.close()
        server.close_clients()


async def test_odd_tools_do_not_cost_the_good_ones() -> None:
    odd = [
        {"name": "good", "inputSchema": {"type": "object"}},
        {"name": "no schema", "annotations": None},
        5,
        {"x": 1},
        {"name": 7},
    ]
    again = [{"name": "good", "description": "another of that name"}, {"name": "\0nul"}]
    pages = [{"tools": odd, "nextCursor": "2"}, {"tools": again}]
    async with raw_server(pages) as url:
        fetched = await fetch(url)
    assert [tool.name for tool in fetched.tools] == ["good", "no schema", "nul"]
    assert fetched.tools[0].details == {"name": "good", "inputSchema": {"type": "object"}}
    assert fetched.tools[1].details == {"name": "no schema"}


async def test_pages_without_end_and_lists_that_are_none_are_refused() -> None:
    async with raw_server([{"tools": [], "nextCursor": "same"}] * 5) as url:
        with pytest.raises(ToolsError, match="tools/list pagination loops"):
            await fetch(url)
    async with raw_server([{"tools": {"a": 1}}]) as url:
        with pytest.raises(ToolsError):
            await fetch(url)


async def test_servers_are_asked_side_by_side_and_one_that_is_silent_hides_none(sim: ToolHiveSimulator) -> None:
    def workload(name: str, url: str | None, **more: Any) -> ObservedWorkload:
        base = {"identity": None, "identity_problem": "not needed here", "status": "running"}
        return ObservedWorkload.model_validate({"name": name, "endpoint": url, **base, **more})

    async with raw_server(None) as silent:
        asked = [workload(f"silent-{n}", silent) for n in range(8)]
        asked += [workload("good", sim.endpoint("plain"), proxy_mode="streamable-http"), workload("nowhere", None)]
        asked += [workload("stopped", silent, status="stopped"), workload("given", silent, tools=())]
        steps: list[tuple[int, int]] = []
        began = time.monotonic()
        answered = await fetch_all(
            asked, timeout=0.6, max_tools=3, concurrency=16, on_progress=lambda *step: steps.append(step)
        )
        assert time.monotonic() - began < 3
    seen = {workload.name: workload for workload in answered}
    assert [workload.name for workload in answered] == [workload.name for workload in asked]
    assert len(seen["good"].tools or ()) == 3
    assert "more than 3 tools" in (seen["good"].tools_problem or "")
    assert seen["silent-0"].tools is None
    assert seen["silent-0"].tools_problem == "did not answer within 0.6 s"
    assert "no endpoint" in (seen["nowhere"].tools_problem or "")
    assert (seen["stopped"].tools, seen["stopped"].tools_problem) == (None, None)
    assert seen["given"].tools == ()
    assert steps[-1] == (10, 10)


async def test_an_answer_without_end_is_bounded(sim: ToolHiveSimulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcp_optimizer.sources.mcp.transports.MAX_MESSAGE_BYTES", 100)
    with pytest.raises(ToolsError, match="sent more than 100 bytes"):
        await fetch(sim.endpoint("plain"))
