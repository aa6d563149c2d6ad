"""What the last whole catalog names decides; a row that was kept for its links does not (C1-C7, L1, L11)."""

import pytest

from mcp_optimizer.domain.models import ItemProblem
from mcp_optimizer.service import DataService
from tests.support.builders import catalog, entry, identity, listing, workload
from tests.support.database import dump
from tests.support.places import Place
from tests.support.services import ingest

A1, A2, A3 = "example.org/a:1", "example.org/a:2", "example.org/a:3"
B1, B2, C1 = "example.org/b:1", "example.org/b:2", "example.org/c:1"
FAR, NEAR = "https://far.example/mcp", "https://near.example/mcp"

type Named = dict[str, str]


def named(given: Named, **fields: object) -> object:
    """A catalog of these names and what they name; names may have several, told apart by a ``+``."""
    return catalog(*(entry(name.partition("+")[0], where, ["ping"]) for name, where in given.items()), **fields)  # ty: ignore[invalid-argument-type]


async def links(service: DataService) -> dict[str, tuple[str | None, bool]]:
    """Workload to the entry it is linked to, and whether it has drifted."""
    return {view.name: (view.registry_server, view.drift is not None) for view in await service.workloads()}


async def history(service: DataService, name: str) -> list[tuple[str, str]]:
    """Operations of a relation's history with their details."""
    return [(change.operation, change.detail) for change in (await service.explain(name)).history]


async def after(service: DataService, database: Place, *versions: Named, running: dict[str, str]) -> None:
    """The first version with what runs, then the others, each twice: the second time nothing is written."""
    seen = listing(*(workload(name, where) for name, where in running.items()))
    await ingest(service, named(versions[0]), seen)
    for version in versions[1:]:
        await ingest(service, named(version))
        before = dump(database)
        again = await ingest(service, named(version))
        assert dump(database) == before
        assert again.embedded_texts == 0


async def test_c7_an_entry_that_shares_anothers_image_leaves_a_link_that_drifts_and_matches_nothing_new(
    service: DataService, database: Place
) -> None:
    await after(service, database, {"A": A1, "B": B1}, {"A": B1, "B": B1}, running={"old": A1})
    seen = listing(workload("old", A1), workload("new", A1), workload("next", A2))
    await ingest(service, listing=seen)
    assert await links(service) == {"old": ("A", True), "new": (None, False), "next": (None, False)}
    old = await service.explain("old")
    assert old.drift is not None
    assert (old.drift.running, old.drift.catalog) == (A1, B1)
    assert ("drifted", f"the catalog now names {B1}") in await history(service, "old")
    assert [view.linkable_to for view in await service.workloads()] == [None, None, None]
    assert (await service.explain("next")).near_misses == (), "no entry names example.org/a any more"
    assert {view.name: view.identity for view in await service.registry_servers()} == {"A": B1, "B": B1}
    await ingest(service, named({"A": A1, "B": B1}))
    assert (await links(service))["old"] == ("A", False)


@pytest.mark.parametrize(
    "second", [{"A": B1}, {"A": B1, "C": C1}, {"A": B1, "B": FAR}], ids=["alone", "with another", "of another kind"]
)
async def test_c7_each_goes_back_to_the_entry_of_its_own_image(
    service: DataService, database: Place, second: Named
) -> None:
    """Day 1 two entries, day 2 the one has taken over the other's image, day 3 as day 1."""
    running = {"runs-a": A1, "runs-b": B1}
    await after(service, database, {"A": A1, "B": B1}, second, running=running)
    assert await links(service) == {"runs-a": ("A", True), "runs-b": ("A", False)}
    await ingest(service, named({"A": A1, "B": B1}))
    assert await links(service) == {"runs-a": ("A", False), "runs-b": ("B", False)}
    assert [operation for operation, _ in await history(service, "runs-a")] == [
        "linked", "linked", "drifted", "linked", "drift-ended",
    ]  # fmt: skip
    assert ("linked", f"to A, which now names {A1}; what it was linked to is B now") in await history(service, "runs-a")
    assert ("context-renamed", "from A to B") in await history(service, "runs-b")


@pytest.mark.parametrize(
    ("second", "third"),
    [
        ({"A": B1, "B": A1}, {"A": A1, "B": B1}),
        ({"A": B1, "B": C1, "C": A1}, {"A": A1, "B": B1, "C": C1}),
        ({"B": A1, "C": B1}, {"A": A1, "B": B1}),
        ({"A": A2, "B": A1}, {"A": A1, "B": B1}),
    ],
    ids=["swap", "cycle", "chain", "re-tag and take"],
)
async def test_c2_c7_through_swaps_chains_and_cycles_each_ends_with_its_own_image(
    service: DataService, database: Place, second: Named, third: Named
) -> None:
    running = {"runs-a": A1, "runs-b": B1}
    await after(service, database, {"A": A1, "B": B1}, second, third, running=running)
    assert await links(service) == {
        "runs-a": ("A", False),
        "runs-b": ("B", False),
    }


async def test_c7_a_drifted_workload_stays_with_its_entry_when_another_takes_the_row(
    service: DataService, database: Place
) -> None:
    await after(
        service, database, {"A": A1, "B": B1}, {"A": B1}, {"A": C1, "B": B1}, running={"runs-a": A1, "runs-b": B1}
    )
    assert await links(service) == {"runs-a": ("A", True), "runs-b": ("B", False)}


@pytest.mark.parametrize(
    ("before", "now", "linked"),
    [
        ({"fetch": A1}, {"io.github.x/fetch": A2}, ("io.github.x/fetch", True)),
        ({"fetch": f"{A1}@sha256:{'a' * 64}"}, {"x/fetch": A2}, ("x/fetch", True)),
        ({"fetch": A1, "keep": B1}, {"keep": B2, "x/fetch": A2}, ("x/fetch", True)),
        ({"fetch": A1}, {"one": A2, "two": A3}, (None, False)),
        ({"fetch": A1, "other": A2}, {"one": A3}, (None, False)),
        ({"fetch": FAR}, {"x/fetch": f"{FAR}?v=2"}, (None, False)),
    ],
    ids=["renamed", "by digest", "beside others", "two new", "two old", "URLs have no tags"],
)
async def test_c1_a_rename_and_a_re_tag_in_one_version_pair_by_repository_where_that_is_one_to_one(
    service: DataService, database: Place, before: Named, now: Named, linked: tuple[str | None, bool]
) -> None:
    await after(service, database, before, now, running={"runs": before["fetch"]})
    assert (await links(service))["runs"] == linked
    if linked[0]:
        assert [operation for operation, _ in await history(service, "runs")] == [
            "linked",
            "context-renamed",
            "drifted",
        ]


async def test_c6_a_part_ends_nothing_that_it_does_not_show(service: DataService) -> None:
    """A page may show the new name of an image before the page that shows the old one: both may be there."""
    await ingest(service, named({"A": A1, "B": B1}), listing(workload("runs-b", B1)))
    report = await ingest(service, named({"A": B1}, complete=False))
    assert report.registry is not None
    assert [(item.name, B1 in item.reason) for item in report.registry.skipped] == [("A", True)]
    await ingest(service, listing=listing(workload("runs-b", B1), workload("runs-a", A1), workload("also-b", B1)))
    assert await links(service) == {"runs-b": ("B", False), "runs-a": ("A", False), "also-b": ("B", False)}
    await ingest(service, named({"A": B1}))
    assert await links(service) == {"runs-b": ("A", False), "runs-a": ("A", True), "also-b": ("A", False)}


async def test_c3_c6_a_skipped_part_shields_no_row_of_another_kind_or_identity(service: DataService) -> None:
    await ingest(service, named({"x/both": A1, "x/both+": FAR}), listing(workload("box", A1), workload("far", FAR)))
    variables = ItemProblem(name="x/both", reason="a URL with variables: tenant")
    report = await ingest(service, catalog(skipped=[variables]))
    assert report.registry is not None
    assert (report.registry.removed, report.registry.removed_names) == (2, ("x/both", "x/both"))
    assert report.registry.unlinked == ("box", "far")
    assert await links(service) == {"box": (None, False), "far": (None, False)}
    assert (await service.workload("box")).description


async def test_c6_a_part_that_can_t_be_used_keeps_its_own_row(service: DataService) -> None:
    await ingest(service, named({"x/both": A1, "x/both+": FAR}), listing(workload("box", A1), workload("far", FAR)))
    unread = ItemProblem(name="x/both", reason="its tools can't be read", identity=identity(FAR))
    report = await ingest(service, catalog(skipped=[unread]))
    assert report.registry is not None
    assert (report.registry.removed, report.registry.unlinked) == (1, ("box",))
    assert await links(service) == {"box": (None, False), "far": ("x/both", False)}


# M2: rejections end when their reason does


@pytest.mark.parametrize("how", ["a person resolves", "the catalog ends it", "an entry is deleted"])
async def test_m2_a_rejection_rests_as_soon_as_its_reason_does(service: DataService, how: str) -> None:
    both = named({"A": A1, "B": A1})
    await ingest(service, both, listing(workload("new", A1, ["ping", "pong"]), workload("own", B1)))
    await ingest(service, listing=listing(workload("new", A1, ["ping", "pong"]), workload("own", A1)))
    assert {view.name: view.relation for view in await service.workloads()} == {"new": "rejected", "own": "rejected"}
    if how == "a person resolves":
        assert (await service.resolve(A1, "B", dry_run=True)).admitted == ("new", "own")
        report = await service.resolve(A1, "B")
        assert (report.admitted, report.waiting, report.left_waiting) == (("new", "own"), ("new", "own"), ())
    elif how == "the catalog ends it":
        told = await ingest(service, named({"B": A1}))
        assert told.registry is not None
        assert told.registry.admitted == ("new", "own")
    else:
        await service.delete_registry_servers([(await service.registry_servers())[0].name])
    entry_name = None if how == "an entry is deleted" else "B"
    assert {view.name: view.registry_server for view in await service.workloads()} == {
        "new": entry_name,
        "own": entry_name,
    }
    assert [tool.name for tool in (await service.workload("new")).tool_list] == ["ping", "pong"]
    assert [problem.name for problem in await service.problems() if problem.entity == "workload"] == []


async def test_m3_reports_do_not_call_a_resolved_duplicate_a_problem(service: DataService) -> None:
    both = named({"A": A1, "B": A1})
    report = await ingest(service, both)
    assert (report.partial, "1 duplicates" in report.summary) == (True, True)
    await service.resolve(A1, "B")
    report = await ingest(service, both)
    assert (report.partial, "duplicates" in report.summary) == (False, False)
    assert await service.problems() == []
