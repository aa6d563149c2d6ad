"""ToolHive as a source, over real HTTP against the simulator: catalog, workloads, discovery, faults (C6, L8, L9, B)."""

import json
import logging
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

from mcp_optimizer.config import Settings
from mcp_optimizer.demo.faults import Fault
from mcp_optimizer.demo.sample import sample_catalog, sample_snapshot, sample_workloads
from mcp_optimizer.demo.simulator import ToolHiveSimulator
from mcp_optimizer.demo.simulator_state import SECRET_CANARY, server_json_list
from mcp_optimizer.domain.models import ObservedWorkload
from mcp_optimizer.errors import SourceError
from mcp_optimizer.sources.open_source import open_source
from mcp_optimizer.sources.toolhive.client import ToolHiveAddress, ToolHiveClient
from mcp_optimizer.sources.toolhive.discovery import discover, version_order
from mcp_optimizer.sources.toolhive.source import ToolHiveSource

NO_SCAN = {"toolhive_start_port_scan": 1, "toolhive_end_port_scan": 0}


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "HOME"):
        monkeypatch.setenv(variable, str(tmp_path))


@pytest.fixture
async def sim() -> AsyncGenerator[ToolHiveSimulator]:
    async with ToolHiveSimulator() as simulator:
        yield simulator


def settings(**values: Any) -> Settings:
    return Settings(**{"toolhive_timeout": 2.0, "mcp_timeout": 3.0, **values})


def source(sim: ToolHiveSimulator, **values: Any) -> ToolHiveSource:
    return ToolHiveSource(settings(toolhive_url=sim.url, **values))


def by_name(workloads: tuple[ObservedWorkload, ...]) -> dict[str, ObservedWorkload]:
    return {workload.name: workload for workload in workloads}


async def test_the_catalog_comes_whole_from_the_registry(sim: ToolHiveSimulator) -> None:
    catalog = await source(sim).catalog()
    assert (len(catalog.entries), catalog.complete, catalog.skipped) == (20, True, ())
    assert catalog.source == f"toolhive {sim.url}"


@pytest.mark.parametrize("fault", [Fault(status=404), Fault(status=502, body=b'{"code":"registry_legacy_format"}')])
async def test_without_the_registry_route_the_pages_are_read(sim: ToolHiveSimulator, fault: Fault) -> None:
    whole = await source(sim).catalog()
    sim.set_fault("registry", fault)
    paged = await source(sim).catalog()
    assert {entry.name for entry in paged.entries} == {entry.name for entry in whole.entries}
    assert paged.complete


async def test_many_pages_are_put_together_and_a_missing_one_makes_it_incomplete(sim: ToolHiveSimulator) -> None:
    servers = {f"server-{n:03}": {"image": f"example/server-{n}:1"} for n in range(450)}
    sim.set_catalog({"servers": servers})
    sim.set_fault("registry", Fault(status=404))
    catalog = await source(sim).catalog()
    assert (len(catalog.entries), catalog.complete) == (450, True)
    sim.set_fault("registry-pages", Fault(status=500, times=1))
    with pytest.raises(SourceError, match="HTTP 404"):  # not even the first page
        await source(sim).catalog()
    page = {"servers": server_json_list({"servers": {"a": {"image": "a/b"}}}), "metadata": {"total": 450}}
    sim.set_fault("registry-pages", Fault(body=json.dumps(page).encode()))
    catalog = await source(sim).catalog()
    assert (len(catalog.entries), catalog.complete) == (1, False)
    assert catalog.skipped[0].name == "page 2"


async def test_the_official_cursor_style_is_understood(sim: ToolHiveSimulator) -> None:
    sim.set_fault("registry", Fault(status=404))
    item = {"server": {"name": "a", "remotes": [{"type": "sse", "url": "https://a.example/"}]}}
    page = {"servers": [item], "metadata": {"nextCursor": "same"}}
    sim.set_fault("registry-pages", Fault(body=json.dumps(page).encode(), times=1))
    catalog = await source(sim).catalog()
    assert {"a", "harbor-files"} <= {entry.name for entry in catalog.entries}
    sim.set_fault("registry-pages", Fault(body=json.dumps(page).encode()))
    assert not (await source(sim).catalog()).complete  # the same page for ever


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (Fault(status=503, body=b'{"code":"registry_auth_required"}'), "thv registry login"),
        (Fault(truncated=True), "closed the connection"),
        (Fault(drop=True), "closed the connection"),
        (Fault(body=b'{"registry": {"servers": '), "ends before its JSON is complete"),
        (Fault(body=b'{"registry": {"nothing": 1}}'), "not a catalog"),
        (Fault(stall=30), "did not answer within 0.5 s"),
        (Fault(drip=True), "did not answer within 0.5 s"),
    ],
)
async def test_a_registry_that_fails_is_an_error(sim: ToolHiveSimulator, fault: Fault, message: str) -> None:
    sim.set_fault("registry", fault)
    sim.set_fault("registry-pages", Fault(status=503))
    began = time.monotonic()
    with pytest.raises(SourceError, match=message):
        await source(sim, toolhive_timeout=0.5).catalog()
    assert time.monotonic() - began < 3


async def test_workloads_come_with_identity_evidence_and_tools(sim: ToolHiveSimulator) -> None:
    steps: list[tuple[int, int]] = []
    listing = await source(sim).workloads(lambda done, total: steps.append((done, total)))
    assert listing.complete
    assert listing.problems == ()
    seen = by_name(listing.workloads)
    assert len(seen) == len(sample_workloads())
    flights = seen["flights"]
    assert flights.identity is not None
    assert flights.identity.raw == "https://mcp.skyroute.example/v1/mcp"
    assert flights.endpoint is not None
    assert flights.endpoint.startswith(sim.url)
    assert flights.evidence.recorded_registry_server == "skyroute-flights"
    assert seen["metrics-build"].evidence.image_label == "cobalt-metrics"
    for item in sample_workloads():
        tools = seen[item["name"]].tools
        if item["status"] == "running" and "tool_definitions" in item:
            assert tools is not None
            assert [tool.details for tool in tools] == item["tool_definitions"]
        else:
            assert tools is None
    assert seen["empty-shell"].tools == ()
    assert seen["unreachable"].tools_problem == "refused the connection"
    assert seen["hibernating"].tools_problem is None
    assert steps[-1] == (len(steps), len(steps))


async def test_secrets_of_toolhive_are_in_nothing_that_leaves_the_source(
    sim: ToolHiveSimulator, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    listing = await source(sim).workloads()
    assert SECRET_CANARY not in listing.model_dump_json()
    captured = capsys.readouterr()
    assert SECRET_CANARY not in captured.out + captured.err + caplog.text


async def test_one_workloads_failing_details_are_its_own_problem(sim: ToolHiveSimulator) -> None:
    sim.set_fault("workload:tickets", Fault(status=500))
    sim.set_fault("export:tickets", Fault(status=500))
    sim.set_fault("workload:flights", Fault(stall=30))
    sim.set_fault("export:files-team-a", Fault(body=b"[]"))
    seen = by_name((await source(sim, toolhive_timeout=0.5).workloads()).workloads)
    assert seen["tickets"].identity is None
    assert "HTTP 500" in (seen["tickets"].identity_problem or "")
    assert seen["tickets"].tools
    assert seen["flights"].identity is not None  # the run configuration names its URL too
    assert seen["files-team-a"].identity is not None
    assert seen["files-team-a"].evidence.recorded_registry_server is None
    assert all(workload.identity for name, workload in seen.items() if name != "tickets")


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (Fault(status=500), "HTTP 500"),
        (Fault(truncated=True), "closed the connection"),
        (Fault(drop=True), "closed the connection"),
        (Fault(stall=30), "did not answer"),
        (Fault(body=b'{"workloads": ['), "ends before"),
        (Fault(body=b"[]"), "without `workloads`"),
        (Fault(body=b"{}"), "without `workloads`"),
        (Fault(body=b'{"workloads": {}}'), "expected a list"),
    ],
)
async def test_a_listing_that_is_not_whole_is_an_error(sim: ToolHiveSimulator, fault: Fault, message: str) -> None:
    sim.set_fault("workloads", fault)
    with pytest.raises(SourceError, match=message):
        await source(sim, toolhive_timeout=0.5).workloads()


async def test_odd_items_of_a_listing_do_not_hide_the_others(sim: ToolHiveSimulator) -> None:
    items = [
        {"name": "a", "package": "x/y"},
        5,
        {"package": "z"},
        {"name": "b", "package": 7, "labels": [], "group": {}},
    ]
    sim.set_fault("workloads", Fault(body=json.dumps({"workloads": items}).encode()))
    listing = await source(sim).workloads()
    assert list(by_name(listing.workloads)) == ["a", "b"]
    assert len(listing.problems) == 2
    assert not listing.complete


async def test_a_listing_that_is_too_large_is_not_read_to_its_end(sim: ToolHiveSimulator) -> None:
    with pytest.raises(SourceError, match="larger than 1,000 bytes"):
        await source(sim, max_document_bytes=1000).workloads()


async def test_the_state_file_is_believed_only_if_its_server_is_healthy(sim: ToolHiveSimulator, tmp_path: Path) -> None:
    file = tmp_path / "toolhive" / "server" / "server.json"
    file.parent.mkdir(parents=True)
    found = settings(toolhive_host="127.0.0.1", **NO_SCAN)
    file.write_text(json.dumps({"url": sim.url, "pid": 1, "nonce": "n"}))
    assert (await discover(found, state_home=tmp_path)).base_url == sim.url
    sim.set_fault("health", Fault(status=500))
    with pytest.raises(SourceError, match="no ToolHive answers"):
        await discover(found, state_home=tmp_path)
    sim.set_fault("health", None)
    for dead in (
        '{"url": "http://127.0.0.1:9"}',
        '{"url": "unix:///no/such"}',
        '{"url": 5}',
        "{",
        "[]",
        '{"url": "http://["}',
    ):
        file.write_text(dead)
        with pytest.raises(SourceError, match="no ToolHive answers"):
            await discover(found, state_home=tmp_path)


async def near(port: int) -> ToolHiveSimulator:
    """A simulator, not started yet, on a free port a little above ``port``."""
    for candidate in range(port + 1, port + 60):
        with suppress(SourceError):
            async with ToolHiveSimulator(catalog={}, workloads=[], port=candidate):
                return ToolHiveSimulator(catalog={}, workloads=[], port=candidate)
    pytest.fail("no free port near by")


async def test_the_scan_takes_the_highest_version(tmp_path: Path) -> None:
    async with ToolHiveSimulator(catalog={}, workloads=[]) as one, AsyncExitStack() as stack:
        first = int(one.url.rpartition(":")[2])
        two = await stack.enter_async_context(await near(first))
        one.state.version, two.state.version = "v0.9.0", "v0.31.0"
        scan = {"toolhive_start_port_scan": first - 40, "toolhive_end_port_scan": first + 60}
        found = await discover(settings(**scan), state_home=tmp_path)
        assert (found.base_url, found.version) == (two.url, "v0.31.0")


async def test_a_configured_url_is_the_only_place_looked_at(sim: ToolHiveSimulator, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no ToolHive answers at http"):
        await discover(settings(toolhive_url="http://127.0.0.1:9/"), state_home=tmp_path)
    with pytest.raises(SourceError, match="not a URL of ToolHive"):
        await discover(settings(toolhive_url="http://["), state_home=tmp_path)
    port = int(sim.url.rpartition(":")[2])
    assert (await discover(settings(toolhive_port=port, **NO_SCAN), state_home=tmp_path)).base_url == sim.url


async def test_a_toolhive_that_moved_is_found_again(tmp_path: Path) -> None:
    file = tmp_path / "toolhive" / "server" / "server.json"
    file.parent.mkdir(parents=True)
    moving = ToolHiveSource(settings(**NO_SCAN), state_home=tmp_path)
    for _ in range(2):
        async with ToolHiveSimulator(workloads=[]) as sim:
            file.write_text(json.dumps({"url": sim.url}))
            assert len((await moving.catalog()).entries) == 20
            assert moving.label == f"toolhive {sim.url}"


async def test_a_socket_is_an_address_too(tmp_path: Path) -> None:
    address = ToolHiveAddress("http://localhost", socket=str(tmp_path / "no.sock"))
    assert address.label == f"unix://{tmp_path}/no.sock"
    async with ToolHiveClient(address, seconds=1, max_bytes=10) as client:
        assert not await client.healthy()


def test_versions_are_compared_as_numbers() -> None:
    assert version_order("v0.31.0") > version_order("v0.9.9") > version_order("v0.9.9-rc1") > version_order("dev")


async def test_a_url_is_a_toolhive_or_a_document(sim: ToolHiveSimulator) -> None:
    base = await open_source(sim.url, settings()).catalog()
    assert base is not None
    assert len(base.entries) == 20
    document = open_source(f"{sim.url}/api/v1beta/registry/default", settings())
    catalog = await document.catalog()
    assert catalog is not None
    assert len(catalog.entries) == 20
    assert await document.workloads() is None
    sim.set_fault("health", Fault(body=json.dumps(sample_snapshot()).encode()))
    listing = await open_source(f"{sim.url}/health", settings()).workloads()
    assert listing is not None
    assert len(listing.workloads) == len(sample_workloads())


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (Fault(status=404), "HTTP 404"),
        (Fault(truncated=True), "closed the connection"),
        (Fault(body=b"<html>"), "is not JSON"),
        (Fault(body=b"{}"), "not a catalog"),
        (Fault(stall=30), "can't|did not answer"),
    ],
)
async def test_a_document_at_a_url_that_fails(sim: ToolHiveSimulator, fault: Fault, message: str) -> None:
    sim.set_fault("registry", fault)
    url = f"{sim.url}/api/v1beta/registry/default?token=hunter2"
    with pytest.raises(SourceError, match=message) as caught:
        await open_source(url, settings(toolhive_timeout=0.1)).catalog()
    assert "hunter2" not in str(caught.value)


async def test_no_server_at_a_url() -> None:
    with pytest.raises(SourceError, match="refused the connection"):
        await open_source("http://127.0.0.1:9/catalog.json", settings()).catalog()
    with pytest.raises(SourceError, match="not a URL"):
        await open_source("http://[", settings()).catalog()


async def test_a_snapshot_file_is_contacted_only_for_tools_it_does_not_give(
    sim: ToolHiveSimulator, tmp_path: Path
) -> None:
    document = sample_snapshot()
    document["workloads"].append(
        {"name": "asked", "package": "a/b", "status": "running", "url": sim.endpoint("search")}
    )
    sim.set_fault("mcp", Fault(status=500))
    sim.set_fault("mcp:search", None)
    file = tmp_path / "snapshot.json"
    file.write_text(json.dumps(document))
    listing = await open_source(str(file), settings()).workloads()
    assert listing is not None
    seen = by_name(listing.workloads)
    assert seen["asked"].tools_problem == "answered HTTP 500: simulated fault 500"
    assert seen["files-team-a"].tools_problem is None
    sim.set_fault("mcp", None)
    listing = await open_source(str(file), settings()).workloads()
    assert listing is not None
    assert len(by_name(listing.workloads)["asked"].tools or ()) == 4


async def test_a_large_catalog_is_read_in_reasonable_time(sim: ToolHiveSimulator, tmp_path: Path) -> None:
    entry = next(iter(sample_catalog()["servers"].values()))
    servers = {f"s{n}": {**entry, "image": f"a/s{n}:1"} for n in range(1500)}
    file = tmp_path / "large.json"
    file.write_text(json.dumps({"servers": servers}))
    began = time.monotonic()
    catalog = await open_source(str(file), settings()).catalog()
    assert catalog is not None
    assert len(catalog.entries) == 1500
    assert time.monotonic() - began < 10
