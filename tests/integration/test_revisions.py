"""The program's own earlier revisions, on both engines: each leads to the next, and all to one schema."""

import json
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from mcp_optimizer.config import Settings
from mcp_optimizer.db import upgrade as upgrading
from mcp_optimizer.db.engine import Database
from mcp_optimizer.db.upgrade import HEAD, migrations_directory, upgrade
from mcp_optimizer.domain.upgrade_report import UpgradeReport
from mcp_optimizer.service import DataService
from tests.conftest import NewPlace
from tests.support.builders import tool
from tests.support.database import CORE, damage, rows, schema, value
from tests.support.embedders import FakeEmbedder
from tests.support.places import Place, SqlitePlace
from tests.support.services import assert_sound

type At = Callable[[str], None]


def scripts() -> ScriptDirectory:
    """The program's revisions, as alembic sees them."""
    config = Config()
    config.set_main_option("script_location", str(migrations_directory()))
    return ScriptDirectory.from_config(config)


REVISIONS = [script.revision for script in reversed(list(scripts().walk_revisions()))]
EARLIER = [revision for revision in REVISIONS if revision != HEAD]


@pytest.fixture
def program_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> At:
    """Makes the program one that knows no later revision."""
    everything = migrations_directory()

    def at(revision: str) -> None:
        directory = tmp_path / revision
        shutil.copytree(everything, directory, ignore=shutil.ignore_patterns("__pycache__"))
        for later in (directory / "versions").glob("*.py"):
            if later.name[:4] > revision:
                later.unlink()
        monkeypatch.setattr(upgrading, "migrations_directory", lambda: directory)
        monkeypatch.setattr(upgrading, "HEAD", revision)

    return at


async def made(place: Place) -> None:
    """Bring a place's database up to what the program knows."""
    place.prepare()
    database = Database(place.url)
    await database.open()
    try:
        await upgrade(database, FakeEmbedder())
    finally:
        await database.close()


def populate(place: Place) -> None:
    """A linked and an autonomous workload, with columns that every revision has."""
    at = "2026-01-01T00:00:00Z"
    entry, linked, own = (str(uuid.UUID(int=number, version=4)) for number in range(1, 4))
    damage(place, "INSERT INTO mcpservers_registry (id, name, package, identity, remote, created_at, updated_at) "
        "VALUES (?, 'alpha', 'example.org/a:1', 'example.org/a:1', ?, ?, ?)", entry, False, at, at)  # fmt: skip
    for key, name, registry, context, about in (
        (linked, "runs", entry, "alpha", None),
        (own, "own", None, None, "Calculates"),
    ):
        image = "example.org/a:1" if registry else "example.org/own:1"
        damage(
            place,
            "INSERT INTO mcpservers_workload (id, name, package, identity, remote, status, registry_server_id, "
            "registry_server_name, description, created_at, updated_at) "
            "VALUES (?, ?, ?, ?, ?, 'running', ?, ?, ?, ?, ?)",
            key, name, image, image, False, registry, context, about, at, at,
        )  # fmt: skip
        damage(
            place,
            "INSERT INTO tools_workload (id, server_id, name, details, created_at, updated_at) "
            "VALUES (?, ?, 'ping', ?, ?, ?)",
            str(uuid.uuid4()), key, json.dumps(tool("ping").details), at, at,
        )  # fmt: skip


async def report_of(place: Place, *, dry_run: bool = False) -> UpgradeReport:
    """What an upgrade says."""
    return await DataService(Settings(db_url=place.url), embedder=FakeEmbedder()).upgrade(dry_run=dry_run)


def test_there_is_one_line_of_revisions() -> None:
    assert scripts().get_bases() == [REVISIONS[0]]
    assert scripts().get_heads() == [HEAD]
    assert sorted(REVISIONS) == REVISIONS
    for script in scripts().walk_revisions():
        assert script.doc, "each says what it is for"
        assert Path(script.path).name.startswith(f"{script.revision}_")


@pytest.mark.parametrize("revision", EARLIER)
async def test_from_every_revision_to_one_schema_with_all_that_is_stored(
    database: Place, new_place: NewPlace, program_at: At, monkeypatch: pytest.MonkeyPatch, revision: str
) -> None:
    program_at(revision)
    await made(database)
    assert value(database, "SELECT version_num FROM alembic_version") == revision
    populate(database)
    queries = {table: f"SELECT * FROM {table} ORDER BY id" for table in CORE}
    before = {table: rows(database, query) for table, query in queries.items()}
    monkeypatch.undo()
    foretold = await report_of(database, dry_run=True)
    assert value(database, "SELECT version_num FROM alembic_version") == revision
    report = await report_of(database)
    assert (report.shape, report.from_revision, report.to_revision) == ("earlier revision", revision, HEAD)
    assert foretold.done[0].replace("upgrade ", "upgraded ") == report.done[0]
    assert (report.backup is not None) == isinstance(database, SqlitePlace)
    assert {table: rows(database, query) for table, query in queries.items()} == before
    assert (await report_of(database)).done == ()
    fresh = new_place("fresh")
    await made(fresh)
    assert schema(database) == schema(fresh)
    async with DataService(Settings(db_url=database.url), embedder=FakeEmbedder()) as service:
        await service.reindex()
        await assert_sound(service)


async def test_one_by_one_is_all_at_once(
    database: Place, new_place: NewPlace, program_at: At, monkeypatch: pytest.MonkeyPatch
) -> None:
    for revision in REVISIONS:
        program_at(revision)
        await made(database)
        monkeypatch.undo()
    fresh = new_place("fresh")
    await made(fresh)
    assert schema(database) == schema(fresh)
