"""The log of ingestions: what was ingested, from where, how long it took, what came of it (S4)."""

from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from mcp_optimizer.db.logs.change_log import Logged, Writing, record
from mcp_optimizer.db.logs.pruning import prune_changes, prune_runs
from mcp_optimizer.db.rows import model_from_json
from mcp_optimizer.domain.reports import IngestReport
from mcp_optimizer.domain.serving.retention import Retention
from mcp_optimizer.domain.views import RunView

_DERIVED: Final = {"registry": {"skipped_by_reason"}}
"""What a report says twice, in other words."""


async def record_run(
    writing: Writing,
    *,
    what: str,
    source: str,
    started_at: str,
    seconds: float,
    outcome: str,
    report: IngestReport | None = None,
    error: str | None = None,
    retention: Retention | None = None,
) -> None:
    """Store one ingestion under ``writing.run_id``, and forget what is too old: a poll a minute fills any log."""
    await writing.connection.execute(
        text(
            "INSERT INTO ingestion_runs (id, number, what, source, started_at, seconds, outcome, error, report) "
            "VALUES (:id, (SELECT COALESCE(MAX(number), 0) + 1 FROM ingestion_runs), "
            ":what, :source, :started_at, :seconds, :outcome, :error, :report)"
        ),
        {
            "id": writing.run_id,
            "what": what,
            "source": source,
            "started_at": started_at,
            "seconds": seconds,
            "outcome": outcome,
            "error": error,
            "report": report.model_dump_json(exclude=_DERIVED) if report else None,
        },
    )
    summary = report.summary if report else (error or "")
    await record(writing, [Logged("run", writing.run_id or "", what, outcome, source, summary)])
    cached = retention or Retention()
    await prune_runs(writing.connection, cached, writing.at)
    await prune_changes(writing.connection, cached, writing.at)


async def latest_runs(connection: AsyncConnection, limit: int) -> list[RunView]:
    """The last ingestions, newest first."""
    rows = await connection.execute(
        text("SELECT * FROM ingestion_runs ORDER BY number DESC LIMIT :limit"), {"limit": limit}
    )
    fields = ("id", "what", "source", "started_at", "seconds", "outcome", "error")
    return [
        RunView(
            **{field: row._mapping[field] for field in fields},
            summary=model_from_json(IngestReport, row.report, "the report of an ingestion").summary
            if row.report
            else "",
        )
        for row in rows
    ]
