"""An SQLite file as the engine of a store: how it is opened, who holds its lock, what its errors mean (S5)."""

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from mcp_optimizer.db.rows import DAMAGED_REMEDY
from mcp_optimizer.db.sqlite import driver as sqlite_driver
from mcp_optimizer.db.sqlite.lock_holder_file import LockHolderFile
from mcp_optimizer.errors import StoreBusyError, StoreError

_FAILURES: Final = (
    (
        ("vectors blob", "vector data", "metadata value", "vec0", "fts5"),
        "the search tables of {path} are damaged: {reason}",
        "run `mcp-optimizer db reindex`",
    ),
    (
        ("not a database", "malformed"),
        "{path} is not a sound SQLite database",
        "run `mcp-optimizer db check`: where it names search tables alone, `db reindex` mends them; else restore a "
        "backup, or move the file away and ingest again",
    ),
    (("disk is full",), "no room left to write {path}; nothing was changed", "free some space"),
    (
        ("disk I/O error",),
        "can't write to {path}: {reason}; nothing was changed",
        "look for free space, a quota or a limit on the size of files",
    ),
    (("readonly", "unable to open"), "can't write to {path}: {reason}", "check its permissions"),
    (("UTF-8",), "{path} holds a text that can't be read: {reason}", DAMAGED_REMEDY),
)
"""Words of an error of SQLite's, what it means to a person, and what to do; the first that fits."""


class SqliteEngine:
    """A file, and the connections to it."""

    def __init__(self, path: Path, *, busy_timeout: float, single_threaded: bool = False) -> None:
        self.path = path
        self._single_threaded = single_threaded
        self._busy_timeout = busy_timeout
        self._note = LockHolderFile(path)
        self._file: tuple[int, int] | None = None
        """Device and inode of the file that was opened."""
        self._had_content = False

    @property
    def label(self) -> str:
        """The file's path."""
        return str(self.path)

    async def prepare(self) -> None:
        """Make the file where there is none: 0600, in a directory 0700 if that is made too."""
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self.path.exists() and not self.path.is_file():
                raise StoreError(f"{self.path} is not a regular file", remedy="name a file with --db")
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
            opened = self.path.stat()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise StoreError(
                f"can't open the database {self.path}: {reason}", remedy="name another with --db"
            ) from error
        self._file = (opened.st_dev, opened.st_ino)

    def verify(self) -> None:
        """Raise StoreError where the file that was opened is no longer the one at its path, or was emptied.

        SQLite would go on with the file that it has open, and what is stored there would be lost without a word.
        """
        if self._file is None:
            return
        remedy = "put it back or restore a backup, then start again"
        try:
            present = self.path.stat()
        except FileNotFoundError:
            raise StoreError(f"the database file {self.path} was deleted while it was open", remedy=remedy) from None
        except OSError as error:
            raise StoreError(
                f"the database file {self.path} is out of reach: {error.strerror}", remedy=remedy
            ) from error
        if (present.st_dev, present.st_ino) != self._file:
            raise StoreError(f"the database file {self.path} was replaced while it was open", remedy="start again")
        if present.st_size == 0 and self._had_content:
            raise StoreError(f"the database file {self.path} was emptied while it was open", remedy=remedy)
        self._had_content = self._had_content or present.st_size > 0

    def writer(self) -> AsyncEngine:
        """One connection whose transactions take the lock when they begin."""
        return sqlite_driver.make_engine(self.path, busy_timeout=self._busy_timeout, writer=True)

    def readers(self) -> AsyncEngine:
        """A few connections that only read."""
        return sqlite_driver.make_engine(
            self.path, busy_timeout=self._busy_timeout, writer=False, single_threaded=self._single_threaded
        )

    def observer(self) -> AsyncEngine:
        """Connections without transactions, that only read."""
        return sqlite_driver.make_engine(self.path, busy_timeout=self._busy_timeout, writer=False, transactions=False)

    @asynccontextmanager
    async def held(self, connection: AsyncConnection) -> AsyncGenerator[None]:
        """Say who is writing, while the block writes."""
        with self._note.held():
            yield

    async def commits(self, interval: float) -> AsyncIterator[None]:
        """Once at first, then whenever somebody may have committed; looks every ``interval`` seconds.

        SQLite's own counter tells one held connection that another has committed, at next to no cost.
        """
        engine = self.observer()
        try:
            async with engine.connect() as connection:
                version = None
                while True:
                    self.verify()
                    present = (await connection.exec_driver_sql("PRAGMA data_version")).scalar_one()
                    if present != version:
                        version = present
                        yield
                    else:
                        await asyncio.sleep(interval)
        finally:
            await engine.dispose()

    def readable(self, error: DBAPIError) -> StoreError:
        """What an error of the driver means to a person."""
        if sqlite_driver.is_busy(error):
            return StoreBusyError(
                f"{self.path} is locked by {self._note.holder()}; gave up after {self._busy_timeout:g} s",
                remedy="wait for it to finish and try again",
            )
        reason = str(error.orig)
        for words, message, remedy in _FAILURES:
            if any(word in reason for word in words):
                return StoreError(message.format(path=self.path, reason=reason), remedy=remedy)
        return StoreError(f"the database refused: {reason}", remedy="run `mcp-optimizer db check`")
