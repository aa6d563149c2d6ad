"""Seeing what changes in the store, also when another process changes it."""

import asyncio
from collections.abc import AsyncIterator

from mcp_optimizer.db import change_log
from mcp_optimizer.db.engine import Database
from mcp_optimizer.domain.views import ChangeView

_BATCH = 1000


async def watch(database: Database, *, interval: float) -> AsyncIterator[list[ChangeView]]:
    """Batches of changes as they are committed, oldest first; looks every ``interval`` seconds.

    Only a change of SQLite's own counter, which costs next to nothing to read, makes it look into the change log.
    """
    async with database.reading() as connection:
        seen = await change_log.last_sequence(connection)
    async with database.aside() as observer:
        version = None
        while True:
            present = await database.data_version(observer)
            if present != version:
                version = present
                async with database.reading() as connection:
                    changes = await change_log.since(connection, seen, _BATCH)
                if changes:
                    seen = changes[-1].sequence
                    yield changes
                    version = None if len(changes) == _BATCH else version
                    continue
            await asyncio.sleep(interval)
