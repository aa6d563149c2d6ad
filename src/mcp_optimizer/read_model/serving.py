"""What a running server leaves for others to see: that it is there, and the queries it answered.

None of it may slow down or fail a request. Queries wait in memory for the next short write; when they come faster than
they can be written, or the store can't be written to, the oldest are dropped.
"""

import asyncio
import contextlib
import contextvars
import os
import socket
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, timedelta
from typing import Final

import structlog

from mcp_optimizer import __version__
from mcp_optimizer.clock import Runtime
from mcp_optimizer.db.database import Database
from mcp_optimizer.db.logs import servers_and_queries as serving_log
from mcp_optimizer.domain.search.queries import QueryRecord, QueryView
from mcp_optimizer.domain.serving.presence import HEARTBEAT_SECONDS, PollView, ServerView, is_alive
from mcp_optimizer.domain.serving.retention import Retention
from mcp_optimizer.errors import OptimizerError
from mcp_optimizer.text import redact_message, redact_url

_WAITING: Final = 500
"""Queries that wait to be written."""
_BATCH_SECONDS: Final = 1.0
"""A batch is written this long after its first query."""
_FORGOTTEN: Final = timedelta(days=1)
"""A server last heard of so long ago is not even listed as gone."""

log = structlog.get_logger(__name__)


class QueryLog:
    """The recent queries. :meth:`note` is all that a request does."""

    def __init__(self, database: Database, runtime: Runtime, retention: Retention | None = None) -> None:
        self._database = database
        self._runtime = runtime
        self._retention = retention or Retention()
        self._waiting: deque[QueryRecord] = deque(maxlen=_WAITING)
        self._writing: asyncio.Task[None] | None = None
        self._flushing = asyncio.Lock()
        self.dropped = 0
        """Queries that were never stored."""

    def note(self, record: QueryRecord) -> None:
        """Have a query stored soon. Takes microseconds, never raises for want of room."""
        self.dropped += len(self._waiting) == _WAITING
        self._waiting.append(record)
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(
                self._write_soon(), name="query-log", context=contextvars.Context()
            )  # it outlives the request, whose id is none of its

    async def flush(self) -> None:
        """Store what waits. What can't be stored is dropped. One at a time: this also waits for one under way."""
        async with self._flushing:
            await self._flush()

    async def _flush(self) -> None:
        records = list(self._waiting)
        self._waiting.clear()
        if not records:
            return
        try:
            async with self._database.writing() as connection:
                await serving_log.add_queries(
                    connection, records, at=self._runtime.timestamp(), retention=self._retention
                )
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
        while self._waiting:
            await self._runtime.sleep(_BATCH_SECONDS)
            await asyncio.shield(self.flush())


class ServerHeartbeats:
    """Servers that say that they run."""

    def __init__(self, database: Database, runtime: Runtime) -> None:
        self._database = database
        self._runtime = runtime

    async def announce(self, *, address: str, transport: str) -> ServerView:
        """Say that a server runs in this process."""
        server = self._of_this_process(address, transport)
        await self._put(server)
        return server

    def _of_this_process(self, address: str, transport: str) -> ServerView:
        now = self._runtime.timestamp()
        return ServerView(
            id=self._runtime.new_id(),
            pid=os.getpid(),
            host=socket.gethostname(),
            address=redact_url(address),
            transport=transport,
            version=__version__,
            started_at=now,
            heartbeat_at=now,
        )

    async def _put(self, server: ServerView) -> None:
        limit = (self._runtime.now().astimezone(UTC) - _FORGOTTEN).isoformat(timespec="seconds")
        async with self._database.writing() as connection:
            await serving_log.put_server(connection, server, forget_before=limit.replace("+00:00", "Z"))

    async def beat(self, server: ServerView, polls: Sequence[PollView] = ()) -> None:
        """Say that it still runs, and how its polls went; anew if it was forgotten meanwhile."""
        at = self._runtime.timestamp()
        async with self._database.writing() as connection:
            known = await serving_log.beat(connection, server.id, polls, at=at)
        if not known:
            await self._put(server.model_copy(update={"heartbeat_at": at, "polls": tuple(polls)}))

    async def withdraw(self, server: ServerView) -> None:
        """Say that it has ended."""
        async with self._database.writing() as connection:
            await serving_log.remove_server(connection, server.id)

    async def running(self) -> list[ServerView]:
        """The servers that run; one without a fresh heartbeat does not."""
        async with self._database.reading() as connection:
            found = await serving_log.servers(connection)
        now = self._runtime.now()
        return [server for server in found if is_alive(server, now)]

    @asynccontextmanager
    async def kept(
        self, *, address: str, transport: str, polls: Callable[[], Sequence[PollView]] = tuple
    ) -> AsyncGenerator[ServerView]:
        """A server that says that it runs for as long as the block does; it goes on where that can't be stored."""
        server = self._of_this_process(address, transport)
        try:
            await self._put(server)
        except OptimizerError as error:
            log.warning("the server could not be announced", reason=redact_message(str(error)))
        beating = asyncio.create_task(self._beat_on(server, polls), name="heartbeat")
        try:
            yield server
        finally:
            beating.cancel()
            await asyncio.gather(beating, return_exceptions=True)
            with contextlib.suppress(OptimizerError):
                await asyncio.shield(self.withdraw(server))

    async def _beat_on(self, server: ServerView, polls: Callable[[], Sequence[PollView]]) -> None:
        while True:
            await self._runtime.sleep(HEARTBEAT_SECONDS)
            try:
                await self.beat(server, polls())
            except Exception as error:  # noqa: BLE001 (whatever it is, the next heartbeat may be stored)
                log.warning("heartbeat not stored", reason=redact_message(str(error)))
