"""Workload lifecycle (L1-L9, M2): what a listing and a catalog make of the stored workloads."""

from typing import Any

import pytest

from mcp_optimizer.domain.lifecycle import WorkloadsPlan, become_autonomous, finalize, follow_catalog, plan_workloads
from mcp_optimizer.domain.matching import RegistryIndex
from mcp_optimizer.domain.models import (
    Cause,
    Duplicate,
    Evidence,
    ItemProblem,
    ObservedWorkload,
    RegistryServer,
    Workload,
    WorkloadListing,
)
from mcp_optimizer.domain.reconcile import reconcile
from mcp_optimizer.domain.tools.text import tools_digest
from tests.support.builders import catalog, entry, tool, tools, workload
from tests.unit.builders import BEFORE, NOW, MemoryStore, duplicate, row, server

ONE, TWO = "ghcr.io/x/one:1", "ghcr.io/x/two:1"
ONE_NEXT = "ghcr.io/x/one:2"
FETCH = server("fetch", ONE)
LINKED = row("web", ONE, linked_to=FETCH)
AUTONOMOUS = row("web", ONE)


def only(plan: WorkloadsPlan) -> Workload:
    """What the plan's one change leads to."""
    (change,) = plan.changes
    return change.after


# First ingestion: M


def test_l1_a_first_ingestion_matches_and_links() -> None:
    store = MemoryStore([FETCH])
    plan = store.ingest_workloads(workload("web", ONE, ["get"]))
    (change,) = plan.changes
    assert (change.before, change.after.registry_server_id, change.after.registry_server_name) == (
        None,
        "id-fetch",
        "fetch",
    )
    assert change.relation is not None
    assert (change.relation.operation, change.relation.cause) == ("linked", Cause.FIRST_MATCH)
    assert (change.after.relation_changed_at, change.after.created_at) == (NOW, NOW)
    stored = store.workloads["web"]
    assert (stored.description, stored.context_name) == (None, "fetch")
    assert stored.tools_digest == tools_digest("fetch", tools("get"))


def test_l1_s2_without_a_match_it_is_autonomous_and_describes_itself() -> None:
    store = MemoryStore([FETCH])
    (change,) = store.ingest_workloads(workload("web", TWO, ["get", "post"])).changes
    assert change.relation is not None
    assert change.relation.operation == "autonomous"
    stored = store.workloads["web"]
    assert (stored.registry_server_id, stored.description) == (None, "Offers get, post")
    assert stored.context_name == "web"


def test_m2_a_rejected_new_workload_gets_no_row_and_hides_no_other() -> None:
    store = MemoryStore([FETCH], duplicates=[duplicate(ONE, "fetch", "fork")])
    plan = store.ingest_workloads(workload("web", ONE), workload("other", TWO))
    (rejection,) = plan.rejected
    assert rejection.observed.name == "web"
    assert rejection.reason == f"several registry servers claim {ONE}: fetch, fork"
    assert list(store.workloads) == ["other"]


@pytest.mark.parametrize("stored", [row("web", TWO), row("web", TWO, linked_to=server("two", TWO))])
def test_m2_a_rejected_existing_workload_stays_exactly_as_it_was(stored: Workload) -> None:
    store = MemoryStore([FETCH, server("two", TWO)], [stored], duplicates=[duplicate(ONE, "fetch", "fork")])
    plan = store.ingest_workloads(workload("web", ONE, ["new"], status="stopped", group="other"))
    assert (plan.changes, plan.unchanged, plan.removed, len(plan.rejected)) == ((), (), (), 1)
    assert store.workloads == {"web": stored}


def test_m3_once_resolved_the_rejected_workload_is_linked() -> None:
    store = MemoryStore([FETCH], duplicates=[duplicate(ONE, "fetch", "fork", chosen="fetch")])
    assert only(store.ingest_workloads(workload("web", ONE))).registry_server_name == "fetch"


# L1, L2, L3


CHANGES: list[dict[str, Any]] = [
    {"given": ["other", "tools"]},
    {"given": []},
    {"endpoint": "http://127.0.0.1:1/moved"},
    {"status": "stopped"},
    {"status_reason": "out of memory"},
    {"group": "production"},
    {"transport": "sse"},
    {"proxy_mode": "sse"},
    {"virtual_mcp": True},
    {"recorded": "another"},
    {"where": "GHCR.IO/x/one:1"},
]


@pytest.mark.parametrize("changed", CHANGES, ids=lambda changed: next(iter(changed)))
@pytest.mark.parametrize("stored", [LINKED, AUTONOMOUS], ids=["linked", "autonomous"])
def test_l1_l3_the_same_identity_keeps_the_relation_whatever_else_changes(
    stored: Workload, changed: dict[str, Any]
) -> None:
    store = MemoryStore([FETCH], [stored])
    plan = store.ingest_workloads(workload("web", **({"where": ONE} | changed)))
    (change,) = plan.changes
    assert change.relation is None
    for field in ("id", "registry_server_id", "registry_server_name", "relation_cause", "relation_changed_at"):
        assert getattr(change.after, field) == getattr(stored, field)
    again = store.ingest_workloads(workload("web", **({"where": ONE} | changed)))
    assert (again.changes, len(again.unchanged)) == ((), 1), "E2: nothing changed, nothing is written"


@pytest.mark.parametrize(
    ("registry", "duplicates"),
    [
        ([FETCH], [duplicate(ONE, "fetch", "fork")]),
        ([server("fetch", ONE_NEXT)], []),
        ([server("fetch", "mcp/moved:1"), server("taker", ONE)], []),
    ],
    ids=["claimed twice now", "re-tagged", "moved, its identity another's"],
)
def test_l1_the_relation_outlives_what_the_catalog_does(
    registry: list[RegistryServer], duplicates: list[Duplicate]
) -> None:
    store = MemoryStore(registry, [LINKED], duplicates=duplicates)
    assert store.ingest_workloads(workload("web", ONE)) == WorkloadsPlan(unchanged=(LINKED,))


def test_l5_a_link_by_hand_survives_reingestion() -> None:
    by_hand = row("web", TWO, linked_to=FETCH, relation_cause="linked-by-hand")
    store = MemoryStore([FETCH, server("two", TWO)], [by_hand])
    assert store.ingest_workloads(workload("web", TWO)).unchanged == (by_hand,)


def test_l2_another_identity_updates_the_row_in_place_and_matches_anew() -> None:
    store = MemoryStore([FETCH, server("two", TWO)], [LINKED])
    (change,) = store.ingest_workloads(workload("web", TWO)).changes
    assert (change.after.id, change.after.registry_server_name) == ("id-web", "two")
    assert (change.after.created_at, change.after.relation_changed_at) == (BEFORE, NOW)
    assert change.relation is not None
    assert (change.relation.operation, change.relation.cause) == ("linked", Cause.IDENTITY_CHANGED)
    assert store.workloads["web"].tools_digest == tools_digest("two", tools("ping"))


def test_l2_l11_a_linked_workload_that_matches_nothing_any_more_is_unlinked() -> None:
    store = MemoryStore([FETCH], [LINKED])
    (change,) = store.ingest_workloads(workload("web", TWO, None)).changes
    assert change.relation is not None
    assert (change.relation.operation, change.relation.detail) == ("unlinked", "from fetch")
    assert store.workloads["web"].description == "Offers ping", "its last known tools stay"


def test_l2_l11_an_autonomous_workload_that_stays_so_changes_no_relation() -> None:
    store = MemoryStore([FETCH], [AUTONOMOUS])
    (change,) = store.ingest_workloads(workload("web", TWO)).changes
    assert (change.relation, change.after.registry_server_id) == (None, None)
    assert change.after.identity.raw == TWO


def test_l3_an_entry_that_appears_later_links_nothing_by_itself() -> None:
    store = MemoryStore([], [AUTONOMOUS])
    store.ingest_catalog(catalog(entry("fetch", ONE)))
    assert store.ingest_workloads(workload("web", ONE)).unchanged == (AUTONOMOUS,)


# L4, L5


def test_l4_become_autonomous_leaves_the_registry_server_and_describes_itself() -> None:
    change = become_autonomous(LINKED, Cause.REGISTRY_DELETED, now=NOW)
    after = finalize(change, tools("ping", "pong"), embedded=True)
    assert (after.registry_server_id, after.registry_server_name) == (None, None)
    assert (after.description, after.context_name) == ("Offers ping, pong", "web")
    assert (after.relation_cause, after.relation_changed_at) == (Cause.REGISTRY_DELETED, NOW)
    assert after.tools_digest == tools_digest("web", tools("ping", "pong"))
    assert change.tools is None, "the stored tools stay"
    assert change.relation is not None
    assert (change.relation.operation, change.relation.cause) == ("unlinked", Cause.REGISTRY_DELETED)
    kept = {"id", "name", "identity", "status", "endpoint", "evidence", "created_at"}
    assert after.model_dump(include=kept) == LINKED.model_dump(include=kept)


def test_l4_s2_without_tools_it_has_a_description_all_the_same() -> None:
    assert finalize(become_autonomous(LINKED, Cause.UNLINKED_BY_HAND, now=NOW), (), embedded=True).description


def test_l5_unlinked_by_hand_survives_reingestion() -> None:
    unlinked = finalize(become_autonomous(LINKED, Cause.UNLINKED_BY_HAND, now=NOW), tools("ping"), embedded=True)
    assert MemoryStore([FETCH], [unlinked]).ingest_workloads(workload("web", ONE)).unchanged == (unlinked,)


# L7, L8


def test_l7_what_could_not_be_embedded_is_tried_again() -> None:
    store = MemoryStore([FETCH], [LINKED.model_copy(update={"tools_digest": ""})])
    assert only(store.ingest_workloads(workload("web", ONE))).registry_server_name == "fetch"
    assert store.workloads["web"].tools_digest
    assert finalize(become_autonomous(LINKED, Cause.REMATCH, now=NOW), (), embedded=False).tools_digest == ""


@pytest.mark.parametrize("status", ["running", "stopped", "removing", "unauthenticated", "a status of tomorrow", ""])
def test_l8_a_status_is_stored_as_given_and_only_running_runs(status: str) -> None:
    after = only(MemoryStore().ingest_workloads(workload("web", ONE, status=status)))
    assert (after.status, after.running) == (status, status == "running")


def test_l8_a_workload_whose_tools_cant_be_fetched_keeps_them_and_says_why() -> None:
    store = MemoryStore([FETCH], [LINKED])
    plan = store.ingest_workloads(
        workload("web", ONE, None, tools_problem="connection refused"), workload("other", TWO)
    )
    web = next(change for change in plan.changes if change.after.name == "web")
    assert (web.after.status, web.after.status_reason, web.tools) == ("running", "connection refused", None)
    assert plan.failed == (ItemProblem(name="web", reason="connection refused"),)
    assert store.tools["web"] == tools("ping")
    assert store.workloads["web"].tools_digest == LINKED.tools_digest
    assert "other" in store.workloads


def test_l8_a_new_workload_whose_tools_cant_be_fetched_is_stored_with_the_reason() -> None:
    after = only(MemoryStore([FETCH]).ingest_workloads(workload("web", ONE, None, tools_problem="timed out")))
    assert (after.status, after.status_reason, after.registry_server_name) == ("running", "timed out", "fetch")


def test_l8_a_list_of_tools_that_was_cut_is_an_answer_with_a_reason() -> None:
    plan = MemoryStore([FETCH], [LINKED]).ingest_workloads(workload("web", ONE, ["a"], tools_problem="cut at 1"))
    assert (only(plan).status, only(plan).status_reason) == ("running", "cut at 1")
    assert plan.failed == (ItemProblem(name="web", reason="cut at 1"),)


def test_l8_when_its_tools_are_back_so_is_its_status() -> None:
    store = MemoryStore([FETCH], [LINKED])
    store.ingest_workloads(workload("web", ONE, None, tools_problem="timed out"))
    store.ingest_workloads(workload("web", ONE))
    assert store.workloads["web"] == LINKED


def test_l8_a_stopped_workload_keeps_its_tools_and_is_no_problem() -> None:
    plan = MemoryStore([FETCH], [LINKED]).ingest_workloads(workload("web", ONE, None, status="stopped"))
    assert (only(plan).status, plan.failed) == ("stopped", ())


# I3: no identity


def nameless(name: str) -> ObservedWorkload:
    return ObservedWorkload(name=name, identity=None, identity_problem="no image is named", status="stopped")


def test_i3_without_identity_a_new_workload_fails_and_the_rest_goes_on() -> None:
    store = MemoryStore([FETCH])
    plan = store.ingest_workloads(nameless("a"), workload("web", ONE))
    assert plan.failed == (ItemProblem(name="a", reason="no image is named"),)
    assert list(store.workloads) == ["a", "web"]
    assert (store.workloads["a"].identity, store.entry_of("a")) == (None, None)


def test_i3_l1_without_identity_a_stored_workload_keeps_identity_and_relation() -> None:
    plan = MemoryStore([FETCH], [LINKED]).ingest_workloads(nameless("web"))
    after = only(plan)
    assert (after.identity, after.registry_server_id, after.status) == (LINKED.identity, "id-fetch", "stopped")
    assert [problem.name for problem in plan.failed] == ["web"]


# L9


def test_l9_a_workload_that_is_no_longer_listed_is_deleted_with_a_complete_listing_only() -> None:
    other = row("other", TWO)
    store = MemoryStore([FETCH], [LINKED, other])
    assert store.ingest_workloads(workload("web", ONE), complete=False).removed == ()
    assert store.ingest_workloads(workload("web", ONE)).removed == (other,)
    assert list(store.workloads) == ["web"]


def test_l9_b_what_the_listing_names_as_a_problem_is_not_gone() -> None:
    listing = WorkloadListing(source="memory", problems=(ItemProblem(name="web", reason="it could not be read"),))
    plan = plan_workloads(listing, [LINKED], RegistryIndex([FETCH]), new_id=str, now=NOW)
    assert (plan.removed, plan.failed) == ((), listing.problems)


def test_b_a_name_listed_twice_counts_once_in_any_order_and_is_told() -> None:
    twice = [workload("web", ONE), workload("web", TWO)]
    first, second = (MemoryStore([FETCH]).ingest_workloads(*order) for order in (twice, twice[::-1]))
    assert first == second
    assert len(first.changes) == 1
    assert first.failed == (ItemProblem(name="web", reason="listed 2 times; one of them is used"),)


# A plan that changes nothing


def test_e2_an_unchanged_listing_changes_nothing_in_any_order() -> None:
    listed = [workload(f"w{n}", f"ghcr.io/x/y:{n}", [tool("a"), tool("b")], recorded="x") for n in range(4)]
    store = MemoryStore([server("y", "ghcr.io/x/y:1")])
    store.ingest_workloads(*listed)
    before = dict(store.workloads)
    shuffled = [item.model_copy(update={"tools": (item.tools or ())[::-1]}) for item in listed[::-1]]
    plan = store.ingest_workloads(*shuffled)
    assert (plan.changes, plan.removed, len(plan.unchanged)) == ((), (), 4)
    assert store.workloads == before


# What the catalog does: C2, C3, L4, L11


def test_c2_l6_a_rename_takes_context_names_along_and_nothing_else() -> None:
    autonomous = row("alone", "ghcr.io/x/alone:1")
    other = row("other", TWO, linked_to=server("two", TWO))
    store = MemoryStore([FETCH, server("two", TWO)], [LINKED, autonomous, other])
    store.ingest_catalog(catalog(entry("fetch-web", ONE), entry("two", TWO)))
    web = store.workloads["web"]
    assert (web.registry_server_id, web.registry_server_name) == ("id-fetch", "fetch-web")
    assert web.tools_digest == tools_digest("fetch-web", tools("ping"))
    assert (web.relation_cause, web.relation_changed_at) == ("first-match", BEFORE), "the relation is the same"
    assert (store.workloads["alone"], store.workloads["other"]) == (autonomous, other)


def test_c3_l4_l10_a_removed_entry_leaves_its_workloads_autonomous_and_no_other() -> None:
    other = row("other", TWO, linked_to=server("two", TWO))
    store = MemoryStore([FETCH, server("two", TWO)], [LINKED, row("api", ONE, linked_to=FETCH), other])
    store.ingest_catalog(catalog(entry("two", TWO)))
    for name in ("web", "api"):
        assert store.home_of(name) is None
        assert store.workloads[name].relation_cause == Cause.REGISTRY_REMOVED
        assert store.workloads[name].description == "Offers ping"
    assert store.workloads["other"] == other


@pytest.mark.parametrize(
    ("running", "stored", "named", "operation"),
    [
        (ONE, ONE, ONE_NEXT, "drifted"),
        (ONE, ONE_NEXT, ONE, "drift-ended"),
        (ONE, ONE_NEXT, "ghcr.io/x/one:3", "drifted"),
    ],
)
def test_l11_drift_that_comes_or_goes_is_noted_and_changes_no_row(
    running: str, stored: str, named: str, operation: str
) -> None:
    fetch = server("fetch", stored)
    linked = row("web", running, linked_to=fetch)
    changes, notes = follow_catalog(reconcile(catalog(entry("fetch", named)), [fetch]), [linked], now=NOW)
    assert changes == ()
    ((noted, note),) = notes
    assert (noted, note.operation, note.cause) == (linked, operation, Cause.REGISTRY_RETAGGED)
    assert named in note.detail


def test_l1_l11_a_link_that_follows_its_entry_to_another_row_is_logged() -> None:
    two = server("two", TWO)
    plan = reconcile(catalog(entry("fetch", TWO)), [FETCH, two], linked_ids={"id-fetch"})
    changes, _ = follow_catalog(plan, [LINKED], now=NOW)
    (change,) = changes
    assert (change.after.registry_server_id, change.after.registry_server_name) == ("id-two", "fetch")
    assert change.relation is not None
    assert (change.relation.operation, change.relation.cause) == ("linked", Cause.REGISTRY_RETAGGED)
    assert TWO in change.relation.detail


def test_l6_a_change_of_the_entrys_content_touches_no_workload() -> None:
    plan = reconcile(catalog(entry("fetch", ONE, ["more", "tools"], description="better")), [FETCH])
    assert follow_catalog(plan, [LINKED, AUTONOMOUS], now=NOW) == ((), ())


def test_c6_an_incomplete_catalog_unlinks_nothing() -> None:
    plan = reconcile(catalog(complete=False), [FETCH], linked_ids={"id-fetch"})
    assert follow_catalog(plan, [LINKED], now=NOW) == ((), ())


def test_m5_new_evidence_is_kept_but_changes_no_relation() -> None:
    plan = MemoryStore([FETCH, server("two", TWO)], [LINKED]).ingest_workloads(workload("web", ONE, recorded="two"))
    assert only(plan).evidence == Evidence(recorded_registry_server="two")
    assert only(plan).registry_server_name == "fetch"
