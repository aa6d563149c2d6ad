"""The database: one writer, several readers, each transaction short (S6)."""

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from mcp_optimizer.db import sqlite_driver
from mcp_optimizer.db.writer_note import WriterNote
from mcp_optimizer.errors import StoreBusyError, StoreError
from mcp_optimizer.text import public_url


class Database:
    """An SQLite database. Nothing is opened or made before :meth:`open`."""

    def __init__(self, url: str, *, busy_timeout: float = 5.0) -> None:
        self.url = url
        self.path = _path_of(url)
        self._busy_timeout = busy_timeout
        self._note = WriterNote(self.path)
        self._writer: AsyncEngine | None = None
        self._readers: AsyncEngine | None = None

    @property
    def label(self) -> str:
        """The database in words that may be shown."""
        return str(self.path)

    async def open(self) -> None:
        """Make the file where there is none (0600, in a directory 0700 if that is made too), and the engines."""
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
        except OSError as error:
            raise StoreError(
                f"can't open the database {self.path}: {error.strerror}", remedy="name another with --db"
            ) from error
        self._writer = sqlite_driver.make_engine(self.path, busy_timeout=self._busy_timeout, writer=True)
        self._readers = sqlite_driver.make_engine(self.path, busy_timeout=self._busy_timeout, writer=False)

    async def close(self) -> None:
        """Close every connection."""
        for engine in (self._readers, self._writer):
            if engine is not None:
                await engine.dispose()
        self._readers = self._writer = None

    @asynccontextmanager
    async def reading(self) -> AsyncGenerator[AsyncConnection]:
        """A transaction that sees one state of the database throughout, and can't change it."""
        async with self._transaction(self._readers) as connection:
            yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncGenerator[AsyncConnection]:
        """A transaction that holds the write lock from its start: all of it is stored, or nothing.

        Raises StoreBusyError when another process held the lock for longer than we wait.
        """
        async with self._transaction(self._writer) as connection:
            with self._note.held():
                yield connection

    @asynccontextmanager
    async def _transaction(self, engine: AsyncEngine | None) -> AsyncGenerator[AsyncConnection]:
        if engine is None:
            raise StoreError("the database is not open")
        try:
            async with engine.connect() as connection, connection.begin():
                yield connection
        except PoolTimeoutError as error:
            raise StoreBusyError(
                "this program kept writing to the database for too long", remedy="wait for it to finish and try again"
            ) from error
        except DBAPIError as error:
            raise self._readable(error) from error

    @asynccontextmanager
    async def aside(self) -> AsyncGenerator[AsyncConnection]:
        """A new connection of its own, outside the pools and without transactions, that can't change anything."""
        engine = sqlite_driver.make_engine(self.path, busy_timeout=self._busy_timeout, writer=False, transactions=False)
        try:
            async with engine.connect() as connection:
                yield connection
        except DBAPIError as error:
            raise self._readable(error) from error
        finally:
            await engine.dispose()

    async def data_version(self, connection: AsyncConnection) -> int:
        """A number that changes when another connection has committed. Compare on one connection from :meth:`aside`."""
        return int((await connection.exec_driver_sql("PRAGMA data_version")).scalar_one())

    def _readable(self, error: DBAPIError) -> StoreError:
        if sqlite_driver.is_busy(error):
            return StoreBusyError(
                f"waited {self._busy_timeout:g} s in vain: {self._note.holder()} holds the lock of {self.path}",
                remedy="wait for it to finish and try again",
            )
        said = str(error.orig)
        if "not a database" in said or "malformed" in said:
            remedy = "restore a backup, or move the file away: it is made anew and ingested again"
            return StoreError(f"{self.path} is not a sound SQLite database", remedy=remedy)
        if "disk is full" in said:
            return StoreError(f"no room left to write {self.path}; nothing was changed", remedy="free some space")
        if "readonly" in said or "unable to open" in said:
            return StoreError(f"can't write to {self.path}: {said}", remedy="check its permissions")
        return StoreError(f"the database refused: {said}")


def _path_of(url: str) -> Path:
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise StoreError(f"not a database URL: {public_url(url)}", remedy="give sqlite:///PATH") from None
    if parsed.get_backend_name() != "sqlite":
        raise StoreError(f"no support for {parsed.get_backend_name()} databases", remedy="give sqlite:///PATH")
    if not parsed.database or parsed.database == ":memory:":
        raise StoreError("an SQLite database in memory can't be shared", remedy="give sqlite:///PATH")
    return Path(parsed.database).expanduser()
