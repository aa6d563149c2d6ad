"""An image at a company's mirror nearly is the one of the catalog (M5)."""

import pytest

from mcp_optimizer.domain.matching import Reason, RegistryIndex, Subject, explain
from tests.support.builders import identity
from tests.unit.builders import server

DIGEST = f"sha256:{'c' * 64}"


def near(running: str, catalog: str) -> list[tuple[Reason, str, str]]:
    """Near misses of a workload where the catalog has one entry."""
    found = identity(running)
    index = RegistryIndex([server("entry", catalog)])
    told = explain(Subject(name="mine", kind=found.kind, identity=found), index)
    assert told.registry_server is None, "M1: it never links by itself"
    return [(miss.reason, miss.running, miss.catalog) for miss in told.near_misses]


@pytest.mark.parametrize(
    ("running", "catalog"),
    [
        ("mirror.example/mcp/context7:1.0", "mcp/context7:1.0"),
        ("registry.corp/dockerhub-proxy/mcp/context7", "docker.io/mcp/context7:1.0"),
        ("registry.corp:5000/mcp/context7:2.0", "mcp/context7:1.0"),
        ("localhost:5000/mcp/context7:1.0", "index.docker.io/mcp/context7:1.0"),
        ("harbor.corp/proxy/ghcr.io/acme/tools/server:1", "ghcr.io/acme/tools/server:1"),
        ("123.dkr.ecr.eu-west-1.amazonaws.com/docker-hub/mcp/time:1", "mcp/time:1"),
        ("mcp/context7:1.0", "mirror.example/mcp/context7:1.0"),
        ("mirror.example/redis:7", "redis:7"),
        ("mirror.example/library/redis:7", "redis"),
        ("quay.io/acme/server:1", "ghcr.io/acme/server:1"),
        (f"mirror.example/x/renamed@{DIGEST}", f"mcp/context7@{DIGEST}"),
    ],
)
def test_m5_an_image_at_a_mirror_is_a_near_miss_with_what_tells_it(running: str, catalog: str) -> None:
    assert near(running, catalog) == [(Reason.MOVED_IMAGE, running, catalog)]
    index = RegistryIndex([server("entry", catalog)])
    told = explain(Subject(name="mine", kind=identity(running).kind, identity=identity(running)), index)
    assert told.near_misses[0].detail


@pytest.mark.parametrize(
    ("running", "catalog"),
    [
        ("mirror.example/mcp/context8:1.0", "mcp/context7:1.0"),
        ("mirror.example/acme/context7:1.0", "mcp/context7:1.0"),
        ("mirror.example/xmcp/context7:1.0", "mcp/context7:1.0"),
        ("ghcr.io/acme/fetch:1", "fetch:1"),
        ("ghcr.io/a/tools/server:1", "ghcr.io/b/tools/server:1"),
    ],
)
def test_m5_other_images_are_none(running: str, catalog: str) -> None:
    assert near(running, catalog) == []
