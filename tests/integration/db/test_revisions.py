"""The program's own earlier revisions, on both engines: each leads to the next, and all to one schema.

Of pytest-alembic's checks the one that compares models does not apply, as there are none: a fresh database is what an
upgraded one is compared with. Of the one that goes up and down again the first half does: no revision can be undone.
"""

from pathlib import Path

import pytest
from pytest_alembic import MigrationContext
from pytest_alembic.tests import test_single_head_revision, test_up_down_consistency, test_upgrade

from mcp_optimizer.cli.db_upgrade import describe_upgrade
from mcp_optimizer.config import Settings
from mcp_optimizer.db.database import Database
from mcp_optimizer.db.migrations import HEAD, upgrade
from mcp_optimizer.domain.upgrade_report import UpgradeReport
from mcp_optimizer.service import DataService
from tests.conftest import NewPlace
from tests.support.database import CORE, columns_of, rows, schema, value
from tests.support.earlier_revisions import EARLIER, REVISIONS, first_revision, populate, scripts, take_to
from tests.support.embedders import FakeEmbedder
from tests.support.places import Place, SqlitePlace
from tests.support.services import assert_sound
from tests.support.upgrade_victims import kill_revisions

__all__ = ("test_single_head_revision", "test_up_down_consistency", "test_upgrade")


async def made(place: Place) -> None:
    """Bring a place's database up to what the program knows."""
    place.prepare()
    database = Database(place.url)
    await database.open()
    try:
        await upgrade(database, FakeEmbedder())
    finally:
        await database.close()


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
    queries = {table: f"SELECT {columns_of(database, table)} FROM {table} ORDER BY id" for table in CORE}
    before = {table: rows(database, query) for table, query in queries.items()}
    preview = await report_of(database, dry_run=True)
    assert value(database, "SELECT version_num FROM alembic_version") == revision
    report = await report_of(database)
    assert (report.shape, report.from_revision, report.to_revision) == ("earlier revision", revision, HEAD)
    assert preview.done[0].replace("upgrade ", "upgraded ") == report.done[0]
    assert (report.backup is not None) == isinstance(database, SqlitePlace)
    assert ("no copy was made" in describe_upgrade(report)) == (report.backup is None)
    after = {table: rows(database, query) for table, query in queries.items()}
    assert {table: [row[: len(before[table][0])] for row in kept] for table, kept in after.items() if kept} == {
        table: kept for table, kept in before.items() if kept
    }  # later columns come last
    assert (await report_of(database)).done == ()
    fresh = new_place("fresh")
    await made(fresh)
    assert schema(database) == schema(fresh)
    async with DataService(Settings(db_url=database.url), embedder=FakeEmbedder()) as service:
        await service.reindex()
        await assert_sound(service)


async def test_kills(database: Place, new_place: NewPlace, alembic_runner: MigrationContext) -> None:
    old = first_revision(database, alembic_runner)
    counts = await kill_revisions(old, new_place("killed"), kills=4, seed=1)
    assert counts["old"] + counts["new"] == counts["kills"]


async def test_one_by_one_is_all_at_once(
    database: Place, new_place: NewPlace, alembic_runner: MigrationContext
) -> None:
    for revision in REVISIONS:
        take_to(revision, alembic_runner)
    fresh = new_place("fresh")
    await made(fresh)
    assert schema(database) == schema(fresh)
