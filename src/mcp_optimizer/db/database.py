"""The database: one writer, several readers, each transaction short (S6). The same on every engine."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Protocol

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from mcp_optimizer.db.redacted_writes import redact_writes
from mcp_optimizer.db.sqlite.engine import SqliteEngine
from mcp_optimizer.errors import StoreBusyError, StoreError
from mcp_optimizer.files import user_path
from mcp_optimizer.text import redact_url

POSTGRESQL = ("postgresql", "postgres", "postgresql+psycopg")
_GIVE = "give sqlite:///PATH, or postgresql://USER@HOST/DATABASE"


class Engine(Protocol):
    """What is special to one kind of database: how connections are made, locks are held, changes are told."""

    @property
    def label(self) -> str: ...

    async def prepare(self) -> None: ...

    def verify(self) -> None: ...

    def writer(self) -> AsyncEngine: ...

    def readers(self) -> AsyncEngine: ...

    def observer(self) -> AsyncEngine: ...

    def held(self, connection: AsyncConnection) -> AbstractAsyncContextManager[None]: ...

    def commits(self, interval: float) -> AsyncIterator[None]: ...

    def readable(self, error: DBAPIError) -> StoreError: ...


_HELD: ContextVar["tuple[Database, AsyncConnection] | None"] = ContextVar("held", default=None)
"""The database whose lock the present task holds for a whole block, and the connection that holds it."""


class Database:
    """A database at ``url``: an SQLite file, or PostgreSQL. Nothing is opened or made before :meth:`open`.

    ``single_threaded``: reads of an SQLite file happen in the thread that asks, which then waits.
    """

    def __init__(self, url: str, *, busy_timeout: float = 5.0, single_threaded: bool = False) -> None:
        self.url = url
        self.engine = _engine_for(url, busy_timeout, single_threaded=single_threaded)
        self._writer: AsyncEngine | None = None
        self._readers: AsyncEngine | None = None
        self._turns = asyncio.Semaphore(1)
        """Readers get their connections in the order in which they came; a pool lets the last one go first."""

    @property
    def label(self) -> str:
        """The database in words that may be shown: no password in them."""
        return self.engine.label

    @property
    def path(self) -> Path:
        """The file of an SQLite database. Raises StoreError for one that is no file."""
        if isinstance(self.engine, SqliteEngine):
            return self.engine.path
        raise StoreError(
            f"{self.label} is not a file", remedy="use pg_dump, or `mcp-optimizer db copy` to an SQLite file"
        )

    async def open(self) -> None:
        """Make an SQLite file where there is none, look whether a server can serve, and get connections ready."""
        await self.engine.prepare()
        self._writer = self.engine.writer()
        redact_writes(self._writer)
        self._readers = self.engine.readers()
        if isinstance(pool := self._readers.pool, AsyncAdaptedQueuePool):
            self._turns = asyncio.Semaphore(pool.size())

    async def close(self) -> None:
        """Close every connection."""
        for engine in (self._readers, self._writer):
            if engine is not None:
                await engine.dispose()
        self._readers = self._writer = None

    @asynccontextmanager
    async def reading(self) -> AsyncGenerator[AsyncConnection]:
        """A transaction that sees one state of the database throughout, and can't change it."""
        held = self._held()
        if held is not None:
            yield held
            return
        async with self._turns, self._connected(self._readers) as connection:
            await connection.begin()  # ends with the connection's return: nothing of it is to be stored
            yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncGenerator[AsyncConnection]:
        """A transaction that holds the write lock from its start: all of it is stored, or nothing.

        Raises StoreBusyError when another process held the lock for longer than we wait.
        """
        held = self._held()
        if held is not None:
            yield held
            return
        async with self._connected(self._writer) as connection, connection.begin(), self.engine.held(connection):
            yield connection

    @asynccontextmanager
    async def holding(self) -> AsyncGenerator[None]:
        """The write lock for a whole block: what the block reads and writes is one transaction, stored when it ends.

        For the last of many attempts only: nobody else can write meanwhile. Raises StoreBusyError as writing does.
        """
        async with self.writing() as connection:
            before = _HELD.set((self, connection))
            try:
                yield
            finally:
                _HELD.reset(before)

    def _held(self) -> AsyncConnection | None:
        """The connection of the block around, if it holds the lock."""
        held = _HELD.get()
        return held[1] if held is not None and held[0] is self else None

    @asynccontextmanager
    async def _connected(self, engine: AsyncEngine | None) -> AsyncGenerator[AsyncConnection]:
        if engine is None:
            raise StoreError("the database is not open")
        self.engine.verify()
        try:
            async with engine.connect() as connection:
                yield connection
        except PoolTimeoutError as error:
            raise StoreBusyError(
                "this program kept writing to the database for too long", remedy="wait for it to finish and try again"
            ) from error
        except DBAPIError as error:
            raise self.engine.readable(error) from error

    @asynccontextmanager
    async def aside(self) -> AsyncGenerator[AsyncConnection]:
        """A new connection of its own, outside the pools and without transactions, that can't change anything."""
        self.engine.verify()
        engine = self.engine.observer()
        try:
            async with engine.connect() as connection:
                yield connection
        except DBAPIError as error:
            raise self.engine.readable(error) from error
        finally:
            await engine.dispose()

    async def commits(self, interval: float) -> AsyncGenerator[None]:
        """Once at first, then whenever somebody may have committed; a second later at most, where ``interval`` (the
        seconds between looks, on engines that don't tell by themselves) is no longer. Never ends by itself."""
        try:
            async for _ in self.engine.commits(interval):
                yield
        except DBAPIError as error:
            raise self.engine.readable(error) from error


def _engine_for(url: str, busy_timeout: float, *, single_threaded: bool) -> Engine:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise StoreError(f"not a database URL: {redact_url(url)}", remedy=_GIVE) from None
    if parsed.drivername in POSTGRESQL:
        from mcp_optimizer.db.postgres.engine import PostgresEngine  # noqa: PLC0415 (most programs need no driver)

        return PostgresEngine(parsed, busy_timeout=busy_timeout)
    return SqliteEngine(_path_of(parsed), busy_timeout=busy_timeout, single_threaded=single_threaded)


def _path_of(parsed: URL) -> Path:
    if parsed.get_backend_name() != "sqlite":
        raise StoreError(f"no support for {parsed.get_backend_name()} databases", remedy=_GIVE)
    if not parsed.database or parsed.database == ":memory:":
        raise StoreError("an SQLite database in memory can't be shared", remedy=_GIVE)
    if parsed.query:
        raise StoreError(
            f"options ({', '.join(parsed.query)}) in the URL of an SQLite file have no effect", remedy=_GIVE
        )
    path = user_path(parsed.database)
    if not path.name:
        raise StoreError(f"{parsed.database} names no file", remedy=_GIVE)
    return path
