"""Rows of an older database that could not be placed: kept as they were, until a person has looked at them."""

from collections.abc import Callable, Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from mcp_optimizer.db.logs.change_log import Writing
from mcp_optimizer.domain.models import Value
from mcp_optimizer.domain.upgrade_report import QuarantinedContent


class Quarantined(Value):
    """One such row: the table and id it had, what it was called, why it has no place, and its columns as JSON."""

    origin: str
    origin_id: str
    name: str
    reason: str
    content: str


async def add(writing: Writing, rows: Sequence[Quarantined], *, new_id: Callable[[], str]) -> None:
    """Keep rows."""
    if rows:
        await writing.connection.execute(
            text(
                "INSERT INTO quarantine (id, origin, origin_id, name, reason, content, quarantined_at) "
                "VALUES (:id, :origin, :origin_id, :name, :reason, :content, :at)"
            ),
            [{"id": new_id(), "at": writing.at, **row.model_dump()} for row in rows],
        )


async def all_rows(connection: AsyncConnection) -> list[Quarantined]:
    """Every row that is kept, by table and name."""
    rows = await connection.execute(
        text("SELECT origin, origin_id, name, reason, content FROM quarantine ORDER BY origin, name, origin_id")
    )
    return [Quarantined(**row._mapping) for row in rows]


async def contents(connection: AsyncConnection) -> list[QuarantinedContent]:
    """The same, for showing."""
    return [
        QuarantinedContent(table=row.origin, id=row.origin_id, name=row.name, reason=row.reason, row=row.content)
        for row in await all_rows(connection)
    ]


async def count(connection: AsyncConnection) -> int:
    """How many rows are kept."""
    return int((await connection.execute(text("SELECT COUNT(*) FROM quarantine"))).scalar_one())
