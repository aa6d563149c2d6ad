"""Running servers and the queries they answered: written seldom and briefly, and forgotten after a while.

Neither is in the change log: they change nothing that plans are made from, and come by the hundred.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from mcp_optimizer.db.logs.pruning import prune_queries
from mcp_optimizer.db.rows import from_json, to_json
from mcp_optimizer.domain.models import Value
from mcp_optimizer.domain.search.queries import QueryRecord, QueryView
from mcp_optimizer.domain.serving.presence import PollView, ServerView
from mcp_optimizer.domain.serving.retention import Retention

_SERVER_FIELDS = ("id", "pid", "host", "address", "transport", "version", "started_at", "heartbeat_at")


async def put_server(connection: AsyncConnection, server: ServerView, *, forget_before: str) -> None:
    """Add a server, and forget those last heard of before ``forget_before``."""
    await connection.execute(
        text("DELETE FROM running_servers WHERE heartbeat_at < :limit OR id = :id"),
        {"limit": forget_before, "id": server.id},
    )
    names = ", ".join(_SERVER_FIELDS)
    values = ", ".join(f":{name}" for name in _SERVER_FIELDS)
    await connection.execute(
        text(f"INSERT INTO running_servers ({names}, polls) VALUES ({values}, :polls)"),
        {**server.model_dump(include=set(_SERVER_FIELDS)), "polls": _polls_json(server.polls)},
    )


async def beat(connection: AsyncConnection, server_id: str, polls: Sequence[PollView], *, at: str) -> bool:
    """Note that a server still runs, and how its polls went; whether it is known."""
    updated = await connection.execute(
        text("UPDATE running_servers SET heartbeat_at = :at, polls = :polls WHERE id = :id"),
        {"at": at, "polls": _polls_json(polls), "id": server_id},
    )
    return bool(updated.rowcount)


async def remove_server(connection: AsyncConnection, server_id: str) -> None:
    """Forget a server that has ended."""
    await connection.execute(text("DELETE FROM running_servers WHERE id = :id"), {"id": server_id})


async def servers(connection: AsyncConnection) -> list[ServerView]:
    """Every server that is known, the one started last first."""
    rows = await connection.execute(text("SELECT * FROM running_servers ORDER BY started_at DESC, id"))
    return [
        ServerView(
            **{name: row._mapping[name] for name in _SERVER_FIELDS},
            polls=tuple(
                PollView(**_known(PollView, poll)) for poll in from_json(list, row.polls, "the polls of a server")
            ),
        )
        for row in rows
    ]


async def add_queries(
    connection: AsyncConnection, records: Sequence[QueryRecord], *, at: str, retention: Retention | None = None
) -> None:
    """Append queries, and forget the oldest."""
    await connection.execute(
        text("INSERT INTO tool_queries (at, record) VALUES (:at, :record)"),
        [{"at": at, "record": record.model_dump_json(exclude_defaults=True)} for record in records],
    )
    await prune_queries(connection, retention or Retention(), at)


async def queries(connection: AsyncConnection, limit: int) -> list[QueryView]:
    """The last queries, newest first."""
    rows = await connection.execute(
        text("SELECT sequence, at, record FROM tool_queries ORDER BY sequence DESC LIMIT :limit"), {"limit": limit}
    )
    return [
        QueryView(
            **{
                **_known(QueryView, from_json(dict, row.record, "the log of queries")),
                "sequence": row.sequence,
                "at": row.at,
            }
        )
        for row in rows
    ]


async def mark(connection: AsyncConnection) -> tuple[int, str]:
    """A value that differs when a query was added, or a server came, went or said that it still runs."""
    rows = await connection.execute(
        text(
            "SELECT (SELECT COALESCE(MAX(sequence), 0) FROM tool_queries) AS query, "
            "(SELECT COUNT(*) FROM running_servers) AS n, "
            "(SELECT COALESCE(MAX(heartbeat_at), '') FROM running_servers) AS beat"
        )
    )
    row = rows.one()
    return int(row.query), f"{row.n} {row.beat}"


def _known(view: type[Value], members: dict[str, Any]) -> dict[str, Any]:
    """The members that this program knows: a newer one may serve on the same database."""
    return {name: member for name, member in members.items() if name in view.model_fields}


def _polls_json(polls: Sequence[PollView]) -> str:
    return to_json([poll.model_dump(exclude_defaults=True) for poll in polls])
