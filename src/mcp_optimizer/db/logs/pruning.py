"""Logs are forgotten by age and number (L11). Where there is nothing to forget, nothing is written.

Each call forgets a bounded number of changes, so that the transaction it is part of stays short; the rest goes with
the next calls. The newest change and the newest run always stay: by them others see that something has changed.
"""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from mcp_optimizer.db.logs.change_log import last_change
from mcp_optimizer.domain.serving.retention import Retention

_MAX_CHANGES_AT_ONCE: Final = 10_000


def oldest_allowed(at: str, retention: Retention) -> str:
    """The moment before which all is forgotten; both in the form that is stored."""
    limit = datetime.fromisoformat(at) - timedelta(days=retention.max_days)
    return limit.isoformat(timespec="seconds").replace("+00:00", "Z")


async def prune_runs(connection: AsyncConnection, retention: Retention, at: str) -> None:
    """Forget old ingestions, with their lines in the change log, and problems that were closed long ago."""
    limit = oldest_allowed(at, retention)
    gone = await connection.execute(
        text(
            "DELETE FROM ingestion_runs WHERE number < (SELECT MAX(number) FROM ingestion_runs) AND "
            "(started_at < :limit OR number <= (SELECT MAX(number) FROM ingestion_runs) - :kept)"
        ),
        {"limit": limit, "kept": retention.max_runs},
    )
    if gone.rowcount:
        await connection.execute(
            text("DELETE FROM change_log WHERE entity = 'run' AND entity_id NOT IN (SELECT id FROM ingestion_runs)")
        )
    await connection.execute(text("DELETE FROM ingestion_problems WHERE closed_at < :limit"), {"limit": limit})


async def prune_changes(connection: AsyncConnection, retention: Retention, at: str) -> None:
    """Forget old changes."""
    bounds = await connection.execute(text("SELECT MIN(sequence) AS oldest, MAX(sequence) AS newest FROM change_log"))
    oldest, newest = bounds.one()
    if oldest is None:
        return
    last = max(await _last_before(connection, oldest_allowed(at, retention)), newest - retention.max_changes)
    last = min(last, await last_change(connection) - 1, oldest + _MAX_CHANGES_AT_ONCE)
    if last >= oldest:
        await connection.execute(text("DELETE FROM change_log WHERE sequence <= :last"), {"last": last})


async def _last_before(connection: AsyncConnection, limit: str) -> int:
    """The last of the oldest changes that was made before ``limit``; 0 when the very first was not."""
    first = await connection.execute(text("SELECT at FROM change_log ORDER BY sequence LIMIT 1"))
    if first.scalar_one() >= limit:
        return 0
    rows = await connection.execute(
        text(
            "SELECT COALESCE(MAX(sequence), 0) FROM "
            "(SELECT sequence, at FROM change_log ORDER BY sequence LIMIT :batch) AS oldest WHERE at < :limit"
        ),
        {"batch": _MAX_CHANGES_AT_ONCE, "limit": limit},
    )
    return int(rows.scalar_one())


async def prune_queries(connection: AsyncConnection, retention: Retention, at: str) -> None:
    """Forget old queries of agents."""
    await connection.execute(
        text(
            "DELETE FROM tool_queries WHERE at < :limit OR sequence <= (SELECT MAX(sequence) FROM tool_queries) - :kept"
        ),
        {"limit": oldest_allowed(at, retention), "kept": retention.max_queries},
    )
