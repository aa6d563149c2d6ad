"""Two servers on one database; beside them a ToolHive that comes, goes and moves, workloads that hang, and clients.

One server lives throughout: its memory is what is measured. The other is killed now and then, and started again.
"""

import asyncio
import hashlib
import os
import random
import signal
import socket
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from mcp_optimizer.config import Settings
from mcp_optimizer.demo.faults import Fault
from mcp_optimizer.demo.simulator import ToolHiveSimulator
from mcp_optimizer.errors import SourceError
from mcp_optimizer.service import DataService
from tests.support.database import rows
from tests.support.server_process import ServerProcess
from tests.support.serving import client_of

_PORTS: Final = 6
_READY_SECONDS: Final = 60.0
_SETTLED_SECONDS: Final = 90.0
_QUIET_SECONDS: Final = 6.0
_AT_LEAST: Final = 20
"""Workloads that the sample has, those that are rejected apart."""
_ASKED: Final = ("make a note", "weather tomorrow", "find a file", "search issues", "send a message", "list")


@dataclass
class Told:
    """What came of a soak."""

    counts: Counter[str] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)
    """What a client must not see: any failure of the server that lives, and any search that fails."""
    megabytes: list[float] = field(default_factory=list)
    """Resident memory of the server that lives, sampled evenly."""
    before: str = ""
    after: str = ""
    """Digests of what is stored, once all was in, and at the end."""
    problems: list[str] = field(default_factory=list)
    """Of ``db check``, at the end."""

    def growth(self, since: int) -> float:
        """Memory in the last quarter against that in quarter ``since``, 0 to 2."""
        quarter = max(1, len(self.megabytes) // 4)
        return sum(self.megabytes[-quarter:]) / sum(self.megabytes[since * quarter :][:quarter])


async def soak(
    directory: Path, environment: dict[str, str], *, seconds: float, seed: int, say: Callable[[str], None]
) -> Told:
    """Let it run for so long. ``environment`` is that of the servers, ``say`` gets a line a minute."""
    told, rng, database = Told(), random.Random(seed), directory / "soak.db"
    world = _World(_free_ports(), rng)
    environment |= _polling(world.ports)
    await world.up()
    try:
        async with ServerProcess(database, environment) as lasting, ServerProcess(database, environment) as mortal:
            told.before = await _settled(database)
            stored = _workloads(database)
            over = asyncio.Event()
            jobs = [
                asyncio.create_task(_ask(lasting, world, told, over, lasts=True)),
                asyncio.create_task(_ask(lasting, world, told, over, lasts=True)),
                asyncio.create_task(_ask(mortal, world, told, over, lasts=False)),
                asyncio.create_task(world.live(told, over, seconds)),
                asyncio.create_task(_crowd(lasting, told, over, rng, seconds)),
                asyncio.create_task(_kill(mortal, told, over, rng, seconds)),
                asyncio.create_task(_watch(lasting, database, stored, told, over, seconds, say)),
            ]
            await asyncio.sleep(seconds)
            over.set()
            for ended in await asyncio.gather(*jobs, return_exceptions=True):
                if isinstance(ended, BaseException):
                    told.errors.append(f"a part of the soak ended: {ended!r}")
            await world.up()
            with suppress(TimeoutError):
                await _until(lambda: digest(database) == told.before, _SETTLED_SECONDS)
            told.after = digest(database)
    finally:
        await world.down()
    async with DataService(Settings(db_url=f"sqlite:///{database}")) as service:
        told.problems = [str(finding) for finding in (await service.check()).findings if finding.remedy]
    return told


class _World:
    """The simulated ToolHive, with the same workloads all the time, wherever it is."""

    def __init__(self, ports: list[int], rng: random.Random) -> None:
        self.ports = ports
        self._chance = rng
        self._running: ToolHiveSimulator | None = None
        template = ToolHiveSimulator().state
        self.callable = [
            (name, item.tools[0]["name"]) for name, item in template.workloads.items() if item.running and item.tools
        ]
        self.names = sorted(template.workloads)

    async def up(self) -> None:
        """All is well."""
        if self._running is None:
            self._running = await self._dispatch()
        for name in self.names:
            self._running.set_fault(f"mcp:{name}", None)

    async def _dispatch(self) -> ToolHiveSimulator:
        """A ToolHive at one of the ports; another program may have taken some of them meanwhile."""
        for port in self._chance.sample(self.ports, len(self.ports)):
            made = ToolHiveSimulator(port=port)
            with suppress(SourceError):
                await made.start()
                return made
        raise AssertionError("none of the ports is free any more")

    async def down(self) -> None:
        """ToolHive is gone."""
        if self._running is not None:
            running, self._running = self._running, None
            await running.stop()

    async def live(self, told: Told, over: asyncio.Event, seconds: float) -> None:
        """Workloads hang, ToolHive goes and comes back elsewhere."""
        while not await _passed(over, self._chance.uniform(0.02, 0.06) * min(seconds, 400)):
            if self._running is not None and self._chance.random() < 0.6:
                name = self._chance.choice(self.names)
                self._running.set_fault(f"mcp:{name}", Fault(stall=self._chance.uniform(1, 6)))
                told.counts["workloads hung"] += 1
                continue
            await self.down()
            await _passed(over, self._chance.uniform(0, 3))
            await self.up()
            told.counts["ToolHive restarted elsewhere"] += 1


def _polling(ports: list[int]) -> dict[str, str]:
    """Settings of a server that polls without rest, and looks for ToolHive at these ports."""
    return {
        "MCP_OPTIMIZER_STARTUP_POLLING_DELAY": "0.1",
        "MCP_OPTIMIZER_WORKLOAD_POLLING_INTERVAL": "2",
        "MCP_OPTIMIZER_REGISTRY_POLLING_INTERVAL": "5",
        "MCP_OPTIMIZER_TOOLHIVE_START_PORT_SCAN": str(min(ports)),
        "MCP_OPTIMIZER_TOOLHIVE_END_PORT_SCAN": str(max(ports)),
        "MCP_OPTIMIZER_TOOLHIVE_TIMEOUT": "2",
        "MCP_OPTIMIZER_TOOLHIVE_MAX_BACKOFF": "2",
        "MCP_OPTIMIZER_MCP_TIMEOUT": "2",
        "MCP_OPTIMIZER_LOG_LEVEL": "error",
    }


async def _ask(server: ServerProcess, world: _World, told: Told, over: asyncio.Event, *, lasts: bool) -> None:
    """A client that searches and calls without end, and connects again when its server was killed."""
    while not over.is_set():
        try:
            async with client_of(server.url) as client:
                while not await _passed(over, 0.05):
                    await _ask_once(client, world, told)
        except Exception as error:  # a client sees a server's death as any error there is
            told.counts["connections lost"] += 1
            if lasts:
                told.errors.append(f"the server that lives: {error!r}")
            await _passed(over, 0.2)


async def _ask_once(client: Any, world: _World, told: Told) -> None:
    number = told.counts.total()
    if number % 3:
        asked = {"tool_description": f"{_ASKED[number % len(_ASKED)]} {number}", "tool_keywords": ""}
        found = await client.call_tool("find_tool", asked)
        if found.is_error:
            told.errors.append(f"find_tool: {found.content}")
        told.counts["searches" if found.structured_content["tools"] else "searches while no workload answered"] += 1
        return
    server, tool = world.callable[number % len(world.callable)]
    called = await client.call_tool("call_tool", {"server_name": server, "tool_name": tool, "parameters": {}})
    told.counts["calls refused or failed, and told so" if called.is_error else "calls answered"] += 1


async def _crowd(server: ServerProcess, told: Told, over: asyncio.Event, rng: random.Random, seconds: float) -> None:
    """Many who search at once, so that processes are started to search in; one of these is killed now and then."""
    async with client_of(server.url) as client:
        while not await _passed(over, rng.uniform(0.02, 0.05) * min(seconds, 200)):
            if (children := server.children()) and rng.random() < 0.3:
                os.kill(rng.choice(children), signal.SIGKILL)
                told.counts["searching processes killed"] += 1
            asked = [{"tool_description": f"{word} {rng.random()}", "tool_keywords": ""} for word in _ASKED]
            answers = await asyncio.gather(*(client.call_tool("find_tool", one) for one in 3 * asked))
            told.counts["searches of a crowd"] += len(answers)
            told.errors += [f"find_tool in a crowd: {answer.content}" for answer in answers if answer.is_error]


async def _kill(server: ServerProcess, told: Told, over: asyncio.Event, rng: random.Random, seconds: float) -> None:
    while not await _passed(over, rng.uniform(0.15, 0.3) * min(seconds, 200)):
        await server.end(signal.SIGKILL)
        told.counts["servers killed"] += 1
        await server.start()


async def _watch(
    server: ServerProcess,
    database: Path,
    stored: set[str],
    told: Told,
    over: asyncio.Event,
    seconds: float,
    say: Callable[[str], None],
) -> None:
    """Measure, and see that no workload is ever missing."""
    begun = said = time.monotonic()
    while not await _passed(over, min(5.0, seconds / 40)):
        told.megabytes.append(_memory(server.pid))
        missing = stored - _workloads(database)
        if missing:
            told.errors.append(f"lost: {sorted(missing)}")
        if time.monotonic() - said >= 60:
            said = time.monotonic()
            say(f"{(said - begun) / 60:4.0f} min  {told.megabytes[-1]:6.0f} MB  {told.counts['searches']} searches")


async def _settled(database: Path) -> str:
    """The digest, once all is in: it stays the same for some polls."""
    seen, since = "", time.monotonic()
    async with asyncio.timeout(_SETTLED_SECONDS):
        while time.monotonic() - since < _QUIET_SECONDS or len(_workloads(database)) < _AT_LEAST:
            await asyncio.sleep(0.2)
            if (now := digest(database)) != seen:
                seen, since = now, time.monotonic()
    return seen


def digest(database: Path) -> str:
    """What must not get lost, as one short text: workloads, what they inherit from, their tools, the catalog."""
    stored = [
        rows(database, query)
        for query in (
            "SELECT name, identity, registry_server_name FROM mcpservers_workload ORDER BY name",
            "SELECT w.name, t.name, t.details, t.text_hash FROM tools_workload t "
            "JOIN mcpservers_workload w ON w.id = t.server_id ORDER BY w.name, t.name",
            "SELECT id, name, identity FROM mcpservers_registry ORDER BY name",
        )
    ]
    return hashlib.sha256(repr(stored).encode()).hexdigest()[:16]


def _workloads(database: Path) -> set[str]:
    return {name for (name,) in rows(database, "SELECT name FROM mcpservers_workload")}


def _memory(pid: int) -> float:
    """Resident memory, in MB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _free_ports() -> list[int]:
    """Neighbouring ports that nobody listens at."""
    for first in range(52_000, 60_000, 50):
        with suppress(OSError):
            for port in range(first, first + _PORTS):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
            return list(range(first, first + _PORTS))
    raise AssertionError("no free ports")


async def _passed(over: asyncio.Event, seconds: float) -> bool:
    """Wait; whether it is over."""
    with suppress(TimeoutError):
        await asyncio.wait_for(over.wait(), seconds)
    return over.is_set()


async def _until(holds: Callable[[], bool], seconds: float) -> None:
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 (another process decides)
            await asyncio.sleep(0.2)
