"""The MCP server under load: 50 clients, find_tool 200 times a second, at rest and beside an ingestion.

The server and the load are processes of their own, on the same processors.
"""

import asyncio
import json
import os
import re
import signal
import sys
import tempfile
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx2

from bench.data import catalog, listing
from bench.report import Figures
from bench.serve_load import CLIENTS, RATE, Load, from_another_process
from mcp_optimizer.config import Settings
from mcp_optimizer.domain.models import ObservedWorkload
from mcp_optimizer.domain.reports import IngestPart
from mcp_optimizer.service import DataService

SECONDS: Final = 60.0
REST_SECONDS: Final = 15.0
MOST_SECONDS: Final = 10.0
SERVERS: Final = 1000
TOOLS: Final = 10
"""Tools of each server that is ingested beside the load."""
_STORED: Final = 100
_WARM_SECONDS: Final = 6.0
_STARTS: Final = 12.0
"""Seconds after which the server begins to ingest: the load is there then."""
_INGESTED: Final = re.compile(r'^mcp_optimizer_ingestion_seconds\{part="workloads"\} ([0-9.]+)', re.MULTILINE)


def snapshot(path: Path, workloads: tuple[ObservedWorkload, ...]) -> None:
    """A snapshot file of these workloads."""
    items = [
        {
            "name": item.name,
            **_identity(item),
            "url": item.endpoint,
            "status": "running",
            "group": item.group,
            "tool_definitions": [tool.details for tool in item.tools or ()],
        }
        for item in workloads
    ]
    path.write_text(json.dumps({"format": "mcp-optimizer-snapshot/1", "registry": {"servers": {}}, "workloads": items}))


def _identity(item: ObservedWorkload) -> dict[str, Any]:
    assert item.identity is not None
    if item.identity.kind == "container":
        return {"package": item.identity.raw}
    return {"package": "remote", "remote": True, "remote_url": item.identity.raw}


@asynccontextmanager
async def serving(directory: Path, source: Path, *, delay: float, **settings: str) -> AsyncGenerator[tuple[str, int]]:
    """The URL and process id of a server in a process of its own, which polls ``source`` after ``delay`` seconds."""
    environment = {
        **os.environ,
        **{f"MCP_OPTIMIZER_{name.upper()}": value for name, value in settings.items()},
        "MCP_OPTIMIZER_STARTUP_POLLING_DELAY": str(delay),
        "MCP_OPTIMIZER_LOG_LEVEL": "warning",
    }
    database = f"sqlite:///{directory / 'serve.db'}"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "mcp_optimizer", "--db", database, "serve", "--port", "0", "--from", str(source),
        env=environment, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr is not None
    try:
        while True:
            line = (await process.stderr.readline()).decode()
            if not line:
                raise RuntimeError("the server ended before it was ready")
            if "serving MCP at " in line:
                break
            sys.stderr.write(line)
        reading = asyncio.create_task(_pass_on(process.stderr))
        yield line.rpartition("serving MCP at ")[2].strip(), process.pid
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(process.wait(), 30)
    await reading


async def _pass_on(stream: asyncio.StreamReader) -> None:
    while line := await stream.readline():
        sys.stderr.write(line.decode(errors="replace"))


def family_of(pid: int) -> list[int]:
    """A process and those that it started."""
    children = Path(f"/proc/{pid}/task").glob("*/children")
    return [pid, *(int(child) for path in children for child in path.read_text().split())]


def memory_of(pid: int) -> float:
    """Resident memory of a process and of those that it started, in MB."""
    pages = sum(int(Path(f"/proc/{one}/statm").read_text().split()[1]) for one in family_of(pid))
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def cpu_of(pid: int) -> float:
    """Processor seconds that a process and those that it started have had, their threads together."""
    fields = [Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split() for one in family_of(pid)]
    return sum(int(one[11]) + int(one[12]) for one in fields) / os.sysconf("SC_CLK_TCK")


async def measure(figures: Figures, seconds: float = SECONDS) -> None:
    """At rest, then beside an ingestion of 1,000 servers."""
    figures.head(f"find_tool, {CLIENTS} clients, {RATE:g} calls a second, {SERVERS} servers ingested beside it")
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary)
        few, many = directory / "few.json", directory / "many.json"
        snapshot(few, tuple(listing(catalog(_STORED, TOOLS), _STORED, TOOLS).workloads))
        snapshot(many, tuple(listing(catalog(SERVERS, TOOLS), SERVERS, TOOLS).workloads))
        async with DataService(Settings(db_url=f"sqlite:///{directory / 'serve.db'}")) as service:
            await service.ingest(IngestPart.WORKLOADS, [str(few)])
        async with serving(directory, few, delay=0, search_processes="0") as (url, pid):
            await _ingested(url)
            await _warm(url)
            await _loaded(figures, "as many as one process answers", url, pid, "most", MOST_SECONDS)
        async with serving(directory, few, delay=0) as (url, pid):
            await _ingested(url)
            await _warm(url)
            await _loaded(figures, "as many as are answered", url, pid, "most", MOST_SECONDS)
            await _loaded(figures, "as many as are answered, by sessions", url, pid, "most-sessions", MOST_SECONDS)
            rest = await _loaded(figures, "offered, at rest", url, pid, "offered", REST_SECONDS)
        async with serving(directory, many, delay=_STARTS) as (url, pid):
            await _warm(url)
            beside = await _loaded(figures, "offered, beside the ingestion", url, pid, "offered", seconds)
            took = await _ingested(url)
            figures.say(f"the ingestion of {SERVERS} servers beside it", took, "s")
            figures.say("memory of the server", memory_of(pid), "MB", most=1024)
            await _loaded(figures, f"offered, {SERVERS} servers stored", url, pid, "offered", REST_SECONDS)
        figures.say(
            "p99 beside the ingestion against p99 at rest", beside.percentile(0.99) / rest.percentile(0.99), "x"
        )
        async with DataService(Settings(db_url=f"sqlite:///{directory / 'serve.db'}")) as service:
            figures.say("workloads stored by the ingestion", len(await service.workloads()), "", least=SERVERS)


async def _ingested(url: str, within: float = 300.0) -> float:
    """Seconds that the server's first ingestion took, once it has ended."""
    until = time.monotonic() + within
    async with httpx2.AsyncClient(trust_env=False, timeout=30) as http:
        while time.monotonic() < until:
            match = _INGESTED.search((await http.get(url.removesuffix("/mcp") + "/metrics")).text)
            if match:
                return float(match[1])
            await asyncio.sleep(0.5)
    raise RuntimeError("the ingestion did not end")


async def _warm(url: str) -> None:
    """Let the server load what it searches with, and start the processes that it searches in."""
    await from_another_process(url, "most", _WARM_SECONDS)


async def _loaded(figures: Figures, when: str, url: str, pid: int, kind: str, seconds: float) -> Load:
    """Put a load on the server, and say what became of it and what it cost whom."""
    cpu = cpu_of(pid)
    result = await from_another_process(url, kind, seconds)
    spent = cpu_of(pid) - cpu
    calls = len(result.milliseconds)
    figures.say(f"{when}: calls a second", result.rate, "/s", least=0.95 * RATE if kind == "offered" else None)
    for share in (0.5, 0.95, 0.99):
        figures.say(f"{when}: p{100 * share:.0f}", result.percentile(share), "ms")
    figures.say(f"{when}: errors in {calls} calls", len(result.errors), "", most=0)
    figures.say(f"{when}: processors the server took", spent / result.seconds, "")
    figures.say(f"{when}: processors the clients took", result.cpu_seconds / result.seconds, "")
    for error in sorted(set(result.errors))[:3]:
        sys.stdout.write(f"  {error}\n")
    return result


def run(figures: Figures) -> None:
    """Measure, and print."""
    asyncio.run(measure(figures))
