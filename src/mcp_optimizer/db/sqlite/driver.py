"""The SQLite this program runs on: which module, and how a connection is made. The one place that knows (S5).

Many Pythons are built without extension loading or with an SQLite that can corrupt a WAL database; ``pysqlite3``
brings a recent SQLite of its own and is preferred where it is installed.
"""

import asyncio
import functools
import importlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, Final

import aiosqlite
import sqlite_vec
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from mcp_optimizer.db.rows import SHORT_READ
from mcp_optimizer.db.sqlite.inline_cursor import INLINE_HINT, OneVisitDriver
from mcp_optimizer.errors import StoreError

SAFE_VERSION: Final = (3, 51, 3)
"""Older versions can corrupt a database when its write-ahead log is reset while another process writes."""

_MODULES: Final = ("pysqlite3", "sqlite3")
_WRITER_WAIT: Final = 60.0
_IS_OURS: Final = "SELECT COUNT(*) = 0 OR SUM(name = 'embedding_model') > 0 FROM sqlite_master"


@functools.cache
def sqlite_module() -> ModuleType:
    """The first SQLite module that can load extensions. Raises StoreError, saying what to install."""
    for name in _MODULES:
        try:
            module = importlib.import_module(name)
        except ImportError:
            continue
        if hasattr(module.Connection, "enable_load_extension"):
            return module
    raise StoreError(
        "this Python's SQLite can't load extensions, which the search tables need",
        remedy="install the package pysqlite3, or use a Python whose sqlite3 module can load extensions",
    )


def is_safe_version() -> bool:
    """Whether the SQLite in use is free of the WAL-reset bug."""
    return tuple(sqlite_module().sqlite_version_info) >= SAFE_VERSION


def vector_extension_version() -> str:
    """The version of the vector extension, loaded into a database in memory. Raises what stops it from loading."""
    connection = sqlite_module().connect(":memory:")
    try:
        _load_extension(connection)
        return str(connection.execute("SELECT vec_version()").fetchone()[0])
    finally:
        connection.close()


def _load_extension(connection: Any) -> None:
    connection.enable_load_extension(True)
    sqlite_vec.load(connection)
    connection.enable_load_extension(False)


def connect(path: Path, busy_timeout: float = 5.0, *, query_only: bool = False) -> Any:
    """A connection with the vector extension loaded and the pragmas set. Runs in the connection's own thread.

    The file has to be there.

    Only a connection that writes sets the journal mode, and only of a file that is empty or ours, as it stands in it.
    """
    connection = _open(path, busy_timeout)
    try:
        _load_extension(connection)
        for pragma in (
            f"busy_timeout={int(busy_timeout * 1000)}",
            "synchronous=NORMAL",
            "foreign_keys=ON",
            f"cache_size={-16384 if query_only else -131072}",
            "temp_store=MEMORY",
            f"query_only={'ON' if query_only else 'OFF'}",
        ):
            connection.execute(f"PRAGMA {pragma}")
        if not query_only and connection.execute(_IS_OURS).fetchone()[0]:
            connection.execute("PRAGMA journal_mode=WAL")
    except BaseException:
        connection.close()
        raise
    return connection


def connect_to_read(path: Path, busy_timeout: float = 5.0) -> Any:
    """A bare connection, with the vector extension, that sets nothing in the file, whosever it is, and makes none.

    It may write only so that it can undo what a killed program has left half done.
    """
    connection = _open(path, busy_timeout)
    try:
        _load_extension(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _open(path: Path, busy_timeout: float) -> Any:
    """A bare connection to a file that is there: none is made, and no name is taken for a URI with options."""
    return sqlite_module().connect(
        f"{path.absolute().as_uri()}?mode=rw",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        timeout=busy_timeout,
    )


def _driver_namespace() -> Any:
    """``aiosqlite`` as SQLAlchemy sees it, with the errors and versions of the SQLite module that is really in use."""
    names = ("Error", "DatabaseError", "IntegrityError", "NotSupportedError", "OperationalError", "ProgrammingError")
    module = sqlite_module()
    taken = {name: getattr(module, name) for name in (*names, "sqlite_version", "sqlite_version_info")}
    return SimpleNamespace(**(vars(aiosqlite) | taken))


class _Connection(aiosqlite.Connection):
    """A connection whose running statement ends when the task that awaits it is cancelled; by itself it would go on,
    and everything that tidies up after the cancelled task would wait for it.
    """

    def __init__(self, connector: Callable[[], Any], *, reads_only: bool, single_threaded: bool = False) -> None:
        super().__init__(connector, 64)
        self._reads_only = reads_only
        self._single_threaded = single_threaded
        self._asked = 0
        self._done = 0

    @property
    def can_run_inline(self) -> bool:
        """Whether a short statement may run in the thread that asks: nobody waits for a lock, and nothing else runs."""
        return self._reads_only and self._asked == self._done

    async def _execute(self, fn: Any, *args: Any, **kwargs: Any) -> Any:
        if self._single_threaded and self._connection is not None:
            return fn(*args, **kwargs)

        def counted() -> Any:
            try:
                return fn(*args, **kwargs)
            finally:
                self._done += 1  # by this connection's thread alone

        self._asked += 1
        try:
            return await super()._execute(counted)
        except asyncio.CancelledError:
            if self._connection is not None:
                self._connection.interrupt()
            raise


async def in_its_thread[T](connection: AsyncConnection, work: Callable[[Any], T]) -> T:
    """What ``work`` makes of the bare connection, in the connection's own thread and transaction: several statements
    for the price of one. Cancelling ends the statement that is running."""
    adapted = await connection.get_raw_connection()
    driver: Any = adapted.driver_connection
    try:
        return await driver._execute(work, driver._connection)
    except sqlite_module().Error as error:
        raise DBAPIError("", None, error) from error


def make_engine(
    path: Path, *, busy_timeout: float, writer: bool, transactions: bool = True, single_threaded: bool = False
) -> AsyncEngine:
    """An engine for the file at ``path``: one connection that writes, or a few that only read.

    The writer takes the lock when a transaction begins, so a transaction that reads first can't fail half-way.
    Without ``transactions`` every statement sees the present state of the file. ``single_threaded``: statements run in
    the thread that asks, which waits for them.
    """

    async def opened_connection() -> aiosqlite.Connection:
        opened = _Connection(
            lambda: connect(path, busy_timeout, query_only=not writer),
            reads_only=not writer,
            single_threaded=single_threaded,
        )
        opened._thread.daemon = True  # a program that ends without closing must not hang on this thread
        try:
            return await opened
        except BaseException:
            await asyncio.to_thread(opened._thread.join)  # it still reports to this loop, which may close next
            raise

    engine = create_async_engine(
        "sqlite+aiosqlite://",
        module=OneVisitDriver(_driver_namespace(), sqlite_module()),
        async_creator=opened_connection,
        poolclass=AsyncAdaptedQueuePool,
        pool_size=1 if writer else 4,
        max_overflow=0,
        pool_timeout=_WRITER_WAIT,
    )
    if not writer:
        _hint_short_reads(engine)
    if not transactions:
        return engine
    begin = "BEGIN IMMEDIATE" if writer else "BEGIN"

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Any) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _hint_short_reads(engine: AsyncEngine) -> None:
    """Have the cursor know which statements may run in the thread that asks: it sees nothing but their text."""

    @event.listens_for(engine.sync_engine, "before_cursor_execute", retval=True)
    def _hint(
        _connection: Any, _cursor: Any, statement: str, parameters: Any, context: Any, _many: bool
    ) -> tuple[str, Any]:
        short = context is not None and context.execution_options.get(SHORT_READ)
        return (INLINE_HINT + statement if short else statement), parameters


def is_busy(error: BaseException) -> bool:
    """Whether the error says that another process holds the write lock."""
    original = getattr(error, "orig", error)
    return any(word in str(original) for word in ("database is locked", "database table is locked"))
