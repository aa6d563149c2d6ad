"""Several processes at one database: nobody is turned away, nothing is lost, everybody sees the others' changes."""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections import defaultdict
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from tests.conftest import OpenService
from tests.support.crowd import NAMES, busy_world
from tests.support.places import Place
from tests.support.services import assert_sound, ingest, workloads_by_name

INGESTIONS, DECISIONS = 8, 25
"""How many each of them does: states are waited for, not seconds, as the machine may be busy."""


@asynccontextmanager
async def actor(role: str, database: Place, number: int) -> AsyncGenerator[Process]:
    """A process that plays a role; it does not outlive this."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.support.crowd", role, database.url, str(number), stdin=PIPE, stdout=PIPE,
        stderr=PIPE, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def ready(process: Process) -> None:
    """It has opened the database."""
    assert process.stdout is not None
    assert await asyncio.wait_for(process.stdout.readline(), 90) == b"ready\n"


async def ended(process: Process) -> list[dict[str, Any]]:
    """What it said, when it has ended without an error."""
    said, complaints = await asyncio.wait_for(process.communicate(b"go\n"), 90)
    assert process.returncode == 0, complaints.decode()
    return [json.loads(line) for line in said.splitlines()]


async def test_three_processes_at_one_database(open_service: OpenService, database: Place) -> None:
    service = await open_service()
    await ingest(service, *busy_world(0))
    async with (
        actor("look", database, DECISIONS) as looks,
        actor("poll", database, INGESTIONS) as polls,
        actor("decide", database, DECISIONS) as decides,
    ):
        crowd = (looks, polls, decides)
        await asyncio.gather(*map(ready, crowd))
        seen, polled, decided = await asyncio.gather(*map(ended, crowd))
    assert (len(polled), len(decided)) == (INGESTIONS, DECISIONS)

    shown: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for item in seen:
        shown[item["name"]].append(item)
    for name in NAMES:
        mine = [item for item in decided if item["name"] == name]
        assert [item["server"] for item in shown[name]] == [item["server"] for item in mine], "none missed, in order"

    found = await workloads_by_name(service)
    last = {item["name"]: item["server"] for item in decided}
    assert {name: found[name].registry_server for name in last} == last, "no decision is lost"
    version = polled[-1]["version"]
    assert {view.group for view in found.values()} == {str(version)}, "no ingestion is lost"
    assert {tool.name for tool in found["w2"].tool_list} == {"ping", f"v{version + 2}"}
    assert {view.title for view in await service.registry_servers()} == {str(version)}
    await assert_sound(service)
