"""Which servers run on a database, in whatever process: each says so by heartbeats."""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, timedelta
from typing import Final

import structlog

from mcp_optimizer import __version__
from mcp_optimizer.clock import Runtime
from mcp_optimizer.db.database import Database
from mcp_optimizer.db.logs import servers_and_queries as serving_log
from mcp_optimizer.domain.serving.presence import HEARTBEAT_SECONDS, PollView, ServerView, is_alive
from mcp_optimizer.errors import OptimizerError
from mcp_optimizer.text import redact_message, redact_url

_FORGOTTEN: Final = timedelta(days=1)
"""A server last heard of so long ago is not even listed as gone."""

log = structlog.get_logger(__name__)


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
        """Say that it still runs, and how its polls went; again if it was forgotten meanwhile."""
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
            result = await serving_log.servers(connection)
        now = self._runtime.now()
        return [server for server in result if is_alive(server, now)]

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
