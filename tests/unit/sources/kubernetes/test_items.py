"""One custom resource of ToolHive's operator, in either version of the API (I1, L8, S7, B)."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_optimizer.domain.models import Kind, ObservedWorkload, WorkloadListing, is_running
from mcp_optimizer.domain.sealing import Sealer
from mcp_optimizer.sources.kubernetes.items import ResourceKind, observed_resource, resource_key
from tests.support.kubernetes import SECRET, resource

URL = "https://remote.example/v1/mcp?toolsets=core"


def observe(
    kind: str, spec: Any = None, status: Any = None, *, key: str = "team-a/one", **more: Any
) -> ObservedWorkload:
    item = resource(kind, key, spec, status, **more)
    return observed_resource(item, ResourceKind(kind), key=key, name=key)


def test_a_server_is_its_image() -> None:
    seen = observe(
        "MCPServer",
        {"image": "ghcr.io/a/fetch:1", "transport": "stdio", "proxyMode": "sse", "groupRef": {"name": "web"}},
        {"url": "http://mcp-one-proxy.team-a.svc.cluster.local:8080/sse#one"},
    )
    assert seen.identity is not None
    assert (seen.identity.kind, seen.identity.canonical) == (Kind.CONTAINER, "ghcr.io/a/fetch:1")
    assert seen.endpoint == "http://mcp-one-proxy.team-a.svc.cluster.local:8080/sse"
    assert (seen.transport, seen.proxy_mode, seen.group, seen.status) == ("stdio", "sse", "web", "running")
    assert (seen.virtual_mcp, seen.status_reason, seen.tools) == (False, None, None)


@pytest.mark.parametrize("spelling", ["remoteUrl", "remoteURL"])
@pytest.mark.parametrize("kind", ["MCPRemoteProxy", "MCPServerEntry"])
def test_a_proxy_and_an_entry_are_the_remote_url_in_either_spelling(kind: str, spelling: str) -> None:
    seen = observe(kind, {spelling: URL, "transport": "sse"})
    assert seen.identity is not None
    assert (seen.identity.kind, seen.identity.raw) == (Kind.REMOTE, URL)
    assert (seen.transport, seen.proxy_mode) == ("sse", "sse")


def test_a_virtual_server_is_the_address_of_its_service() -> None:
    before = observe("VirtualMCPServer", {"config": {"groupRef": "web"}}, {"phase": "Pending"})
    after = observe(
        "VirtualMCPServer", {"groupRef": {"name": "web"}}, {"url": "http://vmcp-one.team-a.svc.cluster.local:4483"}
    )
    assert before.identity == after.identity
    assert before.identity is not None
    assert before.identity.raw == "http://vmcp-one.team-a.svc.cluster.local:4483"
    assert after.endpoint == before.endpoint == "http://vmcp-one.team-a.svc.cluster.local:4483/mcp"
    assert before.virtual_mcp
    assert before.group == after.group == "web"


@pytest.mark.parametrize(
    ("kind", "spec", "url", "endpoint"),
    [
        ("MCPServer", {}, None, "http://mcp-one-proxy.team-a.svc.cluster.local:8080/mcp"),
        ("MCPServer", {"proxyPort": 9000}, None, "http://mcp-one-proxy.team-a.svc.cluster.local:9000/mcp"),
        (
            "MCPServer",
            {"port": 9001, "transport": "sse"},
            None,
            "http://mcp-one-proxy.team-a.svc.cluster.local:9001/sse",
        ),
        ("MCPServer", {"proxyPort": "x", "proxyMode": "sse"}, "http://a.example:1/", "http://a.example:1/sse"),
        ("MCPServer", {}, "http://a.example:1/own", "http://a.example:1/own"),
        (
            "MCPRemoteProxy",
            {"remoteUrl": URL},
            None,
            "http://mcp-one-remote-proxy.team-a.svc.cluster.local:8080/v1/mcp",
        ),
        ("MCPRemoteProxy", {"remoteUrl": URL}, "http://p.example:8080", "http://p.example:8080/v1/mcp"),
        ("MCPRemoteProxy", {"remoteUrl": "https://r.example"}, "http://p.example", "http://p.example"),
        ("MCPServerEntry", {"remoteUrl": URL}, "http://not.mine/", URL),
        ("VirtualMCPServer", {}, "https://v.example/base", "https://v.example/base"),
        ("MCPServer", {}, "ftp://a.example/", None),
        ("MCPServer", {}, "http://[", None),
        ("MCPServer", {}, "http://user:hunter2@a.example/mcp#x", "http://user:hunter2@a.example/mcp"),
    ],
)
def test_the_endpoint_is_what_the_status_says_or_the_operators_service(
    kind: str, spec: Any, url: str | None, endpoint: str | None
) -> None:
    assert observe(kind, spec, {"url": url}).endpoint == endpoint


@pytest.mark.parametrize("key", ["team-a/x@evil.example/", "a.b@evil.example/one", "a/one#", "A/one", "a/-", "a/b c"])
def test_no_address_is_made_of_a_name_that_is_none(key: str) -> None:
    assert observe("MCPServer", {"image": "a/b"}, key=key).endpoint is None


@pytest.mark.parametrize(
    ("transport", "proxy_mode", "seen"),
    [
        ("sse", "streamable-http", ("sse", "sse")),  # the default of a field that means nothing here
        ("streamable-http", "sse", ("streamable-http", "streamable-http")),
        ("stdio", "sse", ("stdio", "sse")),
        (None, None, ("stdio", "")),
        (7, ["sse"], ("stdio", "")),
    ],
)
def test_the_proxy_mode_counts_for_stdio_only(transport: Any, proxy_mode: Any, seen: tuple[str, str]) -> None:
    found = observe("MCPServer", {"image": "a/b", "transport": transport, "proxyMode": proxy_mode})
    assert (found.transport, found.proxy_mode) == seen


@pytest.mark.parametrize(
    ("phase", "status"),
    [
        ("Ready", "running"), ("Running", "running"), ("Valid", "running"), ("Degraded", "running"),
        ("Pending", "starting"), ("Failed", "error"), ("Terminating", "removing"), ("Stopped", "stopped"),
        ("Hibernating", "Hibernating"), ("", "unknown"), (None, "unknown"), (3, "unknown"),
    ],
)  # fmt: skip
def test_l8_phases_are_statuses_and_new_ones_are_stored_as_given(phase: Any, status: str) -> None:
    seen = observe("MCPServer", {"image": "a/b"}, {"phase": phase})
    assert seen.status == status
    assert is_running(seen.status) is (phase in ("Ready", "Running", "Valid", "Degraded"))


def test_the_reason_is_the_message_or_the_condition_that_does_not_hold() -> None:
    held = {"type": "GroupRefValidated", "status": "True", "message": "fine"}
    broken = {
        "type": "Ready",
        "status": "False",
        "reason": "ImagePull",
        "message": "can't pull https://u:pw@r.example/x",
    }
    assert observe("MCPServer", {}, {"phase": "Failed", "message": "no image"}).status_reason == "no image"
    seen = observe("MCPServer", {}, {"phase": "Failed", "conditions": [None, held, broken]})
    assert seen.status_reason == "can't pull https://r.example/x"
    assert (
        observe("MCPServer", {}, {"phase": "Failed", "conditions": [{"status": "False", "reason": "No"}]}).status_reason
        == "No"
    )
    assert (
        observe("VirtualMCPServer", {}, {"phase": "Degraded", "message": "1 of 3 is away"}).status_reason
        == "1 of 3 is away"
    )
    assert observe("MCPServer", {}, {"phase": "Ready", "message": "all is well"}).status_reason is None
    assert observe("MCPServer", {}, {"phase": "Failed", "conditions": {}}).status_reason is None


def test_what_is_being_deleted_does_not_run() -> None:
    assert observe("MCPServer", {"image": "a/b"}, deletionTimestamp="2026-11-20T00:00:00Z").status == "removing"


@pytest.mark.parametrize(
    ("spec", "group"),
    [
        ({"groupRef": "web"}, "web"), ({"groupRef": {"name": "web"}}, "web"), ({"group": "web"}, "web"),
        ({"group": {"name": "web"}}, "web"), ({"config": {"group": "web"}}, "web"), ({"groupRef": ["web"]}, ""),
        ({"groupRef": {"name": 7}, "group": "web"}, "web"), ({"groupRef": {}}, ""), ({}, ""), ({"config": []}, ""),
    ],
)  # fmt: skip
def test_the_group_is_a_text_or_an_object(spec: Any, group: str) -> None:
    assert observe("MCPServer", spec).group == group


@pytest.mark.parametrize(
    ("kind", "spec", "reason"),
    [
        ("MCPServer", {}, "no image is named"),
        ("MCPServer", {"image": {"name": "x"}}, "the image is an object, not a text"),
        ("MCPServer", {"image": "UPPER/x"}, "not"),
        ("MCPRemoteProxy", {"remoteUrl": 7}, "the remote URL is a number, not a text"),
        ("MCPRemoteProxy", {"remoteUrl": "https://u:hunter2@r.example:x/"}, "port"),
        ("MCPServerEntry", {"remoteUrl": ""}, "no remote URL is named"),
    ],
)
def test_without_an_identity_there_is_a_reason(kind: str, spec: Any, reason: str) -> None:
    seen = observe(kind, spec)
    assert seen.identity is None
    assert reason in (seen.identity_problem or "")
    assert "hunter2" not in seen.model_dump_json()


@pytest.mark.parametrize("kind", list(ResourceKind))
def test_s7_no_value_of_environment_header_or_secret_leaves_a_resource(kind: ResourceKind) -> None:
    item = resource(kind, "a/one", {"image": "a/b", "remoteUrl": f"{URL}&api_key={SECRET}"})
    assert SECRET in str(item)
    observed = observed_resource(item, kind, key="a/one", name="a/one")
    listing = Sealer(b"key").listing(WorkloadListing(source="x", workloads=(observed,)))
    assert SECRET not in listing.model_dump_json()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from([URL, "a/b:1", "http://["]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
SPEC = st.dictionaries(
    st.sampled_from(
        [
            "image",
            "remoteUrl",
            "remoteURL",
            "transport",
            "proxyMode",
            "proxyPort",
            "port",
            "groupRef",
            "group",
            "config",
        ]
    ),
    JSON,
)
STATUS = st.dictionaries(st.sampled_from(["phase", "url", "message", "conditions"]), JSON)
METADATA = st.dictionaries(st.sampled_from(["name", "namespace", "deletionTimestamp"]), JSON)
RESOURCE = st.fixed_dictionaries(
    {}, optional={"metadata": METADATA | JSON, "spec": SPEC | JSON, "status": STATUS | JSON}
)


@given(RESOURCE | JSON, st.sampled_from(list(ResourceKind)))
def test_b_any_resource_is_a_workload_or_has_no_key(item: Any, kind: ResourceKind) -> None:
    key = resource_key(item, namespace="")
    if not isinstance(item, dict):
        assert key == ""
        return
    seen = observed_resource(item, kind, key=key or "a/b", name="a/b")
    assert (seen.identity is None) is (seen.identity_problem is not None)
    assert seen.endpoint is None or seen.endpoint.startswith(("http://", "https://"))
    seen.model_dump_json().encode()
