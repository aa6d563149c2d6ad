"""Programs that are killed while they copy a store to an empty database, and what must be true of that database."""

import asyncio
import random
import sys
from typing import Final

import alembic.command  # noqa: F401 (before the victims are let loose, so that they are killed in their work)

from mcp_optimizer.config import Settings
from mcp_optimizer.db.database import Database
from mcp_optimizer.service import DataService
from tests.support.database import dump, schema, tables
from tests.support.embedders import FakeEmbedder
from tests.support.places import Place, PostgresPlace, SqlitePlace
from tests.support.services import assert_sound
from tests.support.victims import let_loose, say, victims, wait_for_nobody

LONGEST_SECONDS: Final = 0.9
"""In these a copy is mostly over, so that some are killed after it."""
AFTER_COMMIT: Final = 0
"""The seed of a victim that stays where everything is stored and nothing is closed."""


async def live(place: Place, seed: int) -> None:
    """Copy, then wait to be killed."""
    close = Database.close

    async def closes(database: Database) -> None:
        if seed == AFTER_COMMIT and database.url == place.url:
            say("committed")
            await asyncio.sleep(60)
        await close(database)

    Database.close = closes
    say("begin")
    await DataService(Settings(db_url=sys.argv[2]), embedder=FakeEmbedder()).copy_to(place.url)
    say("done")
    await asyncio.sleep(60)


async def kill_copies(source: Place, target: Place, *, kills: int, seed: int) -> dict[str, int]:
    """Kill copies at random moments, and one between its commit and its end: the target is as empty as it was, and
    can be copied to, or has everything. How many were which, and how many had said that all is stored."""
    rng = random.Random(seed)
    before = dump(source)
    whole = ""
    counts = {"kills": kills, "empty": 0, "complete": 0, "said so": 0}
    async with victims(target, __name__, source.url) as loose:
        for number in range(kills):
            _make_room(target)
            if number == AFTER_COMMIT:
                said = await loose.kill_one_at(number, "committed")
            else:
                said = await loose.kill_one_after(number, rng.uniform(0, LONGEST_SECONDS))
            wait_for_nobody(target)
            stored, complete = {"committed", "done"} & set(said), bool(tables(target))
            assert complete or not stored
            if number == AFTER_COMMIT and stored:
                assert complete
            counts["complete" if complete else "empty"] += 1
            counts["said so"] += bool(stored)
            if not complete:
                await DataService(Settings(db_url=source.url), embedder=FakeEmbedder()).copy_to(target.url)
            whole = whole or repr(schema(target))
            assert repr(schema(target)) == whole
            async with DataService(Settings(db_url=target.url), embedder=FakeEmbedder()) as service:
                await assert_sound(service)
                assert await service.registry_servers()
    assert dump(source) == before
    return counts


def _make_room(target: Place) -> None:
    """An empty database, as whoever copies makes it."""
    if isinstance(target, PostgresPlace):
        target.drop()
    elif isinstance(target, SqlitePlace):
        for path in target.path.parent.glob(f"{target.path.name}*"):
            path.unlink()
    target.prepare()


if __name__ == "__main__":
    let_loose(live)
