"""Deleting by hand (L4, L10)."""

import pytest

from mcp_optimizer.domain.models import Relation
from mcp_optimizer.errors import AmbiguousError, NotFoundError
from mcp_optimizer.service import DataService
from tests.conftest import OpenService
from tests.support.builders import catalog, entry, listing, workload
from tests.support.database import dump
from tests.support.embedders import FakeEmbedder
from tests.support.places import Place
from tests.support.services import ingest, workloads_by_name

ALPHA = "example.org/alpha:1"
CATALOG = catalog(entry("alpha", ALPHA, ["ping", "read"]), entry("beta", "https://beta.example/mcp", ["pong"]))
LISTING = listing(
    workload("alpha-1", ALPHA, ["ping", "extra"]),
    workload("alpha-2", ALPHA, ["ping"]),
    workload("beta-1", "https://beta.example/mcp", ["pong"]),
    workload("own", "example.org/own:1", ["solo"]),
)


@pytest.fixture
async def filled(service: DataService) -> DataService:
    """A service with something to delete."""
    await ingest(service, CATALOG, LISTING)
    return service


async def test_a_dry_run_deletes_nothing_and_foretells(filled: DataService, database: Place) -> None:
    before = dump(database)
    preview = await filled.delete_registry_servers(["alpha"], dry_run=True)
    assert (preview.deleted, preview.unlinked, preview.tools) == (("alpha",), ("alpha-1", "alpha-2"), 2)
    assert preview.reembedded_texts == 3
    assert dump(database) == before
    done = await filled.delete_registry_servers(["alpha"])
    assert done == preview.model_copy(update={"dry_run": False})
    preview = await filled.delete_workloads(["own", "alpha-1"], dry_run=True)
    assert (preview.deleted, preview.tools) == (("alpha-1", "own"), 3)
    done = await filled.delete_workloads(["own", "alpha-1"])
    assert done == preview.model_copy(update={"dry_run": False})


async def test_l4_the_workloads_of_a_deleted_entry_stand_on_their_own(
    filled: DataService, fake_embedder: FakeEmbedder
) -> None:
    before = await workloads_by_name(filled)
    fake_embedder.forget()
    await filled.delete_registry_servers(["alpha"])
    after = await workloads_by_name(filled)
    assert (after["alpha-1"].relation, after["alpha-1"].relation_cause) == (Relation.AUTONOMOUS, "registry-deleted")
    assert after["alpha-1"].description == "Offers extra, ping"
    assert sorted(fake_embedder.texts) == [
        *("alpha-1: extra", "alpha-1: ping", "alpha-2: ping", "extra does what it says.", "ping does what it says."),
    ]
    assert {name: after[name] for name in ("beta-1", "own")} == {name: before[name] for name in ("beta-1", "own")}
    relations = {(c.name, c.operation, c.cause) for c in await filled.changes() if c.cause == "registry-deleted"}
    assert ("alpha-1", "unlinked", "registry-deleted") in relations
    assert ("alpha", "removed", "registry-deleted") in relations


async def test_l10_deleting_a_workload_touches_no_registry_row(filled: DataService, database: Place) -> None:
    tables = ("mcpservers_registry", "tools_registry", "registry_server_vector", "registry_tool_vectors",
              "registry_tool_fts")  # fmt: skip
    before = {table: rows for table, rows in dump(database).items() if table in tables}
    await filled.delete_workloads(["alpha-1", "own"])
    assert {table: rows for table, rows in dump(database).items() if table in tables} == before
    assert [view.name for view in await filled.workloads()] == ["alpha-2", "beta-1"]


async def test_l10_what_the_source_still_lists_comes_back(filled: DataService, fake_embedder: FakeEmbedder) -> None:
    await filled.delete_registry_servers(["alpha"])
    await filled.delete_workloads(["own"])
    fake_embedder.forget()
    await ingest(filled, CATALOG, LISTING)
    assert fake_embedder.texts == []
    found = await workloads_by_name(filled)
    assert found["own"].relation is Relation.AUTONOMOUS
    assert (found["alpha-1"].relation, found["alpha-1"].linkable_to) == (Relation.AUTONOMOUS, "alpha"), "L3"


async def test_names_that_are_not_there_change_nothing(filled: DataService, database: Place) -> None:
    before = dump(database)
    with pytest.raises(NotFoundError, match="no registry server named nobody"):
        await filled.delete_registry_servers(["alpha", "nobody"])
    with pytest.raises(NotFoundError, match="no workload named nobody"):
        await filled.delete_workloads(["own", "nobody"])
    assert dump(database) == before
    with pytest.raises(NotFoundError):
        await filled.registry_server("nobody")
    with pytest.raises(NotFoundError):
        await filled.workload("nobody")
    with pytest.raises(NotFoundError):
        await filled.explain("nobody")


async def test_a_name_of_two_entries_is_ambiguous_until_the_identity_tells(service: DataService) -> None:
    await ingest(service, catalog(entry("twin", ALPHA), entry("twin", "https://twin.example/mcp")))
    with pytest.raises(AmbiguousError) as caught:
        await service.delete_registry_servers(["twin"])
    assert ALPHA in (caught.value.remedy or "")
    await service.delete_registry_servers([ALPHA])
    assert [view.identity for view in await service.registry_servers()] == ["https://twin.example/mcp"]


async def test_naming_one_twice_deletes_it_once(filled: DataService) -> None:
    report = await filled.delete_registry_servers(["alpha", "alpha", ALPHA])
    assert report.deleted == ("alpha",)
    assert (await filled.delete_workloads(["own", "own"])).deleted == ("own",)


async def test_a_rejected_workload_can_be_deleted(service: DataService) -> None:
    await ingest(service, catalog(entry("a", ALPHA), entry("b", ALPHA)), listing(workload("one", ALPHA)))
    assert (await service.delete_workloads(["one"])).deleted == ("one",)
    assert await service.workloads() == []
    assert [problem.entity for problem in await service.problems()] == ["registry"]


async def test_deleting_an_entry_that_shares_an_identity_ends_the_duplicate(service: DataService) -> None:
    await ingest(service, catalog(entry("a", ALPHA), entry("b", ALPHA)))
    await service.delete_registry_servers(["a"])
    assert await service.registry_servers() == []
    assert (await service.overview()).duplicates == 0


async def test_l7_a_model_that_fails_does_not_stop_a_deletion(filled: DataService, fake_embedder: FakeEmbedder) -> None:
    fake_embedder.unavailable = True
    await filled.delete_registry_servers(["alpha"])
    assert [view.name for view in await filled.registry_servers()] == ["beta"]
    assert (await filled.workload("alpha-1")).status == "error"
    fake_embedder.unavailable = False
    await ingest(filled, listing=LISTING)
    assert (await filled.workload("alpha-1")).status == "running"


async def test_a_deletion_and_an_ingestion_at_once_end_sound(open_service: OpenService) -> None:
    import asyncio

    first, second = await open_service(), await open_service()
    await ingest(first, CATALOG, LISTING)
    await asyncio.gather(
        first.delete_registry_servers(["alpha"]), ingest(second, CATALOG, LISTING), second.delete_workloads(["own"])
    )
    assert {view.name for view in await first.workloads()} >= {"alpha-1", "alpha-2", "beta-1"}
