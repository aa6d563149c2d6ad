"""Problems of single items: open until an ingestion no longer finds them (S4, M2)."""

from collections.abc import Callable, Collection, Sequence
from typing import Final

from pydantic import field_validator
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from mcp_optimizer.db.logs.change_log import Logged, Writing, record
from mcp_optimizer.db.rows import model_from_json
from mcp_optimizer.domain.models import ObservedWorkload, Value
from mcp_optimizer.domain.status_text import timeless
from mcp_optimizer.domain.views import ProblemView
from mcp_optimizer.redaction import redact_text

REJECTED: Final = "rejected"


class Problem(Value):
    """A problem of one item. ``details`` is JSON: for a rejected workload, what was observed of it."""

    entity: str
    name: str
    problem: str
    reason: str
    details: str | None = None

    @property
    def rejected(self) -> ObservedWorkload | None:
        """What was observed of a rejected workload; None of any other problem (M2)."""
        if (self.entity, self.problem) != ("workload", REJECTED) or not self.details:
            return None
        return model_from_json(ObservedWorkload, self.details, f"the problem of {self.name}")

    @field_validator("reason")
    @classmethod
    def _as_stored(cls, reason: str) -> str:
        """A reason is compared with what was stored of it, which holds no credential (S7)."""
        return redact_text(reason)


async def open_problems(connection: AsyncConnection) -> list[Problem]:
    """The problems that stand, by entity and name."""
    rows = await connection.execute(
        text(
            "SELECT entity, name, problem, reason, details FROM ingestion_problems WHERE closed_at IS NULL "
            "ORDER BY entity, name, problem, reason"
        )
    )
    return [Problem(**row._mapping) for row in rows]


async def views(connection: AsyncConnection, *, include_closed: bool, limit: int) -> list[ProblemView]:
    """Problems for showing: the open ones first, then the newest."""
    where = "" if include_closed else "WHERE closed_at IS NULL"
    rows = await connection.execute(
        text(
            "SELECT id, run_id, entity, name, problem, reason, since, closed_at FROM ingestion_problems "
            f"{where} ORDER BY closed_at IS NOT NULL, since DESC, entity, name LIMIT :limit"
        ),
        {"limit": limit},
    )
    fields = ("id", "run_id", "entity", "name", "problem", "reason", "since")
    return [ProblemView(**{field: row._mapping[field] for field in fields}, open=row.closed_at is None) for row in rows]


def differences(
    before: Collection[Problem], found: Collection[Problem], *, looked_at: Callable[[Problem], bool]
) -> tuple[list[Problem], list[Problem]]:
    """Problems to open, and those to close. One that was not looked at this time stands.

    One whose reason differs in nothing but times is the same: what took 3.1 seconds takes 3.2 the next time.
    """
    known, present = {_lasting(problem) for problem in before}, {_lasting(problem) for problem in found}
    new = {_lasting(problem): problem for problem in sorted(found, key=_order) if _lasting(problem) not in known}
    return (
        sorted(new.values(), key=_order),
        sorted((item for item in before if _lasting(item) not in present and looked_at(item)), key=_order),
    )


def _lasting(problem: Problem) -> tuple[str, ...]:
    return (problem.entity, problem.name, problem.problem, timeless(problem.reason), problem.details or "")


def _order(problem: Problem) -> tuple[str, ...]:
    return (problem.entity, problem.name, problem.problem, problem.reason, problem.details or "")


async def open_and_close(
    writing: Writing, opened: Sequence[Problem], closed: Sequence[Problem], *, new_id: Callable[[], str]
) -> None:
    """Store what :func:`differences` found."""
    if closed:
        await writing.connection.execute(
            text(
                "UPDATE ingestion_problems SET closed_at = :at WHERE closed_at IS NULL AND entity = :entity "
                "AND name = :name AND problem = :problem AND reason = :reason"
            ),
            [{"at": writing.at, **problem.model_dump(exclude={"details"})} for problem in closed],
        )
    if opened:
        await writing.connection.execute(
            text(
                "INSERT INTO ingestion_problems (id, run_id, entity, name, problem, reason, details, since) "
                "VALUES (:id, :run_id, :entity, :name, :problem, :reason, :details, :at)"
            ),
            [
                {"id": new_id(), "run_id": writing.run_id, "at": writing.at, **problem.model_dump()}
                for problem in opened
            ],
        )
    await record(writing, [Logged(p.entity, "", p.name, "problem-closed", p.problem, p.reason) for p in closed])
    await record(writing, [Logged(p.entity, "", p.name, p.problem, "ingestion", p.reason) for p in opened])
