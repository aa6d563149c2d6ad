"""The MCP server under load: 50 clients, find_tool 200 times a second, at rest and beside an ingestion.

The server is a process of its own. The load is JSON-RPC over HTTP, written out, so that this process costs little.
"""

import asyncio
import json
import os
import random
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx2

from bench.data import catalog, listing
from bench.report import Figures
from mcp_optimizer.config import Settings
from mcp_optimizer.domain.models import ObservedWorkload
from mcp_optimizer.domain.reports import IngestPart
from mcp_optimizer.service import DataService

CLIENTS: Final = 50
RATE: Final = 200.0
"""Calls a second, of all clients together."""
SECONDS: Final = 60.0
REST_SECONDS: Final = 15.0
SERVERS: Final = 1000
TOOLS: Final = 10
"""Tools of each server that is ingested beside the load."""
_STORED: Final = 100
_QUERIES: Final = tuple(
    f"{verb} {noun} {end}"
    for verb in ("create", "list", "delete", "find", "update")
    for noun in ("an issue", "a calendar event", "invoices", "a pod", "the weather report", "a webhook")
    for end in ("in a project", "of the team", "that changed yesterday", "by its identifier")
)
_HEADERS: Final = {"accept": "application/json, text/event-stream", "content-type": "application/json"}


@dataclass
class Load:
    """What became of the calls."""

    milliseconds: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def percentile(self, share: float) -> float:
        """Milliseconds within which that share of the calls was answered."""
        ordered = sorted(self.milliseconds)
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)] if ordered else float("inf")


async def load(url: str, seconds: float, *, clients: int = CLIENTS, rate: float = RATE) -> Load:
    """Call find_tool from ``clients`` sessions, ``rate`` times a second together; late calls are made all the same."""
    made = Load()
    limits = httpx2.Limits(max_connections=clients, max_keepalive_connections=clients)
    async with httpx2.AsyncClient(limits=limits, timeout=60, trust_env=False) as http:
        start = time.perf_counter()
        await asyncio.gather(*(_client(http, url, number, clients, rate, seconds, made) for number in range(clients)))
        made.seconds = time.perf_counter() - start
    return made


async def _client(
    http: httpx2.AsyncClient, url: str, number: int, clients: int, rate: float, seconds: float, made: Load
) -> None:
    rng = random.Random(number)
    try:
        session = await _begin(http, url)
    except Exception as error:  # noqa: BLE001 (whatever it is, it is an error of the run)
        made.errors.append(f"begin: {error!r}")
        return
    pause = clients / rate
    begun = time.perf_counter()
    for call in range(int(seconds / pause)):
        due = begun + (call + number / clients) * pause
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        start = time.perf_counter()
        try:
            answer = await _call(http, url, session, call + 1, rng.choice(_QUERIES))
            if not answer["result"]["structuredContent"]["tools"]:
                made.errors.append("nothing found")
        except Exception as error:  # noqa: BLE001
            made.errors.append(repr(error))
        made.milliseconds.append(1000 * (time.perf_counter() - start))


async def _begin(http: httpx2.AsyncClient, url: str) -> dict[str, str]:
    """The headers of a new session."""
    info = {"name": "load", "version": "1"}
    params = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": info}
    body = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}
    answer = await http.post(url, json=body, headers=_HEADERS)
    answer.raise_for_status()
    headers = {**_HEADERS, "mcp-session-id": answer.headers["mcp-session-id"], "mcp-protocol-version": "2025-06-18"}
    ready = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    (await http.post(url, json=ready, headers=headers)).raise_for_status()
    return headers


async def _call(http: httpx2.AsyncClient, url: str, headers: dict[str, str], number: int, query: str) -> dict[str, Any]:
    params = {"name": "find_tool", "arguments": {"tool_description": query, "tool_keywords": query}}
    body = {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}
    answer = await http.post(url, json=body, headers=headers)
    answer.raise_for_status()
    text = answer.text
    if answer.headers["content-type"].startswith("text/event-stream"):
        text = next(line[5:] for line in text.splitlines() if line.startswith("data:") and '"id"' in line)
    return json.loads(text)


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
async def serving(directory: Path, source: Path, *, delay: float) -> AsyncGenerator[tuple[str, int]]:
    """The URL and process id of a server in a process of its own, which polls ``source`` after ``delay`` seconds."""
    environment = {
        **os.environ,
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


def memory_of(pid: int) -> float:
    """Resident memory of a process, in MB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


async def measure(figures: Figures, seconds: float = SECONDS) -> None:
    """At rest, then beside an ingestion of 1,000 servers."""
    figures.head(f"find_tool, {CLIENTS} clients, {RATE:g} calls a second, {SERVERS} servers ingested beside it")
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary)
        made = catalog(_STORED, TOOLS)
        few, many = directory / "few.json", directory / "many.json"
        listed = tuple(item for item in listing(made, _STORED, TOOLS).workloads)
        snapshot(few, listed)
        whole = catalog(SERVERS, TOOLS)
        snapshot(many, tuple(listing(whole, SERVERS, TOOLS).workloads))
        settings = Settings(db_url=f"sqlite:///{directory / 'serve.db'}")
        async with DataService(settings) as service:
            await service.ingest(IngestPart.WORKLOADS, [str(few)])
        async with serving(directory, many, delay=REST_SECONDS + 10) as (url, pid):
            await load(url, 3.0)  # the model is loaded, connections are made
            rest = await load(url, REST_SECONDS)
            _say(figures, "at rest", rest)
            beside = await load(url, seconds)
            _say(figures, "beside the ingestion", beside)
            figures.say(
                "p99 beside the ingestion against p99 at rest", beside.percentile(0.99) / rest.percentile(0.99), "times"
            )
            figures.say("memory of the server", memory_of(pid), "MB", most=1024)
        async with DataService(settings) as service:
            stored = len(await service.workloads())
        figures.say("workloads stored by the ingestion beside it", stored, "", least=SERVERS)


def _say(figures: Figures, when: str, made: Load) -> None:
    figures.say(f"{when}: calls a second", len(made.milliseconds) / made.seconds, "/s", least=0.95 * RATE)
    figures.say(f"{when}: median", statistics.median(made.milliseconds), "ms")
    figures.say(f"{when}: p99", made.percentile(0.99), "ms")
    figures.say(f"{when}: errors", len(made.errors), "", most=0)
    for error in sorted(set(made.errors))[:3]:
        sys.stdout.write(f"  {error}\n")


def run(figures: Figures) -> None:
    """Measure, and print."""
    asyncio.run(measure(figures))
