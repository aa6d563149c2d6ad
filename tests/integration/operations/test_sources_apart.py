"""Sources fail apart: half of a source that fails, or one slow MCP server, keeps nothing else out (L8)."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from mcp_optimizer.config import Settings
from mcp_optimizer.demo.background import in_background
from mcp_optimizer.demo.faults import Fault
from mcp_optimizer.demo.simulator import ToolHiveSimulator
from mcp_optimizer.domain.reports import IngestPart, IngestReport
from mcp_optimizer.domain.views import SearchQuery
from mcp_optimizer.errors import SourceError, StoreBusyError
from mcp_optimizer.operations.ingest_late import LISTING_TOOLS
from mcp_optimizer.service import DataService
from mcp_optimizer.sources.mcp import tools as mcp_tools
from mcp_optimizer.sources.open_source import open_source
from tests.conftest import OpenService
from tests.support.builders import catalog, entry, listing, workload
from tests.support.database import dump
from tests.support.embedders import FakeEmbedder
from tests.support.places import Place
from tests.support.services import assert_sound, workloads_by_name
from tests.support.sources import MemorySource

CATALOG = {
    "servers": {
        name: {"image": f"example.org/{name}:1", "description": f"The server {name}.", "transport": "stdio"}
        for name in ("slow", "quick")
    }
}


def failing(code: str, words: str, status: int = 503) -> Fault:
    """An answer as ToolHive gives it where its registry fails."""
    return Fault(status=status, body=json.dumps({"code": code, "message": words}).encode())


REGISTRY_FAULTS = {
    "500": (Fault(status=500, body=b"failed to get registry: boom\n"), "failed to get registry: boom", "own log"),
    "legacy": (
        failing("registry_legacy_format", "registry at https://r.example is in the legacy format", 502),
        "in the legacy format", "thv registry convert",
    ),
    "auth": (failing("registry_auth_required", "registry authentication required"),
             "authentication required", "thv registry login"),
    "unavailable": (failing("registry_unavailable", "upstream registry is unavailable: 404"),
                    "is unavailable: 404", "check its configuration"),
    "silent": (Fault(stall=30), "did not answer within 0.5 s", ""),
    "no json": (Fault(body=b"<html>"), "", ""),
}  # fmt: skip


@pytest.fixture
async def toolhive() -> AsyncIterator[ToolHiveSimulator]:
    items = [
        {"name": f"{name}-1", "package": f"example.org/{name}:1", "status": "running"} for name in ("slow", "quick")
    ]
    async with ToolHiveSimulator(catalog=CATALOG, workloads=items) as simulator:
        for name in ("slow-1", "quick-1"):
            simulator.put_workload(
                {"name": name, "package": f"example.org/{name[:-2]}:1", "status": "running",
                 "tool_definitions": [{"name": f"{name}-tool", "description": f"What {name} does.",
                                       "inputSchema": {"type": "object"}}]}
            )  # fmt: skip
        yield simulator


@pytest.fixture
def there(settings: Settings, toolhive: ToolHiveSimulator) -> Settings:
    return settings.model_copy(update={"toolhive_url": toolhive.url, "toolhive_timeout": 0.5, "mcp_timeout": 4.0})


@pytest.mark.parametrize("fault", REGISTRY_FAULTS.values(), ids=list(REGISTRY_FAULTS))
async def test_a_registry_that_fails_keeps_no_workload_out(
    open_service: OpenService, there: Settings, toolhive: ToolHiveSimulator, fault: tuple[Fault, str, str]
) -> None:
    service = await open_service(there)
    await service.ingest(IngestPart.REGISTRY)
    toolhive.set_fault("registry", fault[0])
    toolhive.set_fault("registry-pages", fault[0])
    (report,) = await service.ingest(IngestPart.ALL)
    assert report.partial
    assert report.registry is None
    ((half, reason),) = [(item.name, item.reason) for item in report.unread]
    assert half == "registry"
    assert fault[1] in reason
    assert fault[2] in reason
    assert {view.registry_server for view in await service.workloads()} == {"slow", "quick"}
    assert len(await service.registry_servers()) == 2, "what is stored of the registry stays"
    run = (await service.runs())[0]
    assert (run.outcome, "registry: not read" in run.summary) == ("partial", True)
    with pytest.raises(SourceError):
        await service.ingest(IngestPart.REGISTRY)


@pytest.mark.parametrize("fault", [Fault(status=500), Fault(body=b'{"nothing": 1}'), Fault(stall=30), Fault(drop=True)])
async def test_workloads_that_cannot_be_listed_keep_no_registry_out(
    open_service: OpenService, there: Settings, toolhive: ToolHiveSimulator, fault: Fault
) -> None:
    service = await open_service(there)
    toolhive.set_fault("workloads", fault)
    (report,) = await service.ingest(IngestPart.ALL)
    assert (report.workloads, [item.name for item in report.unread]) == (None, ["workloads"])
    assert report.partial
    assert len(await service.registry_servers()) == 2
    toolhive.set_fault("registry", Fault(status=500))
    toolhive.set_fault("registry-pages", Fault(status=500))
    with pytest.raises(SourceError, match="HTTP 500"):
        await service.ingest(IngestPart.ALL)
    assert (await service.runs())[0].outcome == "failed"


async def test_a_time_out_says_the_time_that_was_waited(there: Settings, toolhive: ToolHiveSimulator) -> None:
    """The whole download might take longer; the silence is what ended it."""
    toolhive.set_fault("registry", Fault(stall=30))
    began = time.monotonic()
    with pytest.raises(SourceError) as silent:
        await open_source(f"{toolhive.url}/api/v1beta/registry/default", there).catalog()
    waited = time.monotonic() - began
    said = float(str(silent.value).partition("did not answer within ")[2].partition(" s")[0])
    assert 0.4 <= said <= waited + 0.1


def test_the_command_line_leaves_with_3_and_says_why(call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    simulator = ToolHiveSimulator(catalog=CATALOG, workloads=[])
    with in_background(simulator):
        monkeypatch.setenv("MCP_OPTIMIZER_TOOLHIVE_URL", simulator.url)
        assert call("ingest", "all")[0] == 0
        for route in ("registry", "registry-pages"):
            simulator.set_fault(route, REGISTRY_FAULTS["auth"][0])
        code, out, _ = call("ingest", "all", "--json")
        report = json.loads(out)
        assert (code, report["registry"], report["unread"][0]["name"]) == (3, None, "registry")
        code, out, _ = call("ingest", "all")
        assert code == 3
        assert "not read" in out
        assert "thv registry login" in out
        assert call("ingest", "registry")[0] == 1


async def test_one_slow_server_delays_only_itself(
    open_service: OpenService, there: Settings, toolhive: ToolHiveSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are stored and found while it is still being asked; then it is stored too."""
    monkeypatch.setattr(
        mcp_tools.fetch_all, "__kwdefaults__", {**mcp_tools.fetch_all.__kwdefaults__, "slow_after": 0.4}
    )
    service = await open_service(there)
    toolhive.set_fault("mcp:slow-1", Fault(stall=1.5, times=1))
    began = time.monotonic()
    (report,) = await service.ingest(IngestPart.ALL, wait=False)
    assert report.workloads is not None
    assert report.workloads.pending == ("slow-1",)
    assert not report.partial
    assert [hit.tool for hit in await service.search(SearchQuery(text="what does it do"))] == ["quick-1-tool"]
    first = await workloads_by_name(service)
    assert (first["slow-1"].registry_server, first["slow-1"].status_reason) == ("slow", LISTING_TOOLS)
    while not (await service.workload("slow-1")).tools:
        assert time.monotonic() - began < 30
        await asyncio.sleep(0.05)
    second = await workloads_by_name(service)
    assert (second["slow-1"].status, second["slow-1"].status_reason) == ("running", None)
    assert [(run.what, run.outcome) for run in await service.runs()] == [("workloads", "done"), ("all", "done")]


async def test_who_waits_gets_one_report_of_all(
    open_service: OpenService, there: Settings, toolhive: ToolHiveSimulator, database: Place,
    fake_embedder: FakeEmbedder, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(
        mcp_tools.fetch_all, "__kwdefaults__", {**mcp_tools.fetch_all.__kwdefaults__, "slow_after": 0.3}
    )
    service = await open_service(there)
    toolhive.set_fault("mcp:slow-1", Fault(stall=0.8, times=3))
    (report,) = await service.ingest(IngestPart.ALL)
    assert report.workloads is not None
    assert (report.workloads.added, report.workloads.updated, report.workloads.pending) == (2, 0, ())
    assert (await service.workload("slow-1")).tools == 1
    before = dump(database)
    fake_embedder.forget()
    (again,) = await service.ingest(IngestPart.ALL)
    assert again.workloads is not None
    assert (again.workloads.updated, again.workloads.unchanged, fake_embedder.texts) == (0, 2, [])
    assert dump(database) == before, "that it is slow writes nothing"
    toolhive.set_fault("mcp:slow-1", Fault(stall=30))
    (failed,) = await service.ingest(IngestPart.ALL)
    assert failed.workloads is not None
    assert [item.name for item in failed.workloads.failed] == ["slow-1"]
    assert failed.workloads.updated == 1
    assert (await service.workload("slow-1")).tools == 1, "its last known tools stay"
    before = dump(database)
    await service.ingest(IngestPart.ALL)
    assert dump(database) == before, "that it still does not answer writes nothing"


async def test_a_late_answer_that_cannot_be_stored_is_told_and_takes_nothing_back(
    open_service: OpenService, there: Settings, toolhive: ToolHiveSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        mcp_tools.fetch_all, "__kwdefaults__", {**mcp_tools.fetch_all.__kwdefaults__, "slow_after": 0.2}
    )
    service = await open_service(there)
    toolhive.set_fault("mcp:slow-1", Fault(stall=0.6, times=1))

    async def locked(*_: object) -> None:
        raise StoreBusyError("the database is locked")

    monkeypatch.setattr(service._ingestion, "_store_late", locked)
    (report,) = await service.ingest(IngestPart.ALL)
    assert report.partial
    assert report.workloads is not None
    ((name, reason),) = [(item.name, item.reason) for item in report.workloads.failed]
    assert (name, "could not be stored: the database is locked" in reason) == ("slow-1", True)
    assert {view.name: view.tools for view in await service.workloads()} == {"slow-1": 0, "quick-1": 1}


async def test_a_slow_server_gives_its_turn_to_others(toolhive: ToolHiveSimulator) -> None:
    """More silent servers than are asked side by side make no other wait for their time to be over."""
    asked = [workload(f"w{n}", f"example.org/w{n}:1", None, endpoint=toolhive.endpoint("slow-1")) for n in range(6)]
    asked.append(workload("last", "example.org/last:1", None, endpoint=toolhive.endpoint("quick-1")))
    toolhive.set_fault("mcp:slow-1", Fault(stall=30))
    late = mcp_tools.LateAnswers()
    began = time.monotonic()
    answered = await mcp_tools.fetch_all(asked, timeout=20, max_tools=10, concurrency=2, late=late, slow_after=0.3)
    assert time.monotonic() - began < 10
    assert [len(item.tools or ()) for item in answered if item.name == "last"] == [1]
    assert {task.get_name() for task in late.tasks} == {f"w{n}" for n in range(6)}
    await late.close()


async def test_what_changed_before_a_late_answer_came_is_left_alone(
    open_service: OpenService, there: Settings, toolhive: ToolHiveSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person deletes it, or it is stopped, while it is still being asked."""
    monkeypatch.setattr(
        mcp_tools.fetch_all, "__kwdefaults__", {**mcp_tools.fetch_all.__kwdefaults__, "slow_after": 0.2}
    )
    service = await open_service(there)
    toolhive.set_fault("mcp", Fault(stall=1.0))
    await service.ingest(IngestPart.WORKLOADS, wait=False)
    await service.delete_workloads(["slow-1"])
    await service.ingest_from(
        IngestPart.WORKLOADS,
        MemorySource(listing=listing(workload("quick-1", "example.org/quick:1", None, status="stopped"))),
    )
    while len(await service.runs()) < 3:  # noqa: ASYNC110 (of the program's own making)
        await asyncio.sleep(0.05)
    assert {view.name: view.status for view in await service.workloads()} == {"quick-1": "stopped"}
    await assert_sound(service)


async def test_closing_the_service_stops_asking(
    settings: Settings, there: Settings, toolhive: ToolHiveSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        mcp_tools.fetch_all, "__kwdefaults__", {**mcp_tools.fetch_all.__kwdefaults__, "slow_after": 0.2}
    )
    toolhive.set_fault("mcp", Fault(stall=30))
    async with DataService(there, embedder=FakeEmbedder()) as service:
        await service.ingest(IngestPart.WORKLOADS, wait=False)
    assert [task for task in asyncio.all_tasks() if task.get_name() in {"late-answers", "slow-1", "quick-1"}] == []


async def test_half_of_what_a_source_has_is_no_failure(service: DataService) -> None:
    """A source without a registry, or without workloads, is read as far as it goes."""
    (report,) = await service.ingest_from(IngestPart.ALL, MemorySource(catalog(entry("a", "example.org/a:1"))))
    assert isinstance(report, IngestReport)
    assert (report.workloads, report.unread, report.partial) == (None, (), False)
