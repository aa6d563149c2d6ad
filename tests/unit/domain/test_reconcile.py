"""Catalog reconciliation (C1-C6): links live through everything a catalog does from day to day."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_optimizer.domain.models import Catalog, CatalogEntry, IdentityKey, ItemProblem, Kind, RegistryServer
from mcp_optimizer.domain.reconcile import CatalogPlan, Change, image_or_page, reconcile
from mcp_optimizer.sources.registry.documents import parse_catalog
from tests.support.builders import catalog, entry, identity
from tests.unit.builders import MemoryStore, apply, row, server

REAL = Path(__file__).resolve().parents[4] / "shared" / "data" / "registry"

ONE, TWO, THREE = "ghcr.io/x/one:1", "ghcr.io/x/two:1", "ghcr.io/x/three:1"


def changes(plan: CatalogPlan) -> list[tuple[str, str | None, Change]]:
    """Entry, the id of its row, and what happens."""
    return [(pair.entry.name, pair.row.id if pair.row else None, pair.change) for pair in plan.entries]


def names(rows: tuple[RegistryServer, ...]) -> list[str]:
    return [row.name for row in rows]


# C1


def test_c1_same_identity_same_row() -> None:
    plan = reconcile(catalog(entry("one", ONE)), [server("one", ONE)])
    assert changes(plan) == [("one", "id-one", Change.UNCHANGED)]
    assert (plan.removed, plan.kept, plan.successors) == ((), (), ())


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("ghcr.io/stackloklabs/gofetch/server:1.0.1", "ghcr.io/stackloklabs/gofetch/server:1.0.3"),
        ("mcp/fetch:1", "ghcr.io/stacklok/dockyard/uvx/fetch:2"),
        ("https://mcp.example/sse", "https://mcp.example/mcp/"),
    ],
    ids=["re-tagged", "moved", "another URL"],
)
def test_c1_an_entry_of_another_identity_keeps_its_row(before: str, after: str) -> None:
    plan = reconcile(catalog(entry("fetch", after)), [server("fetch", before)])
    assert changes(plan) == [("fetch", "id-fetch", Change.RETAGGED)]
    assert plan.removed == ()


def test_c1_a_row_whose_identity_is_still_claimed_is_not_taken_by_name() -> None:
    plan = reconcile(catalog(entry("a", TWO), entry("b", ONE)), [server("a", ONE)])
    assert changes(plan) == [("a", None, Change.ADDED), ("b", "id-a", Change.RENAMED)]


def test_c1_pairing_by_name_stays_within_the_kind() -> None:
    plan = reconcile(catalog(entry("docs", "https://docs.example/mcp")), [server("docs", "mcp/docs:1")])
    assert changes(plan) == [("docs", None, Change.ADDED)]
    assert names(plan.removed) == ["docs"]


def test_c1_two_entries_that_swap_their_identities_are_two_renames() -> None:
    plan = reconcile(catalog(entry("a", TWO), entry("b", ONE)), [server("a", ONE), server("b", TWO)])
    assert changes(plan) == [("a", "id-b", Change.RENAMED), ("b", "id-a", Change.RENAMED)]


def test_c1_one_name_for_several_entries_pairs_within_the_repository_first() -> None:
    rows = [server("kit", "mcp/a:1", id="a"), server("kit", "mcp/b:1", id="b")]
    plan = reconcile(catalog(entry("kit", "mcp/b:2"), entry("kit", "mcp/a:2")), rows)
    assert changes(plan) == [("kit", "a", Change.RETAGGED), ("kit", "b", Change.RETAGGED)]
    assert [pair.entry.identity.raw for pair in plan.entries] == ["mcp/a:2", "mcp/b:2"]


def test_c1_one_name_for_several_entries_then_for_one() -> None:
    rows = [server("kit", "mcp/a:1", id="a"), server("kit", "mcp/b:1", id="b")]
    plan = reconcile(catalog(entry("kit", "mcp/b:1")), rows)
    assert changes(plan) == [("kit", "b", Change.UNCHANGED)]
    assert [row.id for row in plan.removed] == ["a"]
    assert plan.successors == (), "the other entry did not take this one's place"


def test_c1_l1_a_chain_keeps_every_link_at_its_entry() -> None:
    """``a`` takes over the identity ``b`` had, while ``b`` moves on."""
    a, b = server("a", ONE), server("b", TWO)
    store = MemoryStore([a, b], [row("runs-a", ONE, linked_to=a), row("runs-b", TWO, linked_to=b)])
    plan = store.ingest_catalog(catalog(entry("a", TWO), entry("b", THREE)))
    assert changes(plan) == [("a", "id-b", Change.RENAMED), ("b", None, Change.ADDED)]
    assert (names(plan.removed), [(gone, successor.entry.name) for gone, successor in plan.successors]) == (
        ["a"],
        [("id-a", "a")],
    )
    assert store.entry_of("runs-a") == "a", "its entry is still there"
    assert store.entry_of("runs-b") == "a", "its identity is now that of a (M1)"


@pytest.mark.parametrize("other", ["aaa.example/kit:1", "zzz.example/kit:1"])
def test_c7_a_row_that_stands_back_claims_what_its_repository_names_first(other: str) -> None:
    mine = "ghcr.io/team/kit:2"
    rows = [server("kit", "ghcr.io/team/kit:1"), server("one", other), server("two", mine)]
    entries = [entry("one", other), entry("kit", other), entry("two", mine), entry("kit", mine)]
    plan = reconcile(catalog(*entries), rows, linked_ids={"id-kit"})
    assert [(row.id, row.claim and row.claim.raw) for row in plan.kept] == [("id-kit", mine)]
    assert names(plan.reclaimed) == ["kit"]


# C2 and content


def test_c2_same_identity_new_name_is_a_rename() -> None:
    plan = reconcile(catalog(entry("new", ONE, description="changed too")), [server("old", ONE)])
    assert changes(plan) == [("new", "id-old", Change.RENAMED)]


@pytest.mark.parametrize(
    "now",
    [
        entry("one", ONE, description="better"),
        entry("one", ONE, tags=("a",)),
        entry("one", ONE, ["a tool"]),
        entry("one", "GHCR.io/x/one:1"),
    ],
    ids=["description", "tags", "tools", "spelling"],
)
def test_c1_changed_content_is_an_update(now: CatalogEntry) -> None:
    assert changes(reconcile(catalog(now), [server("one", ONE)])) == [("one", "id-one", Change.UPDATED)]


@pytest.mark.parametrize("missing", ["text_hash", "tools_digest"])
def test_l7_a_row_that_is_not_embedded_is_taken_up_again(missing: str) -> None:
    unfinished = server("one", ONE).model_copy(update={missing: ""})
    assert changes(reconcile(catalog(entry("one", ONE)), [unfinished])) == [("one", "id-one", Change.UPDATED)]


# C3, C5, C6


def test_c3_a_row_that_pairs_with_nothing_goes() -> None:
    plan = reconcile(catalog(entry("one", ONE)), [server("one", ONE), server("two", TWO)], linked_ids={"id-two"})
    assert (names(plan.removed), plan.kept) == (["two"], ())


def test_c3_an_empty_but_complete_catalog_removes_everything() -> None:
    assert names(reconcile(catalog(), [server("two", TWO), server("one", ONE)]).removed) == ["one", "two"]


def test_c6_a_skipped_part_keeps_the_row_of_its_own_kind_and_identity_and_no_other_of_its_name() -> None:
    """B: what was stored is not lost because today's version of the entry can't be used; a name shields nothing."""
    remote = "https://two.example/mcp"
    rows = [server("one", ONE), server("two", TWO), server("two", remote, id="id-far"), server("three", THREE)]
    skipped = [
        ItemProblem(name="two", reason="its tools can't be read", identity=identity(TWO)),
        ItemProblem(name="one", reason="listed twice"),
        ItemProblem(name="three", reason="its URL has variables"),
        ItemProblem(name="new", reason="no image"),
    ]
    plan = reconcile(catalog(skipped=skipped), rows)
    assert [item.name for item in plan.skipped] == ["new", "one", "three", "two"]
    assert sorted(row.id for row in plan.removed) == ["id-far", "id-one", "id-three"]
    assert [row.id for row in plan.kept] == ["id-two"]


def test_c6_an_identity_that_can_t_be_used_is_not_free_for_another_entry_of_its_name() -> None:
    skipped = [ItemProblem(name="two", reason="its tools can't be read", identity=identity(TWO))]
    plan = reconcile(catalog(entry("two", THREE), skipped=skipped), [server("two", TWO)])
    assert (changes(plan), names(plan.kept)) == ([("two", None, Change.ADDED)], ["two"])


def test_c6_an_incomplete_catalog_deletes_nothing() -> None:
    rows = [server("one", ONE), server("two", TWO), server("three", THREE)]
    plan = reconcile(catalog(entry("one", ONE), entry("three", "ghcr.io/x/three:2"), complete=False), rows)
    assert (plan.removed, names(plan.kept)) == ((), ["two"])
    assert changes(plan) == [("one", "id-one", Change.UNCHANGED), ("three", "id-three", Change.RETAGGED)]
    assert {row.id for row in apply(plan)} == {row.id for row in rows}


def test_c6_an_incomplete_catalog_ends_no_duplicate_that_it_does_not_show() -> None:
    known = [entry("one", ONE), entry("uno", ONE), entry("due", TWO), entry("two", TWO)]
    rows = [server("one", ONE), server("two", TWO)]
    part = catalog(entry("one", ONE), entry("due", THREE), complete=False)
    assert [item.names for item in reconcile(part, rows, claims=known).duplicates] == [("one", "uno")]
    whole = part.model_copy(update={"complete": True})
    assert reconcile(whole, rows, claims=known).duplicates == ()


# C4, M3


def test_c4_one_row_represents_an_identity_and_the_claimants_are_recorded() -> None:
    plan = reconcile(catalog(entry("b", ONE), entry("a", ONE), entry("c", ONE)), [])
    assert changes(plan) == [("a", None, Change.ADDED)]
    (shared,) = plan.duplicates
    assert (shared.names, shared.chosen, shared.identity) == (("a", "b", "c"), None, identity(ONE))


def test_c4_the_stored_name_wins_over_the_first() -> None:
    plan = reconcile(catalog(entry("a", ONE), entry("b", ONE)), [server("b", ONE)])
    assert changes(plan) == [("b", "id-b", Change.UNCHANGED)]


def test_c4_the_stored_name_wins_though_its_row_was_retagged_that_same_day() -> None:
    plan = reconcile(catalog(entry("alias", TWO), entry("toolbox", TWO)), [server("toolbox", ONE)])
    assert changes(plan) == [("toolbox", "id-toolbox", Change.RETAGGED)]


def test_c4_an_entry_that_stands_twice_under_one_name_is_no_duplicate() -> None:
    plan = reconcile(catalog(entry("a", ONE), entry("a", ONE, description="again")), [])
    assert (len(plan.entries), plan.duplicates) == (1, ())


def test_c4_two_spellings_of_an_identity_share_it() -> None:
    plan = reconcile(catalog(entry("a", "nginx"), entry("b", "docker.io/library/nginx:latest")), [])
    assert [item.names for item in plan.duplicates] == [("a", "b")]


def test_m3_a_persons_choice_wins_over_the_stored_name_and_survives() -> None:
    both = catalog(entry("a", ONE), entry("b", ONE))
    store = MemoryStore([server("a", ONE)], resolutions={identity(ONE).key: "b"})
    assert changes(store.ingest_catalog(both)) == [("b", "id-a", Change.RENAMED)]
    assert changes(store.ingest_catalog(both)) == [("b", "id-a", Change.UNCHANGED)]
    assert store.duplicates[0].resolved


def test_m3_a_choice_of_an_entry_that_left_is_ignored() -> None:
    chosen = {identity(ONE).key: "gone"}
    plan = reconcile(catalog(entry("a", ONE), entry("b", ONE)), [server("b", ONE)], resolutions=chosen)
    assert changes(plan) == [("b", "id-b", Change.UNCHANGED)]
    assert not plan.duplicates[0].resolved


def test_m3_l1_a_choice_that_takes_over_a_row_takes_the_links_of_its_own_along() -> None:
    """``b`` moved onto the identity of ``a`` and a person chose it: one row is left, and both workloads are at it."""
    a, b = server("a", ONE), server("b", TWO)
    linked = [row("runs-a", ONE, linked_to=a), row("runs-b", TWO, linked_to=b)]
    store = MemoryStore([a, b], linked, resolutions={identity(ONE).key: "b"})
    store.ingest_catalog(catalog(entry("a", ONE), entry("b", ONE)))
    assert [found.id for found in store.registry] == ["id-a"]
    assert (store.entry_of("runs-a"), store.entry_of("runs-b")) == ("b", "b")


def test_c4_l1_a_linked_row_outlives_sharing_and_finds_its_entry_again() -> None:
    a, b = server("a", ONE), server("b", TWO)
    store = MemoryStore([a, b], [row("runs-b", TWO, linked_to=b)])
    shared = catalog(entry("a", ONE), entry("b", ONE))
    plan = store.ingest_catalog(shared)
    assert (names(plan.kept), plan.removed) == (["b"], ())
    assert store.ingest_catalog(shared).kept == plan.kept, "it lasts"
    assert store.entry_of("runs-b") == "b"
    ended = store.ingest_catalog(catalog(entry("a", ONE), entry("b", THREE)))
    assert changes(ended) == [("a", "id-a", Change.UNCHANGED), ("b", "id-b", Change.RETAGGED)]
    assert store.entry_of("runs-b") == "b"


def test_c4_an_unlinked_row_whose_entry_shares_goes() -> None:
    plan = reconcile(catalog(entry("a", ONE), entry("b", ONE)), [server("a", ONE), server("b", TWO)])
    assert (names(plan.removed), plan.kept) == (["b"], ())


def test_c4_a_kept_row_goes_with_its_entry() -> None:
    plan = reconcile(catalog(entry("a", ONE)), [server("a", ONE), server("b", TWO)], linked_ids={"id-b"})
    assert names(plan.removed) == ["b"]


# Properties

IMAGES = [f"ghcr.io/x/{repository}:{tag}" for repository in "ab" for tag in "12"]
entries = st.builds(
    entry,
    st.sampled_from(["p", "q", "r"]),
    st.sampled_from([*IMAGES, "https://x.example/mcp", "https://x.example/mcp?a=1"]),
    description=st.sampled_from(["", "d"]),
)
documents = st.lists(entries, max_size=7)
type Chosen = dict[IdentityKey, str]
choices = st.dictionaries(st.sampled_from([identity(where).key for where in IMAGES]), st.sampled_from(["p", "q", "zz"]))


def rows_from(document: list[CatalogEntry]) -> list[RegistryServer]:
    return apply(reconcile(catalog(*document), []))


@settings(max_examples=100, deadline=None)
@given(st.data(), documents, documents, choices, st.booleans())
def test_c4_the_plan_depends_on_no_order(
    data: st.DataObject, before: list[CatalogEntry], after: list[CatalogEntry], chosen: Chosen, complete: bool
) -> None:
    rows = rows_from(before)
    linked = {found.id for found in rows[::2]}
    plan = reconcile(catalog(*after, complete=complete), rows, resolutions=chosen, linked_ids=linked)
    other = catalog(*data.draw(st.permutations(after)), complete=complete)
    assert reconcile(other, data.draw(st.permutations(rows)), resolutions=chosen, linked_ids=linked) == plan


@settings(max_examples=150, deadline=None)
@given(documents, documents, choices, st.booleans())
def test_c4_applied_twice_a_plan_changes_nothing_and_every_row_is_accounted_for(
    before: list[CatalogEntry], after: list[CatalogEntry], chosen: Chosen, complete: bool
) -> None:
    rows = rows_from(before)
    linked = {found.id for found in rows[::2]}
    document = catalog(*after, complete=complete)
    plan = reconcile(document, rows, resolutions=chosen, linked_ids=linked)
    paired = [pair.row.id for pair in plan.entries if pair.row]
    assert sorted([*paired, *(found.id for found in (*plan.removed, *plan.kept))]) == sorted(row.id for row in rows)
    assert complete or not plan.removed
    now = apply(plan)
    keys = [found.identity.key for found in now]
    assert len(keys) == len(set(keys)), "the store's identities are unique (S2)"
    assert {item.identity.key for item in after} <= set(keys), "every identity of the document is represented"
    again = reconcile(document, now, resolutions=chosen, linked_ids=linked)
    assert {pair.change for pair in again.entries} <= {Change.UNCHANGED}
    assert (again.removed, again.kept, again.duplicates) == ((), plan.kept, plan.duplicates)


named_once = st.lists(entries, max_size=5, unique_by=lambda item: (item.identity.kind, item.name))


@settings(max_examples=150, deadline=None)
@given(st.lists(named_once, min_size=2, max_size=4), choices)
def test_l1_a_link_lives_while_its_entry_is_there(versions: list[list[CatalogEntry]], chosen: Chosen) -> None:
    """Whatever a catalog does to an entry short of deleting it: re-tag, move, rename, share or swap identities."""
    store = MemoryStore(rows_from(versions[0]), resolutions=chosen)
    for found in store.registry:
        store.add_workload(row(f"runs {found.identity.raw}", found.identity.raw, linked_to=found))
    for version in versions[1:]:
        homes = {linked: store.home_of(linked) for linked in store.workloads}
        store.ingest_catalog(catalog(*version))
        names = {(item.identity.kind, item.name) for item in version}
        identities = {item.identity.key for item in version}
        for linked, home in homes.items():
            if home is not None:
                there = home.identity.key in identities or (home.identity.kind, home.name) in names
                now = store.home_of(linked)
                assert (
                    now is not None
                    if there
                    else now is None or image_or_page(now.identity) == image_or_page(home.identity)
                ), "else only a re-tag under a new name"


# Real catalogs


def real_catalogs() -> list[Catalog]:
    if not REAL.is_dir():
        pytest.skip("the real catalogs are not beside this checkout (../shared/data/registry)")
    files = sorted(REAL.glob("toolhive-*.json"))
    assert len(files) > 1
    return [parse_catalog(json.loads(file.read_text("utf-8")), source=file.name) for file in files]


def represented(store: MemoryStore) -> dict[tuple[Kind, str], str]:
    """Row ids by kind and every name that stands for the row, duplicates included."""
    ids = {found.identity.key: found.id for found in store.registry}
    named = {(item.identity.kind, name): ids[item.identity.key] for item in store.duplicates for name in item.names}
    return named | {(found.identity.kind, found.name): found.id for found in store.registry}


@pytest.mark.parametrize("backwards", [False, True], ids=["forwards", "backwards"])
def test_c1_c4_through_real_catalogs_every_entry_keeps_its_row(backwards: bool) -> None:
    versions = real_catalogs()
    if backwards:
        versions.reverse()
    store = MemoryStore()
    ids: dict[tuple[Kind, str], str] = {}
    for version in versions:
        store.ingest_catalog(version)
        now = represented(store)
        assert set(now) == {(item.identity.kind, item.name) for item in version.entries}
        for name, first in ids.items():
            assert now.get(name, first) == first, name
        ids = {**now, **ids}
        again = store.ingest_catalog(version)
        assert len(again.of(Change.UNCHANGED)) == len(again.entries)
        assert again.removed == ()


@pytest.mark.parametrize("backwards", [False, True], ids=["forwards", "backwards"])
def test_l1_through_real_catalogs_every_link_lives_as_long_as_its_entry(backwards: bool) -> None:
    versions = real_catalogs()
    if backwards:
        versions.reverse()
    store = MemoryStore()
    store.ingest_catalog(versions[0])
    for found in store.registry:
        store.add_workload(row(found.name, found.identity.raw, linked_to=found))
    kinds = {name: workload.identity.kind for name, workload in store.workloads.items()}
    for version in versions[1:]:
        store.ingest_catalog(version)
    named = {(item.identity.kind, item.name) for item in versions[-1].entries}
    for name, kind in kinds.items():
        if (kind, name) in named:
            assert store.entry_of(name) is not None, name
