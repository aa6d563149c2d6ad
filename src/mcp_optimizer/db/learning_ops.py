"""Calls that followed queries, and the order learned from them, one for each embedding model (Q6)."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from mcp_optimizer.db.rows import to_json
from mcp_optimizer.domain.search.learning import LearnReport, NotedCall
from mcp_optimizer.domain.search.offers import ToolName

MAX_CALLS: Final = 5000
"""Of all; older ones are forgotten."""
MAX_CALLS_OF_ONE: Final = 200
"""Of one tool, and of one session."""


@dataclass(frozen=True, eq=False)
class LearnedOrder:
    """What is done to a query's vector, and the queries that it was learned from."""

    id: str
    matrix: NDArray[np.float32]
    examples: NDArray[np.float32]
    """Vectors of the queries, one a row."""
    example_tools: Sequence[tuple[ToolName, int]]
    """Of each row the tool that was called, and in how many sessions."""


class LearningMark(NamedTuple):
    """What a server looks at to see whether to learn: calls in all, those since it last tried, and when that was."""

    calls: int
    new_calls: int
    tried_at: str | None


async def add_calls(connection: AsyncConnection, calls: Sequence[NotedCall]) -> None:
    """Append calls; one that is there already counts no more. What is too much is forgotten, the oldest first."""
    await connection.execute(
        text(
            "INSERT INTO query_calls (id, at, query, server, tool, session) "
            "VALUES (:id, :at, :query, :server, :tool, :session) ON CONFLICT (id) DO NOTHING"
        ),
        [{"id": _call_id(call), **call._asdict()} for call in calls],
    )
    for of_one in ("server, tool", "session"):
        await connection.execute(
            text(
                "DELETE FROM query_calls WHERE sequence IN (SELECT sequence FROM (SELECT sequence, "
                f"ROW_NUMBER() OVER (PARTITION BY {of_one} ORDER BY sequence DESC) AS place "
                "FROM query_calls) AS ranked WHERE place > :most)"
            ),
            {"most": MAX_CALLS_OF_ONE},
        )
    await connection.execute(
        text("DELETE FROM query_calls WHERE sequence <= (SELECT MAX(sequence) FROM query_calls) - :most"),
        {"most": MAX_CALLS},
    )


def _call_id(call: NotedCall) -> str:
    return hashlib.sha256(to_json([call.session, call.query, call.server, call.tool]).encode()).hexdigest()


async def calls(connection: AsyncConnection) -> tuple[list[NotedCall], int]:
    """All calls, the oldest first, and the sequence of the last."""
    rows = (
        await connection.execute(
            text("SELECT sequence, query, server, tool, session, at FROM query_calls ORDER BY sequence")
        )
    ).all()
    return [NotedCall(*row[1:]) for row in rows], rows[-1].sequence if rows else 0


async def learning_mark(connection: AsyncConnection, model: str) -> LearningMark:
    """How many calls there are, how many came since an order of this model was last tried, and when that was."""
    tried = await connection.execute(
        text("SELECT last_call, at FROM learned_order WHERE model = :model"), {"model": model}
    )
    last = tried.one_or_none()
    counted = await connection.execute(
        text(
            "SELECT COUNT(*) AS calls, COALESCE(SUM(CASE WHEN sequence > :last THEN 1 ELSE 0 END), 0) AS new_calls "
            "FROM query_calls"
        ),
        {"last": 0 if last is None else last.last_call},
    )
    row = counted.one()
    return LearningMark(row.calls, int(row.new_calls), None if last is None else last.at)


async def learned_order(connection: AsyncConnection, model: str) -> LearnedOrder | None:
    """The order that was learned for a model; None where there is none, or it can't be one."""
    rows = await connection.execute(
        text("SELECT id, matrix, examples, example_tools FROM learned_order WHERE model = :model"), {"model": model}
    )
    row = rows.one_or_none()
    if row is None or row.matrix is None:
        return None
    flat = np.frombuffer(row.matrix, dtype="<f4") if len(row.matrix) % 4 == 0 else np.empty(0, dtype=np.float32)
    dimension = int(len(flat) ** 0.5)
    if not dimension or dimension**2 != len(flat) or not np.isfinite(flat).all():
        return None
    tools = [((server, tool), count) for server, tool, count in json.loads(row.example_tools)]
    examples = np.frombuffer(row.examples or b"", dtype="<f2").astype(np.float32)
    if len(examples) != len(tools) * dimension:
        return None
    return LearnedOrder(row.id, flat.reshape(dimension, dimension), examples.reshape(len(tools), dimension), tools)


async def learn_report(connection: AsyncConnection, model: str) -> LearnReport | None:
    """How the last learning of a model went."""
    rows = await connection.execute(text("SELECT report FROM learned_order WHERE model = :model"), {"model": model})
    report = rows.scalar_one_or_none()
    return None if report is None else LearnReport.model_validate_json(report)


async def put_result(
    connection: AsyncConnection, model: str, order: LearnedOrder | None, *, at: str, last_call: int, report: LearnReport
) -> None:
    """Store how learning went in place of the model's last. ``order``: None where none was accepted."""
    await connection.execute(text("DELETE FROM learned_order WHERE model = :model"), {"model": model})
    await connection.execute(
        text(
            "INSERT INTO learned_order (model, id, at, last_call, matrix, examples, example_tools, report) "
            "VALUES (:model, :id, :at, :last_call, :matrix, :examples, :tools, :report)"
        ),
        {
            "model": model, "id": "" if order is None else order.id, "at": at, "last_call": last_call,
            "matrix": None if order is None else order.matrix.astype("<f4").tobytes(),
            "examples": None if order is None else order.examples.astype("<f2").tobytes(),
            "tools": to_json([] if order is None else [[*tool, count] for tool, count in order.example_tools]),
            "report": report.model_dump_json(),
        },
    )  # fmt: skip


async def counts(connection: AsyncConnection) -> tuple[int, int]:
    """Calls, and orders that are in use or would be with their model."""
    row = (
        await connection.execute(
            text(
                "SELECT (SELECT COUNT(*) FROM query_calls) AS calls, "
                "(SELECT COUNT(*) FROM learned_order WHERE matrix IS NOT NULL) AS orders"
            )
        )
    ).one()
    return row.calls, row.orders


async def forget_all(connection: AsyncConnection) -> None:
    """Forget every call, and what was learned from them."""
    await connection.execute(text("DELETE FROM learned_order"))
    await connection.execute(text("DELETE FROM query_calls"))
