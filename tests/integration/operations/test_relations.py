"""Relations by hand: re-match, link, unlink, resolve (L3, L5, L11, M3)."""

import asyncio
import contextvars
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from mcp_optimizer.config import Settings
from mcp_optimizer.domain.models import Catalog, Kind, ObservedWorkload, Relation
from mcp_optimizer.errors import AmbiguousError, NotFoundError, OptimizerError, ReadOnlyError, StoreBusyError
from mcp_optimizer.service import DataService
from mcp_optimizer.sources.registry.documents import parse_catalog
from tests.conftest import OpenService
from tests.support.builders import catalog, entry, identity, listing, parts_of_tools, workload
from tests.support.database import dump, rows
from tests.support.embedders import FakeEmbedder
from tests.support.places import Place
from tests.support.services import ingest, same_outcome, workloads_by_name

ALPHA, BETA, OTHER = "example.org/alpha:1", "https://beta.example/mcp", "example.org/other:1"
CATALOG = catalog(entry("alpha", ALPHA, ["ping"]), entry("beta", BETA, ["pong"]), entry("other", OTHER))
SEEN = listing(
    workload("alpha-1", ALPHA, ["ping", "extra"]),
    workload("alpha-2", ALPHA, ["ping"]),
    workload("beta-1", BETA, ["pong"]),
    workload("own", "example.org/own:1", ["solo"]),
)
TWICE = catalog(
    entry("alpha", ALPHA, ["ping"], description="The first."),
    entry("fork", ALPHA, ["ping", "fork"], description="The fork.", title="Fork"),
)


@pytest.fixture
async def linked(service: DataService) -> DataService:
    """Three workloads linked, one autonomous."""
    await ingest(service, CATALOG, SEEN)
    return service


@pytest.fixture
async def linkable(service: DataService) -> DataService:
    """All autonomous, and three with an entry that appeared later."""
    await ingest(service, catalog(), SEEN)
    await ingest(service, CATALOG)
    return service


async def relations(service: DataService) -> dict[str, tuple[str | None, str]]:
    """The registry server of each workload, and the cause."""
    found = await workloads_by_name(service)
    return {name: (view.registry_server, view.relation_cause) for name, view in found.items()}


async def causes(service: DataService, *operations: str) -> set[tuple[str, str, str]]:
    """Name, operation and cause of the changes of these operations."""
    return {(c.name, c.operation, c.cause) for c in await service.changes() if c.operation in operations}


# L3


async def test_l3_rematch_of_all_links_what_became_linkable(
    linkable: DataService, database: Place, fake_embedder: FakeEmbedder
) -> None:
    before = dump(database)
    fake_embedder.forget()
    preview = await linkable.rematch(dry_run=True)
    assert (dump(database), fake_embedder.texts) == (before, []), "a dry run writes and embeds nothing"
    assert [(item.workload, item.registry_server, item.before) for item in preview.linked] == [
        ("alpha-1", "alpha", None), ("alpha-2", "alpha", None), ("beta-1", "beta", None),
    ]  # fmt: skip
    assert [item.name for item in preview.unchanged] == ["own"]
    done = await linkable.rematch()
    assert done == preview.model_copy(update={"dry_run": False})
    assert set(fake_embedder.texts) == {"alpha: extra", "extra does what it says."}, "the catalog's are remembered"
    assert done.reembedded_texts == 4
    assert await relations(linkable) == {
        "alpha-1": ("alpha", "re-match"), "alpha-2": ("alpha", "re-match"), "beta-1": ("beta", "re-match"),
        "own": (None, "first-match"),
    }  # fmt: skip
    assert (await linkable.overview()).linkable == 0
    assert await causes(linkable, "linked") == {
        ("alpha-1", "linked", "re-match"), ("alpha-2", "linked", "re-match"), ("beta-1", "linked", "re-match"),
    }  # fmt: skip


async def test_l3_rematch_of_one_leaves_the_others(linkable: DataService) -> None:
    await linkable.rematch(["alpha-1"])
    found = await relations(linkable)
    assert {name for name, (server, _) in found.items() if server} == {"alpha-1"}


async def test_l3_what_was_matched_anew_survives_re_ingestion(linkable: DataService, database: Place) -> None:
    await linkable.rematch()
    before = dump(database)
    await ingest(linkable, CATALOG, SEEN)
    assert dump(database) == before


async def test_l3_rematch_takes_no_relation_away(linked: DataService, database: Place) -> None:
    await ingest(linked, catalog(entry("alpha", "example.org/alpha:2", ["ping"]), *CATALOG.entries[1:]))
    before = dump(database)
    report = await linked.rematch(["alpha-1"])
    assert (report.linked, report.unlinked) == ((), ())
    assert "keeps its link" in report.unchanged[0].reason
    assert dump(database) == before


async def test_l3_rematch_moves_a_link_to_the_entry_that_has_the_identity(linked: DataService) -> None:
    moved = catalog(
        entry("alpha", "example.org/alpha:2", ["ping"]), entry("another", ALPHA, ["ping"]), *CATALOG.entries[1:]
    )
    await ingest(linked, catalog(entry("alpha", "example.org/alpha:2", ["ping"]), *CATALOG.entries[1:]))
    await ingest(linked, moved)
    assert (await linked.workload("alpha-1")).registry_server == "alpha", "L1: not by itself"
    report = await linked.rematch(["alpha-1"])
    assert [(item.registry_server, item.before) for item in report.linked] == [("another", "alpha")]
    assert (await linked.workload("alpha-1")).context_name == "another"
    assert (await linked.workload("alpha-2")).context_name == "alpha"


async def test_m2_rematch_rejects_a_shared_identity(linkable: DataService, database: Place) -> None:
    await ingest(linkable, TWICE)
    before = dump(database)
    report = await linkable.rematch(["alpha-1", "own"])
    assert [(item.name, item.reason) for item in report.rejected] == [
        ("alpha-1", f"several registry servers claim {ALPHA}: alpha, fork")
    ]
    assert report.partial
    assert dump(database) == before


async def test_l3_l5_rematch_of_all_respects_decisions_and_by_name_does_not(linked: DataService) -> None:
    await linked.unlink(["alpha-1"])
    await linked.link("alpha-2", "other")
    report = await linked.rematch()
    assert report.linked == ()
    assert {item.name: item.reason for item in report.unchanged if item.name.startswith("alpha")} == dict.fromkeys(
        ("alpha-1", "alpha-2"), "a person decided; name it to have it matched again"
    )
    await linked.rematch(["alpha-1", "alpha-2"])
    found = await relations(linked)
    assert (found["alpha-1"], found["alpha-2"]) == (("alpha", "re-match"), ("alpha", "re-match"))


async def test_l3_rematch_of_an_unknown_workload_changes_nothing(linkable: DataService, database: Place) -> None:
    before = dump(database)
    with pytest.raises(NotFoundError, match="no workload named nobody"):
        await linkable.rematch(["alpha-1", "nobody"])
    assert dump(database) == before


async def test_m2_a_rejected_workload_can_t_be_related_and_the_error_says_how(service: DataService) -> None:
    await ingest(service, TWICE, listing(workload("one", ALPHA)))
    with pytest.raises(NotFoundError) as error:
        await service.rematch(["one"])
    assert "registry resolve" in str(error.value)


# L5


async def test_l5_link_and_dry_run(linked: DataService, database: Place, fake_embedder: FakeEmbedder) -> None:
    before = dump(database)
    fake_embedder.forget()
    preview = await linked.link("own", "alpha", dry_run=True)
    assert (dump(database), fake_embedder.texts) == (before, [])
    assert await linked.link("own", "alpha") == preview.model_copy(update={"dry_run": False})
    assert fake_embedder.texts == ["alpha: solo", "solo does what it says."]
    own = await linked.workload("own")
    assert (own.relation, own.registry_server, own.context_name) == (Relation.LINKED, "alpha", "alpha")
    assert own.description == "The server alpha."
    assert own.drift is not None, "what it runs is not what the entry names"
    assert rows(database, "SELECT description, server_embedding FROM mcpservers_workload WHERE name = 'own'") == [
        (None, None)
    ]
    assert ("own", "linked", "linked-by-hand") in await causes(linked, "linked")


async def test_l5_a_link_survives_re_ingestion_and_not_another_identity(linked: DataService, database: Place) -> None:
    await linked.link("own", "alpha")
    before = dump(database)
    await ingest(linked, CATALOG, SEEN)
    assert dump(database) == before
    await ingest(linked, CATALOG, listing(*SEEN.workloads[:3], workload("own", OTHER, ["solo"])))
    assert (await relations(linked))["own"] == ("other", "identity-changed"), "L2"


async def test_l5_a_link_is_to_any_name_identity_or_id(linked: DataService) -> None:
    (alpha,) = [view for view in await linked.registry_servers() if view.name == "alpha"]
    for named in (alpha.id, "alpha", ALPHA, "EXAMPLE.org/alpha:1".lower()):
        await linked.link("own", named)
        assert (await linked.workload("own")).registry_server == "alpha"
        await linked.unlink(["own"])


async def test_l5_a_link_to_another_kind_is_refused(linked: DataService, database: Place) -> None:
    before = dump(database)
    for name, server in (("own", "beta"), ("beta-1", "alpha")):
        with pytest.raises(OptimizerError, match="a remote") as error:
            await linked.link(name, server)
        assert error.value.remedy == "link it to one of its own kind"
    with pytest.raises(NotFoundError, match="no registry server named nothing"):
        await linked.link("own", "nothing")
    with pytest.raises(NotFoundError, match="no workload named nobody"):
        await linked.link("nobody", "alpha")
    assert dump(database) == before


async def test_l5_a_name_of_several_is_ambiguous(service: DataService) -> None:
    await ingest(service, catalog(entry("kit", ALPHA), entry("kit", OTHER)), SEEN)
    with pytest.raises(AmbiguousError) as error:
        await service.link("own", "kit")
    assert ALPHA in str(error.value)
    assert OTHER in str(error.value)


async def test_l5_what_is_so_already_is_left_alone(linked: DataService, database: Place) -> None:
    await linked.link("alpha-1", "alpha")
    await linked.unlink(["own"])
    before = dump(database)
    again = await linked.link("alpha-1", "alpha")
    assert [(item.name, item.reason) for item in again.unchanged] == [("alpha-1", "is linked to alpha by hand already")]
    again = await linked.unlink(["own"])
    assert [(item.name, item.reason) for item in again.unchanged] == [("own", "is autonomous by hand already")]
    assert dump(database) == before


async def test_l11_a_person_who_confirms_what_matching_did_has_decided(
    linked: DataService, fake_embedder: FakeEmbedder
) -> None:
    fake_embedder.forget()
    assert [item.workload for item in (await linked.link("alpha-1", "alpha")).linked] == ["alpha-1"]
    assert (await linked.unlink(["own"])).unlinked == ("own",)
    assert fake_embedder.texts == [], "nothing but who decided has changed"
    for name, operation, cause in (("alpha-1", "linked", "linked-by-hand"), ("own", "autonomous", "unlinked-by-hand")):
        last = (await linked.explain(name)).history[-1]
        assert (last.operation, last.cause) == (operation, cause)
    kept = {item.name: item.reason for item in (await linked.rematch(None)).unchanged}
    assert kept["alpha-1"] == kept["own"] == "a person decided; name it to have it matched again"


async def test_where_others_never_pause_the_last_plan_is_made_while_they_wait(
    linked: DataService, open_service: OpenService, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody's change is lost, and nobody is turned away for ever."""
    other = await open_service(settings.model_copy(update={"busy_timeout": 0.05}))
    writer, turned_away, changed = linked._relating._writer, 0, 0
    embed = writer.embed

    async def embed_while_the_other_writes(*given: Any, **named: Any) -> None:
        nonlocal turned_away, changed
        await embed(*given, **named)
        try:
            seen = listing(workload("beta-1", BETA, ["pong"], group=f"g{changed}"), complete=False)
            await asyncio.create_task(ingest(other, None, seen), context=contextvars.Context())  # a task of its own
            changed += 1
        except StoreBusyError:
            turned_away += 1

    monkeypatch.setattr(writer, "embed", embed_while_the_other_writes)
    report = await linked.link("own", "alpha")
    assert [item.workload for item in report.linked] == ["own"]
    assert (changed, turned_away) == (8, 1)
    monkeypatch.undo()
    assert (await other.workload("own")).registry_server == "alpha"
    assert (await other.workload("beta-1")).group == "g7"
    await other.unlink(["own"])
    assert (await linked.workload("own")).registry_server is None


async def test_l5_unlink_is_as_l4(linked: DataService, fake_embedder: FakeEmbedder, database: Place) -> None:
    before = dump(database)
    fake_embedder.forget()
    preview = await linked.unlink(["alpha-1"], dry_run=True)
    assert (dump(database), fake_embedder.texts) == (before, [])
    assert await linked.unlink(["alpha-1"]) == preview.model_copy(update={"dry_run": False})
    assert sorted(fake_embedder.texts) == parts_of_tools("alpha-1", "extra", "ping"), "its own tools, and no others"
    found = await linked.workload("alpha-1")
    assert (found.relation, found.context_name, found.description) == (
        Relation.AUTONOMOUS, "alpha-1", "Offers extra, ping",
    )  # fmt: skip
    assert found.linkable_to is None, "it is not offered again: that was a decision"
    assert (await linked.workload("alpha-2")).relation is Relation.LINKED, "M4: the other keeps its own"
    assert await causes(linked, "unlinked") == {("alpha-1", "unlinked", "unlinked-by-hand")}


async def test_l5_unlinking_survives_re_ingestion(linked: DataService, database: Place) -> None:
    await linked.unlink(["alpha-1", "beta-1"])
    before = dump(database)
    await ingest(linked, CATALOG, SEEN)
    assert dump(database) == before
    renamed = catalog(entry("omega", ALPHA, ["ping"]), *CATALOG.entries[1:])
    await ingest(linked, renamed, SEEN)
    found = await relations(linked)
    assert (found["alpha-1"], found["alpha-2"][0]) == ((None, "unlinked-by-hand"), "omega")


async def test_l5_a_decision_lives_through_what_the_catalog_does(linked: DataService) -> None:
    """The entry that a person chose takes over the row of another: the link goes with it, and stays a decision."""
    await linked.link("own", "alpha")
    await ingest(linked, catalog(entry("alpha", OTHER, ["ping"]), CATALOG.entries[1]))
    assert (await relations(linked))["own"] == ("alpha", "linked-by-hand")
    assert ("own", "linked", "registry-retagged") in await causes(linked, "linked"), "L11"
    report = await linked.rematch()
    assert "own" in {item.name for item in report.unchanged}


async def test_l11_every_change_of_relation_has_a_cause(linked: DataService) -> None:
    await linked.unlink(["alpha-1"])
    await linked.rematch(["alpha-1"])
    await linked.link("alpha-1", "other")
    await ingest(linked, catalog(entry("omega", ALPHA, ["ping"]), CATALOG.entries[1]))
    await linked.delete_registry_servers(["beta"])
    changes = await linked.changes()
    assert [(c.name, c.operation, c.cause) for c in changes if c.entity == "workload" and c.operation != "updated"][
        :7
    ] == [
        ("beta-1", "unlinked", "registry-deleted"),
        ("alpha-2", "context-renamed", "registry-renamed"),
        ("alpha-1", "unlinked", "registry-removed"),
        ("alpha-1", "linked", "linked-by-hand"),
        ("alpha-1", "linked", "re-match"),
        ("alpha-1", "unlinked", "unlinked-by-hand"),
        ("own", "autonomous", "first-match"),
    ]
    assert all(change.cause for change in changes if change.entity == "workload")


async def test_l11_s6_a_change_that_is_overtaken_is_made_anew(
    open_service: OpenService, fake_embedder: FakeEmbedder
) -> None:
    first, second = await open_service(), await open_service()
    await ingest(first, CATALOG, SEEN)
    embed = fake_embedder.embed

    async def overtaken(*arguments: object, **named: object) -> object:
        fake_embedder.embed = embed
        await second.unlink(["alpha-2"])
        return await embed(*arguments, **named)  # ty: ignore[invalid-argument-type]

    fake_embedder.embed = overtaken  # ty: ignore[invalid-assignment]
    await first.unlink(["alpha-1"])
    found = await relations(first)
    assert [found[name][0] for name in ("alpha-1", "alpha-2")] == [None, None]


async def test_s6_a_store_that_never_rests_is_an_error_and_not_a_loop(
    linked: DataService, monkeypatch: pytest.MonkeyPatch, database: Place
) -> None:
    before = dump(database)

    async def another(_: object) -> int:
        return -1

    monkeypatch.setattr("mcp_optimizer.operations.change_set_writer.last_change", another)
    for change in (linked.unlink(["alpha-1"]), linked.link("own", "alpha")):
        with pytest.raises(StoreBusyError):
            await change
    before.pop("embedding_cache")
    after = dump(database)
    after.pop("embedding_cache")
    assert after == before


async def test_read_only_plans_and_refuses(linked: DataService, open_service: OpenService) -> None:
    service = await open_service(read_only=True)
    assert (await service.unlink(["alpha-1"], dry_run=True)).unlinked == ("alpha-1",)
    for change in (
        service.unlink(["alpha-1"]),
        service.link("own", "alpha"),
        service.rematch(),
        service.resolve("x", "y"),
    ):
        with pytest.raises(ReadOnlyError):
            await change


# M3


@pytest.fixture
async def shared(service: DataService) -> DataService:
    """``alpha`` is stored and two workloads are linked to it; then ``fork`` claims its identity too."""
    await ingest(service, CATALOG, SEEN)
    await ingest(service, TWICE, listing(*SEEN.workloads, workload("late", ALPHA, ["ping"])))
    return service


async def test_m3_the_chosen_entry_counts_at_once(
    shared: DataService, database: Place, fake_embedder: FakeEmbedder
) -> None:
    before = dump(database)
    fake_embedder.forget()
    preview = await shared.resolve(ALPHA, "fork", dry_run=True)
    assert (dump(database), fake_embedder.texts) == (before, [])
    done = await shared.resolve(ALPHA, "fork")
    assert done == preview.model_copy(update={"dry_run": False})
    assert (done.names, done.renamed_from, done.waiting) == (("alpha", "fork"), "alpha", ("late",))
    assert done.context_renamed == ("alpha-1", "alpha-2")
    expected = {"Fork. The fork", *parts_of_tools("fork", "extra", "fork", "ping")}
    assert set(fake_embedder.texts) == expected, "the row itself, and the tools of what is linked: nothing else"
    assert done.reembedded_texts == 4, "that of the workload that is taken in, too"
    row = await shared.registry_server("fork")
    assert (row.title, row.description, [tool.name for tool in row.tool_list]) == (
        "Fork", "The fork.", ["fork", "ping"],
    )  # fmt: skip
    assert row.workload_names == ("alpha-1", "alpha-2", "late")
    assert ("fork", "resolved", "by-hand") in await causes(shared, "resolved")
    assert await causes(shared, "context-renamed") == {
        ("alpha-1", "context-renamed", "registry-renamed"), ("alpha-2", "context-renamed", "registry-renamed"),
    }  # fmt: skip
    assert await shared.problems() == [], "M2: what was rejected is taken in at once"


async def test_m3_a_choice_survives_re_ingestion_in_any_order_and_lets_the_rejected_in(
    shared: DataService, database: Place, fake_embedder: FakeEmbedder
) -> None:
    await shared.resolve(ALPHA, "fork")
    before = dump(database)
    fake_embedder.forget()
    for document in (TWICE, catalog(*reversed(TWICE.entries))):
        report = await ingest(shared, document)
        assert not report.partial, "settled"
        assert dump(database) == before
    assert fake_embedder.texts == []
    report = await ingest(shared, listing=listing(*SEEN.workloads, workload("late", ALPHA, ["ping"])))
    assert not report.partial
    late = await shared.workload("late")
    assert (late.registry_server, late.relation_cause) == ("fork", "first-match")
    assert await shared.problems() == []


async def test_m3_another_choice_replaces_the_first(shared: DataService) -> None:
    (before,) = [view.id for view in await shared.registry_servers() if view.identity == ALPHA]
    for chosen in ("fork", "alpha", "alpha", "fork"):
        report = await shared.resolve(ALPHA, chosen)
        assert report.chosen == chosen
        row = await shared.registry_server(ALPHA)
        assert (row.name, row.id) == (chosen, before)
        assert (await shared.workload("alpha-1")).context_name == chosen
    assert len(await causes(shared, "resolved")) == 2


async def test_m3_any_spelling_of_the_identity_will_do(shared: DataService) -> None:
    assert (await shared.resolve("EXAMPLE.ORG/alpha:1", "fork")).chosen == "fork"


async def test_m3_what_is_no_choice_is_refused(shared: DataService, database: Place) -> None:
    before = dump(database)
    for where, name, said in (
        (ALPHA, "other", "other does not claim"),
        (OTHER, "other", "is not a duplicate"),
        ("not an image at all", "alpha", "is not a duplicate"),
    ):
        with pytest.raises(NotFoundError, match=said) as error:
            await shared.resolve(where, name)
        assert error.value.remedy
    assert dump(database) == before


async def test_m3_a_choice_outlives_the_duplicate(shared: DataService) -> None:
    await shared.resolve(ALPHA, "fork")
    await ingest(shared, catalog(entry("alpha", ALPHA, ["ping"])))
    assert (await shared.workload("alpha-1")).context_name == "alpha"
    await ingest(shared, TWICE)
    assert (await shared.workload("alpha-1")).context_name == "fork"
    assert await shared.problems() == [], "the duplicate is settled, and nothing is rejected"


async def test_m3_l1_links_of_the_chosen_entry_go_with_it(service: DataService) -> None:
    """``other`` moved onto the identity of ``alpha``: it keeps its row until a person decides, then takes alpha's."""
    seen = listing(workload("runs-alpha", ALPHA), workload("runs-other", OTHER))
    await ingest(service, catalog(entry("alpha", ALPHA), entry("other", OTHER)), seen)
    both = catalog(entry("alpha", ALPHA), entry("other", ALPHA))
    await ingest(service, both, seen)
    await service.resolve(ALPHA, "other")
    for document in (both, catalog(*reversed(both.entries)), catalog(entry("other", ALPHA))):
        await ingest(service, document, seen)
        found = await relations(service)
        assert {name: server for name, (server, _) in found.items()} == {"runs-alpha": "other", "runs-other": "other"}
    assert [view.name for view in await service.registry_servers()] == ["other"]


async def test_c6_l1_links_of_an_entry_that_moved_in_an_incomplete_catalog_go_with_it(service: DataService) -> None:
    """``alpha`` is seen to have the identity of ``other``; that its own is free shows only in the whole catalog."""
    seen = listing(workload("runs-alpha", ALPHA), workload("runs-other", OTHER))
    await ingest(service, catalog(entry("alpha", ALPHA), entry("other", OTHER)), seen)
    await ingest(service, catalog(entry("alpha", OTHER), complete=False), seen)
    await ingest(service, catalog(entry("alpha", OTHER)), seen)
    found = await relations(service)
    assert {name: server for name, (server, _) in found.items()} == {"runs-alpha": "alpha", "runs-other": "alpha"}


async def test_m3_a_choice_for_one_kind_leaves_the_other_alone(service: DataService) -> None:
    document = catalog(
        entry("alpha", "example.org/alpha"), entry("fork", "example.org/alpha"),
        entry("alpha", "https://example.org/alpha"), entry("fork", "https://example.org/alpha"),
    )  # fmt: skip
    await ingest(service, document)
    await service.resolve("https://example.org/alpha", "fork")
    assert {(view.kind, view.name) for view in await service.registry_servers()} == {
        ("container", "alpha"), ("remote", "fork"),
    }  # fmt: skip
    assert [problem.reason for problem in await service.problems()] == ["example.org/alpha is claimed by alpha, fork"]


async def test_m3_a_dry_run_foretells_a_choice_that_the_source_records(service: DataService) -> None:
    chosen = TWICE.model_copy(update={"resolutions": ((identity(ALPHA), "fork"),)})
    preview = await ingest(service, chosen, SEEN, dry_run=True)
    assert same_outcome(await ingest(service, chosen, SEEN)) == same_outcome(preview)
    assert (await service.workload("alpha-1")).registry_server == "fork"


# Real catalogs


CATALOGS = Path(__file__).parents[4] / "shared" / "data" / "registry"


def real_catalogs() -> list[Catalog]:
    """Versions of a public catalog, oldest first."""
    files = sorted(CATALOGS.glob("toolhive-*.json"))
    if len(files) < 2:
        pytest.skip("the real catalogs are not beside this checkout (../shared/data/registry)")
    return [parse_catalog(json.loads(file.read_text("utf-8")), source=file.name) for file in files]


@pytest.mark.parametrize("backwards", [False, True], ids=["forwards", "backwards"])
@pytest.mark.parametrize("choice", [None, 0, -1], ids=["unresolved", "first chosen", "last chosen"])
async def test_l1_links_live_through_real_catalogs_and_choices(
    service: DataService, backwards: bool, choice: int | None
) -> None:
    """Container and remote: whoever is once linked stays linked to that entry, for as long as it is there."""
    running: dict[str, ObservedWorkload] = {}
    homes: dict[str, tuple[Kind, str]] = {}
    held: Counter[Kind] = Counter()
    for version in real_catalogs()[:: -1 if backwards else 1]:
        await ingest(service, version)
        if choice is not None:
            await resolve_all(service, choice)
        named = {(item.identity.kind, item.name) for item in version.entries}
        homes = {name: home for name, home in homes.items() if home in named}
        found = {view.name: view.registry_server for view in await service.workloads()}
        servers = {(view.kind, view.name): view for view in await service.registry_servers()}
        for name, (kind, entry_name) in homes.items():
            held[kind] += 1
            row = servers[kind, found[name] or ""]
            assert entry_name in {row.name, *row.duplicates}, f"{name} is at {row.name}"
        for item in version.entries:
            name = f"w-{item.identity.kind}-{item.name}"
            running.setdefault(name, workload(name, item.identity.raw))
            if name not in found:
                homes[name] = (item.identity.kind, item.name)
        await ingest(service, version, listing(*running.values()))
        linked = {view.name for view in await service.workloads() if view.relation is Relation.LINKED}
        homes = {name: home for name, home in homes.items() if name in linked}
    assert min(held[kind] for kind in Kind) > 10, held


async def resolve_all(service: DataService, choice: int) -> None:
    """Choose the first or the last of the names that claim an identity, for all that several claim."""
    for view in await service.registry_servers():
        if view.duplicates:
            await service.resolve(view.identity, sorted([view.name, *view.duplicates])[choice])
