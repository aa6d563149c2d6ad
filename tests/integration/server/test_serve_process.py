"""How ``serve`` ends, and what it makes of its stdin: in a process of its own."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest

from mcp_optimizer.service import DataService
from tests.conftest import OpenService
from tests.support.builders import listing, tool, workload
from tests.support.places import Place
from tests.support.services import ingest
from tests.support.tool_server import ToolServer

pytestmark = pytest.mark.sqlite

PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 0,
    "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}},
}


@pytest.fixture
async def service(open_service: OpenService) -> DataService:
    return await open_service()


class Stdio:
    """A server over stdio, spoken to in lines."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        assert process.stdin is not None
        assert process.stdout is not None
        self.stdin, self.stdout = process.stdin, process.stdout

    async def say(self, *lines: bytes | dict[str, Any]) -> None:
        for line in lines:
            self.stdin.write((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n")
        await self.stdin.drain()

    async def hear(self) -> dict[str, Any]:
        return json.loads(await asyncio.wait_for(self.stdout.readline(), 30))

    async def ended(self, within: float = 5) -> int:
        """Its exit code. ``wait`` would also wait for what nobody reads of its output."""
        async with asyncio.timeout(within):
            while self.process.returncode is None:  # noqa: ASYNC110 (nothing tells of it)
                await asyncio.sleep(0.02)
        return self.process.returncode


@asynccontextmanager
async def stdio(service: DataService, database: Place, **more: str) -> AsyncGenerator[Stdio]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "mcp_optimizer", "--db", database.url, "serve", "--transport", "stdio",
        env={**os.environ, "EMBEDDING_MODEL_NAME": service.embedder.model, "STARTUP_POLLING_DELAY": "3600", **more},
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    speaking = Stdio(process)
    try:
        await speaking.say(INITIALIZE)
        assert "result" in await speaking.hear()
        await speaking.say({"jsonrpc": "2.0", "method": "notifications/initialized"})
        yield speaking
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
async def test_stdio_ends_at_a_signal_while_stdin_is_open(
    service: DataService, database: Place, number: signal.Signals, code: int
) -> None:
    async with stdio(service, database) as server:
        await server.say(PING)
        assert (await server.hear())["id"] == 1
        server.process.send_signal(number)
        assert await server.ended() == code
        assert await service.running_servers() == []


async def test_stdio_ends_at_a_signal_though_nobody_reads_its_answers(service: DataService, database: Place) -> None:
    async with stdio(service, database) as server:
        listed = {"jsonrpc": "2.0", "method": "tools/list"}
        await server.say(*({**listed, "id": number} for number in range(400)))
        await asyncio.sleep(0.5)
        server.process.terminate()
        assert await server.ended(7) == 143


async def test_stdio_ends_when_its_input_does(service: DataService, database: Place) -> None:
    async with stdio(service, database) as server:
        await server.say(PING)
        server.stdin.close()
        assert (await server.hear())["id"] == 1
        assert await server.ended() == 0


async def test_garbage_on_stdin_is_answered_and_the_session_lives_on(service: DataService, database: Place) -> None:
    garbage = [
        (b"nonsense", -32700), (b"\xff\xfe", -32700), (b'{"jsonrpc": "2.0"', -32700), (b"7", -32600), (b"[]", -32600),
        (b"{}", -32600), (b'{"jsonrpc": "1.0", "id": 5, "method": "ping"}', -32600), (b"x" * 3000, -32600),
        (json.dumps({**PING, "params": {"x": "y" * 3000}}).encode(), -32600), (b"\x00", -32700),
    ]  # fmt: skip
    async with stdio(service, database, MCP_OPTIMIZER_MAX_REQUEST_BYTES="2048") as server:
        for number, (line, code) in enumerate(garbage):
            await server.say(b"", line, b"  \r", {**PING, "id": number})
            answers = [await server.hear(), await server.hear()]
            assert [answer["error"]["code"] for answer in answers if "error" in answer] == [code], line
            assert [answer["id"] for answer in answers if "result" in answer] == [number]


@pytest.mark.parametrize("ids", [(7, 7), ("a", "a"), (1, "1")])
async def test_two_requests_with_one_id_at_once_over_stdio(
    service: DataService, database: Place, ids: tuple[Any, Any]
) -> None:
    asked = {"name": "find_tool", "arguments": {"tool_description": "x"}}
    async with stdio(service, database) as server:
        await server.say(*({"jsonrpc": "2.0", "id": i, "method": "tools/call", "params": asked} for i in ids))
        answers = [await server.hear(), await server.hear()]
        refused = [answer["error"]["code"] for answer in answers if "error" in answer]
        assert refused in ([], [-32600])
        await server.say({**PING, "id": ids[0]})
        assert "result" in await server.hear()


@pytest.mark.parametrize("accept", ["application/json", "application/json, text/event-stream"])
async def test_calls_under_way_are_finished_at_the_end_over_http(
    service: DataService, database: Place, accept: str
) -> None:
    """No new ones begin; a stream on which a client listens holds nothing up."""
    tools = ToolServer()
    await tools.start()
    endpoint = tools.url("streamable-http")
    await ingest(service, None, listing(workload("slow", "example.org/slow:1", [tool("slow", "")], endpoint=endpoint)))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "mcp_optimizer", "--db", database.url, "serve", "--port", "0",
        env={**os.environ, "EMBEDDING_MODEL_NAME": service.embedder.model, "STARTUP_POLLING_DELAY": "3600"},
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr is not None
    try:
        while b"serving MCP at " not in (line := await asyncio.wait_for(process.stderr.readline(), 60)):
            assert line
        url = line.decode().rpartition(" ")[2].strip()
        async with httpx2.AsyncClient(trust_env=False, timeout=20, headers={"accept": accept}) as http:
            begun = await http.post(url, json=INITIALIZE)
            session = {"mcp-session-id": begun.headers["mcp-session-id"]}
            arguments = {"server_name": "slow", "tool_name": "slow", "parameters": {"seconds": 1.5}}
            asked = {"name": "call_tool", "arguments": arguments}
            body = {"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": asked}
            streaming = asyncio.create_task(http.get(url, headers={**session, "accept": "text/event-stream"}))
            calling = asyncio.create_task(http.post(url, json=body, headers=session))
            async with asyncio.timeout(20):
                while not tools.started:  # noqa: ASYNC110 (nothing tells of it)
                    await asyncio.sleep(0.02)
            process.terminate()
            await asyncio.sleep(0.5)
            with pytest.raises(httpx2.HTTPError):
                await http.get(url.replace("/mcp", "/health"))
            assert "done" in (await calling).text
            await asyncio.gather(streaming, return_exceptions=True)
        assert await asyncio.wait_for(process.wait(), 5) == 0
    finally:
        if process.returncode is None:
            process.kill()
        await tools.stop()
