"""One listed workload, and snapshots of them (I1, L8, L9, S7, B)."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_optimizer.demo.sample import sample_snapshot
from mcp_optimizer.demo.simulator_state import SECRET_CANARY, SimulatorState
from mcp_optimizer.domain.models import Kind, ObservedWorkload, WorkloadListing
from mcp_optimizer.domain.sealing import Sealer
from mcp_optimizer.errors import SourceError
from mcp_optimizer.sources.snapshots import SNAPSHOT_FORMAT, is_snapshot, parse_listing, parse_snapshot
from mcp_optimizer.sources.toolhive.workload_items import named_items, observed_workload

ITEM = {
    "name": "fetch",
    "package": "ghcr.io/a/fetch:1",
    "url": "http://127.0.0.1:15132/sse#fetch",
    "transport_type": "stdio",
    "proxy_mode": "sse",
    "status": "running",
    "status_context": "Up 2h",
    "group": "default",
    "tools": ["fetch"],
}
REMOTE = {**ITEM, "package": "remote", "remote": True}


def observe(item: dict[str, Any], **more: Any) -> ObservedWorkload:
    return observed_workload(item, **more)


def test_a_container_workload() -> None:
    seen = observe(ITEM, export={"registry_server_name": "io.a/fetch", "container_labels": {}})
    assert seen.identity is not None
    assert seen.identity.canonical == "ghcr.io/a/fetch:1"
    assert seen.endpoint == "http://127.0.0.1:15132/sse"
    assert (seen.transport, seen.proxy_mode, seen.status, seen.group) == ("stdio", "sse", "running", "default")
    assert seen.status_reason is None  # how long it has been up is no reason
    assert seen.tools is None  # ToolHive's `tools` is a filter
    assert seen.evidence.recorded_registry_server == "io.a/fetch"


@pytest.mark.parametrize(
    ("details", "export", "item"),
    [
        ({"url": "https://a.example/mcp"}, {}, {}),
        ({"url": ITEM["url"]}, {"remote_url": "https://a.example/mcp"}, {}),
        ({}, {"remote_url": "https://a.example/mcp"}, {}),
        ({}, {}, {"remote_url": "https://a.example/mcp"}),
    ],
)
def test_a_remote_workload_is_its_own_url_never_the_proxys(details: Any, export: Any, item: Any) -> None:
    seen = observe({**REMOTE, **item}, details=details, export=export)
    assert seen.identity is not None
    assert (seen.identity.kind, seen.identity.canonical) == (Kind.REMOTE, "https://a.example/mcp")


def test_a_remote_whose_url_is_unknown_has_no_identity() -> None:
    seen = observe(REMOTE, details_problem="HTTP 500")
    assert seen.identity is None
    assert seen.identity_problem == "the remote server's own URL is not known: HTTP 500"


@pytest.mark.parametrize("package", [None, "", 5, [], "Not An Image", {"a": 1}])
def test_an_unusable_image_is_a_problem_of_its_workload(package: object) -> None:
    seen = observe({**ITEM, "package": package})
    assert seen.identity is None
    assert seen.identity_problem


def test_statuses_are_stored_as_given_with_their_reason() -> None:
    seen = observe({**ITEM, "status": "hibernating", "status_context": "policy\n\x1b[31m"})
    assert (seen.status, seen.status_reason) == ("hibernating", "policy  [31m")
    assert observe({**ITEM, "status": 5}).status == "unknown"


def test_virtual_mcp_of_several_versions() -> None:
    assert observe({**ITEM, "virtual_mcp": True}).virtual_mcp
    assert observe({**ITEM, "tool_type": "virtual_mcp"}).virtual_mcp
    assert observe({**ITEM, "tool_type": "vMCP"}).virtual_mcp
    assert not observe({**ITEM, "tool_type": "mcp", "virtual_mcp": "yes"}).virtual_mcp


def test_the_image_label_is_evidence() -> None:
    label = "io.modelcontextprotocol.server.name"
    assert observe({**ITEM, "labels": {label: "a"}}).evidence.image_label == "a"
    assert observe(ITEM, export={"container_labels": {label: "b"}}).evidence.image_label == "b"


@pytest.mark.parametrize("url", ["", None, 5, "ftp://x", "http://[", "http://", "x"])
def test_no_endpoint_without_a_url(url: object) -> None:
    assert observe({**ITEM, "url": url}).endpoint is None


def test_secrets_of_details_and_export_are_left_behind() -> None:
    state = SimulatorState(catalog={})
    state.put({**REMOTE, "remote_url": "https://a.example/mcp"})
    details, export = state.details("fetch"), state.export("fetch")
    assert SECRET_CANARY in json.dumps(details)
    assert SECRET_CANARY in json.dumps(export)
    item = {**REMOTE, "env_vars": {"KEY": SECRET_CANARY}, "url": f"http://u:{SECRET_CANARY}@127.0.0.1:1/mcp"}
    listing = WorkloadListing(source="x", workloads=(observe(item, details=details, export=export),))
    assert SECRET_CANARY not in Sealer(b"key").listing(listing).model_dump_json()


def test_items_without_a_name_make_a_listing_incomplete() -> None:
    named = named_items([ITEM, {"package": "x"}, 5, None, {"name": " "}, {**ITEM, "package": "other"}])
    assert named.items == (ITEM,)
    assert [problem.name for problem in named.problems] == [*(f"workloads[{n}]" for n in (1, 2, 3, 4)), "fetch"]
    assert not named.complete
    assert named_items([ITEM, ITEM]).complete
    with pytest.raises(SourceError, match="expected a list, got an object"):
        named_items({})


def test_the_sample_snapshot_asks_no_endpoint() -> None:
    document = sample_snapshot()
    snapshot = parse_snapshot(document, source="sample")
    assert snapshot.catalog is not None
    assert snapshot.listing is not None
    assert snapshot.listing.complete
    assert len(snapshot.listing.workloads) == len(document["workloads"])
    for workload in snapshot.listing.workloads:
        assert workload.identity is not None
        assert workload.tools is not None or workload.status != "running" or workload.endpoint is None


@pytest.mark.parametrize("given", ["mcp-optimizer-snapshot/2", None, 5, {}])
def test_another_format_is_an_error_that_names_the_right_one(given: object) -> None:
    document = {"format": given, "workloads": []}
    assert is_snapshot(document)
    with pytest.raises(SourceError, match=SNAPSHOT_FORMAT):
        parse_snapshot(document, source="x")


def test_parts_that_are_left_out() -> None:
    snapshot = parse_snapshot({"format": SNAPSHOT_FORMAT, "registry": None, "workloads": []}, source="x")
    assert snapshot.catalog is None
    assert snapshot.listing is not None
    assert parse_snapshot({"format": SNAPSHOT_FORMAT, "registry": {"servers": {}}}, source="x").listing is None
    with pytest.raises(SourceError):
        parse_snapshot({"format": SNAPSHOT_FORMAT, "workloads": {}}, source="x")


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=[]), max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
fields = st.sampled_from([*ITEM, "remote", "remote_url", "labels", "tool_definitions", "tool_type", "virtual_mcp", "x"])


@given(st.lists(st.dictionaries(fields, values) | values, max_size=5))
def test_hostile_listings_are_read_with_reasons(listing: list[Any]) -> None:
    parsed = parse_listing(listing, source="x")
    assert len(parsed.workloads) + len(parsed.problems) == len(listing)
    for workload in parsed.workloads:
        assert (workload.identity is None) == (workload.identity_problem is not None)
        workload.model_dump_json()
    assert all(problem.reason.isprintable() for problem in parsed.problems)
