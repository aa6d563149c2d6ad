"""A program that is killed leaves a sound database, and the next ingestion completes."""

import asyncio
import os
import random
import signal
import sys
import textwrap
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from mcp_optimizer.domain.models import Catalog, WorkloadListing
from tests.conftest import OpenService
from tests.support.builders import catalog, entry, listing, workload
from tests.support.embedders import FakeEmbedder
from tests.support.services import assert_sound, ingest

VICTIMS = """
    import asyncio, os, sys
    from mcp_optimizer.config import Settings
    from mcp_optimizer.service import DataService
    from tests.integration.test_kill import world
    from tests.support.embedders import FakeEmbedder
    from tests.support.services import ingest

    async def main():
        settings = Settings(db_url=f"sqlite:///{sys.argv[1]}")
        async with DataService(settings, embedder=FakeEmbedder(delay=0.002)) as service:
            print(os.getpid(), flush=True)
            for version in range(1000):
                await ingest(service, *world(version))

    for _ in sys.stdin:
        victim = os.fork()
        if victim == 0:
            asyncio.run(main())
            os._exit(0)
        print(os.WTERMSIG(os.waitpid(victim, 0)[1]), flush=True)
"""
"""A process that, for every line it reads, lets a copy of itself ingest without end: copies need no time to start."""

KILLS = 12
SEED = 20260102


def world(version: int) -> tuple[Catalog, WorkloadListing]:
    """A catalog and a listing of which much is different in each version: added, renamed, re-tagged, removed."""
    names = [f"server-{number}" for number in range(version % 5, 20)]
    entries = [entry(f"{name}-{version // 3}", f"example.org/{name}:1", ["ping", f"v{version}"]) for name in names]
    seen = [workload(f"w-{name}", f"example.org/{name}:1", ["ping", f"v{version}"]) for name in names[version % 3 :]]
    return catalog(*entries), listing(*seen)


class Victims:
    """Programs that ingest without end until they are killed."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def kill_one_after(self, seconds: float) -> None:
        """Start one, and kill it ``seconds`` after it has opened the database."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"another\n")
        victim = int(await self._line())
        await asyncio.sleep(seconds)
        os.kill(victim, signal.SIGKILL)
        assert int(await self._line()) == signal.SIGKILL, "it ran until it was killed"

    async def _line(self) -> bytes:
        assert self._process.stdout is not None
        return await asyncio.wait_for(self._process.stdout.readline(), 30)


@pytest.fixture
async def victims(database_path: Path) -> AsyncIterator[Victims]:
    """Victims on the test's database; none outlives the test."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", textwrap.dedent(VICTIMS), str(database_path), start_new_session=True,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    yield Victims(process)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


async def test_a_killed_program_leaves_a_sound_database(
    open_service: OpenService, victims: Victims, fake_embedder: FakeEmbedder
) -> None:
    moments = random.Random(SEED)
    service = await open_service()
    for _ in range(KILLS):
        await victims.kill_one_after(moments.uniform(0, 0.3))
        await assert_sound(service)
    catalog_now, listing_now = world(0)
    await ingest(service, catalog_now, listing_now)
    assert {view.name for view in await service.registry_servers()} == {item.name for item in catalog_now.entries}
    assert {view.name for view in await service.workloads()} == {item.name for item in listing_now.workloads}
    assert all(tool.embedded for tool in (await service.workload("w-server-7")).tool_list)
    fake_embedder.forget()
    await ingest(service, catalog_now, listing_now)
    assert fake_embedder.texts == []
