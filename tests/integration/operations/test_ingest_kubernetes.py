"""Workloads of a cluster in the store, on both engines, with tools from real MCP endpoints (L1, L8, L9, S7)."""

from collections.abc import AsyncGenerator
from typing import Any

import pytest

from mcp_optimizer.config import Settings
from mcp_optimizer.demo.faults import Fault
from mcp_optimizer.demo.simulator import ToolHiveSimulator
from mcp_optimizer.domain.reports import IngestPart, WorkloadReport
from mcp_optimizer.domain.views import SearchQuery
from mcp_optimizer.errors import SourceError
from mcp_optimizer.service import DataService
from mcp_optimizer.sources.kubernetes.source import KubernetesSource
from tests.conftest import OpenService
from tests.support.builders import catalog, entry
from tests.support.database import dump
from tests.support.kubernetes import SECRET, FakeApiServer, resource
from tests.support.places import Place
from tests.support.services import ingest, workloads_by_name

IMAGE = "example.org/fetch:1"
REMOTE = "https://flights.example/mcp"
CATALOG = catalog(entry("fetch", IMAGE, ["fetch_page"]), entry("flights", REMOTE, ["find_flight"]))


@pytest.fixture
async def endpoints() -> AsyncGenerator[ToolHiveSimulator]:
    """Real MCP servers, each with a tool of its own."""
    named = {"fetch": "fetch_page", "flights": "find_flight", "virtual": "everything"}
    items = [
        {
            "name": name,
            "package": f"example.org/{name}",
            "proxy_mode": "sse" if name == "flights" else "streamable-http",
            "tool_definitions": [{"name": tool, "description": "Does it.", "inputSchema": {"type": "object"}}],
        }
        for name, tool in named.items()
    ]
    async with ToolHiveSimulator(catalog={"servers": {}}, workloads=items) as simulator:
        yield simulator


@pytest.fixture
async def api(endpoints: ToolHiveSimulator) -> AsyncGenerator[FakeApiServer]:
    """A cluster with something of every kind."""

    def at(name: str) -> dict[str, str]:
        return {"url": endpoints.endpoint(name)}

    proxied = {"remoteURL": REMOTE, "transport": "sse", "groupRef": "travel"}
    async with FakeApiServer(
        resource("MCPServer", "team-a/fetch", {"image": IMAGE, "groupRef": {"name": "web"}}, at("fetch")),
        resource("MCPServer", "team-b/fetch", {"image": IMAGE}, at("fetch") | {"phase": "Running"}),
        resource("MCPServer", "team-b/new", {"image": "example.org/new:1"}, {"phase": "Pending", "message": "pulling"}),
        resource("MCPRemoteProxy", "team-a/flights", proxied, at("flights")),
        resource("MCPServerEntry", "team-a/entry", {"remoteUrl": "http://127.0.0.1:9/mcp"}, {"phase": "Valid"}),
        resource("VirtualMCPServer", "team-a/fetch", {"groupRef": {"name": "web"}}, at("virtual")),
        page_size=2,
    ) as server:
        yield server


@pytest.fixture
def cluster(settings: Settings, api: FakeApiServer) -> Settings:
    """Settings of a program that looks at the cluster."""
    given = {"runtime_mode": "k8s", "k8s_api_server_url": api.url, "mcp_timeout": 5.0, "toolhive_timeout": 2.0}
    return settings.model_copy(update=given)


async def ingested(service: DataService) -> WorkloadReport:
    (report,) = await service.ingest(IngestPart.WORKLOADS)
    assert report.workloads is not None
    return report.workloads


async def test_a_cluster_comes_in_whole(
    open_service: OpenService, cluster: Settings, database: Place, api: FakeApiServer
) -> None:
    service = await open_service(cluster)
    await ingest(service, CATALOG)
    report = await ingested(service)
    assert (report.added, report.linked, report.complete) == (6, 3, True)
    assert [item.name for item in report.failed] == ["team-a/entry"]
    seen = await workloads_by_name(service)
    assert {name: (view.status, view.registry_server, view.group) for name, view in seen.items()} == {
        "team-a/fetch": ("running", "fetch", "web"),
        "team-b/fetch": ("running", "fetch", ""),
        "team-b/new": ("starting", None, ""),
        "team-a/flights": ("running", "flights", "travel"),
        "team-a/entry": ("running", None, ""),
        "team-a/fetch (VirtualMCPServer)": ("running", None, "web"),
    }
    assert seen["team-b/new"].status_reason == "pulling"
    assert seen["team-a/entry"].status_reason == "refused the connection"
    tools = {name: [tool.name for tool in view.tool_list] for name, view in seen.items() if view.tool_list}
    assert tools == {
        "team-a/fetch": ["fetch_page"],
        "team-b/fetch": ["fetch_page"],
        "team-a/flights": ["find_flight"],
        "team-a/fetch (VirtualMCPServer)": ["everything"],
    }
    hits = await service.search(SearchQuery(text="find_flight"))
    assert hits[0].server == "team-a/flights"
    assert SECRET not in str(dump(database))
    again = await ingested(service)
    assert (again.added, again.updated, again.removed, again.unchanged) == (0, 0, 0, 6)


async def test_l9_only_a_listing_that_was_read_whole_deletes(
    open_service: OpenService, cluster: Settings, api: FakeApiServer
) -> None:
    service = await open_service(cluster)
    await ingested(service)
    api.remove("MCPServer", "team-b/new")
    for fault in (Fault(truncated=True), Fault(status=503), Fault(body=b'{"kind": "Status"}')):
        api.fault("virtualmcpservers", fault)
        report = await ingested(service)
        assert (report.removed, report.complete) == (0, False)
    api.fault("virtualmcpservers", None)
    api.forbidden = {("virtualmcpservers", "")}
    assert (await ingested(service)).removed == 0
    assert len(await service.workloads()) == 6
    api.forbidden = set()
    report = await ingested(service)
    assert (report.removed, report.complete) == (1, True)
    assert "team-b/new" not in await workloads_by_name(service)


async def test_l9_an_api_server_that_is_away_or_another_changes_nothing(
    open_service: OpenService, cluster: Settings, api: FakeApiServer
) -> None:
    service = await open_service(cluster)
    await ingested(service)
    for plural in api.resources:
        api.fault(plural, Fault(status=500))
    with pytest.raises(SourceError, match="HTTP 500"):
        await ingested(service)
    for plural in api.resources:
        api.fault(plural, None)
    api.versions = {}
    with pytest.raises(SourceError, match="knows none of the kinds"):
        await ingested(service)
    assert len(await service.workloads()) == 6


async def test_b_odd_resources_hide_no_good_one(
    open_service: OpenService, cluster: Settings, api: FakeApiServer
) -> None:
    odd: list[Any] = [
        None,
        {"metadata": {"name": "no-namespace"}},
        {"metadata": {"name": "types", "namespace": "odd"}, "spec": "x", "status": [1]},
        {"metadata": {"name": "\x1b]0;x\x07\u202e", "namespace": "odd"}, "spec": {"image": "a/b:1", "groupRef": [1]}},
        resource("MCPServer", "odd/image", {"image": 7}),
    ]
    api.resources["mcpservers"][:0] = odd
    service = await open_service(cluster)
    report = await ingested(service)
    assert (report.added, report.complete) == (9, False)  # the hostile name is a name; two are unidentified
    reasons = {item.name: item.reason for item in report.failed}
    assert reasons["odd/types"] == "no image is named"
    assert reasons["odd/image"] == "the image is a number, not a text"
    assert reasons["MCPServer[0] in all namespaces"] == "expected a resource, got null"


async def test_polling_looks_at_the_cluster_and_outlives_it(
    open_service: OpenService, cluster: Settings, api: FakeApiServer
) -> None:
    service = await open_service(cluster)
    polling = service.polling()
    assert (await polling.refresh("team-a/flights", within=20)).answered
    assert polling.polls[0].source == f"kubernetes {api.url}"
    api.versions = {}
    assert "knows none" in ((await polling.refresh()).reason or "")
    api.versions = dict.fromkeys(api.resources, ("v1alpha1",))
    assert (await polling.refresh()).answered
    await polling.close()


async def test_a_cluster_holds_no_registry(open_service: OpenService, cluster: Settings, api: FakeApiServer) -> None:
    service = await open_service(cluster)
    with pytest.raises(SourceError, match=f"kubernetes {api.url} holds no registry"):
        await service.ingest(IngestPart.REGISTRY)
    (report,) = await service.ingest_from(IngestPart.ALL, KubernetesSource(cluster))
    assert report.registry is None
    assert report.workloads is not None
