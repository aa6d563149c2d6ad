"""Calling tools of workloads through the service, over real MCP."""

import asyncio
import copy
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from mcp_optimizer.config import Settings
from mcp_optimizer.demo.faults import Fault
from mcp_optimizer.demo.simulator import ToolHiveSimulator
from mcp_optimizer.domain.reports import IngestPart
from mcp_optimizer.errors import AmbiguousError, CallError, NotFoundError, ReadOnlyError
from mcp_optimizer.service import DataService
from tests.conftest import OpenService

TOOLS = [{"name": f"tool_{n}", "description": f"Tool {n}.", "inputSchema": {"type": "object"}} for n in range(3)]
CATALOG = {"servers": {"books": {"image": "example/books:1", "description": "Keeps books", "tools": ["add_book"]}}}


@pytest.fixture
async def sim() -> AsyncGenerator[ToolHiveSimulator]:
    workloads: list[dict[str, Any]] = [
        {"name": "plain", "package": "a/b:1", "tool_definitions": TOOLS},
        {"name": "over-sse", "package": "a/c:1", "proxy_mode": "sse", "tool_definitions": TOOLS},
        {"name": "inspector-1", "package": "a/d:1", "tool_definitions": TOOLS},
        {"name": "asleep", "package": "a/e:1", "status": "stopped", "tool_definitions": TOOLS},
        {"name": "elsewhere", "package": "a/f:1", "group": "other", "tool_definitions": TOOLS},
    ]
    async with ToolHiveSimulator(catalog=copy.deepcopy(CATALOG), workloads=workloads) as simulator:
        yield simulator


async def _opened(open_service: OpenService, settings: Settings, sim: ToolHiveSimulator, **more: Any) -> DataService:
    service = await open_service(settings.model_copy(update={"toolhive_url": sim.url, **more}))
    await service.ingest(IngestPart.ALL, [sim.url])
    return service


def _text(result: Any) -> str:
    return "\n".join(item["text"] for item in result["content"])


@pytest.mark.parametrize("server", ["plain", "over-sse"])
async def test_a_call_is_answered_and_its_connection_kept(
    sim: ToolHiveSimulator, open_service: OpenService, settings: Settings, server: str
) -> None:
    service = await _opened(open_service, settings, sim)
    results = await asyncio.gather(*(service.call_tool(server, "tool_1", {"n": n}) for n in range(8)))
    assert [_text(result) for result in results] == [f'{server} answered tool_1 with {{"n": {n}}}' for n in range(8)]
    await service.call_tool(server, "tool_2", {})
    assert service._calling._connections is not None
    assert service._calling._connections.opened == 1


async def test_who_can_not_be_called(sim: ToolHiveSimulator, open_service: OpenService, settings: Settings) -> None:
    service = await _opened(open_service, settings, sim, allowed_groups=("default",))
    with pytest.raises(NotFoundError, match="did you mean plain"):
        await service.call_tool("plian", "tool_1", {})
    for hidden in ("inspector-1", "elsewhere", "nowhere"):
        with pytest.raises(NotFoundError, match=f"no MCP server named {hidden}"):
            await service.call_tool(hidden, "tool_1", {})
    with pytest.raises(NotFoundError, match="asleep is not running: its status is stopped"):
        await service.call_tool("asleep", "tool_1", {})
    with pytest.raises(NotFoundError, match="plain has no tool tool_9; did you mean tool_"):
        await service.call_tool("plain", "tool_9", {})


async def test_why_a_server_does_not_answer_is_told_to_who_calls_it(
    sim: ToolHiveSimulator, open_service: OpenService, settings: Settings
) -> None:
    sim.set_fault("mcp:plain", Fault(status=503))
    service = await _opened(open_service, settings, sim)
    view = await service.workload("plain")
    assert (view.status, view.status_reason) == ("running", "answered HTTP 503: simulated fault 503")
    with pytest.raises(CallError, match="plain answered HTTP 503: simulated fault 503"):
        await service.call_tool("plain", "tool_1", {})


async def test_a_server_that_is_gone_is_said_to_be(
    sim: ToolHiveSimulator, open_service: OpenService, settings: Settings
) -> None:
    service = await _opened(open_service, settings, sim)
    await sim.stop()
    with pytest.raises(CallError, match="plain refused the connection"):
        await service.call_tool("plain", "tool_1", {})


async def test_installing_asks_toolhive_once(
    sim: ToolHiveSimulator, open_service: OpenService, settings: Settings
) -> None:
    service = await _opened(open_service, settings, sim, enable_dynamic_install=True)
    report = await service.install_server("books")
    assert (report.workload, report.said) == ("books", "ToolHive starts books as books.")
    assert sim.state.workloads["books"].item["registry_server_name"] == "books"
    assert "already; its status is running" in (await service.install_server("books")).said
    await service.ingest(IngestPart.WORKLOADS, [sim.url])
    report = await service.install_server("books")
    assert (report.running, report.said) == (True, "books is running already, as books.")
    assert _text(await service.call_tool("books", "add_book", {})).startswith("books answered add_book")
    with pytest.raises(NotFoundError):
        await service.install_server("films")


async def test_m2_what_several_entries_claim_is_not_started(
    sim: ToolHiveSimulator, open_service: OpenService, settings: Settings
) -> None:
    """It would be rejected: its tools would never be found, however long they were waited for."""
    sim.state.catalog["servers"]["library"] = {"image": "example/books:1", "tools": ["lend_book"]}
    service = await _opened(open_service, settings, sim, enable_dynamic_install=True)
    with pytest.raises(AmbiguousError, match="several registry servers claim example/books:1: books, library"):
        await service.install_server("books")
    assert "books" not in sim.state.workloads
    sim.put_workload({"name": "books", "package": "example/books:1", "tool_definitions": TOOLS})
    await service.ingest(IngestPart.WORKLOADS, [sim.url])
    reason = await service.polling().answers("books")
    assert reason == "books is not stored: several registry servers claim example/books:1: books, library"


async def test_installing_is_refused_where_it_is_off(
    sim: ToolHiveSimulator, open_service: OpenService, settings: Settings
) -> None:
    service = await _opened(open_service, settings, sim)
    with pytest.raises(ReadOnlyError, match="installing servers is off"):
        await service.install_server("books")
    assert "books" not in sim.state.workloads


async def test_a_long_result_is_cut_with_a_notice(
    sim: ToolHiveSimulator, open_service: OpenService, settings: Settings
) -> None:
    service = await _opened(open_service, settings, sim, max_tool_response_tokens=100)
    result = await service.call_tool("plain", "tool_1", {"text": "many words " * 500})
    assert [item["type"] for item in result["content"]] == ["text", "text"]
    assert _text(result).startswith("[Result cut to 100 tokens: 0 of 1 content items are whole, 1 shortened")
    assert 'plain answered tool_1 with {"text": "many words' in _text(result)
