"""Several processes on one file: locks, states, what is seen, what is cancelled, what does not fit (S6)."""

import asyncio
import os
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import text

from mcp_optimizer.config import Settings
from mcp_optimizer.db.database import Database
from mcp_optimizer.domain.views import SearchQuery
from mcp_optimizer.errors import StoreBusyError, StoreError, TooSlowError
from mcp_optimizer.read_model import change_feed as watching
from mcp_optimizer.service import DataService
from tests.conftest import OpenService
from tests.support.builders import catalog, entry, listing, workload
from tests.support.database import damage, dump, sizes, value
from tests.support.embedders import FakeEmbedder
from tests.support.places import Place, SqlitePlace
from tests.support.services import assert_sound, ingest

ENDLESS = text("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT COUNT(*) FROM n")


INGEST = """
    import asyncio, sys
    from mcp_optimizer.config import Settings
    from mcp_optimizer.service import DataService
    from tests.support.builders import catalog, entry
    from tests.support.embedders import FakeEmbedder
    from tests.support.services import ingest

    async def main():
        settings = Settings(db_url=sys.argv[1])
        async with DataService(settings, embedder=FakeEmbedder()) as service:
            await ingest(service, catalog(entry("from-elsewhere", "example.org/elsewhere:1", ["ping"])))

    asyncio.run(main())
"""


@asynccontextmanager
async def program(source: str, place: Place) -> AsyncIterator[asyncio.subprocess.Process]:
    """A Python program in another process, ended with the block if it has not ended by itself."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", textwrap.dedent(source), place.url,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[3],
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.stdin is not None:
            process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), 20)
        except TimeoutError:
            process.kill()
            await process.wait()


@contextmanager
def lock_held_elsewhere(place: Place) -> Iterator[None]:
    """Somebody who is not this program holds the write lock."""
    with place.connection() as connection:
        connection.execute(place.take_lock)
        yield


@pytest.fixture
def impatient(settings: Settings) -> Settings:
    """Settings that wait for another writer only for a moment."""
    return settings.model_copy(update={"busy_timeout": 0.2})


async def test_another_writer_is_a_readable_error(
    open_service: OpenService, impatient: Settings, database: Place
) -> None:
    service = await open_service(impatient)
    await ingest(service, catalog(entry("alpha", "example.org/alpha:1", ["ping"])))
    before = dump(database)
    with lock_held_elsewhere(database):
        with pytest.raises(StoreBusyError) as caught:
            await ingest(service, catalog(entry("beta", "example.org/beta:1", ["pong"])))
        assert [view.name for view in await service.registry_servers()] == ["alpha"], "readers are not kept waiting"
    assert "is locked by another program" in caught.value.message
    assert database.label in caught.value.message
    assert caught.value.remedy
    assert dump(database) == before
    await ingest(service, catalog(entry("beta", "example.org/beta:1", ["pong"])))
    assert [view.name for view in await service.registry_servers()] == ["beta"]


async def test_opening_needs_no_lock(open_service: OpenService, settings: Settings, database: Place) -> None:
    await open_service()
    with lock_held_elsewhere(database):
        second = await open_service(settings.model_copy(update={"busy_timeout": 0.1}), check=False)
        assert await second.registry_servers() == []


async def test_a_writer_cancelled_while_it_waits_leaves_no_lock(
    open_service: OpenService, settings: Settings, database: Place
) -> None:
    service = await open_service(settings.model_copy(update={"busy_timeout": 1.0}))
    with lock_held_elsewhere(database):
        waiting = asyncio.create_task(service.reindex())
        await asyncio.sleep(0.2)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    damage(database, "CREATE TABLE free_again (a TEXT)")
    damage(database, "DROP TABLE free_again")
    await service.reindex()


async def test_s4_another_process_s_changes_are_seen(service: DataService, database: Place) -> None:
    seen = aiter(service.watch(interval=0.05))
    waiting = asyncio.ensure_future(anext(seen))
    await asyncio.sleep(0.2)
    async with program(INGEST, database) as process:
        changes = await asyncio.wait_for(waiting, 60)
        noticed = time.monotonic()
        await process.wait()
    assert time.monotonic() - noticed < 5, "seen when it was committed, not when the process ended"
    assert process.returncode == 0
    assert ("registry", "from-elsewhere", "added") in {(c.entity, c.name, c.operation) for c in changes}
    assert [view.name for view in await service.registry_servers()] == ["from-elsewhere"]
    await seen.aclose()


async def test_s4_a_change_is_seen_within_a_second(open_service: OpenService) -> None:
    watching, writing = await open_service(), await open_service()
    seen = aiter(watching.watch())
    waiting = asyncio.ensure_future(anext(seen))
    await asyncio.sleep(0.2)
    await ingest(writing, catalog(entry("alpha", "example.org/alpha:1")))
    changes = await asyncio.wait_for(waiting, 1.0)
    assert [change.operation for change in changes if change.entity == "registry"] == ["added"]
    await seen.aclose()


async def test_watching_misses_nothing_in_a_flood(service: DataService, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "_BATCH", 7)
    seen = aiter(service.watch(interval=0.01))
    first = asyncio.ensure_future(anext(seen))
    await asyncio.sleep(0.1)
    names = [f"server-{number}" for number in range(50)]
    await ingest(service, catalog(*(entry(name, f"example.org/{name}:1") for name in names)))
    changes = await first
    assert len(changes) == 7
    while len(changes) <= len(names):
        changes += await asyncio.wait_for(anext(seen), 5)
    assert [change.sequence for change in changes] == sorted(change.sequence for change in changes)
    assert {change.name for change in changes if change.entity == "registry"} == set(names)
    await seen.aclose()


async def test_a_read_transaction_sees_one_state(service: DataService, database: Place) -> None:
    count = text("SELECT COUNT(*) FROM mcpservers_registry")
    async with service.store.database.reading() as connection:
        assert (await connection.execute(count)).scalar_one() == 0
        await ingest(service, catalog(entry("alpha", "example.org/alpha:1")))
        assert (await connection.execute(count)).scalar_one() == 0
    assert sizes(database, "mcpservers_registry") == {"mcpservers_registry": 1}


async def test_a_read_transaction_can_t_write(service: DataService) -> None:
    with pytest.raises(StoreError):
        async with service.store.database.reading() as connection:
            await connection.execute(text("DELETE FROM change_log"))


async def test_readers_take_turns(service: DataService) -> None:
    """Whoever came first reads first, however many read: under load nobody is passed over."""
    came: list[int] = []
    first = asyncio.Event()

    async def read(number: int) -> None:
        async with service.store.database.reading():
            came.append(number)
            await (first.wait() if number < 4 else asyncio.sleep(0))

    readers = [asyncio.create_task(read(number)) for number in range(30)]
    while len(came) < 4:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    late = asyncio.create_task(read(30))
    first.set()
    await asyncio.gather(*readers, late)
    assert sorted(came[:4]) == [0, 1, 2, 3]
    assert came[-1] == 30


async def test_cancelling_a_read_ends_its_query(service: DataService) -> None:
    store = service.store.database

    async def endless() -> None:
        async with store.reading() as connection:
            await connection.execute(ENDLESS)

    for _ in range(6):  # more often than there are connections: each is whole again
        running = asyncio.create_task(endless())
        await asyncio.sleep(0.1)
        started = time.monotonic()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert await service.registry_servers() == []
        assert time.monotonic() - started < 2


async def test_cancelling_a_search_ends_its_query(service: DataService, monkeypatch: pytest.MonkeyPatch) -> None:
    from mcp_optimizer.search import candidates

    await ingest(service, listing=listing(workload("one", "example.org/one", ["ping"])))
    reached = asyncio.Event()

    async def endless(connection: object, *_: object, **__: object) -> list[str]:
        reached.set()
        await connection.execute(ENDLESS)  # ty: ignore[unresolved-attribute]
        return []

    with monkeypatch.context() as patch:
        patch.setattr(candidates, "index_of", lambda _: SimpleNamespace(matching_tools=endless))
        running = asyncio.create_task(service.search(SearchQuery(text="ping")))
        await asyncio.wait_for(reached.wait(), 10)
        await asyncio.sleep(0.05)
        started = time.monotonic()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert time.monotonic() - started < 2
    assert [hit.tool for hit in await service.search(SearchQuery(text="ping"))] == ["ping"]


async def test_a_search_that_takes_too_long_is_ended_and_says_so(
    service: DataService, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mcp_optimizer.search import candidates

    await ingest(service, listing=listing(workload("one", "example.org/one", ["ping"])))

    async def endless(connection: object, *_: object, **__: object) -> list[str]:
        await connection.execute(ENDLESS)  # ty: ignore[unresolved-attribute]
        return []

    query = SearchQuery(text="ping")
    await service.search(query)
    with monkeypatch.context() as patch:
        patch.setattr(candidates, "index_of", lambda _: SimpleNamespace(matching_tools=endless))
        patch.setattr(service, "settings", service.settings.model_copy(update={"search_timeout": 0.2}))
        started = time.monotonic()
        with pytest.raises(TooSlowError, match=r"longer than 0\.2 s"):
            await service.search(query)
        assert time.monotonic() - started < 2
    assert [hit.tool for hit in await service.search(query)] == ["ping"]


async def test_a_full_disk_loses_nothing(
    service: DataService, database_path: Path, fake_embedder: FakeEmbedder
) -> None:
    await ingest(service, catalog(entry("alpha", "example.org/alpha:1", ["ping"])), listing(workload("one", "a/one")))
    before = dump(database_path)
    before.pop("embedding_cache")
    many = catalog(*(entry(f"n{number}", f"example.org/n{number}", ["x" * 900]) for number in range(200)))
    async with service.store.database.writing() as connection:
        pages = (await connection.execute(text("PRAGMA page_count"))).scalar_one()
        await connection.execute(text(f"PRAGMA max_page_count={pages + 2}"))
    with pytest.raises(StoreError, match="no room left") as caught:
        await ingest(service, many)
    assert str(database_path) in caught.value.message
    assert caught.value.remedy
    after = dump(database_path)
    after.pop("embedding_cache")
    assert after == before
    await assert_sound(service)
    async with service.store.database.writing() as connection:
        await connection.execute(text("PRAGMA max_page_count=1000000"))
    await ingest(service, many)
    assert len(await service.registry_servers()) == 200


@pytest.mark.parametrize("content", [b"this is no database" * 100, b"SQLite format 3\0" + b"\xff" * 5000])
async def test_a_file_that_is_no_database_is_refused_as_it_is(
    settings: Settings, database_path: Path, fake_embedder: FakeEmbedder, content: bytes
) -> None:
    database_path.parent.mkdir()
    database_path.write_bytes(content)
    with pytest.raises(StoreError, match="not a sound SQLite database") as caught:
        async with DataService(settings, embedder=fake_embedder):
            pass
    assert caught.value.remedy
    assert database_path.read_bytes() == content


@pytest.mark.sqlite
async def test_a_directory_that_can_t_be_written_is_a_readable_error(settings: Settings, tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("")
    with pytest.raises(StoreError, match="can't open the database"):
        async with DataService(settings.model_copy(update={"db_url": f"sqlite:///{blocker}/store.db"})):
            pass


async def test_a_store_that_is_not_open_says_so(settings: Settings) -> None:
    closed = Database(settings.database_url())
    with pytest.raises(StoreError, match="not open"):
        async with closed.reading():
            pass


async def test_two_services_make_one_database_at_once(open_service: OpenService, database: Place) -> None:
    await asyncio.gather(*(open_service(fresh=True) for _ in range(4)))
    assert value(database, "SELECT COUNT(*) FROM embedding_model") == 1


async def test_who_holds_the_lock_is_said(
    service: DataService, settings: Settings, open_service: OpenService, database: Place
) -> None:
    """A process that gives up waiting learns for which one it waited."""
    impatient = await open_service(settings.model_copy(update={"busy_timeout": 0.1}))
    async with service.store.database.writing():
        with pytest.raises(
            StoreBusyError,
            match=rf"process {os.getpid()}( at .+)?, which has been writing for \d+ s; gave up after 0.1 s",
        ):
            await impatient.reindex()
    await impatient.reindex()
    if isinstance(database, SqlitePlace):
        assert not list(database.path.parent.glob("*-writer"))
