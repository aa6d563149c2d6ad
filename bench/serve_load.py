"""Load on a server, from a process of its own: ``python -m bench.serve_load URL KIND SECONDS`` prints what came of it.

``offered``: 200 calls a second from 50 sessions of the official client, whatever the answers take; each call is timed
from when it was due. ``most``: JSON-RPC written out, each client asking again as soon as it has its answer.
"""

import asyncio
import itertools
import json
import random
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from bench.data import phrases

CLIENTS: Final = 50
RATE: Final = 200.0
"""Calls a second, of all clients together."""
_SECONDS_TO_ANSWER: Final = 60.0
_HEADERS: Final = {"accept": "application/json, text/event-stream", "content-type": "application/json"}


@dataclass
class Load:
    """What became of the calls."""

    milliseconds: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    """Of the process that makes the load."""

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.milliseconds) / self.seconds if self.seconds else 0.0

    def percentile(self, share: float) -> float:
        """Milliseconds within which that share of the calls was answered."""
        ordered = sorted(self.milliseconds)
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)] if ordered else float("inf")


def queries(seed: int) -> Iterator[dict[str, str]]:
    """Arguments of find_tool, no two alike for a good while: a server that remembers answers gains nothing by it."""
    every = phrases()
    random.Random(seed).shuffle(every)
    for verb, noun, place, end in itertools.cycle(every):
        yield {"tool_description": f"{verb} a {noun} in the {place} {end}", "tool_keywords": f"{verb} {noun}"}


async def offered(url: str, seconds: float) -> Load:
    """What becomes of calls that come at a fixed rate."""
    made = Load()
    async with AsyncExitStack() as stack:
        clients = [await _session(stack, url) for _ in range(CLIENTS)]
        asked = queries(seed=1)
        for client in clients:
            await client.call_tool("find_tool", next(asked))
        cpu, begun = _cpu(), time.perf_counter()
        async with asyncio.TaskGroup() as calls:
            for number in range(int(seconds * RATE)):
                due = begun + number / RATE
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                calls.create_task(_timed(clients[number % CLIENTS], next(asked), due, made))
        made.seconds, made.cpu_seconds = time.perf_counter() - begun, _cpu() - cpu
    return made


async def _session(stack: AsyncExitStack, url: str) -> Client:
    http = await stack.enter_async_context(httpx2.AsyncClient(timeout=_SECONDS_TO_ANSWER, trust_env=False))
    return await stack.enter_async_context(Client(streamable_http_client(url, http_client=http)))


async def _timed(client: Client, arguments: dict[str, str], due: float, made: Load) -> None:
    try:
        answer = await client.call_tool("find_tool", arguments)
        if answer.is_error or not (answer.structured_content or {}).get("tools"):
            made.errors.append("nothing found")
    except Exception as error:  # noqa: BLE001 (whatever it is, it is an error of the run)
        made.errors.append(repr(error))
    made.milliseconds.append(1000 * (time.perf_counter() - due))


async def most(url: str, seconds: float) -> Load:
    """As many calls as are answered."""
    made = Load()
    limits = httpx2.Limits(max_connections=CLIENTS, max_keepalive_connections=CLIENTS)
    async with httpx2.AsyncClient(limits=limits, timeout=_SECONDS_TO_ANSWER, trust_env=False) as http:
        sessions = [await _begin(http, url) for _ in range(CLIENTS)]
        asked = queries(seed=2)
        cpu, begun = _cpu(), time.perf_counter()
        await asyncio.gather(*(_again(http, url, session, asked, begun + seconds, made) for session in sessions))
        made.seconds, made.cpu_seconds = time.perf_counter() - begun, _cpu() - cpu
    return made


async def _again(
    http: httpx2.AsyncClient, url: str, session: dict[str, str], asked: Iterator[dict[str, str]], end: float, made: Load
) -> None:
    number = 0
    while (start := time.perf_counter()) < end:
        number += 1
        try:
            answer = await _call(http, url, session, number, next(asked))
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


async def _call(
    http: httpx2.AsyncClient, url: str, headers: dict[str, str], number: int, arguments: dict[str, str]
) -> dict[str, Any]:
    body = {"jsonrpc": "2.0", "id": number, "method": "tools/call"}
    answer = await http.post(
        url, json={**body, "params": {"name": "find_tool", "arguments": arguments}}, headers=headers
    )
    answer.raise_for_status()
    text = answer.text
    if answer.headers["content-type"].startswith("text/event-stream"):
        text = next(line[5:] for line in text.splitlines() if line.startswith("data:") and '"id"' in line)
    return json.loads(text)


def _cpu() -> float:
    spent = resource.getrusage(resource.RUSAGE_SELF)
    return spent.ru_utime + spent.ru_stime


async def from_another_process(url: str, kind: str, seconds: float) -> Load:
    """What becomes of a load that a process of its own makes."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.serve_load", url, kind, str(seconds), stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"the load ended with {process.returncode}")
    return Load(**json.loads(said))


def main() -> None:
    """Make the load, and print what became of it."""
    url, kind, seconds = sys.argv[1:]
    work = {"offered": offered, "most": most}[kind]
    sys.stdout.write(json.dumps(asdict(asyncio.run(work(url, float(seconds))))))


if __name__ == "__main__":
    main()
