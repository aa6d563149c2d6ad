"""An image that the catalog moved: the earlier place is remembered, and found again as a near miss (C1, M5)."""

import pytest

from mcp_optimizer.domain.matching import Reason, RegistryIndex, Subject, explain
from mcp_optimizer.domain.models import Alias, Catalog
from mcp_optimizer.domain.reconcile import new_aliases, reconcile
from tests.support.builders import catalog, entry, identity
from tests.unit.builders import server

OLD, NEW = "mcp/fetch:1", "ghcr.io/stacklok/dockyard/uvx/fetch:2"


def remembered(before: tuple[str, str], after: tuple[str, str]) -> list[tuple[str, str]]:
    """Name and identity that are remembered when one entry becomes another; ``before`` and ``after`` are these too."""
    plan = reconcile(catalog(entry(*after)), [server(*before)])
    assert {alias.registry_server_id for alias in plan.aliases} <= {f"id-{before[0]}"}
    return [(alias.name, alias.identity.raw) for alias in plan.aliases]


@pytest.mark.parametrize(
    ("before", "after", "kept"),
    [
        (("fetch", OLD), ("fetch", NEW), [("fetch", OLD)]),
        (("fetch", OLD), ("reader", OLD), [("fetch", OLD)]),
        (("fetch", "mcp/fetch:1"), ("fetch", "mcp/fetch:2"), []),
        (("fetch", OLD), ("fetch", OLD), []),
        (("far", "https://a.example/sse"), ("far", "https://a.example/mcp"), [("far", "https://a.example/sse")]),
    ],
    ids=["moved", "renamed", "re-tagged", "unchanged", "another URL"],
)
def test_c1_what_an_entry_was_is_remembered(
    before: tuple[str, str], after: tuple[str, str], kept: list[tuple[str, str]]
) -> None:
    assert remembered(before, after) == kept


def near(running: str, *aliases: Alias, name: str = "mine") -> list[tuple[str, Reason, str, str]]:
    """Near misses of a workload, where ``fetch`` is at its new place and ``other`` elsewhere."""
    found = identity(running)
    index = RegistryIndex([server("fetch", NEW), server("other", "mcp/other:1")], aliases=aliases)
    told = explain(Subject(name=name, kind=found.kind, identity=found), index)
    assert told.registry_server is None, "M1: it never links by itself"
    return [(miss.registry_server, miss.reason, miss.running, miss.catalog) for miss in told.near_misses]


def past(where: str, name: str = "fetch") -> Alias:
    """What ``fetch`` was."""
    return Alias(registry_server_id="id-fetch", name=name, identity=identity(where))


@pytest.mark.parametrize("tag", [":1", ":0.9", "", f"@sha256:{'a' * 64}"], ids=["same", "older", "latest", "digest"])
def test_m5_a_new_workload_of_the_old_image_nearly_is_the_entry(tag: str) -> None:
    running = f"mcp/fetch{tag}"
    assert near(running) == [], "nothing else leads there"
    assert near(running, past(OLD)) == [("fetch", Reason.MOVED_IMAGE, running, NEW)]


def test_m5_every_place_it_ever_had_counts_once() -> None:
    places = [past(OLD), past("docker.io/mcp/fetch:3", "reader"), past("quay.io/mcp/fetch:1")]
    for running in ("docker.io/mcp/fetch:1", "quay.io/mcp/fetch:1"):
        assert [(name, reason) for name, reason, *_ in near(running, *places, name="fetch")] == [
            ("fetch", Reason.MOVED_IMAGE)
        ]
    assert near("quay.io/mcp/another:1", *places) == []


def test_m5_a_past_of_a_row_that_is_gone_or_of_another_kind_leads_nowhere() -> None:
    gone = Alias(registry_server_id="id-gone", name="gone", identity=identity("quay.io/gone:1"))
    assert near("quay.io/gone:1", gone) == []
    assert near("https://far.example/mcp", past("https://far.example/mcp")) == []


def test_m5_c1_what_another_program_remembered_is_taken_over_once() -> None:
    rows = [server("fetch", NEW)]
    told = Catalog(
        source="snapshot",
        entries=(entry("fetch", NEW),),
        aliases=((identity(NEW), "fetch", identity(OLD)), (identity("mcp/unknown:1"), "x", identity(OLD))),
    )
    found = new_aliases(told, rows, [])
    assert found == [past(OLD)]
    assert new_aliases(told, rows, found) == []
