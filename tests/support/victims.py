"""Programs that change a database without end until they are killed, and what must then be true of it.

For every line on its input (a seed) this module, run as a program, lets a copy of itself loose: copies need no time to
start. A victim says on its output what it is about to do, and the digest of the whole database when that is done.
"""

import asyncio
import hashlib
import json
import os
import random
import signal
import sys
import time
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from mcp_optimizer.config import Settings
from mcp_optimizer.domain.models import Catalog, Relation, WorkloadListing
from mcp_optimizer.service import DataService
from tests.support.builders import catalog, entry, listing, workload
from tests.support.database import dump
from tests.support.embedders import FakeEmbedder
from tests.support.places import Place, PostgresPlace, place_at
from tests.support.services import assert_sound, ingest

SERVERS = 7


class Operation(NamedTuple):
    """Something done in one transaction: to a version of the world, or to something that is stored."""

    what: str
    version: int = 0
    name: str = ""
    other: str = ""


def world(version: int) -> tuple[Catalog, WorkloadListing]:
    """A catalog and a listing of which much differs from version to version; on every second, two share an image."""
    numbers = range(version % 3, SERVERS)
    entries = [
        entry(f"s{n}-{version // 4}", f"example.org/s{n}:{1 + (n + version) % 7 // 6}", ["ping", f"v{version}"])
        for n in numbers
    ]
    if version % 2:
        entries.append(entry("fork", entries[-1].identity.raw, ["ping"]))
    seen = [workload(f"w{n}", f"example.org/s{n}:1", ["ping", f"v{version}"]) for n in range(version % 2, SERVERS)]
    return catalog(*entries), listing(*seen)


def digest(place: Place | Path) -> str:
    """Everything stored but the log of runs, and the memory of embeddings, as one short text."""
    stored = dump(place)
    del stored["embedding_cache"]
    return hashlib.sha256(repr(stored).encode()).hexdigest()[:16]


async def choose(service: DataService, rng: random.Random) -> Operation:
    """What to do next."""
    servers = await service.registry_servers()
    views = [view for view in await service.workloads() if view.id]
    shared = [view for view in servers if view.duplicates]
    what = rng.choice(["registry", "workloads", "all", "all", "rematch", "link", "link", "unlink", "resolve",
                          "delete server", "delete workload"])  # fmt: skip
    if what == "resolve" and shared:
        row = rng.choice(shared)
        return Operation(what, name=row.identity, other=rng.choice(row.duplicates))
    if what == "delete server" and servers:
        return Operation(what, name=rng.choice(servers).id)
    if what in {"rematch", "unlink", "delete workload"} and views:
        return Operation(what, name=rng.choice(views).name)
    if what == "link" and views and servers:
        return Operation(what, name=rng.choice(views).name, other=rng.choice(servers).id)
    return Operation(what if what in {"workloads", "all"} else "registry", version=rng.randrange(24))


async def do(service: DataService, operation: Operation) -> None:
    """Do it. What is done already may be done again."""
    catalog_now, listing_now = world(operation.version)
    name, other = operation.name, operation.other
    match operation.what:
        case "registry":
            await ingest(service, catalog_now)
        case "workloads":
            await ingest(service, listing=listing_now)
        case "all":
            await ingest(service, catalog_now, listing_now)
        case "rematch":
            await service.rematch([name])
        case "link":
            await service.link(name, other)
        case "unlink":
            await service.unlink([name])
        case "resolve":
            await service.resolve(name, other)
        case "delete server" if name in {view.id for view in await service.registry_servers()}:
            await service.delete_registry_servers([name])
        case "delete workload" if name in {view.name for view in await service.workloads()}:
            await service.delete_workloads([name])


async def assert_done(service: DataService, operation: Operation) -> None:
    """All of it is there."""
    catalog_now, listing_now = world(operation.version)
    servers = {view.id: view for view in await service.registry_servers()}
    views = {view.name: view for view in await service.workloads()}
    name, other = operation.name, operation.other
    match operation.what:
        case "registry":
            assert {item.identity.raw for item in catalog_now.entries} <= {view.identity for view in servers.values()}
        case "workloads":
            assert set(views) == {item.name for item in listing_now.workloads}
        case "all":
            assert {item.identity.raw for item in catalog_now.entries} <= {view.identity for view in servers.values()}
            assert set(views) == {item.name for item in listing_now.workloads}
        case "rematch":
            assert views[name].linkable_to is None
        case "link":
            assert views[name].registry_server == servers[other].name
        case "unlink":
            assert views[name].relation is not Relation.LINKED
        case "resolve":
            assert (await service.registry_server(name)).name == other
        case "delete server":
            assert name not in servers
        case "delete workload":
            assert name not in views


def say(line: str) -> None:
    """A line in one piece: whoever is killed has said all of it, or nothing."""
    os.write(sys.stdout.fileno(), f"{line}\n".encode())


async def live(place: Place, seed: int) -> None:
    """A victim's life."""
    rng = random.Random(seed)
    async with DataService(Settings(db_url=place.url), embedder=FakeEmbedder(delay=0.001)) as service:
        say(f"done {digest(place)}")
        while True:
            operation = await choose(service, rng)
            say(f"begin {json.dumps(operation)}")
            await do(service, operation)
            say(f"done {digest(place)}")


class Victims:
    """Lets victims loose, one after the other, and kills them."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def kill_one_after(self, seed: int, seconds: float) -> list[str]:
        """Start one, and kill it ``seconds`` after it has opened the database; what it said."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{seed}\n".encode())
        victim = int(await self._line())
        said = [await self._line()]
        await asyncio.sleep(seconds)
        return await self._killed(victim, said)

    async def kill_one_at(self, seed: int, last: str) -> list[str]:
        """Start one, and kill it when it has said ``last``; what it said."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{seed}\n".encode())
        victim = int(await self._line())
        said = [await self._line()]
        while said[-1] != last:
            said.append(await self._line())
            assert not said[-1].startswith("ended"), f"it ended before it said {last}"
        return await self._killed(victim, said)

    async def _killed(self, victim: int, said: list[str]) -> list[str]:
        os.kill(victim, signal.SIGKILL)
        while not (line := await self._line()).startswith("ended"):
            said.append(line)
        assert line == f"ended by {int(signal.SIGKILL)}", "it ran until it was killed"
        return said

    async def _line(self) -> str:
        assert self._process.stdout is not None
        return (await asyncio.wait_for(self._process.stdout.readline(), 90)).decode().strip()


@asynccontextmanager
async def victims(place: Place, module: str = "tests.support.victims", *more: str) -> AsyncGenerator[Victims]:
    """Victims on a database, that live as ``module`` says; it gets ``more`` arguments. None outlives this."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, place.url, *more, start_new_session=True,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    try:
        yield Victims(process)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


async def kill_many(service: DataService, place: Place, *, kills: int, longest: float, seed: int) -> dict[str, int]:
    """Kill victims at random moments: nothing they said was done is lost, and nothing is done by half.

    How many were killed in the middle of what.
    """
    rng = random.Random(seed)
    midway: dict[str, int] = {}
    acknowledged = 0
    async with victims(place) as loose:
        for number in range(kills):
            said = await loose.kill_one_after(seed * 1_000_000 + number, rng.uniform(0, longest))
            done = [line.split(" ", 1)[1] for line in said if line.startswith("done ")]
            acknowledged += len(done) - 1
            now = digest(place)
            await assert_sound(service)
            if said[-1].startswith("begin "):
                operation = Operation(*json.loads(said[-1].removeprefix("begin ")))
                midway[operation.what] = midway.get(operation.what, 0) + 1
                if now != done[-1]:
                    await assert_done(service, operation)
                await do(service, operation)
                await assert_done(service, operation)
            else:
                assert now == done[-1], "what was acknowledged is lost"
    return {**midway, "kills": kills, "acknowledged": acknowledged}


def wait_for_nobody(place: Place) -> None:
    """A server notices that a program is gone a little later, and may commit until then."""
    if not isinstance(place, PostgresPlace):
        return
    with place.connection() as connection:
        query = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = ? AND pid <> pg_backend_pid()"
        for _ in range(500):
            ((others,),) = connection.execute(query, (place.name,)).fetchall()
            if not others:
                return
            time.sleep(0.01)
    raise AssertionError("the server still serves a program that was killed")


def let_loose(life: Callable[[Place, int], Coroutine[Any, Any, None]]) -> None:
    """Let a victim loose for every seed that is read; say its process id first, and at its end how it died."""
    for line in sys.stdin:
        victim = os.fork()
        if victim == 0:
            say(str(os.getpid()))
            asyncio.run(life(place_at(sys.argv[1]), int(line)))
            os._exit(0)
        say(f"ended by {os.WTERMSIG(os.waitpid(victim, 0)[1])}")


if __name__ == "__main__":
    let_loose(live)
