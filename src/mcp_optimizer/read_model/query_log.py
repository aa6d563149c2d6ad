"""The recent queries of agents, for others to see.

It may not slow down or fail a request. Queries wait in memory for the next short write; when they come faster than
they can be written, or the store can't be written to, the oldest are dropped.
"""

import asyncio
import contextvars
from collections import deque
from typing import Final

import structlog

from mcp_optimizer.clock import Runtime
from mcp_optimizer.db import learning_ops
from mcp_optimizer.db.database import Database
from mcp_optimizer.db.logs import servers_and_queries as serving_log
from mcp_optimizer.domain.search.learning import NotedCall
from mcp_optimizer.domain.search.offers import Offers
from mcp_optimizer.domain.search.queries import QueryRecord, QueryView
from mcp_optimizer.domain.serving.retention import Retention
from mcp_optimizer.domain.views import Scope
from mcp_optimizer.errors import OptimizerError
from mcp_optimizer.text import redact_message

_WAITING: Final = 500
"""Queries that wait to be written."""
_BATCH_SECONDS: Final = 1.0
"""A batch is written this long after its first query."""

log = structlog.get_logger(__name__)


class QueryLog:
    """The recent queries, and which offered tool was called next. Noting is all that a request does.

    ``calls``: whether calls are kept, to learn from.
    """

    def __init__(
        self, database: Database, runtime: Runtime, retention: Retention | None = None, *, calls: bool = True
    ) -> None:
        self._database = database
        self._runtime = runtime
        self._retention = retention or Retention()
        self._waiting: deque[QueryRecord] = deque(maxlen=_WAITING)
        self._calls: deque[NotedCall] = deque(maxlen=_WAITING)
        self._offers = Offers() if calls else None
        self._writing: asyncio.Task[None] | None = None
        self._flushing = asyncio.Lock()
        self.dropped = 0
        """Queries that were never stored."""

    def note(self, record: QueryRecord) -> None:
        """Have a query stored soon. Takes microseconds, never raises for want of room."""
        self.dropped += len(self._waiting) == _WAITING
        self._waiting.append(record)
        if self._offers is not None:
            tools = ((hit.server, hit.tool) for hit in record.hits if hit.scope is Scope.WORKLOAD)
            self._offers.add(record.session, record.text, tools, at=self._runtime.monotonic())
        self._start_writing()

    def note_call(self, session: str, server: str, tool: str) -> None:
        """A session has called a tool with success: kept where a query of it offered that tool just before."""
        if self._offers is None:
            return
        query = self._offers.query_of(session, server, tool, at=self._runtime.monotonic())
        if query is not None:
            self._calls.append(NotedCall(query, server, tool, session, self._runtime.timestamp()))
            self._start_writing()

    def _start_writing(self) -> None:
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(
                self._write_soon(), name="query-log", context=contextvars.Context()
            )  # it outlives the request, whose id is none of its

    async def flush(self) -> None:
        """Store what waits. What can't be stored is dropped. One at a time: this also waits for one under way."""
        async with self._flushing:
            await self._flush()

    async def _flush(self) -> None:
        records, calls = list(self._waiting), list(self._calls)
        self._waiting.clear()
        self._calls.clear()
        if not records and not calls:
            return
        try:
            async with self._database.writing() as connection:
                if records:
                    await serving_log.add_queries(
                        connection, records, at=self._runtime.timestamp(), retention=self._retention
                    )
                if calls:
                    await learning_ops.add_calls(connection, calls)
        except OptimizerError as error:
            self.dropped += len(records)
            log.warning("queries were not logged", number=len(records), reason=redact_message(str(error)))

    async def close(self) -> None:
        """Store what waits, and end."""
        if self._writing is not None:
            self._writing.cancel()
            await asyncio.gather(self._writing, return_exceptions=True)
            self._writing = None
        await self.flush()

    async def recent(self, limit: int) -> list[QueryView]:
        """The last stored queries, newest first."""
        async with self._database.reading() as connection:
            return await serving_log.queries(connection, limit)

    async def _write_soon(self) -> None:
        while self._waiting or self._calls:
            await self._runtime.sleep(_BATCH_SECONDS)
            await asyncio.shield(self.flush())
