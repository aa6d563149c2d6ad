"""Bringing databases up to date: in one transaction, never touching what is not ours, and from an installed wheel."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import uuid
import zipfile
from pathlib import Path

import pytest
from pytest_alembic import MigrationContext

from mcp_optimizer.config import Settings
from mcp_optimizer.db import migrations as upgrading
from mcp_optimizer.db.database import Database
from mcp_optimizer.db.migrations import HEAD, migrations_directory, upgrade
from mcp_optimizer.errors import ModelMismatchError, StoreError
from mcp_optimizer.service import DataService
from tests.conftest import USER_ENVIRONMENT, OpenService
from tests.support.builders import catalog, entry, listing, tool, workload
from tests.support.database import as_wide_as, damage, dump, raw_connection, rows, schema, tables, value
from tests.support.embedders import FakeEmbedder
from tests.support.older_databases import leftovers, make, unified_rows
from tests.support.places import Place, SqlitePlace
from tests.support.services import ingest

PROJECT = Path(__file__).parents[3]


async def opened(settings: Settings, embedder: FakeEmbedder | None = None) -> None:
    """Open and close a service."""
    async with DataService(settings, embedder=embedder or FakeEmbedder()):
        pass


@pytest.fixture
def two_revisions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The program's migrations with a second revision; its file is returned, to be filled in."""
    directory = tmp_path / "migrations"
    shutil.copytree(migrations_directory(), directory, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(upgrading, "migrations_directory", lambda: directory)
    monkeypatch.setattr(upgrading, "HEAD", "test")
    return directory / "versions" / "test_second.py"


REVISION = f"""
from alembic import op
revision = "test"
down_revision = "{HEAD}"

def upgrade():
    op.execute("CREATE TABLE second (a TEXT)")
    op.execute("UPDATE mcpservers_registry SET title = 'changed'")
    op.execute("DROP TABLE workload_tool_fts")
"""


async def test_upgrading_twice_changes_nothing(settings: Settings, database: Place) -> None:
    opened = Database(settings.database_url())
    await opened.open()
    try:
        assert await upgrade(opened, FakeEmbedder()) == [f"upgraded from an empty database to {HEAD}"]
        before = (schema(database), dump(database))
        assert await upgrade(opened, FakeEmbedder()) == []
        assert (schema(database), dump(database)) == before
    finally:
        await opened.close()


async def test_reindexing_gives_the_schema_that_migrating_gives(service: DataService, database: Place) -> None:
    migrated = schema(database)
    await service.reindex()
    assert schema(database) == migrated


async def test_a_revision_keeps_what_is_stored(
    settings: Settings, database: Place, two_revisions: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(upgrading, "HEAD", HEAD)
        async with DataService(settings, embedder=FakeEmbedder()) as service:
            await ingest(service, catalog(entry("alpha", "example.org/alpha:1", ["ping"])))
    two_revisions.write_text(REVISION.replace("DROP TABLE workload_tool_fts", "SELECT 1"))
    await opened(settings)
    assert rows(database, "SELECT name, title FROM mcpservers_registry") == [("alpha", "changed")]
    assert value(database, "SELECT version_num FROM alembic_version") == "test"


async def test_0001_becomes_0002_with_all_that_is_stored(
    settings: Settings, database_path: Path, alembic_runner: MigrationContext
) -> None:
    alembic_runner.migrate_up_to("0001")
    alembic_runner.connection_executor.connection.commit()
    populate(database_path)
    before = dump(database_path)
    async with DataService(settings, embedder=FakeEmbedder()) as service:
        assert as_wide_as(before, dump(database_path)) == before
        assert [problem.problem for problem in await service.problems()] == ["invisible"]
        one = workload("calc", "example.org/calc:1", [tool("add", "Adds, and more."), tool("hide", "Hi\u200bdes.")])
        await ingest(service, listing=listing(one))
        found = {(problem.problem, problem.reason.split(":")[0]) for problem in await service.problems()}
        assert found == {("invisible", "hide holds invisible characters"), ("changed", "add")}


def populate(path: Path) -> None:
    """A workload with two tools, as 0001 stored it."""
    server = str(uuid.uuid4())
    with raw_connection(path) as connection:
        connection.execute(
            "INSERT INTO mcpservers_workload (id, name, package, identity, remote, status, description, created_at, "
            "updated_at) VALUES (?, 'calc', 'example.org/calc:1', 'example.org/calc:1', 0, 'running', 'Calculates', "
            "'2026-01-01T00:00:00Z', '2026-01-01T00:00:00Z')",
            (server,),
        )
        for name, about in (("add", "Adds."), ("hide", "Hi\u200bdes.")):
            connection.execute(
                "INSERT INTO tools_workload (id, server_id, name, details, created_at, updated_at) VALUES "
                "(?, ?, ?, ?, '2026-01-01T00:00:00Z', '2026-01-01T00:00:00Z')",
                (str(uuid.uuid4()), server, name, json.dumps(tool(name, about).details)),
            )


async def test_a_failing_revision_leaves_the_database_as_it_was(
    settings: Settings, database: Place, two_revisions: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(upgrading, "HEAD", HEAD)
        async with DataService(settings, embedder=FakeEmbedder()) as service:
            await ingest(service, catalog(entry("alpha", "example.org/alpha:1", ["ping"])))
    before = (schema(database), dump(database))
    two_revisions.write_text(REVISION + '    op.execute("INSERT INTO nowhere VALUES (1)")\n')
    with pytest.raises(StoreError, match="nowhere"):
        await opened(settings)
    assert (schema(database), dump(database)) == before


async def test_a_newer_database_is_refused_and_not_touched(settings: Settings, database: Place) -> None:
    await opened(settings)
    damage(database, "UPDATE alembic_version SET version_num = '9999'")
    before = (schema(database), dump(database))
    with pytest.raises(StoreError, match="9999") as caught:
        await opened(settings)
    assert caught.value.remedy
    assert "newer" in caught.value.message
    assert (schema(database), dump(database)) == before


async def test_a_database_of_another_program_is_refused_and_not_touched(settings: Settings, database: Place) -> None:
    database.prepare()
    damage(database, "CREATE TABLE accounts (id INTEGER)")
    before = database.path.read_bytes() if isinstance(database, SqlitePlace) else b""
    with pytest.raises(StoreError, match="another program") as caught:
        await opened(settings)
    assert caught.value.remedy
    assert tables(database) == {"accounts"}
    if isinstance(database, SqlitePlace):
        assert database.path.read_bytes() == before, "not even its journal mode"
        assert [path.name for path in database.path.parent.iterdir()] == [database.path.name]


async def test_e3_another_model_is_a_clear_error(settings: Settings, database: Place) -> None:
    await opened(settings, FakeEmbedder(model="test/one"))
    before = (schema(database), dump(database))
    with pytest.raises(ModelMismatchError) as caught:
        await opened(settings, FakeEmbedder(model="test/two"))
    assert "test/one" in caught.value.message
    assert "test/two" in caught.value.message
    assert caught.value.remedy
    assert (schema(database), dump(database)) == before
    await opened(settings, FakeEmbedder(model="test/one"))


@pytest.mark.parametrize("dimension", [3, 384, 1024])
async def test_e4_search_tables_have_the_model_s_dimension(settings: Settings, dimension: int) -> None:
    async with DataService(settings, embedder=FakeEmbedder(dimension=dimension)) as service:
        await ingest(service, listing=listing(workload("one", "example.org/one", ["ping"])))
        assert (await service.check()).ok
        assert (await service.reindex()).indexed == 2


async def test_a_database_without_a_revision_is_finished(open_service: OpenService, database_path: Path) -> None:
    """A process that died while it made the database leaves an empty file."""
    database_path.parent.mkdir()
    database_path.touch()
    await open_service()
    with raw_connection(database_path) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def uv(*arguments: object) -> str:
    """What uv says, without a network; skips where its cache lacks the build backend."""
    command = shutil.which("uv")
    if command is None:
        pytest.skip("uv is not installed")
    said = subprocess.run(
        [command, *map(str, arguments), "--offline"],
        cwd=PROJECT, env=USER_ENVIRONMENT, capture_output=True, text=True, check=False, timeout=90,
    )  # fmt: skip
    if said.returncode != 0 and any(word in said.stderr for word in ("network", "offline", "cache")):
        pytest.skip("the build backend is not in uv's cache")
    assert said.returncode == 0, said.stderr
    return said.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ``bin`` of an environment with the program installed from its wheel. What it depends on is the tests' own,
    so that nothing has to be resolved or fetched."""
    directory = tmp_path_factory.mktemp("installed")
    uv("build", "--wheel", "-o", directory / "dist", "-p", sys.executable)
    (wheel,) = (directory / "dist").glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert not [name for name in names if "__pycache__" in name or name.startswith("tests/")]
    uv("venv", "-q", "-p", sys.executable, directory / "env")
    uv("pip", "install", "-q", "--no-deps", "-p", directory / "env" / "bin" / "python", wheel)
    (packages,) = (directory / "env" / "lib").glob("python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))  # whose link to the checkout is not read
    return directory / "env" / "bin"


MAKE_DATABASE = """
import asyncio, sys
import mcp_optimizer
from mcp_optimizer.config import Settings
from mcp_optimizer.db.migrations import migrations_directory
from mcp_optimizer.service import DataService

async def main():
    async with DataService(Settings(db_url=sys.argv[1])) as service:
        print((await service.check()).ok, migrations_directory())

asyncio.run(main())
"""


def run_installed(*command: object, model_cache: Path, directory: Path) -> subprocess.CompletedProcess[str]:
    """Run something of the installed program, far from the checkout."""
    return subprocess.run(
        [str(word) for word in command],
        cwd=directory, env={**os.environ, "MCP_OPTIMIZER_CACHE_DIR": str(model_cache)},
        capture_output=True, text=True, check=False, timeout=100,
    )  # fmt: skip


def test_an_installed_wheel_makes_a_database(
    installed: Path, tmp_path: Path, database_path: Path, model_cache: Path
) -> None:
    made = run_installed(
        installed / "python", "-c", MAKE_DATABASE, f"sqlite:///{database_path}",
        model_cache=model_cache, directory=tmp_path,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    sound, migrations = made.stdout.split()
    assert sound == "True"
    assert Path(migrations).is_relative_to(installed.parent / "lib")
    assert value(database_path, "SELECT version_num FROM alembic_version") == HEAD


def test_an_installed_wheel_upgrades_an_older_database(
    installed: Path, tmp_path: Path, database_path: Path, model_cache: Path
) -> None:
    make(database_path, "unified", unified_rows())
    said = run_installed(
        installed / "mcp-optimizer", "--db", f"sqlite:///{database_path}", "db", "upgrade", "--json",
        model_cache=model_cache, directory=tmp_path,
    )  # fmt: skip
    assert said.returncode == 3, said.stderr
    report = json.loads(said.stdout)
    assert (report["shape"], report["to_revision"], len(report["quarantined"])) == ("unified", HEAD, 3)
    assert Path(report["backup"]["file"]).exists()
    assert leftovers(database_path) == []
    assert value(database_path, "SELECT COUNT(*) FROM mcpservers_workload") == 3
