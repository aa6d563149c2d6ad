"""Whatever stops an upgrade, the old database is as it was, byte by byte."""

import asyncio
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from mcp_optimizer.config import Settings
from mcp_optimizer.db.logs import quarantine
from mcp_optimizer.errors import EmbeddingError, ReadOnlyError, StoreBusyError, StoreError
from mcp_optimizer.legacy import conversion
from mcp_optimizer.legacy.tables import ASIDE
from mcp_optimizer.maintenance import backup
from mcp_optimizer.service import DataService
from tests.support import older_databases as older
from tests.support.database import raw_connection, value
from tests.support.embedders import FakeEmbedder
from tests.support.services import assert_sound
from tests.support.upgrade_victims import kill_upgrades

SHAPES = ("split", "unified")


@pytest.fixture(params=SHAPES)
def old(request: pytest.FixtureRequest, database_path: Path) -> Iterator[Path]:
    """An older database. After the test, whatever went wrong, it is what it was, and can still be upgraded."""
    path = older.make(database_path, request.param, older.rows_of(request.param))
    before = path.read_bytes()
    yield path
    assert path.read_bytes() == before
    assert {found.name for found in path.parent.iterdir() if ".before-" not in found.name} == {path.name}
    assert not list(path.parent.glob("*partial*"))
    asyncio.run(_still_upgrades(path))


async def _still_upgrades(path: Path) -> None:
    settings = Settings(db_url=f"sqlite:///{path}")
    assert (await DataService(settings, embedder=FakeEmbedder()).upgrade()).done
    async with DataService(settings, embedder=FakeEmbedder()) as service:
        await assert_sound(service)


async def upgrade(settings: Settings, embedder: FakeEmbedder | None = None) -> None:
    """Upgrade the database of the settings."""
    await DataService(settings, embedder=embedder or FakeEmbedder()).upgrade()


async def test_no_model(settings: Settings, old: Path) -> None:
    embedder = FakeEmbedder()
    embedder.unavailable = True
    with pytest.raises(EmbeddingError, match="the model is not there"):
        await upgrade(settings, embedder)


async def test_no_text_can_be_embedded(settings: Settings, old: Path) -> None:
    embedder = FakeEmbedder()
    embedder.fail_on = {""}
    with pytest.raises(EmbeddingError, match="as it was"):
        await upgrade(settings, embedder)


async def test_the_lock_is_held(settings: Settings, old: Path) -> None:
    with raw_connection(old) as connection:
        connection.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreBusyError):
            await upgrade(settings.model_copy(update={"busy_timeout": 0.05}))


async def test_read_only(settings: Settings, old: Path) -> None:
    with pytest.raises(ReadOnlyError):
        async with DataService(settings, embedder=FakeEmbedder(), read_only=True):
            pass


async def test_a_backup_that_has_no_room(settings: Settings, old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(source: Path, partial: Path) -> None:
        partial.write_bytes(b"half a copy")
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(backup, "_copy", full)
        with pytest.raises(StoreError, match="No space left"):
            await upgrade(settings)


async def test_a_backup_that_is_not_the_same(settings: Settings, old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(backup, "_content_of", lambda path, thorough=False: {})
        with pytest.raises(StoreError, match="not the same"):
            await upgrade(settings)


async def test_the_disk_is_full(settings: Settings, old: Path) -> None:
    pages = value(old, "PRAGMA page_count")

    def small(bare: Any, *_: Any) -> None:
        bare.execute(f"PRAGMA max_page_count={pages + 4}")

    with _at_each_connection(small), pytest.raises(StoreError, match="full"):
        await upgrade(settings)


async def test_a_row_that_gets_lost_on_the_way(settings: Settings, old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def forgetful(writing: Any, rows: Any, **options: Any) -> None:
        await quarantine.add(writing, rows[1:], **options)

    class Forgetful:
        add = staticmethod(forgetful)

    with monkeypatch.context() as patch:
        patch.setattr(conversion, "quarantine", Forgetful)
        with pytest.raises(StoreError, match="quarantined were stored"):
            await upgrade(settings)


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("DELETE FROM tools_workload WHERE name = 'ping'", "workload tools"),
        ("DELETE FROM tools_registry WHERE name = 'pong'", "registry tools"),
        ("UPDATE mcpservers_workload SET name = 'other' WHERE name = 'own'", "workloads"),
        ("UPDATE mcpservers_registry SET identity = 'other' WHERE name = 'beta'", "registry servers"),
    ],
)
async def test_what_is_stored_is_compared_with_what_should_be(
    settings: Settings, old: Path, statement: str, what: str
) -> None:
    slipped_in = _before_statement(lambda said: "INSERT INTO quarantine" in said, statement)
    with slipped_in, pytest.raises(StoreError, match=f"{what} were stored"):
        await upgrade(settings)


async def test_an_old_table_that_changes_under_it(settings: Settings, old: Path) -> None:
    core = value(old, "SELECT name FROM sqlite_master WHERE name IN ('mcpserver', 'mcpservers_registry')")
    changed = f"UPDATE {ASIDE}{core} SET name = 'changed'"
    slipped_in = _before_statement(lambda said: "INSERT INTO quarantine" in said, changed)
    with slipped_in, pytest.raises(StoreError, match="old tables"):
        await upgrade(settings)


async def test_any_statement_that_fails(settings: Settings, old: Path) -> None:
    before = old.read_bytes()
    numbers = [0, 1, 2, *random.Random(7).sample(range(3, 90), 9)]
    failed = 0
    for number in numbers:
        with _failing_at(number):
            try:
                await upgrade(settings)
            except StoreError:
                failed += 1
            else:
                old.write_bytes(before)  # it has fewer statements
                for path in old.parent.glob(f"{old.name}-*"):
                    path.unlink()
        assert old.read_bytes() == before, f"statement {number}"
    assert failed > len(numbers) // 2


async def test_a_newer_revision_is_refused(settings: Settings, database_path: Path) -> None:
    await upgrade(settings)
    with raw_connection(database_path) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    before = database_path.read_bytes()
    for dry_run in (True, False):
        with pytest.raises(StoreError, match="newer"):
            await DataService(settings, embedder=FakeEmbedder()).upgrade(dry_run=dry_run)
        assert value(database_path, "SELECT version_num FROM alembic_version") == "9999"
    assert len(list(database_path.parent.glob("*.before-*"))) == 0
    assert len(database_path.read_bytes()) == len(before)


async def test_two_at_once_upgrade_once(settings: Settings, database_path: Path) -> None:
    older.make(database_path, "split", older.split_rows())
    reports = await asyncio.gather(*(DataService(settings, embedder=FakeEmbedder()).upgrade() for _ in range(3)))
    assert sum(bool(report.done) for report in reports) == 1
    async with DataService(settings, embedder=FakeEmbedder()) as service:
        await assert_sound(service)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.sqlite
async def test_kills(tmp_path: Path, shape: str) -> None:
    counts = await kill_upgrades(tmp_path / "killed", shape, kills=3, seed=1)
    assert counts["old"] + counts["new"] == counts["kills"]


@contextmanager
def _at_each_connection(work: Callable[..., None]) -> Iterator[None]:
    """Do something with every connection that SQLAlchemy makes."""

    def connected(connection: Any, record: Any) -> None:
        cursor = connection.cursor()
        work(cursor)
        cursor.close()

    event.listen(Engine, "connect", connected)
    try:
        yield
    finally:
        event.remove(Engine, "connect", connected)


@contextmanager
def _before_statement(chosen: Callable[[str], bool], extra: str) -> Iterator[None]:
    """Slip a statement in before one that is chosen."""

    def about_to(connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        if chosen(statement):
            connection.exec_driver_sql(extra)

    event.listen(Engine, "before_cursor_execute", about_to)
    try:
        yield
    finally:
        event.remove(Engine, "before_cursor_execute", about_to)


@contextmanager
def _failing_at(number: int) -> Iterator[None]:
    """Fail at a statement of the writing transaction, counted from its start."""
    seen = 0

    def about_to(connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        nonlocal seen
        if statement.startswith(("SELECT", "PRAGMA", "BEGIN")):
            return
        seen += 1
        if seen > number:
            raise StoreError("this statement was made to fail")

    event.listen(Engine, "before_cursor_execute", about_to)
    try:
        yield
    finally:
        event.remove(Engine, "before_cursor_execute", about_to)
