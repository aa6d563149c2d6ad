"""A Kubernetes cluster as a source, over real HTTP against an API server of our own (C6, L9, S7, B)."""

import json
import logging
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from mcp_optimizer.config import Settings
from mcp_optimizer.demo.faults import Fault
from mcp_optimizer.domain.models import WorkloadListing
from mcp_optimizer.domain.reports import CheckFinding
from mcp_optimizer.errors import SourceError
from mcp_optimizer.sources.kubernetes.access import api_server_url
from mcp_optimizer.sources.kubernetes.check import check_kubernetes
from mcp_optimizer.sources.kubernetes.source import KubernetesSource
from mcp_optimizer.sources.open_source import open_source
from mcp_optimizer.sources.toolhive.source import ToolHiveSource
from tests.support.kubernetes import GROUP, SECRET, FakeApiServer, resource

IMAGE = {"image": "example.org/one:1"}


def stopped(kind: str, key: str) -> Any:
    """A resource that is asked for no tools."""
    return resource(kind, key, {**IMAGE, "remoteUrl": "https://r.example/mcp"}, {"phase": "Stopped"})


def settings(api: FakeApiServer, **values: Any) -> Settings:
    return Settings(**{"k8s_api_server_url": api.url, "runtime_mode": "k8s", "toolhive_timeout": 2.0, **values})


async def listing(api: FakeApiServer, **values: Any) -> WorkloadListing:
    return await KubernetesSource(settings(api, **values)).workloads()


def names(found: WorkloadListing) -> list[str]:
    return [workload.name for workload in found.workloads]


def many(count: int) -> list[Any]:
    return [stopped("MCPServer", f"a/server-{number:02}") for number in range(count)]


async def test_every_kind_comes_in_from_the_whole_cluster() -> None:
    kinds = ("MCPServer", "MCPRemoteProxy", "MCPServerEntry", "VirtualMCPServer")
    async with FakeApiServer(*(stopped(kind, f"team-{n}/x{n}") for n, kind in enumerate(kinds))) as api:
        found = await listing(api)
        assert (names(found), found.complete, found.problems) == (
            ["team-0/x0", "team-1/x1", "team-2/x2", "team-3/x3"],
            True,
            (),
        )
        assert found.source == f"kubernetes {api.url}"
        assert sorted(request.partition("?")[0] for request in api.requests) == sorted(
            f"/apis/{GROUP}/v1beta1/{plural}" for plural in api.resources
        )


async def test_only_the_namespaces_that_are_named_are_asked() -> None:
    keys = ("team-a/one", "team-b/one", "team-c/one")
    async with FakeApiServer(*(stopped("MCPServer", key) for key in keys)) as api:
        api.forbidden = {(plural, "") for plural in api.resources}
        assert names(await listing(api, k8s_namespace=" team-a, team-b,,team-a ")) == ["team-a/one", "team-b/one"]
        assert len(api.requests) == 8  # four kinds in two namespaces


@pytest.mark.parametrize("count", [0, 1, 2, 3, 7])
async def test_pages_are_followed_to_the_end(count: int) -> None:
    async with FakeApiServer(*many(count), page_size=2) as api:
        found = await listing(api)
        assert (len(found.workloads), found.complete) == (count, True)
        assert sum("/mcpservers?" in request for request in api.requests) == max(1, -(-count // 2))


async def test_a_listing_whose_pages_expired_begins_again() -> None:
    async with FakeApiServer(*many(5), page_size=2) as api:
        expired: list[int] = []

        def once() -> None:
            if not expired:
                expired.append(1)
                api.remove("MCPServer", "a/server-00")
                api.expire()

        api.on_page = once
        found = await listing(api)
        assert names(found) == ["a/server-01", "a/server-02", "a/server-03", "a/server-04"]
        assert (found.complete, found.problems) == (True, ())
        api.on_page = api.expire
        found = await listing(api)
        assert (names(found), found.complete) == ([], False)
        assert [problem.reason for problem in found.problems] == ["its pages expire before they are read"]


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Fault(status=500), "HTTP 500"),
        (Fault(status=429), "HTTP 429"),
        (Fault(truncated=True), "closed the connection"),
        (Fault(drop=True), "closed the connection"),
        (Fault(stall=30), "did not answer within 0.5 s"),
        (Fault(drip=True), "did not answer within 0.5 s"),
        (Fault(body=b'{"items": ['), "ends before its JSON is complete"),
        (Fault(body=b"[]"), "gave a list without a list of `items`"),
        (Fault(body=b"null"), "gave null without a list of `items`"),
        (Fault(body=b'{"items": {}}'), "gave an object without a list of `items`"),
        (Fault(body=b'{"kind": "Status"}'), "gave an object without a list of `items`"),
        (Fault(body=b'{"items": [], "metadata": {"continue": 7}}'), "gave a number that is no token"),
        (Fault(body=b'{"items": [], "metadata": {"continue": "\\ud800"}}'), "gave a text that is no token"),
        (Fault(body=b'{"items": [], "metadata": {"continue": " "}}'), "gave a text that is no token"),
    ],
)
async def test_l9_a_kind_that_can_not_be_read_whole_leaves_the_others_and_an_incomplete_listing(
    fault: Fault, reason: str
) -> None:
    async with FakeApiServer(stopped("MCPServer", "a/one"), stopped("MCPRemoteProxy", "a/two")) as api:
        api.fault("mcpservers", fault)
        began = time.monotonic()
        found = await listing(api, toolhive_timeout=0.5)
        assert time.monotonic() - began < 3
        assert (names(found), found.complete) == (["a/two"], False)
        ((name, said),) = [(problem.name, problem.reason) for problem in found.problems]
        assert name == "MCPServer in all namespaces"
        assert reason in said


async def test_half_a_listing_keeps_its_first_pages() -> None:
    async with FakeApiServer(*many(5), page_size=2) as api:
        api.on_page = lambda: api.fault("mcpservers", Fault(status=500))
        found = await listing(api)
        assert (names(found), found.complete) == (["a/server-00", "a/server-01"], False)


async def test_pages_that_go_round_in_a_circle_end() -> None:
    page = {"items": many(1), "metadata": {"continue": "again"}}
    async with FakeApiServer() as api:
        api.fault("mcpservers", Fault(body=json.dumps(page).encode()))
        found = await listing(api)
        assert (names(found), found.complete) == (["a/server-00"], False)
        assert any("do not come to an end" in problem.reason for problem in found.problems)


async def test_a_cluster_that_knows_only_the_older_version_is_asked_for_that() -> None:
    async with FakeApiServer(stopped("MCPServer", "a/one")) as api:
        api.versions = dict.fromkeys(api.versions, ()) | {"mcpservers": ("v1alpha1",)}
        found = await listing(api)
        assert (names(found), found.complete, found.problems) == (["a/one"], True, ())


async def test_where_no_kind_is_known_nothing_is_said_to_be_gone() -> None:
    async with FakeApiServer() as api:
        api.versions = {}
        with pytest.raises(SourceError, match="install ToolHive's custom resource definitions"):
            await listing(api)


async def test_a_missing_permission_is_named_and_hides_no_other_kind() -> None:
    async with FakeApiServer(stopped("MCPServer", "a/one"), stopped("VirtualMCPServer", "a/v")) as api:
        api.forbidden = {("virtualmcpservers", ""), ("virtualmcpservers", "a")}
        found = await listing(api)
        assert (names(found), found.complete) == (["a/one"], False)
        assert found.problems[0].reason == (
            f"the permission `list` for virtualmcpservers.{GROUP} in the whole cluster is missing"
        )
        found = await listing(api, k8s_namespace="a")
        assert found.problems[0].reason.endswith("in namespace a is missing")
        api.forbidden = {(plural, "") for plural in api.resources}
        with pytest.raises(SourceError, match=f"list` for mcpservers.{GROUP} in the whole cluster is missing"):
            await listing(api)


async def test_the_token_is_read_anew_for_every_listing(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("first\n")
    async with FakeApiServer(stopped("MCPServer", "a/one"), token="first") as api:
        source = KubernetesSource(settings(api, k8s_token_file=token))
        assert names(await source.workloads()) == ["a/one"]
        api.token = "second"
        with pytest.raises(SourceError, match=f"does not accept the token in {token}"):
            await source.workloads()
        token.write_text("second")
        assert names(await source.workloads()) == ["a/one"]


async def test_what_is_wrong_with_a_token_is_said(tmp_path: Path) -> None:
    async with FakeApiServer(token="secret") as api:
        with pytest.raises(SourceError, match="asks for a token, and there is none in"):
            await listing(api)
        with pytest.raises(SourceError, match="there is no file"):
            await listing(api, k8s_token_file=tmp_path / "absent")
        for content in (b"", b" \n", b"a b", b"one\r\nX-Other:two", b"\xff\xfe", "tök".encode()):
            (tmp_path / "token").write_bytes(content)
            with pytest.raises(SourceError, match="does not hold a token"):
                await listing(api, k8s_token_file=tmp_path / "token")
        assert all("secret" not in request for request in api.requests)


@pytest.mark.parametrize("host", ["api.example", "10.0.0.1", "127.0.0.1.example", "[fd00::1]"])
async def test_the_token_is_never_sent_in_clear_text_over_a_network(host: str, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("abc")
    given = Settings(k8s_api_server_url=f"http://{host}:6443", k8s_token_file=tmp_path / "token")
    with pytest.raises(SourceError, match=r"is not sent to http://.* in clear text"):
        await KubernetesSource(given).workloads()


def test_the_api_server_is_the_one_named_or_that_of_the_cluster() -> None:
    inside = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "6443"}
    assert api_server_url(Settings(), inside) == "https://10.0.0.1:6443"
    assert api_server_url(Settings(), {"KUBERNETES_SERVICE_HOST": "fd00::1"}) == "https://[fd00::1]:443"
    assert (
        api_server_url(Settings(k8s_api_server_url="https://a.example/k8s/c-1/"), inside) == "https://a.example/k8s/c-1"
    )
    with pytest.raises(SourceError, match="not a pod of a cluster"):
        api_server_url(Settings(), {})
    for wrong in ("ftp://a.example", "a.example:6443", "https://", "https://["):
        with pytest.raises(SourceError, match="not a URL of a Kubernetes API server"):
            api_server_url(Settings(k8s_api_server_url=wrong), {})


def test_the_runtime_mode_decides_what_is_asked_by_default() -> None:
    cluster = Settings(runtime_mode="k8s")
    assert isinstance(open_source(None, cluster), KubernetesSource)
    assert isinstance(open_source("kubernetes", Settings()), KubernetesSource)
    assert isinstance(open_source("toolhive", cluster), ToolHiveSource)
    assert isinstance(open_source(None, Settings()), ToolHiveSource)


async def test_nobody_answering_is_an_error() -> None:
    given = Settings(k8s_api_server_url="http://127.0.0.1:9", toolhive_timeout=1.0)
    with pytest.raises(SourceError, match="refused the connection"):
        await KubernetesSource(given).workloads()


async def test_s7_no_secret_of_a_resource_is_listed_or_logged(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    odd = {"metadata": {"name": SECRET}}
    async with FakeApiServer(stopped("MCPServer", "a/one"), stopped("MCPServerEntry", "a/two")) as api:
        api.resources["mcpservers"].append(odd)
        found = await listing(api)
        captured = capsys.readouterr()
        assert len(found.workloads) == 2
        assert SECRET not in found.model_dump_json() + captured.out + captured.err + caplog.text


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that nobody but itself vouches for, and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    certificate, key = (tmp_path_factory.mktemp("tls") / name for name in ("ca.crt", "tls.key"))
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    command += ["-addext", "keyUsage=digitalSignature,keyCertSign", "-out", str(certificate), "-keyout", str(key)]
    subprocess.run(command, check=True, capture_output=True)
    return certificate, key


async def test_the_certificate_of_the_api_server_is_checked(certificate: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "token").write_text("abc")
    (tmp_path / "not.crt").write_text("no certificate")
    async with FakeApiServer(stopped("MCPServer", "a/one"), token="abc", certificate=certificate) as api:
        token = {"k8s_token_file": tmp_path / "token"}
        assert names(await listing(api, k8s_ca_file=certificate[0], **token)) == ["a/one"]
        with pytest.raises(SourceError, match="CERTIFICATE_VERIFY_FAILED"):
            await listing(api, **token)
        with pytest.raises(SourceError, match="does not hold certificates"):
            await listing(api, k8s_ca_file=tmp_path / "not.crt", **token)
        with pytest.raises(SourceError, match="does not hold certificates"):
            await listing(api, k8s_ca_file=tmp_path / "absent.crt", **token)


async def findings(api: FakeApiServer, **values: Any) -> dict[str, CheckFinding]:
    return {finding.name: finding for finding in await check_kubernetes(settings(api, **values))}


async def test_doctor_says_what_may_be_listed(tmp_path: Path) -> None:
    async with FakeApiServer(*many(3)) as api:
        api.forbidden = {("mcpremoteproxies", "")}
        api.versions = {**api.versions, "mcpservers": ("v1alpha1",), "mcpserverentries": ()}
        found = await findings(api)
        assert {name: finding.ok for name, finding in found.items()} == {
            "kubernetes": True,
            "MCPServer": True,
            "MCPRemoteProxy": False,
            "MCPServerEntry": True,
            "VirtualMCPServer": True,
        }
        assert found["kubernetes"].detail == f"kubernetes {api.url} v1.34.1"
        assert found["MCPServer"].detail == "v1alpha1, can be listed in all namespaces"
        assert found["MCPServerEntry"].detail == "the cluster does not know this kind"
        assert "docs/deployment.md" in (found["MCPRemoteProxy"].remedy or "")
        assert all("limit=1" in request for request in api.requests)


async def test_doctor_says_what_keeps_it_from_asking() -> None:
    async with FakeApiServer(token="abc") as api:
        assert "asks for a token" in (await findings(api))["kubernetes"].detail
        api.token, api.versions = "", {}
        assert (await findings(api))[GROUP].remedy
    nobody = await check_kubernetes(Settings(k8s_api_server_url="http://127.0.0.1:9", runtime_mode="k8s"))
    assert [(finding.ok, "refused" in finding.detail, bool(finding.remedy)) for finding in nobody] == [
        (False, True, True)
    ]
