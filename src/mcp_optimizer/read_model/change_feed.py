"""Seeing what changes in the store, also when another process changes it."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from mcp_optimizer.db.database import Database
from mcp_optimizer.db.logs import change_log
from mcp_optimizer.db.logs import servers_and_queries as serving_log
from mcp_optimizer.domain.views import ChangeView

_BATCH = 1000
RELOAD = ChangeView(sequence=0, at="", entity="everything", name="", operation="reload")
"""Changes that were not seen are forgotten: everything may be other than it was."""
SERVING = ChangeView(sequence=0, at="", entity="serving", name="", operation="updated")


async def watch(database: Database, *, interval: float) -> AsyncGenerator[list[ChangeView]]:
    """Batches of changes as they are committed, oldest first; where the engine has to be asked whether there are any,
    every ``interval`` seconds. Only then is the change log looked into.

    Who falls behind what is forgotten gets :data:`RELOAD` first. What running servers note of themselves and their
    queries is in no log; it comes as one change of ``serving``.
    """
    async with database.reading() as connection:
        seen = await change_log.last_sequence(connection)
        served = await serving_log.mark(connection)
    async with aclosing(database.commits(interval)) as commits:
        async for _ in commits:
            full = True
            while full:
                async with database.reading() as connection:
                    changes = await change_log.since(connection, seen, _BATCH)
                    forgotten = await change_log.forgotten_since(connection, seen)
                    before, served = served, await serving_log.mark(connection)
                full = len(changes) == _BATCH
                seen = changes[-1].sequence if changes else seen
                if forgotten:
                    changes.insert(0, RELOAD)
                if served != before:
                    changes.append(SERVING)
                if changes:
                    yield changes
