"""Workloads over time: matched once, kept, rejected, failing, deleted (L, M)."""

import pytest

from mcp_optimizer.domain.models import ItemProblem, ObservedWorkload, Relation
from mcp_optimizer.service import DataService
from tests.conftest import OpenService
from tests.support.builders import catalog, entry, listing, tool, workload
from tests.support.database import dump, rows, value
from tests.support.embedders import FakeEmbedder
from tests.support.places import Place
from tests.support.services import assert_sound, ingest, workloads_by_name

ALPHA = "example.org/alpha:1"
CATALOG = catalog(entry("alpha", ALPHA, ["ping"]))
TWICE = catalog(entry("alpha", ALPHA, ["ping"]), entry("alpha-fork", ALPHA, ["ping"]))


async def test_m1_matching_is_by_identity_of_the_same_kind_only(service: DataService) -> None:
    await ingest(
        service,
        catalog(entry("alpha", ALPHA), entry("beta", "https://beta.example/mcp")),
        listing(
            workload("alpha", "example.org/another:1"),
            workload("spelled-otherwise", "EXAMPLE.org/alpha:1"),
            workload("beta-1", "HTTPS://BETA.example:443/mcp"),
            workload("beta-2", "https://beta.example/mcp/"),
            workload("beta-3", "beta.example/mcp"),
            workload("said-so", "example.org/else:1", recorded="alpha"),
        ),
    )
    found = {name: view.registry_server for name, view in (await workloads_by_name(service)).items()}
    assert found == {
        "alpha": None, "spelled-otherwise": "alpha", "beta-1": "beta", "beta-2": None, "beta-3": None, "said-so": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        {"endpoint": "http://127.0.0.1:1/other"},
        {"status": "stopped"},
        {"group": "others"},
        {"given": ["quite", "other"]},
        {"transport": "sse"},
    ],
)
async def test_l1_the_same_identity_keeps_its_relation(service: DataService, change: dict[str, object]) -> None:
    await ingest(service, CATALOG, listing(workload("one", ALPHA)))
    before = await service.workload("one")
    report = await ingest(service, listing=listing(workload("one", ALPHA, **change)))  # ty: ignore[invalid-argument-type]
    assert report.workloads is not None
    assert (report.workloads.updated, report.workloads.added) == (1, 0)
    after = await service.workload("one")
    assert (after.id, after.registry_server, after.relation_cause) == (before.id, "alpha", "first-match")
    assert after.relation_changed_at == before.relation_changed_at
    assert after != before


async def test_l2_another_identity_matches_anew_in_place(service: DataService, fake_embedder: FakeEmbedder) -> None:
    await ingest(service, CATALOG, listing(workload("one", ALPHA)))
    before = await service.workload("one")
    fake_embedder.forget()
    await ingest(service, listing=listing(workload("one", "example.org/other:1")))
    after = await service.workload("one")
    assert (after.id, after.relation, after.description) == (before.id, Relation.AUTONOMOUS, "Offers ping")
    assert fake_embedder.texts == ["one: ping", "ping does what it says."]
    await ingest(service, listing=listing(workload("one", ALPHA)))
    assert (await service.workload("one")).registry_server == "alpha"


async def test_l3_an_autonomous_workload_stays_so_and_is_linkable(service: DataService) -> None:
    await ingest(service, catalog(), listing(workload("one", ALPHA)))
    await ingest(service, CATALOG, listing(workload("one", ALPHA, ["ping", "more"])))
    found = await service.workload("one")
    assert (found.relation, found.linkable_to) == (Relation.AUTONOMOUS, "alpha")
    assert (await service.overview()).linkable == 1


async def test_l3_together_the_registry_comes_first(service: DataService) -> None:
    await ingest(service, CATALOG, listing(workload("one", ALPHA)))
    assert (await service.workload("one")).relation is Relation.LINKED


async def test_m2_a_new_workload_of_a_shared_identity_gets_no_row(service: DataService, database: Place) -> None:
    report = await ingest(service, TWICE, listing(workload("one", ALPHA), workload("two", "example.org/two:1")))
    assert report.workloads is not None
    ((name, reason),) = [(item.name, item.reason) for item in report.workloads.rejected]
    assert name == "one"
    assert "alpha, alpha-fork" in reason
    assert report.partial
    assert rows(database, "SELECT name FROM mcpservers_workload") == [("two",)]
    shown = {view.name: view for view in await service.workloads()}
    assert (shown["one"].relation, shown["one"].problem) == (Relation.REJECTED, reason)
    detail = await service.workload("one")
    assert (detail.identity, detail.relation) == (ALPHA, Relation.REJECTED)
    explanation = await service.explain("one")
    assert explanation.verdict is Relation.REJECTED
    assert {miss.registry_server for miss in explanation.near_misses} == {"alpha", "alpha-fork"}
    assert (await service.overview()).rejected == 1


async def test_m2_a_rejection_ends_when_the_catalog_settles_it(service: DataService, database: Place) -> None:
    seen = listing(workload("one", ALPHA))
    await ingest(service, TWICE, seen)
    before = dump(database)
    await ingest(service, TWICE, seen)
    assert dump(database) == before, "rejected again: nothing to write"
    await ingest(service, CATALOG, seen)
    found = await service.workload("one")
    assert (found.relation, found.registry_server, found.problem) == (Relation.LINKED, "alpha", None)
    assert await service.problems() == []


@pytest.mark.parametrize("status", ["", "deprecated", "frozen"])
async def test_c8_a_workload_says_what_its_catalog_says_of_its_entry(service: DataService, status: str) -> None:
    of_status = entry("alpha", ALPHA).model_copy(update={"status": status})
    await ingest(service, catalog(of_status), listing(workload("one", ALPHA), workload("own", "example.org/own:1")))
    found = await workloads_by_name(service)
    assert (found["one"].registry_server_status, found["own"].registry_server_status) == (status, "")
    assert (await service.workload("one")).registry_server_status == status


@pytest.mark.parametrize(
    ("observed", "tools", "linked"),
    [
        (workload("one", ALPHA, ["read"]), {"read"}, True),
        (workload("one", ALPHA, []), set(), True),
        (workload("one", ALPHA, None, tools_problem="it did not answer"), {"ping"}, True),
        (workload("one", ALPHA, ["read"], tools_partial=True), {"ping", "read"}, True),
        (workload("one", ALPHA, status="stopped"), {"ping"}, True),
        (workload("one", "example.org/other:1", ["read"]), {"read"}, False),
        (None, None, False),
    ],
    ids=["other tools", "no tools", "silent", "a part", "stopped", "another identity", "gone"],
)
async def test_m2_a_rejection_ends_while_the_workload_changes(
    service: DataService, database: Place, observed: ObservedWorkload | None, tools: set[str] | None, linked: bool
) -> None:
    """Both halves of one run change a workload that is not stored yet (L12)."""
    await ingest(service, TWICE, listing(workload("one", ALPHA)))
    after = listing(*([observed] if observed else []))
    await ingest(service, CATALOG, after)
    found = await workloads_by_name(service)
    assert set(found) == ({"one"} if observed else set())
    if observed:
        detail = await service.workload("one")
        assert {tool.name for tool in detail.tool_list} == tools
        assert detail.registry_server == ("alpha" if linked else None)
    await assert_sound(service)
    before = dump(database)
    await ingest(service, CATALOG, after)
    assert dump(database) == before


async def test_m2_an_existing_workload_stays_as_it_was(service: DataService) -> None:
    other = "example.org/other:1"
    seen = listing(workload("one", other, ["solo"]), workload("linked", ALPHA))
    await ingest(service, CATALOG, seen)
    before = await service.workload("one")
    report = await ingest(service, TWICE, listing(workload("one", ALPHA, ["changed"]), workload("linked", ALPHA)))
    assert report.workloads is not None
    assert [item.name for item in report.workloads.rejected] == ["one"]
    assert report.workloads.removed == 0
    after = await service.workload("one")
    assert after.relation is Relation.REJECTED
    assert (after.id, after.identity, after.tool_list) == (before.id, other, before.tool_list)
    assert (await service.workload("linked")).relation is Relation.LINKED, "L1: a relation that stands is kept"
    await ingest(service, listing=seen)
    assert (await service.workload("one")).relation is Relation.AUTONOMOUS


async def test_a_rejected_workload_that_is_gone_is_forgotten(service: DataService) -> None:
    await ingest(service, TWICE, listing(workload("one", ALPHA)))
    await ingest(service, listing=listing(complete=False))
    assert [view.name for view in await service.workloads()] == ["one"], "L9: not while the listing is not whole"
    await ingest(service, listing=listing())
    assert await service.workloads() == []
    assert [problem.entity for problem in await service.problems()] == ["registry"], "the duplicate itself stands"


@pytest.mark.parametrize("where", [ALPHA, "example.org/own:1"], ids=["linked", "autonomous"])
async def test_l7_a_workload_that_can_t_be_embedded_is_stored_with_the_reason(
    service: DataService, fake_embedder: FakeEmbedder, where: str
) -> None:
    await ingest(service, CATALOG)
    fake_embedder.fail_on = {"poison"}
    seen = listing(workload("one", where, ["poison", "sound"]), workload("two", where, ["sound"]))
    report = await ingest(service, listing=seen)
    assert report.workloads is not None
    assert [item.name for item in report.workloads.failed] == ["one"]
    assert report.partial
    one = await service.workload("one")
    assert one.status == "error"
    assert "choked" in (one.status_reason or "")
    assert one.problem is not None
    assert {tool.name: tool.embedded for tool in one.tool_list} == {"poison": False, "sound": True}
    assert (await service.workload("two")).status == "running"
    assert (await service.check()).ok
    fake_embedder.fail_on = set()
    fake_embedder.forget()
    report = await ingest(service, listing=seen)
    assert len(fake_embedder.texts) == 2, "only what is missing: the two parts of one tool"
    assert not report.partial
    one = await service.workload("one")
    assert (one.status, one.status_reason, one.problem) == ("running", None, None)
    assert all(tool.embedded for tool in one.tool_list)


async def test_l7_a_workload_without_tools_that_can_t_be_embedded(
    service: DataService, database: Place, fake_embedder: FakeEmbedder
) -> None:
    fake_embedder.fail_on = {"bare"}
    seen = listing(workload("bare", "example.org/bare:1", []))
    report = await ingest(service, listing=seen)
    assert report.workloads is not None
    assert [item.name for item in report.workloads.failed] == ["bare"]
    assert (await service.workload("bare")).status == "error"
    fake_embedder.fail_on = set()
    await ingest(service, listing=seen)
    assert (await service.workload("bare")).status == "running"
    assert value(database, "SELECT server_embedding IS NOT NULL FROM mcpservers_workload")


async def test_l7_without_a_model_everything_is_stored_all_the_same(
    service: DataService, fake_embedder: FakeEmbedder
) -> None:
    fake_embedder.unavailable = True
    seen = listing(workload("one", ALPHA), workload("own", "example.org/own:1", ["solo"]))
    report = await ingest(service, CATALOG, seen)
    assert report.partial
    assert report.embedded_texts == 0
    found = await workloads_by_name(service)
    assert {name: view.status for name, view in found.items()} == {"one": "error", "own": "error"}
    assert found["one"].registry_server == "alpha"
    assert (await service.check()).ok
    fake_embedder.unavailable = False
    report = await ingest(service, CATALOG, seen)
    assert not report.partial
    assert {view.status for view in await service.workloads()} == {"running"}


async def test_l7_a_workload_whose_context_can_t_be_renamed_is_tried_again(
    service: DataService, fake_embedder: FakeEmbedder
) -> None:
    seen = listing(workload("one", ALPHA, ["poison"]))
    await ingest(service, CATALOG, seen)
    fake_embedder.fail_on = {"omega: poison"}
    report = await ingest(service, catalog(entry("omega", ALPHA, ["ping"])))
    assert report.partial
    assert (await service.workload("one")).status == "error"
    fake_embedder.fail_on = set()
    await ingest(service, listing=seen)
    one = await service.workload("one")
    assert (one.status, one.context_name) == ("running", "omega")
    assert all(tool.embedded for tool in one.tool_list)


async def test_l8_a_listing_that_ended_early_loses_no_known_tool(service: DataService) -> None:
    await ingest(service, listing=listing(workload("one", ALPHA, ["ping", "pong"])))
    early = workload("one", ALPHA, ["ping", "new"], tools_problem="answered HTTP 429", tools_partial=True)
    await ingest(service, listing=listing(early))
    one = await service.workload("one")
    assert (one.status, one.status_reason) == ("running", "answered HTTP 429")
    assert sorted(tool.name for tool in one.tool_list) == ["new", "ping", "pong"]
    await ingest(service, listing=listing(workload("one", ALPHA, ["ping"])))
    assert [tool.name for tool in (await service.workload("one")).tool_list] == ["ping"]


async def test_l8_tools_that_can_t_be_fetched_stay_known(service: DataService, fake_embedder: FakeEmbedder) -> None:
    await ingest(service, listing=listing(workload("one", ALPHA, ["ping"]), workload("two", ALPHA, ["pong"])))
    fake_embedder.forget()
    broken = workload("one", ALPHA, None, tools_problem="connection refused")
    report = await ingest(service, listing=listing(broken, workload("two", ALPHA, ["pong"])))
    assert report.workloads is not None
    assert [(item.name, item.reason) for item in report.workloads.failed] == [("one", "connection refused")]
    one = await service.workload("one")
    assert (one.status, one.status_reason, one.problem) == ("running", "connection refused", "connection refused")
    assert [tool.name for tool in one.tool_list] == ["ping"]
    assert (await service.workload("two")).status == "running"
    assert fake_embedder.texts == []
    await ingest(service, listing=listing(workload("one", ALPHA, ["ping"]), workload("two", ALPHA, ["pong"])))
    one = await service.workload("one")
    assert (one.status, one.status_reason, one.problem) == ("running", None, None)


@pytest.mark.parametrize("status", ["stopped", "unauthenticated", "quantum", "Running"])
async def test_l8_any_status_is_stored_as_given(service: DataService, status: str) -> None:
    await ingest(service, listing=listing(workload("one", ALPHA, None, status=status)))
    assert (await service.workload("one")).status == status


async def test_l8_a_workload_without_identity_is_a_problem_and_hides_none(service: DataService) -> None:
    nameless = workload("bad", ALPHA).model_copy(update={"identity": None, "identity_problem": "no image"})
    unnamed = ItemProblem(name="item 3", reason="not an object")
    report = await ingest(service, listing=listing(nameless, workload("good", ALPHA), problems=[unnamed]))
    assert report.workloads is not None
    assert (report.workloads.added, report.workloads.unidentified, report.workloads.autonomous) == (2, 1, 1)
    assert {(item.name, item.reason) for item in report.workloads.failed} == {
        ("bad", "no image"),
        ("item 3", "not an object"),
    }
    assert {problem.name for problem in await service.problems()} == {"bad", "item 3"}
    await ingest(service, listing=listing(workload("good", ALPHA)))
    assert await service.problems() == []


async def test_l9_what_is_no_longer_listed_goes_only_from_a_whole_listing(service: DataService) -> None:
    await ingest(service, CATALOG, listing(workload("one", ALPHA), workload("two", ALPHA)))
    report = await ingest(service, listing=listing(workload("one", ALPHA), complete=False))
    assert report.workloads is not None
    assert (report.workloads.removed, report.workloads.complete, report.partial) == (0, False, True)
    assert len(await service.workloads()) == 2
    report = await ingest(service, listing=listing(workload("one", ALPHA)))
    assert report.workloads is not None
    assert report.workloads.removed == 1
    assert [view.name for view in await service.workloads()] == ["one"]
    assert [view.name for view in await service.registry_servers()] == ["alpha"], "L10"


async def test_a_name_listed_twice_is_one_workload_and_a_problem(service: DataService, database: Place) -> None:
    twins = [workload("one", ALPHA), workload("one", "example.org/other:1")]
    report = await ingest(service, listing=listing(*twins))
    assert report.partial
    before = dump(database)
    await ingest(service, listing=listing(*reversed(twins)))
    assert dump(database) == before


async def test_s6_only_what_changed_is_written(service: DataService, database: Place) -> None:
    many = [workload(f"n{n}", f"example.org/n{n}", ["one", "two"]) for n in range(20)]
    await ingest(service, listing=listing(*many))
    before = set(rows(database, "SELECT * FROM tools_workload"))
    last = value(database, "SELECT MAX(sequence) FROM change_log")
    changed = workload("n7", "example.org/n7", ["one", tool("two", "Now two is more."), "three"])
    await ingest(service, listing=listing(*many[:7], changed, *many[8:]))
    after = set(rows(database, "SELECT * FROM tools_workload"))
    assert (len(before - after), len(after - before)) == (1, 2)
    found = rows(database, "SELECT name FROM change_log WHERE sequence > ? AND entity <> 'run'", last)
    assert found == [("n7",)]


async def test_m4_s3_a_restart_reads_what_was_stored(open_service: OpenService) -> None:
    first = await open_service()
    await ingest(first, CATALOG, listing(workload("one", ALPHA), workload("two", ALPHA)))
    before = (await first.registry_servers(), await workloads_by_name(first))
    second = await open_service()
    assert (await second.registry_servers(), await workloads_by_name(second)) == before
    assert before[0][0].workloads == 2
