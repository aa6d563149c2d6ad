"""What was found of each kind and namespace, put together (C6, L9, B)."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_optimizer.domain.models import Kind
from mcp_optimizer.errors import SourceError
from mcp_optimizer.sources.kubernetes.items import ResourceKind, resource_key
from mcp_optimizer.sources.kubernetes.listing import ResourceListing, assemble, refuse_nothing_read
from tests.support.kubernetes import resource

SERVER, PROXY, ENTRY, VIRTUAL = ResourceKind


def found(kind: ResourceKind, *keys: str, problem: str = "", namespace: str = "") -> ResourceListing:
    spec = {"image": "a/b:1", "remoteUrl": "https://r.example/mcp"}
    items = tuple(resource(kind, key, spec) for key in keys)
    return ResourceListing(kind, namespace, items, problem=problem, version="v1beta1")


def names(*parts: ResourceListing, **more: Any) -> list[str]:
    return [workload.name for workload in assemble(parts, source="s", **more).listing.workloads]


def test_two_namespaces_with_equal_names_are_two_workloads() -> None:
    assert names(found(SERVER, "team-a/one", "team-b/one")) == ["team-a/one", "team-b/one"]


def test_kinds_that_share_a_name_are_all_listed_and_the_order_of_answers_does_not_matter() -> None:
    parts = [found(VIRTUAL, "a/one"), found(SERVER, "a/one"), found(PROXY, "a/one", "a/two")]
    expected = ["a/one", "a/one (MCPRemoteProxy)", "a/one (VirtualMCPServer)", "a/two"]
    assert sorted(names(*parts)) == sorted(names(*reversed(parts))) == expected


def test_a_name_stays_with_the_kind_that_had_it_while_that_kind_can_not_be_read() -> None:
    before = assemble([found(SERVER, "a/one"), found(VIRTUAL, "a/one")], source="s")
    away = assemble([found(SERVER, problem="away"), found(VIRTUAL, "a/one")], source="s", holders=before.holders)
    assert [workload.name for workload in away.listing.workloads] == ["a/one (VirtualMCPServer)"]
    gone = assemble([found(SERVER), found(VIRTUAL, "a/one")], source="s", holders=away.holders)
    assert [(seen.name, seen.virtual_mcp) for seen in gone.listing.workloads] == [("a/one", True)]


def test_l9_a_part_that_was_not_read_whole_makes_the_listing_incomplete_and_keeps_the_rest() -> None:
    parts = [found(SERVER, "a/one", problem="broke off"), found(PROXY, "a/two"), ResourceListing(ENTRY, "")]
    listing = assemble(parts, source="s").listing
    assert [workload.name for workload in listing.workloads] == ["a/one", "a/two"]
    assert not listing.complete
    assert [(item.name, item.reason) for item in listing.problems] == [("MCPServer in all namespaces", "broke off")]


def test_a_kind_that_the_cluster_does_not_know_is_no_problem() -> None:
    listing = assemble([found(SERVER, "a/one"), ResourceListing(ENTRY, "")], source="s").listing
    assert (listing.complete, listing.problems) == (True, ())


@pytest.mark.parametrize("odd", [None, 7, "text", [], {}, {"metadata": 3}, {"metadata": {"name": "x"}}])
def test_b_an_item_without_a_key_hides_no_other_and_makes_the_listing_incomplete(odd: Any) -> None:
    good = resource("MCPServer", "a/one", {"image": "a/b"})
    listing = assemble([ResourceListing(SERVER, "", (odd, good), version="v1beta1")], source="s").listing
    assert [workload.name for workload in listing.workloads] == ["a/one"]
    assert (len(listing.problems), listing.complete) == (1, False)


def test_the_namespace_that_was_asked_for_is_that_of_an_item_without_one() -> None:
    item = {"metadata": {"name": "one"}, "spec": {"image": "a/b"}}
    assert names(ResourceListing(SERVER, "team-a", (item,), version="v1beta1")) == ["team-a/one"]


def test_a_resource_with_the_wrong_types_is_its_own_problem() -> None:
    odd = {"metadata": {"name": "odd", "namespace": "a"}, "spec": [1], "status": "x"}
    good = resource("MCPServer", "a/one", {"image": "a/b"})
    listing = assemble([ResourceListing(SERVER, "", (odd, good), version="v1beta1")], source="s").listing
    assert [(seen.name, seen.identity and seen.identity.kind) for seen in listing.workloads] == [
        ("a/odd", None),
        ("a/one", Kind.CONTAINER),
    ]
    assert listing.complete


def test_of_one_listed_twice_the_first_counts() -> None:
    listing = assemble([found(SERVER, "a/one", "a/one")], source="s").listing
    assert len(listing.workloads) == 1
    assert listing.problems[0].reason == "it is listed more than once; the first counts"


def test_nothing_read_is_an_error_and_never_an_empty_listing() -> None:
    unknown = [ResourceListing(kind, "") for kind in ResourceKind]
    with pytest.raises(SourceError, match="knows none of the kinds"):
        refuse_nothing_read(unknown)
    with pytest.raises(SourceError, match="MCPServer in namespace a: away"):
        refuse_nothing_read([found(SERVER, problem="away", namespace="a"), ResourceListing(VIRTUAL, "a")])
    refuse_nothing_read([found(SERVER), ResourceListing(VIRTUAL, "")])  # it was read, and there is none
    refuse_nothing_read([found(SERVER, "a/one", problem="broke off")])


KEYS = st.sampled_from(["a/x", "a/y", "b/x"])
ODD = st.sampled_from([None, 7, {}, {"metadata": {"name": "x"}}, {"metadata": []}])
PART = st.builds(
    lambda kind, keys, odd, problem: found(kind, *keys, problem=problem)._replace(
        items=(*(resource(kind, key, {"image": "a/b"}) for key in keys), *odd)
    ),
    st.sampled_from(list(ResourceKind)),
    st.lists(KEYS, max_size=4),
    st.lists(ODD, max_size=2),
    st.sampled_from(["", "", "away"]),
)
PARTS = st.lists(PART, max_size=4, unique_by=lambda part: part.kind)


@given(PARTS, PARTS, st.randoms())
def test_whatever_is_found_each_resource_is_listed_once_under_a_name_of_its_own(
    before: list[ResourceListing], now: list[ResourceListing], rng: Any
) -> None:
    holders = assemble(before, source="s").holders
    first = assemble(now, source="s", holders=holders)
    rng.shuffle(now)
    assert assemble(now, source="s", holders=holders) == first
    listed = [workload.name for workload in first.listing.workloads]
    assert len(set(listed)) == len(listed)
    distinct = {(part.kind, key) for part in now for item in part.items if (key := resource_key(item, namespace=""))}
    assert len(listed) == len(distinct)
    sound = all(not part.problem and all(resource_key(item, namespace="") for item in part.items) for part in now)
    assert first.listing.complete is sound
    taken = {key: kind for key, kind in holders.items() if any(part.kind is kind and part.problem for part in now)}
    order = list(ResourceKind)
    for key, kind in taken.items():  # no later kind takes over what a kind had that can't be read now
        holder = first.holders[key]
        assert order.index(holder) <= order.index(kind)
