"""Ingestions as a whole: dry runs, the run log, cancelling, several at once, and real catalogs through time."""

import asyncio
import json
from pathlib import Path

import pytest

from mcp_optimizer.config import Settings
from mcp_optimizer.demo.sample import sample_snapshot
from mcp_optimizer.domain.models import Catalog, ObservedWorkload, Relation, WorkloadListing
from mcp_optimizer.domain.reports import IngestPart, IngestPhase, IngestProgress
from mcp_optimizer.errors import ReadOnlyError, SourceError, StoreBusyError
from mcp_optimizer.service import DataService
from mcp_optimizer.sources.registry.documents import parse_catalog
from tests.conftest import OpenService
from tests.support.builders import catalog, entry, listing, tool, workload
from tests.support.database import dump, value
from tests.support.embedders import FakeEmbedder
from tests.support.places import Place
from tests.support.runtime import Clock
from tests.support.services import assert_sound, ingest, ingest_source, same_outcome, workloads_by_name
from tests.support.sources import MemorySource

ALPHA, BETA = "example.org/alpha:1", "https://beta.example/mcp"
CATALOG = catalog(entry("alpha", ALPHA, ["ping"]), entry("beta", BETA, ["pong"]), entry("gone", "example.org/gone:1"))
LISTING = listing(
    workload("alpha-1", ALPHA, ["ping", "extra"]),
    workload("beta-1", BETA, ["pong"]),
    workload("gone-1", "example.org/gone:1", ["solo"]),
    workload("own", "example.org/own:1", ["duo"]),
)
LATER = {
    "nothing": (CATALOG, LISTING),
    "a rename": (catalog(entry("omega", ALPHA, ["ping"]), *CATALOG.entries[1:]), LISTING),
    "a new tag": (catalog(entry("alpha", "example.org/alpha:2", ["ping"]), *CATALOG.entries[1:]), LISTING),
    "a removal": (catalog(*CATALOG.entries[:2]), LISTING),
    "a duplicate": (catalog(entry("alpha-too", ALPHA), *CATALOG.entries), LISTING),
    "an incomplete catalog": (catalog(entry("new", "example.org/new:1"), complete=False), LISTING),
    "other tools": (CATALOG, listing(workload("alpha-1", ALPHA, [tool("ping", "Says more.")]), *LISTING.workloads[1:])),
    "fewer workloads": (CATALOG, listing(*LISTING.workloads[:2])),
    "everything at once": (
        catalog(entry("omega", ALPHA, ["ping", "new"]), entry("beta", "https://beta.example/v2", ["pong"])),
        listing(
            workload("alpha-1", ALPHA, ["ping"]),
            workload("own", ALPHA, ["duo"]),
            workload("beta-1", BETA, ["pong", "new"]),
            workload("beta-2", "https://beta.example/v2", ["pong"]),
            workload("gone-1", "example.org/gone:1", None, status="stopped"),
        ),
    ),
}


@pytest.mark.parametrize("later", LATER.values(), ids=list(LATER))
async def test_a_dry_run_writes_nothing_and_foretells_the_run(
    service: DataService, database: Place, later: tuple[Catalog, WorkloadListing]
) -> None:
    await ingest(service, CATALOG, LISTING)
    before, runs = dump(database), await service.runs()
    preview = await ingest(service, *later, dry_run=True)
    assert preview.dry_run
    assert dump(database) == before
    assert await service.runs() == runs
    assert same_outcome(await ingest(service, *later)) == same_outcome(preview)


async def test_a_dry_run_on_an_empty_store_foretells_the_run(service: DataService) -> None:
    preview = await ingest(service, CATALOG, LISTING, dry_run=True)
    assert same_outcome(await ingest(service, CATALOG, LISTING)) == same_outcome(preview)


async def test_a_dry_run_of_the_sample_foretells_the_run(service: DataService, tmp_path: Path) -> None:
    for before in (True, False):
        file = tmp_path / f"{before}.json"
        file.write_text(json.dumps(sample_snapshot(before=before)))
        (preview,) = await service.ingest(IngestPart.ALL, [str(file)], dry_run=True)
        (done,) = await service.ingest(IngestPart.ALL, [str(file)])
        assert same_outcome(done) == same_outcome(preview)


async def test_read_only_refuses_to_change_anything(open_service: OpenService, database: Place) -> None:
    await ingest(await open_service(), CATALOG, LISTING)
    before = dump(database)
    service = await open_service(read_only=True)
    with pytest.raises(ReadOnlyError):
        await service.ingest(IngestPart.ALL, [str(database)])
    with pytest.raises(ReadOnlyError):
        await service.delete_registry_servers(["alpha"])
    with pytest.raises(ReadOnlyError):
        await service.delete_workloads(["own"])
    with pytest.raises(ReadOnlyError):
        await service.reindex()
    assert (await service.delete_workloads(["own"], dry_run=True)).deleted == ("own",)
    assert dump(database) == before


async def test_every_run_is_logged_with_its_outcome(
    service: DataService, clock: Clock, fake_embedder: FakeEmbedder
) -> None:
    await ingest(service, CATALOG)
    clock.advance(60)
    await ingest(service, listing=listing(complete=False))
    clock.advance(60)
    with pytest.raises(SourceError):
        await ingest_source(service, MemorySource(error=SourceError("gone fishing"), label="pond"))
    clock.advance(60)
    fake_embedder.delay = 10
    fake_embedder.started.clear()
    running = asyncio.create_task(ingest(service, listing=LISTING))
    await asyncio.wait_for(fake_embedder.started.wait(), 10)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    runs = await service.runs()
    assert [(run.what, run.outcome) for run in runs] == [
        ("workloads", "cancelled"), ("all", "failed"), ("workloads", "partial"), ("registry", "done"),
    ]  # fmt: skip
    assert (runs[1].source, runs[1].error) == ("pond", "gone fishing")
    assert runs[3].summary == "registry: 3 added"
    assert [change.operation for change in await service.changes() if change.entity == "run"] == [
        run.outcome for run in runs
    ]


async def test_old_runs_are_forgotten(
    open_service: OpenService, settings: Settings, clock: Clock, database: Place
) -> None:
    service = await open_service(settings.model_copy(update={"run_log_max_rows": 3}))
    for _ in range(5):
        clock.advance(60)
        await ingest(service, CATALOG)
    runs = await service.runs()
    assert [run.started_at[14:16] for run in runs] == ["09", "08", "07"]
    assert value(database, "SELECT COUNT(*) FROM ingestion_runs") == 3


async def test_progress_tells_every_phase_in_order(service: DataService) -> None:
    told: list[IngestProgress] = []
    await ingest(service, CATALOG, LISTING, on_progress=told.append)
    phases = list(dict.fromkeys(item.phase for item in told))
    assert phases == [
        IngestPhase.FETCH, IngestPhase.TOOLS, IngestPhase.PLAN, IngestPhase.EMBED, IngestPhase.WRITE, IngestPhase.DONE,
    ]  # fmt: skip
    embedding = [item for item in told if item.phase is IngestPhase.EMBED]
    assert all(0 < item.done <= item.total for item in embedding)


async def test_cancelling_while_embedding_leaves_the_store_whole(
    service: DataService, database: Place, fake_embedder: FakeEmbedder
) -> None:
    await ingest(service, CATALOG, LISTING)
    before = dump(database)
    fake_embedder.delay = 0.01
    fake_embedder.started.clear()
    more = listing(*(workload(f"n{n}", f"example.org/n{n}", ["one", "two"]) for n in range(300)))
    running = asyncio.create_task(ingest(service, catalog(), more))
    await asyncio.wait_for(fake_embedder.started.wait(), 10)
    await asyncio.sleep(0.05)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await assert_sound(service)
    after = dump(database)
    if value(database, "SELECT COUNT(*) FROM mcpservers_registry"):
        del before["embedding_cache"], after["embedding_cache"]
        assert after == before
    fake_embedder.delay = 0
    await ingest(service, catalog(), more)
    assert len(await service.workloads()) == 300


@pytest.mark.parametrize("moment", range(12))
async def test_cancelling_at_any_moment_leaves_the_store_whole(service: DataService, moment: int) -> None:
    await ingest(service, CATALOG, LISTING)
    running = asyncio.create_task(ingest(service, *LATER["everything at once"]))
    for _ in range(moment**2):
        await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await assert_sound(service)
    await ingest(service, *LATER["everything at once"])
    found = await workloads_by_name(service)
    assert {name: view.registry_server for name, view in found.items()} == {
        "alpha-1": "omega", "own": "omega", "beta-1": "beta", "beta-2": "beta", "gone-1": None,
    }  # fmt: skip


async def test_two_ingestions_at_once_both_succeed(open_service: OpenService) -> None:
    first, second = await open_service(), await open_service()
    for _ in range(3):
        await asyncio.gather(ingest(first, CATALOG, LISTING), ingest(second, *LATER["everything at once"]))
    await ingest(second, CATALOG, LISTING)
    await assert_sound(first)
    assert {view.name for view in await first.registry_servers()} == {"alpha", "beta", "gone"}
    assert {view.name for view in await first.workloads()} == {item.name for item in LISTING.workloads}
    assert {run.outcome for run in await first.runs()} == {"done"}


async def test_different_halves_at_once_both_hold(open_service: OpenService) -> None:
    services = [await open_service() for _ in range(3)]
    await asyncio.gather(
        ingest(services[0], CATALOG),
        ingest(services[1], listing=LISTING),
        ingest(services[2], CATALOG),
    )
    assert len(await services[0].registry_servers()) == 3
    assert len(await services[0].workloads()) == 4


async def test_a_store_that_never_rests_is_a_clear_error(
    service: DataService, database: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def another(_: object) -> int:
        return -1

    monkeypatch.setattr("mcp_optimizer.operations.change_set_writer.last_change", another)
    before = dump(database)
    with pytest.raises(StoreBusyError, match="changed though it was locked"):
        await ingest(service, CATALOG)
    before.pop("embedding_cache")
    after = dump(database)
    after.pop("embedding_cache")
    assert after == before


async def test_several_sources_are_ingested_one_after_another(service: DataService, tmp_path: Path) -> None:
    files = []
    for before in (True, False):
        files.append(tmp_path / f"{before}.json")
        files[-1].write_text(json.dumps(sample_snapshot(before=before)))
    reports = await service.ingest(IngestPart.ALL, [str(file) for file in files])
    assert [report.source for report in reports] == [str(file) for file in files]
    assert len(await service.runs()) == 2


async def test_hostile_texts_are_stored_and_read_back(service: DataService) -> None:
    names = ["[/red]", "\x1b[31mred", "a\u202eb", "'; DROP TABLE tools_workload; --", "x" * 5000, "名前", "😀"]
    seen = listing(
        *(workload(name, f"example.org/n{n}", [tool(name, name, **{"p" + name: name})]) for n, name in enumerate(names))
    )
    await ingest(service, catalog(*(entry(name, f"example.org/n{n}", [name]) for n, name in enumerate(names))), seen)
    assert {view.name for view in await service.workloads()} == set(names)
    assert {view.name for view in await service.registry_servers()} == set(names)
    for name in names:
        assert (await service.explain(name)).verdict is Relation.LINKED


CATALOGS = Path(__file__).parents[4] / "shared" / "data" / "registry"


def _real_catalogs() -> list[Catalog]:
    files = sorted(CATALOGS.glob("toolhive-*.json"))
    if len(files) < 2:
        pytest.skip(f"no real catalogs in {CATALOGS}")
    return [parse_catalog(json.loads(file.read_text(encoding="utf-8")), source=file.name) for file in files]


def _one_workload_each(document: Catalog) -> WorkloadListing:
    """A workload of every entry whose identity only it has."""
    names = {item.identity.key: {other.name for other in document.entries if other.identity.key == item.identity.key}
             for item in document.entries}  # fmt: skip
    observed: list[ObservedWorkload] = [
        workload(f"w-{item.name}", item.identity.raw, ["ping"])
        for item in document.entries
        if len(names[item.identity.key]) == 1
    ]
    return listing(*observed)


@pytest.mark.parametrize("backwards", [False, True], ids=["forwards", "backwards"])
async def test_c_links_live_through_real_catalogs(
    service: DataService, database: Place, fake_embedder: FakeEmbedder, backwards: bool
) -> None:
    documents = _real_catalogs()
    documents = documents[::-1] if backwards else documents
    seen = _one_workload_each(documents[0])
    first = await ingest(service, documents[0], seen)
    assert first.workloads is not None
    assert first.workloads.linked == len(seen.workloads)
    named = {f"w-{item.name}": {item.name} for item in documents[0].entries}
    for document in documents[1:]:
        report = await ingest(service, document)
        assert report.registry is not None
        counts = report.registry
        representatives = counts.added + counts.updated + counts.renamed + counts.retagged + counts.unchanged
        claimed = sum(len(item.names) - 1 for item in counts.duplicates)
        assert representatives + claimed >= len({item.name for item in document.entries})
        await assert_sound(service)
        present = {(item.identity.kind, item.name) for item in document.entries}
        for name, view in [(view.name, view) for view in await service.workloads()]:
            still_named = {(view.kind, one) for one in named[name]} <= present
            if still_named and named[name]:
                assert view.relation is Relation.LINKED, f"{name} lost {named[name]}"
            else:
                named[name] = set()
        again, before = fake_embedder.calls, dump(database)
        await ingest(service, document)
        assert (fake_embedder.calls, dump(database)) == (again, before), "a second time changes nothing"
