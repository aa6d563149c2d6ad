"""Catalogs over time: what changes, what stays, and what follows for linked workloads (C, E2, L4, L10)."""

import numpy as np
import pytest

from mcp_optimizer.domain.models import ItemProblem, Relation
from mcp_optimizer.errors import SourceError
from mcp_optimizer.service import DataService
from tests.conftest import OpenService
from tests.support.builders import catalog, entry, listing, parts_of_tools, tool, workload
from tests.support.database import dump, rows, sizes, value
from tests.support.embedders import FakeEmbedder
from tests.support.places import Place
from tests.support.services import ingest, ingest_source, registry_by_name, workloads_by_name
from tests.support.sources import MemorySource

ALPHA = "example.org/alpha:1"
BETA = "https://beta.example/mcp"
CATALOG = catalog(entry("alpha", ALPHA, ["ping", "read"]), entry("beta", BETA, ["pong"]))
LISTING = listing(
    workload("alpha-1", ALPHA, ["ping", "read", "extra"]),
    workload("alpha-2", ALPHA, ["ping"]),
    workload("beta-1", BETA, ["pong"]),
    workload("own", "example.org/own:3", ["solo", "duo"]),
)


async def test_a_first_ingestion_stores_and_links_everything(service: DataService) -> None:
    report = await ingest(service, CATALOG, LISTING)
    assert report.registry is not None
    assert report.workloads is not None
    assert (report.registry.added, report.registry.unchanged) == (2, 0)
    assert (report.workloads.added, report.workloads.linked, report.workloads.autonomous) == (4, 3, 1)
    assert not report.partial
    found = await workloads_by_name(service)
    assert {name: view.registry_server for name, view in found.items()} == {
        "alpha-1": "alpha", "alpha-2": "alpha", "beta-1": "beta", "own": None,
    }  # fmt: skip
    assert found["own"].description == "Offers duo, solo"
    assert found["alpha-1"].description == "The server alpha."
    assert [tool.name for tool in found["alpha-1"].tool_list] == ["extra", "ping", "read"]
    assert all(tool.tokens > 0 and tool.embedded for tool in found["alpha-1"].tool_list)


async def test_e2_a_second_ingestion_writes_and_embeds_nothing(
    service: DataService, database: Place, fake_embedder: FakeEmbedder
) -> None:
    await ingest(service, CATALOG, LISTING)
    before = dump(database)
    fake_embedder.forget()
    report = await ingest(service, CATALOG, LISTING)
    assert dump(database) == before
    assert fake_embedder.texts == []
    assert report.embedded_texts == 0
    assert report.registry is not None
    assert report.workloads is not None
    assert (report.registry.unchanged, report.workloads.unchanged) == (2, 4)
    assert len(await service.runs()) == 2, "only the log of runs gains a line"


async def test_e2_a_text_is_embedded_once_ever(open_service: OpenService, fake_embedder: FakeEmbedder) -> None:
    service = await open_service()
    report = await ingest(service, CATALOG, LISTING)
    assert len(fake_embedder.texts) == len(set(fake_embedder.texts))
    names = [text for text in fake_embedder.texts if "does what it says" not in text]
    assert report.embedded_texts == len(names), "a tool is one text, whose two parts are embedded apart"
    renamed = catalog(entry("alpha-prime", ALPHA, ["ping", "read"]), entry("beta", BETA, ["pong"]))
    await ingest(service, renamed)
    fake_embedder.forget()
    back = await ingest(service, CATALOG)
    assert back.registry is not None
    assert back.registry.renamed == 1
    assert (back.embedded_texts, fake_embedder.texts) == (0, [])
    restarted = await open_service()
    await ingest(restarted, renamed, LISTING)
    await restarted.delete_workloads(["alpha-1"])
    await ingest(restarted, renamed, LISTING)
    assert fake_embedder.texts == []


async def test_e1_texts_go_to_the_model_in_batches(service: DataService, fake_embedder: FakeEmbedder) -> None:
    await ingest(service, catalog(*(entry(f"n{n}", f"example.org/n{n}", ["one", "two"]) for n in range(40))))
    assert len(fake_embedder.texts) == 122, "40 servers, 80 names of tools, and the two sentences that all share once"
    assert fake_embedder.calls == 1


async def test_c1_a_new_tag_keeps_id_and_links_and_is_noted_as_drift(
    service: DataService, fake_embedder: FakeEmbedder
) -> None:
    await ingest(service, CATALOG, LISTING)
    before = await registry_by_name(service)
    fake_embedder.forget()
    retagged = catalog(entry("alpha", "example.org/alpha:2", ["ping", "read"]), entry("beta", BETA, ["pong"]))
    report = await ingest(service, retagged)
    assert report.registry is not None
    assert (report.registry.retagged, report.registry.added, report.registry.removed) == (1, 0, 0)
    after = await registry_by_name(service)
    assert after["alpha"].id == before["alpha"].id
    assert after["alpha"].identity == "example.org/alpha:2"
    assert after["alpha"].workload_names == ("alpha-1", "alpha-2")
    drift = (await service.workload("alpha-1")).drift
    assert drift is not None
    assert (drift.running, drift.catalog) == (ALPHA, "example.org/alpha:2")
    assert {(c.name, c.operation, c.cause) for c in await service.changes() if c.operation == "drifted"} == {
        ("alpha-1", "drifted", "registry-retagged"),
        ("alpha-2", "drifted", "registry-retagged"),
    }
    assert fake_embedder.texts == []
    again = await ingest(service, retagged, LISTING)
    assert again.workloads is not None
    assert again.workloads.unchanged == 4, "L1: the same identity keeps its relation"
    await ingest(service, CATALOG)
    assert (await service.workload("alpha-1")).drift is None
    assert [c.name for c in await service.changes() if c.operation == "drift-ended"] == ["alpha-2", "alpha-1"]


async def test_c2_a_rename_embeds_the_linked_workloads_tools_and_its_own(
    service: DataService, fake_embedder: FakeEmbedder
) -> None:
    """What is embedded follows the change, so a rename takes no longer in a large store (P)."""
    await ingest(service, CATALOG, LISTING)
    ids = {name: view.id for name, view in (await workloads_by_name(service)).items()}
    server = (await registry_by_name(service))["alpha"].id
    fake_embedder.forget()
    report = await ingest(service, catalog(entry("omega", ALPHA, ["ping", "read"]), entry("beta", BETA, ["pong"])))
    assert report.registry is not None
    assert report.registry.renamed == 1
    assert (await registry_by_name(service))["omega"].id == server
    assert sorted(fake_embedder.texts) == [
        *("extra does what it says.", "omega. The server omega", "omega: extra", "omega: ping", "omega: read"),
        *("ping does what it says.", "read does what it says."),
    ], "shared texts once, those of others not at all"
    found = await workloads_by_name(service)
    assert {name: view.id for name, view in found.items()} == ids
    assert {name: view.context_name for name, view in found.items()} == {
        "alpha-1": "omega", "alpha-2": "omega", "beta-1": "beta", "own": "own",
    }  # fmt: skip
    changed = {c.name for c in await service.changes() if c.operation == "context-renamed"}
    assert changed == {"alpha-1", "alpha-2"}


async def test_c3_l4_a_removed_entry_leaves_autonomous_workloads(
    service: DataService, database: Place, fake_embedder: FakeEmbedder
) -> None:
    await ingest(service, CATALOG, LISTING)
    fake_embedder.forget()
    report = await ingest(service, catalog(entry("beta", BETA, ["pong"])))
    assert report.registry is not None
    assert report.registry.removed == 1
    found = await service.workload("alpha-1")
    assert (found.relation, found.registry_server, found.context_name) == (Relation.AUTONOMOUS, None, "alpha-1")
    assert found.description == "Offers extra, ping, read"
    assert found.relation_cause == "registry-removed"
    own = ("extra", "ping", "read")
    assert set(parts_of_tools("alpha-1", *own)) < set(fake_embedder.texts)
    mean = np.mean([fake_embedder.tool_vector("alpha-1", name) for name in own], axis=0)
    stored = value(database, "SELECT server_embedding FROM mcpservers_workload WHERE name = 'alpha-1'")
    np.testing.assert_allclose(np.frombuffer(stored, dtype="<f4"), mean / np.linalg.norm(mean), atol=1e-6)
    at_once = rows(database, "SELECT DISTINCT run_id FROM change_log WHERE operation IN ('unlinked', 'removed')")
    assert len(at_once) == 1


async def test_c3_l4_removal_and_its_consequences_are_one_transaction(
    service: DataService, database: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ingest(service, CATALOG, LISTING)
    before = dump(database)

    async def failing(*_: object, **__: object) -> None:
        raise SourceError("the last write fails")

    with monkeypatch.context() as patch:
        patch.setattr("mcp_optimizer.operations.change_set_writer.record_run", failing)
        with pytest.raises(SourceError):
            await ingest(service, catalog(entry("beta", BETA, ["pong"])))
    after = dump(database)
    after.pop("embedding_cache")
    before.pop("embedding_cache")
    assert after == before


async def test_c6_an_incomplete_catalog_deletes_nothing(service: DataService) -> None:
    await ingest(service, CATALOG, LISTING)
    report = await ingest(service, catalog(entry("gamma", "example.org/gamma:1"), complete=False))
    assert report.registry is not None
    assert (report.registry.added, report.registry.removed, report.registry.complete) == (1, 0, False)
    assert report.partial
    assert set(await registry_by_name(service)) == {"alpha", "beta", "gamma"}
    assert (await service.workload("alpha-1")).relation is Relation.LINKED
    assert sorted(run.outcome for run in await service.runs()) == ["done", "partial"]


async def test_c4_a_duplicate_is_one_row_and_a_problem_until_it_is_gone(service: DataService, database: Place) -> None:
    twice = catalog(entry("beta-b", ALPHA, ["b"]), entry("beta-a", ALPHA, ["a"]))
    for document in (twice, catalog(*reversed(twice.entries))):
        report = await ingest(service, document)
        assert report.registry is not None
        assert [item.names for item in report.registry.duplicates] == [("beta-a", "beta-b")]
        assert report.partial
    (view,) = await service.registry_servers()
    assert (view.name, view.duplicates) == ("beta-a", ("beta-b",))
    (problem,) = await service.problems()
    assert (problem.entity, problem.problem) == ("registry", "duplicate")
    assert "beta-a, beta-b" in problem.reason
    await ingest(service, catalog(entry("beta-b", ALPHA, ["b"])))
    assert await service.problems() == []
    (closed,) = await service.problems(include_closed=True)
    assert not closed.open
    assert sizes(database, "registry_duplicates") == {"registry_duplicates": 0}


async def test_c5_skipped_entries_are_problems_until_they_are_gone(service: DataService) -> None:
    bad = ItemProblem(name="bad", reason="neither image nor URL")
    report = await ingest(service, catalog(entry("alpha", ALPHA), skipped=[bad]))
    assert report.registry is not None
    assert report.registry.skipped == (bad,)
    assert report.partial
    assert [(p.name, p.problem, p.reason) for p in await service.problems()] == [("bad", "skipped", bad.reason)]
    since = (await service.problems())[0]
    await ingest(service, catalog(entry("alpha", ALPHA), skipped=[bad]))
    assert (await service.problems())[0] == since, "the same problem stays the same line"
    await ingest(service, catalog(entry("alpha", ALPHA)))
    assert await service.problems() == []


async def test_l7_an_entry_that_can_t_be_embedded_is_stored_and_tried_again(
    service: DataService, fake_embedder: FakeEmbedder
) -> None:
    fake_embedder.fail_on = {"alpha"}
    report = await ingest(service, CATALOG)
    assert report.registry is not None
    assert [item.name for item in report.registry.skipped] == ["alpha"]
    assert "not embedded" in report.registry.skipped[0].reason
    assert (await service.check()).ok
    assert set(await registry_by_name(service)) == {"alpha", "beta"}
    fake_embedder.fail_on = set()
    fake_embedder.forget()
    report = await ingest(service, CATALOG)
    assert report.embedded_texts == 3
    assert not report.partial
    assert all(tool.embedded for tool in (await service.registry_server("alpha")).tool_list)
    assert (await ingest(service, CATALOG)).embedded_texts == 0
    assert await service.problems() == []


async def test_l6_changed_registry_tools_leave_workload_tools_alone(
    service: DataService, database: Place, fake_embedder: FakeEmbedder
) -> None:
    await ingest(service, CATALOG, LISTING)
    tables = ("tools_workload", "workload_tool_vectors", "workload_tool_fts", "mcpservers_workload")
    before = {table: found for table, found in dump(database).items() if table in tables}
    fake_embedder.forget()
    report = await ingest(
        service,
        catalog(entry("alpha", ALPHA, [tool("ping", "Now it says more."), "brand-new"]), entry("beta", BETA, ["pong"])),
    )
    assert report.registry is not None
    assert report.registry.updated == 1
    assert sorted(fake_embedder.texts) == [
        "Now it says more.", "alpha: brand new", "alpha: ping", "brand-new does what it says.",
    ]  # fmt: skip
    assert {table: found for table, found in dump(database).items() if table in tables} == before
    assert [tool.name for tool in (await service.registry_server("alpha")).tool_list] == ["brand-new", "ping"]


async def test_a_source_that_can_t_be_read_changes_nothing_and_is_logged(service: DataService, database: Place) -> None:
    await ingest(service, CATALOG, LISTING)
    before = dump(database)
    broken = MemorySource(error=SourceError("https://user:secret@host.example/list?token=abc is not there"))
    with pytest.raises(SourceError):
        await ingest_source(service, broken)
    assert dump(database) == before
    (run,) = [run for run in await service.runs() if run.outcome == "failed"]
    assert run.error is not None
    assert "secret" not in run.error, "S7"
    assert "abc" not in run.error, "S7"
    assert "is not there" in run.error


async def test_a_source_without_what_is_asked_for_is_an_error(service: DataService) -> None:
    with pytest.raises(SourceError, match="no registry and no workloads"):
        await ingest_source(service, MemorySource())


async def test_one_half_alone_leaves_the_other_as_it_is(service: DataService) -> None:
    await ingest(service, CATALOG, LISTING)
    report = await ingest(service, catalog())
    assert report.workloads is None
    assert len(await service.workloads()) == 4
    report = await ingest(service, listing=listing())
    assert report.registry is None
    assert await service.workloads() == []
