"""Three programs at one database: one that polls its sources, one through which a person decides, one that watches.

Run as ``python -m tests.support.crowd ROLE DATABASE NUMBER``: says ``ready``, starts at the first line on its input,
says in JSON what it did or saw, and ends when it has said that number of things: states count, not seconds.
"""

import asyncio
import json
import random
import sys
from collections.abc import Awaitable, Callable
from typing import Any, Final

import structlog

from mcp_optimizer.config import Settings
from mcp_optimizer.domain.models import Catalog, WorkloadListing
from mcp_optimizer.service import DataService
from tests.support.builders import catalog, entry, listing, workload
from tests.support.embedders import FakeEmbedder
from tests.support.services import ingest

NAMES: Final = tuple(f"w{number}" for number in range(6))


def busy_world(version: int) -> tuple[Catalog, WorkloadListing]:
    """Entries and workloads whose identities stay, while all that is said of them and their tools change."""
    entries = [entry(f"s{n}", f"example.org/s{n}:1", ["ping", f"v{version}"], title=str(version)) for n in range(6)]
    seen = [
        workload(name, f"example.org/s{n}:1", ["ping", f"v{version + n}"], group=str(version))
        for n, name in enumerate(NAMES)
    ]
    return catalog(*entries), listing(*seen)


def say(**what: Any) -> None:
    """One line of JSON."""
    print(json.dumps(what), flush=True)


async def poll(service: DataService, number: int) -> None:
    """Ingest again and again, with a short pause."""
    for version in range(1, number + 1):
        await ingest(service, *busy_world(version))
        say(version=version)
        await asyncio.sleep(0.1)


async def decide(service: DataService, number: int) -> None:
    """Link and unlink again and again; what was decided must still be so at the next look."""
    rng = random.Random(20260102)
    servers = [view.name for view in await service.registry_servers()]
    decided: dict[str, str | None] = {}
    done = 0
    while done < number:
        name, server = rng.choice(NAMES), rng.choice([*servers, None, None])
        found = (await service.workload(name)).registry_server
        assert name not in decided or found == decided[name], f"{name} is at {found}, not at {decided[name]}"
        report = await (service.unlink([name]) if server is None else service.link(name, server))
        decided[name] = server
        if report.linked or report.unlinked:
            say(name=name, server=server)
            done += 1
        await asyncio.sleep(rng.uniform(0, 0.05))


async def look(service: DataService, number: int) -> None:
    """Watch as the terminal UI does: read everything at every change."""
    changes = service.watch(0.1)
    seen = 0
    while seen < number:
        for change in await anext(changes):
            if change.cause in {"linked-by-hand", "unlinked-by-hand"}:
                say(
                    name=change.name, server=change.detail.removeprefix("to ") if change.operation == "linked" else None
                )
                seen += 1
        views = await service.workloads()
        assert {view.name for view in views} == set(NAMES)
        await service.overview()
    await changes.aclose()  # ty: ignore[unresolved-attribute]


ROLES: Final[dict[str, Callable[[DataService, int], Awaitable[None]]]] = {
    "poll": poll,
    "decide": decide,
    "look": look,
}


async def main(role: str, database: str, number: int) -> None:
    """Play a role."""
    settings = Settings(db_url=database, busy_timeout=60)
    async with DataService(settings, embedder=FakeEmbedder(delay=0.001), read_only=role == "look") as service:
        print("ready", flush=True)
        sys.stdin.readline()
        await ROLES[role](service, number)


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
