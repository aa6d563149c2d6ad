"""What every test stands on: a home of its own, no environment of the user's, and services on fresh databases."""

import asyncio
import logging
import os
import subprocess
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import Any

import pytest
import structlog
from alembic.config import Config
from pytest_alembic import Config as Checks
from sqlalchemy import Connection, create_engine
from sqlalchemy.engine import make_url

from mcp_optimizer.config import OFFLINE_MODEL, Settings
from mcp_optimizer.db.migrations import HEAD, migrations_directory
from mcp_optimizer.db.sqlite import driver as sqlite_driver
from mcp_optimizer.domain.vectors import Embedder
from mcp_optimizer.embeddings import FastEmbedder
from mcp_optimizer.service import DataService
from tests.support.embedders import FAKE_MODEL, FakeEmbedder
from tests.support.places import Place, PostgresPlace, PostgresServer, SqlitePlace, postgres_server
from tests.support.runtime import Clock, counted_ids, deterministic
from tests.support.services import assert_sound

USER_ENVIRONMENT = dict(os.environ)
"""The environment before the guard, for tools that need the user's caches (building a wheel)."""

_XDG = ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR")

type OpenService = Callable[..., Awaitable[DataService]]
type NewPlace = Callable[..., Place]
type Template = Callable[[str, Callable[[Place], object]], Place]


def _move_home(patch: pytest.MonkeyPatch, home: Path) -> None:
    """Point everything that could lead to the user's files or servers at ``home``."""
    settings = {name.upper() for name in Settings.model_fields} | {"ASYNC_DB_URL"}
    for name in list(os.environ):
        if name.upper().startswith("MCP_OPTIMIZER_") or name.upper() in settings:
            patch.delenv(name)
    patch.setenv("HOME", str(home))
    for name in _XDG:
        patch.setenv(name, str(home / name.lower()))
    patch.setenv("MCP_OPTIMIZER_TOOLHIVE_START_PORT_SCAN", "1")
    patch.setenv("MCP_OPTIMIZER_TOOLHIVE_END_PORT_SCAN", "0")


@pytest.fixture(scope="session", autouse=True)
def _guarded_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Session fixtures never see the user's home either."""
    with pytest.MonkeyPatch.context() as patch:
        _move_home(patch, tmp_path_factory.mktemp("session-home"))
        yield


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, _guarded_session: None) -> Path:
    """A home directory of the test's own."""
    path = tmp_path_factory.mktemp("home")
    _move_home(monkeypatch, path)
    return path


@pytest.fixture(autouse=True)
def _log_as_it_was() -> Iterator[None]:
    """Logging is of the whole process: what a command sets up is not there for the next test."""
    root, config = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.configure(**config)
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)


@pytest.fixture(scope="session")
def model_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the prepared offline model is kept for all tests."""
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="session")
def real_embedder(model_cache: Path) -> FastEmbedder:
    """The offline model, loaded once."""
    return FastEmbedder(OFFLINE_MODEL, cache_directory=model_cache, threads=1)


@pytest.fixture
def fake_embedder() -> FakeEmbedder:
    """An embedder for tests in which the model does not matter."""
    return FakeEmbedder()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Whatever touches a store runs on both engines; what is about SQLite itself names ``database_path``, a file."""
    if "engine" in metafunc.fixturenames:
        sqlite_only = "database_path" in metafunc.fixturenames or metafunc.definition.get_closest_marker("sqlite")
        metafunc.parametrize("engine", ["sqlite"] if sqlite_only else ["sqlite", "postgresql"], scope="session")


@pytest.fixture(scope="session")
def postgres(_guarded_session: None) -> Iterator[PostgresServer]:
    """A PostgreSQL server for all tests. Skips where it has no wheel, or can't be started.

    Its directory's name is short, as the path of a socket must be.
    """
    with tempfile.TemporaryDirectory(prefix="mcpo-", ignore_cleanup_errors=True) as directory, ExitStack() as stack:
        try:
            started = stack.enter_context(postgres_server(Path(directory) / "data"))
        except (ImportError, OSError, subprocess.SubprocessError, RuntimeError) as error:
            pytest.skip(f"no PostgreSQL can be started here: {error}")
        yield started


@pytest.fixture(scope="session")
def templates() -> dict[tuple[str, str], Place]:
    """Databases that tests copy, by engine and name."""
    return {}


@pytest.fixture
def template(
    engine: str,
    templates: dict[tuple[str, str], Place],
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Template:
    """Gives the database of a name, on the test's engine, made by a function when it is first asked for: a copy is
    quicker than making one."""

    def named(name: str, make: Callable[[Place], object]) -> Place:
        place = templates.get((engine, name))
        if place is None:
            if engine == "sqlite":
                place = SqlitePlace(tmp_path_factory.mktemp(name) / f"{name}.db")
            else:
                place = request.getfixturevalue("postgres").place(name)
            place.prepare()
            make(place)
            if isinstance(place, PostgresPlace):
                place.made = True
            templates[engine, name] = place
        return place

    return named


@pytest.fixture
def new_place(engine: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[NewPlace]:
    """Makes room for databases on the test's engine; they are gone when it ends."""
    made: list[PostgresPlace] = []

    def new(name: str = "test") -> Place:
        if engine == "sqlite":
            return SqlitePlace(tmp_path / "store" / f"{name}.db")
        place = request.getfixturevalue("postgres").place()
        made.append(place)
        return place

    yield new
    for place in made:
        place.drop()


@pytest.fixture
def database(new_place: NewPlace) -> Place:
    """The database of the test; nothing is in it yet."""
    return new_place()


@pytest.fixture
def database_path(database: Place) -> Path:
    """The database file of the test; not there yet. Only SQLite has one."""
    assert isinstance(database, SqlitePlace)
    return database.path


@pytest.fixture
def settings(database: Place, model_cache: Path, request: pytest.FixtureRequest) -> Settings:
    """Settings for a database of the test's own."""
    if "open_service" not in request.fixturenames:
        database.prepare()
    return Settings(db_url=database.url, cache_dir=model_cache, busy_timeout=5.0)


@pytest.fixture
def clock() -> Clock:
    """The clock of the test's services."""
    return Clock()


@pytest.fixture
def empty_database(template: Template) -> Place:
    """An up-to-date database with nothing in it, for :class:`FakeEmbedder`."""

    async def open_once(place: Place) -> None:
        async with DataService(Settings(db_url=place.url), embedder=FakeEmbedder()):
            pass

    def make(place: Place) -> None:
        with ThreadPoolExecutor(1) as aside:  # a loop may be running here
            aside.submit(asyncio.run, open_once(place)).result()

    return template("empty", make)


@pytest.fixture
async def open_service(
    settings: Settings, fake_embedder: FakeEmbedder, clock: Clock, database: Place, empty_database: Place
) -> AsyncIterator[OpenService]:
    """Opens services, all on the one database unless told otherwise; at the end each must leave a sound store (S3).

    ``check`` False: for tests that damage it. ``fresh``: the service makes its database itself.
    """
    numbers = counted_ids()

    async with AsyncExitStack() as stack:

        async def opened(
            given: Settings = settings,
            *,
            embedder: Embedder | None = None,
            check: bool = True,
            fresh: bool = False,
            **options: Any,
        ) -> DataService:
            if fresh or embedder or database.made:
                database.prepare()
            else:
                database.copy_of(empty_database)
            service = DataService(
                given, embedder=embedder or fake_embedder, runtime=deterministic(clock, numbers), **options
            )
            await stack.enter_async_context(service)
            if isinstance(database, PostgresPlace):
                database.made = True
            if check:
                stack.push_async_callback(assert_sound, service)
            return service

        yield opened


@pytest.fixture
async def service(open_service: OpenService) -> DataService:
    """An open service on an empty database; when the test ends, its store must be sound."""
    return await open_service()


@pytest.fixture
def alembic_config() -> Checks:
    """The program's revisions, for pytest-alembic. None can be undone: who wants to go back names the backup."""
    config = Config()
    config.set_main_option("script_location", str(migrations_directory()))
    config.attributes["model"] = FAKE_MODEL
    return Checks(alembic_config=config, minimum_downgrade_revision=HEAD)


@pytest.fixture
def alembic_engine(database: Place) -> Iterator[Connection]:
    """A connection to the test's database, for pytest-alembic. Whoever wants to look from outside commits first."""
    database.prepare()
    if isinstance(database, SqlitePlace):
        path = database.path
        path.parent.mkdir()
        path.touch()
        engine = create_engine(
            "sqlite://", module=sqlite_driver.sqlite_module(), creator=lambda: sqlite_driver.connect(path)
        )
    else:
        engine = create_engine(make_url(database.url).set(drivername="postgresql+psycopg"))
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()
