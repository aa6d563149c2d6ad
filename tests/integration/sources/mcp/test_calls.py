"""Calls of tools over real MCP: results unchanged, connections kept and replaced, progress, time, cancellation."""

import asyncio
import gc
import time
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Any

import pytest

from mcp_optimizer.errors import CallError
from mcp_optimizer.sources.mcp.calls import Connections, _Connection
from tests.support.breaking_sse import BreakingSse
from tests.support.tool_server import RESULTS, ToolServer

TRANSPORTS = pytest.mark.parametrize("transport", ["streamable-http", "sse"])


@pytest.fixture
async def tools() -> AsyncGenerator[ToolServer]:
    server = ToolServer()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def connections(tools: ToolServer) -> AsyncGenerator[Connections]:
    made = Connections()
    yield made
    await made.close()
    assert [task for task in asyncio.all_tasks() if task.get_name() == "mcp-connection"] == []


async def call(connections: Connections, server: ToolServer, transport: str, tool: str, **more: Any) -> Any:
    given = {"seconds": 10.0, "connect_seconds": 5.0, **more}
    arguments = given.pop("arguments", {})
    return await connections.call(server.url(transport), transport, tool, arguments, **given)


async def until(met: Any) -> None:
    async with asyncio.timeout(5):
        while not met():  # noqa: ASYNC110 - what is waited for gives no event
            await asyncio.sleep(0.01)


@TRANSPORTS
@pytest.mark.parametrize("tool", ["everything", "failing"])
async def test_results_come_unchanged(connections: Connections, tools: ToolServer, transport: str, tool: str) -> None:
    result = await call(connections, tools, transport, tool)
    result.pop("resultType", None)
    assert result == RESULTS[tool]


@TRANSPORTS
async def test_a_servers_own_error_is_told_whatever_its_code(
    connections: Connections, tools: ToolServer, transport: str
) -> None:
    """Servers use -32000 for anything; the SDK means by it that the connection is closed."""
    for _ in range(2):
        with pytest.raises(CallError, match="refused the call: too many calls today"):
            await call(connections, tools, transport, "refused")
    assert connections.opened == 1


async def test_a_result_of_two_megabytes_comes_whole(connections: Connections, tools: ToolServer) -> None:
    result = await call(connections, tools, "streamable-http", "wide")
    assert len(result["content"][0]["data"]) == 2_000_000


@TRANSPORTS
async def test_progress_is_passed_on(connections: Connections, tools: ToolServer, transport: str) -> None:
    steps: list[Any] = []

    async def note(*step: Any) -> None:
        steps.append(step)

    await call(connections, tools, transport, "slow", arguments={"seconds": 0.05}, on_progress=note)
    assert steps == [(1, 3, "step 1"), (2, 3, "step 2"), (3, 3, "step 3")]


@TRANSPORTS
async def test_the_server_is_told_when_the_caller_goes(
    connections: Connections, tools: ToolServer, transport: str
) -> None:
    other = asyncio.create_task(call(connections, tools, transport, "slow", arguments={"seconds": 0.5}))
    waiting = asyncio.create_task(call(connections, tools, transport, "slow"))
    await until(lambda: tools.started == 2)
    waiting.cancel()
    with suppress(asyncio.CancelledError):
        await waiting
    await until(lambda: tools.cancelled == 1)
    assert (await other)["content"][0]["text"] == "done"
    assert connections.opened == 1


@TRANSPORTS
async def test_time_is_bounded_and_the_server_told(connections: Connections, tools: ToolServer, transport: str) -> None:
    began = time.monotonic()
    with pytest.raises(CallError, match=r"did not answer within 0.3 s"):
        await call(connections, tools, transport, "slow", seconds=0.3)
    assert time.monotonic() - began < 2
    await until(lambda: tools.cancelled == 1)
    await call(connections, tools, transport, "failing")
    assert connections.opened == 1


@TRANSPORTS
async def test_a_restarted_server_is_connected_to_anew(
    connections: Connections, tools: ToolServer, transport: str
) -> None:
    await call(connections, tools, transport, "failing")
    await tools.stop()
    await tools.start()
    assert (await call(connections, tools, transport, "failing"))["isError"]
    assert connections.opened == 2


async def test_a_stream_that_ends_before_the_call_is_refused_is_opened_anew(connections: Connections) -> None:
    server = BreakingSse(status=404)
    async with server.running():
        for _ in range(2):
            result = await connections.call(server.url, "sse", "x", {}, seconds=5, connect_seconds=5)
            assert result["content"][0]["text"] == "done"
    assert (server.streams, server.taken) == (2, 2)


async def test_a_call_that_was_taken_on_before_the_stream_ended_is_not_sent_again(connections: Connections) -> None:
    server = BreakingSse(status=202)
    async with server.running():
        await connections.call(server.url, "sse", "x", {}, seconds=5, connect_seconds=5)
        with pytest.raises(CallError, match="closed the connection before the response was complete"):
            await connections.call(server.url, "sse", "x", {}, seconds=5, connect_seconds=5)
    assert (server.streams, server.taken) == (1, 2)


@TRANSPORTS
async def test_a_call_that_was_sent_is_not_sent_again(
    connections: Connections, tools: ToolServer, transport: str
) -> None:
    waiting = asyncio.create_task(call(connections, tools, transport, "slow"))
    await until(lambda: tools.started == 1)
    await tools.stop()
    with pytest.raises(CallError):
        await waiting
    await tools.start()
    await asyncio.sleep(0.1)
    assert tools.started == 1


async def test_a_server_that_never_answers_costs_no_more_than_the_handshake_may_take(connections: Connections) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/mcp"
    began = time.monotonic()
    with pytest.raises(CallError, match=r"did not answer within 0.2 s"):
        await connections.call(url, "streamable-http", "x", {}, seconds=5, connect_seconds=0.2)
    waiting = asyncio.create_task(connections.call(url, "streamable-http", "x", {}, seconds=5, connect_seconds=5))
    await asyncio.sleep(0.1)
    waiting.cancel()
    await connections.close()
    assert time.monotonic() - began < 2
    server.close()


async def test_nothing_is_kept_of_a_connection_that_failed() -> None:
    """A server that is away for long is called again and again; memory must not grow by it."""
    connections = Connections(idle_seconds=600)

    def kept() -> int:
        gc.collect()
        return sum(isinstance(item, _Connection) for item in gc.get_objects())

    for number in range(20):
        with pytest.raises(CallError):
            await connections.call(
                f"http://127.0.0.1:9/{number % 3}/mcp", "streamable-http", "x", {}, seconds=5, connect_seconds=5
            )
    await until(lambda: kept() == 0)
    await connections.close()


async def test_an_idle_connection_is_closed(tools: ToolServer) -> None:
    connections = Connections(idle_seconds=0.05)
    await call(connections, tools, "streamable-http", "failing")
    await until(lambda: not connections._open)
    await call(connections, tools, "streamable-http", "failing")
    assert connections.opened == 2
    await connections.close()


@pytest.mark.parametrize("host", ["169.254.169.254", "2852039166", "[::ffff:169.254.169.254]"])
async def test_metadata_addresses_are_not_called(connections: Connections, host: str) -> None:
    with pytest.raises(CallError, match="is a link-local or metadata address, to which nothing is sent"):
        await connections.call(
            f"http://{host}/mcp?token=hidden", "streamable-http", "x", {}, seconds=5, connect_seconds=5
        )


async def test_a_redirect_to_a_metadata_address_is_not_followed(connections: Connections) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(
            b"HTTP/1.1 307 Temporary Redirect\r\nLocation: http://169.254.169.254/mcp\r\n"
            b"Content-Length: 0\r\nConnection: close\r\n\r\n"
        )
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/mcp"
    with pytest.raises(CallError, match="not followed"):
        await connections.call(url, "streamable-http", "x", {}, seconds=5, connect_seconds=5)
    server.close()
