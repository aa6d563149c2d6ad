"""The program's own earlier revisions, on both engines: each leads to the next, and all to one schema.

Of pytest-alembic's checks the one that compares models does not apply, as there are none: a fresh database is what an
upgraded one is compared with. Of the one that goes up and down again the first half does: no revision can be undone.
"""

import json
import uuid
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from pytest_alembic import MigrationContext
from pytest_alembic.tests import test_single_head_revision, test_up_down_consistency, test_upgrade

from mcp_optimizer.cli.upgrading import describe_upgrade
from mcp_optimizer.config import Settings
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

__all__ = ("test_single_head_revision", "test_up_down_consistency", "test_upgrade")


def scripts() -> ScriptDirectory:
    """The program's revisions, as alembic sees them."""
    config = Config()
    config.set_main_option("script_location", str(migrations_directory()))
    return ScriptDirectory.from_config(config)


REVISIONS = [script.revision for script in reversed(list(scripts().walk_revisions()))]
EARLIER = [revision for revision in REVISIONS if revision != HEAD]


def take_to(revision: str, runner: MigrationContext) -> None:
    """Bring the runner's database to a revision, for everybody to see."""
    runner.migrate_up_to(revision)
    runner.connection_executor.connection.commit()


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


def test_the_newest_revision_is_what_the_program_knows() -> None:
    assert scripts().get_heads() == [HEAD]
    assert sorted(REVISIONS) == REVISIONS
    for script in scripts().walk_revisions():
        assert script.doc, "each says what it is for"
        assert Path(script.path).name.startswith(f"{script.revision}_")


@pytest.mark.parametrize("revision", EARLIER)
async def test_from_every_revision_to_one_schema_with_all_that_is_stored(
    database: Place, new_place: NewPlace, alembic_runner: MigrationContext, revision: str
) -> None:
    take_to(revision, alembic_runner)
    assert value(database, "SELECT version_num FROM alembic_version") == revision
    populate(database)
    queries = {table: f"SELECT * FROM {table} ORDER BY id" for table in CORE}
    before = {table: rows(database, query) for table, query in queries.items()}
    foretold = await report_of(database, dry_run=True)
    assert value(database, "SELECT version_num FROM alembic_version") == revision
    report = await report_of(database)
    assert (report.shape, report.from_revision, report.to_revision) == ("earlier revision", revision, HEAD)
    assert foretold.done[0].replace("upgrade ", "upgraded ") == report.done[0]
    assert (report.backup is not None) == isinstance(database, SqlitePlace)
    assert ("no copy was made" in describe_upgrade(report)) == (report.backup is None)
    assert {table: rows(database, query) for table, query in queries.items()} == before
    assert (await report_of(database)).done == ()
    fresh = new_place("fresh")
    await made(fresh)
    assert schema(database) == schema(fresh)
    async with DataService(Settings(db_url=database.url), embedder=FakeEmbedder()) as service:
        await service.reindex()
        await assert_sound(service)


async def test_one_by_one_is_all_at_once(
    database: Place, new_place: NewPlace, alembic_runner: MigrationContext
) -> None:
    for revision in REVISIONS:
        take_to(revision, alembic_runner)
    fresh = new_place("fresh")
    await made(fresh)
    assert schema(database) == schema(fresh)
