"""Programs that are killed while they upgrade a database, of the program's predecessor or its own, and what must be
true of it."""

import asyncio
import random
import shutil
from pathlib import Path

import alembic.command  # noqa: F401 (before the victims are let loose, so that they are killed in their work)

from mcp_optimizer.config import Settings
from mcp_optimizer.db.migrations import HEAD
from mcp_optimizer.domain.upgrade_report import UpgradeReport
from mcp_optimizer.service import DataService
from tests.support.database import as_wide_as, dump, raw_connection, schema, value
from tests.support.embedders import FakeEmbedder
from tests.support.older_databases import everything, leftovers, make, rows_of
from tests.support.places import Place, SqlitePlace
from tests.support.services import assert_sound
from tests.support.victims import let_loose, say, victims, wait_for_nobody

MAX_MESSAGE_BYTES = 0.8
"""Seconds in which an upgrade is over, so that some are killed after it."""
LONGEST_REVISION = 0.25
"""The same for a database of the program's own."""


async def upgrade(place: Place) -> UpgradeReport:
    """Upgrade a database."""
    return await DataService(Settings(db_url=place.url), embedder=FakeEmbedder(delay=0.001, batch=1)).upgrade()


async def live(place: Place, _seed: int) -> None:
    """Upgrade, then wait to be killed."""
    say("begin")
    await upgrade(place)
    say("done")
    await asyncio.sleep(60)


async def kill_upgrades(directory: Path, shape: str, *, kills: int, seed: int) -> dict[str, int]:
    """Kill upgrades at random moments: the database is the old one or the new one, and either way the next upgrade
    ends well. How many were which, and how many had said that they were done."""
    rng = random.Random(seed)
    old = make(directory / "old.db", shape, rows_of(shape))
    before = everything(old)
    place = SqlitePlace(directory / "upgraded" / "test.db")
    counts = {"kills": kills, "old": 0, "new": 0, "said done": 0}
    async with victims(place, __name__) as loose:
        for number in range(kills):
            place.copy_of(SqlitePlace(old))
            said = await loose.kill_one_after(number, rng.uniform(0, MAX_MESSAGE_BYTES))
            done = "done" in said
            backups = sorted(path for path in place.path.parent.glob("*.before-*") if "partial" not in path.name)
            assert all(everything(path) == before for path in backups), "a copy that has its name is whole"
            with raw_connection(place.path) as connection:
                tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
            if "quarantine" in tables:
                assert backups, "the copy is made before anything else is done"
            else:
                assert not done
                assert everything(place.path) == before
            counts["new" if "quarantine" in tables else "old"] += 1
            counts["said done"] += done
            report = await upgrade(place)
            assert bool(report.done) != ("quarantine" in tables)
            await assert_whole(place.path)
            assert not list(place.path.parent.glob("*partial*")), "what killed programs left is taken away"
            for path in place.path.parent.iterdir():
                path.unlink()
    shutil.rmtree(directory)
    return counts


async def kill_revisions(old: Place, place: Place, *, kills: int, seed: int) -> dict[str, int]:
    """Kill upgrades of copies, at ``place``, of a database of an earlier revision of the program's own: it is as it
    was, or at HEAD with all that was stored, and either way the next upgrade ends well."""
    rng = random.Random(seed)
    before, first = (schema(old), dump(old)), value(old, "SELECT version_num FROM alembic_version")
    whole: list[object] = []
    counts = {"kills": kills, "old": 0, "new": 0, "said done": 0}
    async with victims(place, __name__) as loose:
        for number in range(kills):
            place.copy_of(old)
            said = await loose.kill_one_after(number, rng.uniform(0, LONGEST_REVISION))
            wait_for_nobody(place)
            version = value(place, "SELECT version_num FROM alembic_version")
            assert version in {first, HEAD}
            if version == first:
                assert "done" not in said
                assert (schema(place), dump(place)) == before
            counts["old" if version == first else "new"] += 1
            counts["said done"] += "done" in said
            assert bool((await upgrade(place)).done) == (version == first)
            stored = dump(place)
            assert as_wide_as(before[1], stored) == before[1]
            whole = whole or schema(place)
            assert schema(place) == whole
            assert value(place, "SELECT version_num FROM alembic_version") == HEAD
            if isinstance(place, SqlitePlace):
                assert not list(place.path.parent.glob("*partial*"))
    return counts


async def assert_whole(path: Path) -> None:
    """It is a database of this program, and nothing of the older one is in it."""
    assert leftovers(path) == []
    async with DataService(Settings(db_url=f"sqlite:///{path}"), embedder=FakeEmbedder()) as service:
        await assert_sound(service)
        assert {view.name for view in await service.workloads()} >= {"a-runs", "own"}
        assert await service.quarantined()


if __name__ == "__main__":
    let_loose(live)
