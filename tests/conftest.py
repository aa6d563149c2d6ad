"""What every test stands on: a home of its own, no environment of the user's, and services on fresh databases."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from mcp_optimizer.config import OFFLINE_MODEL, Settings
from mcp_optimizer.embeddings import Embedder, FastEmbedder
from mcp_optimizer.service import DataService
from tests.support.embedders import FakeEmbedder
from tests.support.services import assert_sound
from tests.support.surroundings import Clock, counted_ids, deterministic

USER_ENVIRONMENT = dict(os.environ)
"""The environment before the guard, for tools that need the user's caches (building a wheel)."""

_XDG = ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR")

type OpenService = Callable[..., Awaitable[DataService]]


def _move_home(patch: pytest.MonkeyPatch, home: Path) -> None:
    """Point everything that could lead to the user's files or servers at ``home``."""
    settings = {name.upper() for name in Settings.model_fields}
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


@pytest.fixture
def database_path(tmp_path: Path) -> Path:
    """The database file of the test; not there yet."""
    return tmp_path / "store" / "test.db"


@pytest.fixture
def settings(database_path: Path, model_cache: Path) -> Settings:
    """Settings for a database of the test's own."""
    return Settings(db_url=f"sqlite:///{database_path}", cache_dir=model_cache, busy_timeout=5.0)


@pytest.fixture
def clock() -> Clock:
    """The clock of the test's services."""
    return Clock()


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An up-to-date database with nothing in it, for :class:`FakeEmbedder`; a copy is quicker than making one."""
    path = tmp_path_factory.mktemp("empty") / "empty.db"

    async def make() -> None:
        async with DataService(Settings(db_url=f"sqlite:///{path}"), embedder=FakeEmbedder()):
            pass

    asyncio.run(make())
    return path


@pytest.fixture
async def open_service(
    settings: Settings, fake_embedder: FakeEmbedder, clock: Clock, database_path: Path, empty_database: Path
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
            if not (fresh or embedder or database_path.exists()):
                database_path.parent.mkdir(exist_ok=True)
                shutil.copy(empty_database, database_path)
            service = DataService(
                given, embedder=embedder or fake_embedder, surroundings=deterministic(clock, numbers), **options
            )
            await stack.enter_async_context(service)
            if check:
                stack.push_async_callback(assert_sound, service)
            return service

        yield opened


@pytest.fixture
async def service(open_service: OpenService) -> DataService:
    """An open service on an empty database; when the test ends, its store must be sound."""
    return await open_service()
