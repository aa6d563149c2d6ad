"""Statements on SQLite, each one visit to its connection's thread: made, run, read and closed there.

SQLAlchemy's adapter of ``aiosqlite`` goes there four times for each; going there costs more than most of ours do. Short
statements of connections that only read are not worth even one visit: they take microseconds, wait for no lock, and run
right where they are asked.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy.dialects.sqlite.aiosqlite import (
    AsyncAdapt_aiosqlite_connection,
    AsyncAdapt_aiosqlite_cursor,
    AsyncAdapt_aiosqlite_dbapi,
)
from sqlalchemy.util import EMPTY_DICT
from sqlalchemy.util.concurrency import await_

INLINE_HINT: Final = "/* short */ "
"""Begins a statement that finds a few rows by an index."""
_BEGIN: Final = "BEGIN"


class _Said(NamedTuple):
    """What a statement says of itself once it has run."""

    description: Any = None
    rowcount: int = -1
    lastrowid: int | None = None
    arraysize: int = 1

    def close(self) -> None:
        """Its cursor was closed where it ran."""


_NOTHING: Final = _Said()


def _run(bare: Any, operation: str, parameters: Any) -> tuple[_Said, Sequence[Any]]:
    """Run a statement in the connection's thread; what it says, and all its rows."""
    cursor = bare.execute(operation) if parameters is None else bare.execute(operation, parameters)
    try:
        rows = cursor.fetchall() if cursor.description else ()
        return _Said(cursor.description, cursor.rowcount, cursor.lastrowid), rows
    finally:
        cursor.close()


def _run_many(bare: Any, operation: str, every: Any) -> tuple[_Said, Sequence[Any]]:
    """Run a statement with one set of parameters after the other."""
    cursor = bare.executemany(operation, every)
    try:
        return _Said(None, cursor.rowcount, cursor.lastrowid), ()
    finally:
        cursor.close()


class InlineCursor(AsyncAdapt_aiosqlite_cursor):
    """A cursor that exists in its connection's thread only while a statement runs."""

    __slots__ = ()

    _awaitable_cursor_close = False

    def __init__(self, adapt_connection: Any) -> None:  # the inherited one opens a cursor, which is a visit
        self._adapt_connection = adapt_connection
        self._connection = adapt_connection._connection
        self._cursor: Any = _NOTHING
        self._soft_closed_memoized = EMPTY_DICT
        self._rows = deque()

    async def _execute_async(self, operation: Any, parameters: Any) -> Any:
        await self._visit(_run, operation, parameters)

    async def _executemany_async(self, operation: Any, seq_of_parameters: Any) -> Any:
        await self._visit(_run_many, operation, seq_of_parameters)

    async def _visit(self, run: Callable[..., tuple[_Said, Sequence[Any]]], operation: Any, parameters: Any) -> None:
        driver: Any = self._connection
        async with self._adapt_connection._execute_mutex:
            if (operation.startswith(INLINE_HINT) or operation == _BEGIN) and driver.can_run_inline:
                self._cursor, rows = run(driver._conn, operation, parameters)
            else:
                self._cursor, rows = await driver._execute(run, driver._conn, operation, parameters)
            self._rows = deque(rows)


class OneVisitConnection(AsyncAdapt_aiosqlite_connection):
    """A connection whose statements are one visit each; streamed ones come in pieces, as they always do."""

    __slots__ = ()

    _cursor_cls = InlineCursor

    def rollback(self) -> None:
        """End the transaction; one that only read has nothing to undo."""
        driver: Any = self._connection
        if driver._connection and driver.can_run_inline:
            driver._connection.rollback()
        else:
            super().rollback()


class OneVisitDriver(AsyncAdapt_aiosqlite_dbapi):
    """The driver whose connections these are."""

    def connect(self, *_: Any, async_creator_fn: Callable[[], Any], **__: Any) -> OneVisitConnection:
        """A connection that ``async_creator_fn`` makes."""
        return OneVisitConnection(self, await_(async_creator_fn()))
