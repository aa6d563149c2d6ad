"""`db copy` takes a whole store from one engine to another; nothing is lost, and a stopped one leaves nothing."""

import json
from collections.abc import Iterator

import pytest

from mcp_optimizer.cli.main import run_program
from mcp_optimizer.config import Settings
from mcp_optimizer.domain.upgrade_report import CopyReport
from mcp_optimizer.domain.views import Scope, SearchQuery
from mcp_optimizer.errors import StoreError
from mcp_optimizer.maintenance import copy as copying
from mcp_optimizer.service import DataService
from tests.support.builders import catalog, entry, listing, tool, workload
from tests.support.copy_victims import kill_copies
from tests.support.database import damage, dump, rows, schema, sizes, tables, value
from tests.support.embedders import FakeEmbedder
from tests.support.places import Place, PostgresServer, SqlitePlace
from tests.support.services import assert_sound, ingest, registry_by_name, workloads_by_name

CATALOG = catalog(
    entry("alpha", "example.org/alpha:1", ["ping", tool("getHTTPPage", "Fetches a page.", url="what to fetch")]),
    entry("beta", "https://beta.example/mcp", ["pong"]),
    entry("fork", "example.org/alpha:1", ["ping"]),
)
LISTING = listing(
    workload("a-runs", "https://beta.example/mcp", ["pong", "extra"]),
    workload("own", "example.org/own:1", ["solo", "duo"]),
    workload("torn", "example.org/alpha:1"),
)
ASKED = SearchQuery(text="fetch a page", scope=Scope.REGISTRY)
COMPARED = ("mcpservers_registry", "mcpservers_workload", "tools_registry", "tools_workload", "change_log",
            "embedding_cache", "ingestion_runs", "ingestion_problems", "registry_duplicates")  # fmt: skip


@pytest.fixture(params=["sqlite", "postgresql"])
def target(engine: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """An empty database to copy to, of either engine; or of the one that the source is not of."""
    if request.param == "sqlite" or (request.param == "other" and engine == "postgresql"):
        yield SqlitePlace(tmp_path_factory.mktemp("target") / "target.db")
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    place = server.place()
    place.prepare()
    yield place
    place.drop()


@pytest.fixture
async def filled(settings: Settings) -> Settings:
    """The settings of a store that has some of everything."""
    async with DataService(settings, embedder=FakeEmbedder()) as service:
        await ingest(service, CATALOG, LISTING)
    return settings


async def copied(settings: Settings, target: Place) -> CopyReport:
    """What copying says."""
    return await DataService(settings, embedder=FakeEmbedder()).copy_to(target.url)


async def test_everything_arrives(filled: Settings, database: Place, target: Place) -> None:
    report = await copied(filled, target)
    assert {table.table: table.rows for table in report.tables}.items() >= sizes(database, *COMPARED).items()
    assert sizes(target, *COMPARED) == sizes(database, *COMPARED)
    embedder = FakeEmbedder()
    there = filled.model_copy(update={"db_url": target.url})
    async with DataService(filled, embedder=FakeEmbedder()) as one, DataService(there, embedder=embedder) as other:
        await assert_sound(other)
        assert await registry_by_name(other) == await registry_by_name(one)
        assert await workloads_by_name(other) == await workloads_by_name(one)
        assert await other.problems() == await one.problems()
        assert [hit.tool for hit in await other.search(ASKED)] == [hit.tool for hit in await one.search(ASKED)]
        embedder.forget()
        newer = catalog(*CATALOG.entries, entry("gamma", "example.org/gamma:1", ["beam"]))
        await ingest(other, newer, LISTING)  # numbers go on where they were
        assert sorted(embedder.texts) == ["beam does what it says.", "gamma. The server gamma", "gamma: beam"], (
            "what was embedded once is not embedded again"
        )
        await assert_sound(other)


async def test_the_schema_is_that_of_a_fresh_database(filled: Settings, target: Place, tmp_path: object) -> None:
    await copied(filled, target)
    made = schema(target)
    if isinstance(target, SqlitePlace):
        fresh: Place = SqlitePlace(target.path.with_name("fresh.db"))
    else:
        fresh = target.server.place()  # ty: ignore[unresolved-attribute]
    fresh.prepare()
    async with DataService(filled.model_copy(update={"db_url": fresh.url}), embedder=FakeEmbedder()):
        pass
    assert made == schema(fresh)
    if not isinstance(fresh, SqlitePlace):
        fresh.drop()  # ty: ignore[unresolved-attribute]


async def test_what_is_not_empty_is_refused(filled: Settings, target: Place) -> None:
    damage(target, "CREATE TABLE accounts (id INTEGER)")
    with pytest.raises(StoreError, match="not empty"):
        await copied(filled, target)
    assert tables(target) == {"accounts"}
    with pytest.raises(StoreError, match="not empty"):
        await DataService(filled, embedder=FakeEmbedder()).copy_to(filled.database_url())


async def test_what_stops_half_way_leaves_the_target_empty(
    filled: Settings, database: Place, target: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = dump(database)
    send, sent = copying._send, []

    async def stops(*arguments: object) -> object:
        sent.append(1)
        if len(sent) == 5:
            raise StoreError("stopped")
        return await send(*arguments)  # ty: ignore[invalid-argument-type]

    with monkeypatch.context() as patch:
        patch.setattr(copying, "_send", stops)
        with pytest.raises(StoreError, match="stopped"):
            await copied(filled, target)
    assert tables(target) == set()
    await copied(filled, target)
    assert dump(database) == before


@pytest.mark.parametrize("target", ["other"], indirect=True)
async def test_kills(filled: Settings, database: Place, target: Place) -> None:
    counts = await kill_copies(database, target, kills=4, seed=1)
    assert counts["empty"] + counts["complete"] == counts["kills"]
    assert counts["said so"]


async def test_what_does_not_arrive_is_noticed(
    filled: Settings, target: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    reindex = copying.reindex_within

    async def loses(connection: object, dimension: int) -> int:
        indexed = await reindex(connection, dimension)  # ty: ignore[invalid-argument-type]
        await connection.exec_driver_sql("UPDATE tools_registry SET name = 'pang' WHERE name = 'pong'")  # ty: ignore
        return indexed

    monkeypatch.setattr(copying, "reindex_within", loses)
    with pytest.raises(StoreError, match="tools_registry"):
        await copied(filled, target)
    assert tables(target) == set()


@pytest.mark.sqlite
async def test_a_source_that_is_not_there_is_not_made(settings: Settings, database: Place, target: Place) -> None:
    with pytest.raises(StoreError, match="there is no database"):
        await copied(settings, target)
    assert not database.made


def test_the_command(database: Place, target: Place, capsys: pytest.CaptureFixture[str]) -> None:
    database.prepare()
    assert run_program(["--db", database.url, "registry", "list"]) == 0
    capsys.readouterr()
    assert run_program(["db", "copy", database.url, target.url, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert {table["table"] for table in said["tables"]} >= set(COMPARED)
    assert value(target, "SELECT COUNT(*) FROM embedding_model") == 1
    assert rows(target, "SELECT * FROM running_servers") == []
    assert run_program(["db", "copy", database.url, target.url]) == 1
    assert "not empty" in capsys.readouterr().err
