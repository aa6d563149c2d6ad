"""A program that is killed, or finds the disk full or the database locked, leaves a sound database (B, S6)."""

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from mcp_optimizer.config import Settings
from mcp_optimizer.db.sqlite import driver as sqlite_driver
from mcp_optimizer.errors import StoreBusyError, StoreError
from mcp_optimizer.service import DataService
from tests.conftest import OpenService
from tests.support.database import dump, value
from tests.support.embedders import FakeEmbedder
from tests.support.places import Place
from tests.support.services import assert_sound, ingest
from tests.support.victims import Operation, assert_done, digest, do, kill_many, world

HOLDER = """
import sys
from tests.support.places import place_at
place = place_at(sys.argv[1])
with place.connection() as connection:
    connection.execute(place.take_lock)
    print("locked", flush=True)
    sys.stdin.readline()
    connection.execute("COMMIT")
    print("free", flush=True)
"""


async def test_a_killed_program_leaves_a_sound_database_and_loses_nothing(
    open_service: OpenService, database: Place, fake_embedder: FakeEmbedder
) -> None:
    service = await open_service()
    counts = await kill_many(service, database, kills=50, longest=0.2, seed=20260102)
    assert counts["acknowledged"], "not all were killed before they had done anything"
    await ingest(service, *world(1))
    before = dump(database)
    fake_embedder.forget()
    await ingest(service, *world(1))
    assert (dump(database), fake_embedder.texts) == (before, [])


@pytest.fixture
async def filled(open_service: OpenService) -> DataService:
    """A service whose store holds a version of the world in which two entries share an image."""
    service = await open_service()
    await ingest(service, *world(1))
    return service


async def operations(service: DataService) -> list[Operation]:
    """One of each kind."""
    servers = await service.registry_servers()
    (shared,) = [view for view in servers if view.duplicates]
    return [
        Operation("unlink", name="w2"),
        Operation("link", name="w3", other=shared.id),
        Operation("resolve", name=shared.identity, other=shared.duplicates[0]),
        Operation("delete workload", name="w4"),
        Operation("workloads", version=8),
        Operation("delete server", name=servers[0].id),
        Operation("registry", version=6),
        Operation("all", version=13),
    ]


async def test_a_full_disk_changes_nothing_and_says_so(
    filled: DataService, open_service: OpenService, database_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With each page more a write gets further; wherever it stops, nothing of it stays."""
    connect: Callable[..., Any] = sqlite_driver.connect
    room = 0

    def on_a_full_disk(*given: Any, **named: Any) -> Any:
        connection = connect(*given, **named)
        connection.execute(f"PRAGMA max_page_count={room}")
        return connection

    refused: Counter[str] = Counter()
    said: list[str] = []
    for operation in await operations(filled):
        await filled.close()
        room = value(database_path, "PRAGMA page_count") - value(database_path, "PRAGMA freelist_count")
        before, done = digest(database_path), False
        while not done:
            with monkeypatch.context() as patch:
                patch.setattr(sqlite_driver, "connect", on_a_full_disk)
                service = await open_service(check=False)
                try:
                    await do(service, operation)
                    done = True
                except StoreError as error:
                    said.append(str(error))
                    refused[operation.what] += 1
                    room += 1
                finally:
                    await service.close()
            assert done or digest(database_path) == before
        await filled.open()
        await assert_done(filled, operation)
        await assert_sound(filled)
    assert {"registry", "workloads", "all"} <= set(refused), "these need room"
    assert all("no room left" in message for message in said)


class Holder:
    """Another process that holds the write lock until it is told to let go."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def says(self, word: str) -> None:
        assert self._process.stdout is not None
        assert (await self._process.stdout.readline()).decode().strip() == word

    async def lets_go(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")
        await self.says("free")


@pytest.fixture
async def holder(filled: DataService, database: Place) -> AsyncIterator[Holder]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLDER, database.url, stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    holder = Holder(process)
    await holder.says("locked")
    yield holder
    assert process.stdin is not None
    process.stdin.close()
    await process.wait()


async def test_a_locked_database_can_be_read_and_refuses_every_change(
    filled: DataService, holder: Holder, open_service: OpenService, settings: Settings, database: Place
) -> None:
    impatient = await open_service(settings.model_copy(update={"busy_timeout": 0.05}))
    before = digest(database)
    for operation in await operations(impatient):
        with pytest.raises(StoreBusyError, match="is locked by"):
            await do(impatient, operation)
    assert digest(database) == before
    assert len(await impatient.workloads()) == len(await filled.workloads()) > 0
    waiting = asyncio.create_task(do(filled, Operation("unlink", name="w2")))
    await asyncio.sleep(0.2)
    assert not waiting.done(), "a patient one waits"
    await holder.lets_go()
    await waiting
    await assert_done(filled, Operation("unlink", name="w2"))
    for operation in await operations(impatient):
        await do(impatient, operation)
        await assert_done(impatient, operation)
