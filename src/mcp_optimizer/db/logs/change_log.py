"""The log of every change, by which another process, and a person, sees what happened (S4, L11)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from sqlalchemy import bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

from mcp_optimizer.domain.history.past_state import HistoryLine
from mcp_optimizer.domain.views import ChangeView


@dataclass(frozen=True)
class Writing:
    """A write transaction with what every write in it has in common."""

    connection: AsyncConnection
    at: str
    """Time of the change, ISO 8601, UTC."""
    run_id: str | None = None


class Logged(NamedTuple):
    """A change to be logged."""

    entity: str
    id: str
    name: str
    operation: str
    cause: str = ""
    detail: str = ""


async def record(writing: Writing, changes: Sequence[Logged]) -> None:
    """Append changes to the log."""
    if changes:
        await writing.connection.execute(
            text(
                "INSERT INTO change_log (at, entity, entity_id, name, operation, cause, detail, run_id) "
                "VALUES (:at, :entity, :id, :name, :operation, :cause, :detail, :run_id)"
            ),
            [{"at": writing.at, "run_id": writing.run_id, **change._asdict()} for change in changes],
        )


async def last_sequence(connection: AsyncConnection) -> int:
    """The sequence number of the last change; 0 when there is none."""
    rows = await connection.execute(text("SELECT COALESCE(MAX(sequence), 0) FROM change_log"))
    return int(rows.scalar_one())


async def last_change(connection: AsyncConnection) -> int:
    """Like :func:`last_sequence`, without the log of runs: equal means that what plans are made from is the same."""
    rows = await connection.execute(text("SELECT COALESCE(MAX(sequence), 0) FROM change_log WHERE entity <> 'run'"))
    return int(rows.scalar_one())


async def forgotten_since(connection: AsyncConnection, sequence: int) -> bool:
    """Whether changes after ``sequence`` may be forgotten already: who knows only what was before has to read again."""
    rows = await connection.execute(text("SELECT MIN(sequence) FROM change_log"))
    oldest = rows.scalar_one()
    return oldest is not None and oldest > sequence + 1


async def since(connection: AsyncConnection, sequence: int, limit: int = 1000) -> list[ChangeView]:
    """The first changes after ``sequence``, oldest first."""
    rows = await connection.execute(
        text("SELECT * FROM change_log WHERE sequence > :sequence ORDER BY sequence LIMIT :limit"),
        {"sequence": sequence, "limit": limit},
    )
    return [_view(row._mapping) for row in rows]


async def latest(connection: AsyncConnection, limit: int) -> list[ChangeView]:
    """The last changes, newest first."""
    rows = await connection.execute(
        text("SELECT * FROM change_log ORDER BY sequence DESC LIMIT :limit"), {"limit": limit}
    )
    return [_view(row._mapping) for row in rows]


async def lines_for_states(connection: AsyncConnection) -> tuple[int, list[HistoryLine]]:
    """The first sequence number of the log, and its lines of registry servers and workloads, oldest first."""
    rows = await connection.execute(
        text(
            "SELECT sequence, at, entity, entity_id, name, operation, detail FROM change_log "
            "WHERE entity IN ('registry', 'workload') ORDER BY sequence"
        )
    )
    lines = [HistoryLine(row.at, row.entity, row.entity_id, row.name, row.operation, row.detail) for row in rows]
    first = (await connection.execute(text("SELECT MIN(sequence) FROM change_log"))).scalar()
    return int(first or 0), lines


RELATION_OPERATIONS: Final = (
    "linked",
    "autonomous",
    "unlinked",
    "context-renamed",
    "drifted",
    "drift-ended",
    "rejected",
    "unidentified",
)
"""Operations that say something of a workload's relation (L11)."""


async def relation_history(connection: AsyncConnection, workload: str) -> list[ChangeView]:
    """Every change of a workload's relation, oldest first, beginning where it was last added."""
    rows = await connection.execute(
        text(
            "SELECT * FROM change_log WHERE entity = 'workload' AND name = :name AND operation IN :operations "
            "AND sequence >= COALESCE((SELECT MAX(sequence) FROM change_log WHERE entity = 'workload' "
            "AND name = :name AND operation = 'added'), 0) ORDER BY sequence"
        ).bindparams(bindparam("operations", expanding=True)),
        {"name": workload, "operations": RELATION_OPERATIONS},
    )
    return [_view(row._mapping) for row in rows]


def _view(columns: Any) -> ChangeView:
    fields = ("sequence", "at", "entity", "name", "operation", "cause", "detail", "run_id")
    return ChangeView(**{field: columns[field] for field in fields})
