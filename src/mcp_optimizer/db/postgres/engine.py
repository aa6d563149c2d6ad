"""A PostgreSQL database as the engine of a store: who writes, who waits, who hears of changes (S5, S6)."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import psycopg
from sqlalchemy import URL, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from mcp_optimizer.db.postgres import driver as postgres_driver
from mcp_optimizer.db.postgres.driver import PROGRAM, ConnectArguments
from mcp_optimizer.db.postgres.errors import LOCK_NOT_AVAILABLE, readable
from mcp_optimizer.db.postgres.server import ServerFacts, facts_of, obstacle
from mcp_optimizer.errors import StoreBusyError, StoreError
from mcp_optimizer.text import one_line, redact_url

CHANNEL: Final = "mcp_optimizer"
"""Where every committed write is announced. Channels are a database's own."""
WRITE_LOCK: Final = 0x6D63706F
"""The advisory lock that whoever writes holds ("mcpo")."""
_SIGN_OF_LIFE: Final = 20.0
"""Seconds of silence after which the announcing connection proves that it still stands."""


class PostgresEngine:
    """A database on a server, and the connections to it."""

    def __init__(self, url: URL, *, busy_timeout: float) -> None:
        if "@" in (url.host or ""):
            raise StoreError("the database URL has more than one @", remedy="write %40 for an @ in the password")
        self._url = url
        self._busy_timeout = busy_timeout

    @property
    def label(self) -> str:
        """The database's URL without user, password and options."""
        host = self._url.host or ""
        port = f":{self._url.port}" if self._url.port else ""
        socket = self._url.query.get("host", "")
        shown = f"postgresql://{host}{port}/{self._url.database or ''}"
        return redact_url(f"{shown}?host={socket}" if isinstance(socket, str) and socket else shown)

    def _arguments(self) -> ConnectArguments:
        return postgres_driver.arguments(self._url)

    async def server(self) -> ServerFacts:
        """What the server says of itself. Raises StoreError where it can't be asked."""
        try:
            async with await postgres_driver.connect(self._arguments(), read_only=True, autocommit=True) as connection:
                return await facts_of(connection)
        except (psycopg.Error, OSError) as error:
            raise readable(error, self.label) from None

    def verify(self) -> None:
        """A server keeps its own files."""

    async def prepare(self) -> None:
        """Raise StoreError where the server can't be reached, or can't hold a store."""
        result = obstacle(await self.server(), self.label)
        if result is not None:
            raise result

    def writer(self) -> AsyncEngine:
        """One connection that writes."""
        return postgres_driver.make_engine(self._arguments, read_only=False)

    def readers(self) -> AsyncEngine:
        """A few connections that only read."""
        return postgres_driver.make_engine(self._arguments, read_only=True)

    def observer(self) -> AsyncEngine:
        """Connections without transactions, that only read."""
        return postgres_driver.make_engine(self._arguments, read_only=True, pooled=False, autocommit=True)

    @asynccontextmanager
    async def held(self, connection: AsyncConnection) -> AsyncGenerator[None]:
        """The write lock, until the transaction ends: what a plan is made from can't change under it. What is
        committed is announced."""
        await self._take_lock(connection)
        yield
        await connection.execute(text("SELECT pg_notify(:channel, '')"), {"channel": CHANNEL})

    async def _take_lock(self, connection: AsyncConnection) -> None:
        rows = await connection.execute(
            text("SELECT pg_try_advisory_xact_lock(:lock) AS taken, set_config('lock_timeout', :wait, true)"),
            {"lock": WRITE_LOCK, "wait": str(max(1, int(self._busy_timeout * 1000)))},
        )
        if rows.one().taken:
            return
        try:
            async with connection.begin_nested():
                await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": WRITE_LOCK})
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) != LOCK_NOT_AVAILABLE:
                raise
            raise StoreBusyError(
                f"{self.label} is locked by {await _holder(connection)}; gave up after {self._busy_timeout:g} s",
                remedy="wait for it to finish and try again",
            ) from None

    async def commits(self, interval: float) -> AsyncIterator[None]:
        """Once at first, then whenever somebody has committed: the server tells."""
        try:
            async with await postgres_driver.connect(self._arguments(), autocommit=True) as connection:
                await connection.execute(f"LISTEN {CHANNEL}")
                yield
                while True:
                    if await _told(connection):
                        yield
                    else:
                        await connection.execute("SELECT 1")
        except (psycopg.Error, OSError) as error:
            raise readable(error, self.label) from None

    def readable(self, error: DBAPIError) -> StoreError:
        """What an error of the driver means to a person."""
        return readable(error.orig or error, self.label)


async def _told(connection: psycopg.AsyncConnection[Any]) -> bool:
    """Whether a commit was announced; several at once count as one."""
    notes = False
    async for _ in connection.notifies(timeout=_SIGN_OF_LIFE, stop_after=1):
        notes = True
    return notes


async def _holder(connection: AsyncConnection) -> str:
    """Who holds the write lock and for how long, in words; as far as this user may see it."""
    rows = await connection.execute(
        text(
            "SELECT a.application_name AS name, a.pid, EXTRACT(EPOCH FROM clock_timestamp() - a.xact_start) AS seconds "
            "FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid "
            "WHERE l.locktype = 'advisory' AND l.granted AND l.classid = 0 AND l.objid = :lock AND a.datname = "
            "current_database() AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        ),
        {"lock": WRITE_LOCK},
    )
    row = rows.first()
    name = (row.name or "") if row is not None else ""
    if row is None or not name.startswith(f"{PROGRAM} "):
        return "another program"
    process = one_line(name.removeprefix(PROGRAM).strip())
    return f"process {process}, which has been writing for {row.seconds or 0:.0f} s"
