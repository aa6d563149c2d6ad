"""Calls through the server: results as they came, and what the called server asks of its client."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp_types import CLIENT_CAPABILITIES_META_KEY, CLIENT_INFO_META_KEY, PROTOCOL_VERSION_META_KEY

from mcp_optimizer.config import Settings
from mcp_optimizer.domain.reports import IngestPart
from mcp_optimizer.sources.mcp.session import Call, Session, open_session
from tests.conftest import OpenService
from tests.support.builders import listing, tool, workload
from tests.support.odd_results import RESULTS, Peer, asking
from tests.support.odd_server import OddServer, Reply, Request, rpc, sse
from tests.support.services import ingest
from tests.support.serving import served

pytestmark = pytest.mark.sqlite

_TO_X = {"server_name": "odd", "tool_name": "x", "parameters": {}}


@pytest.fixture
def quiet(settings: Settings) -> Settings:
    return settings.model_copy(update={"startup_polling_delay": 3600.0, "mcp_port": 0})


@asynccontextmanager
async def serving(open_service: OpenService, quiet: Settings, server: OddServer) -> AsyncGenerator[str]:
    """The URL of our server, behind which this one runs."""
    service = await open_service(quiet)
    odd = workload("odd", "example.org/odd:1", [tool("x", "Do it.")], endpoint=server.url)
    await ingest(service, None, listing(odd))
    async with served(service) as (url, _):
        yield url


async def call(session: Session, **more: Any) -> dict[str, Any]:
    return await session.request("tools/call", {"name": "call_tool", "arguments": _TO_X}, Call(**more))


@pytest.mark.parametrize("name", RESULTS)
async def test_results_go_out_as_they_came_in(name: str, open_service: OpenService, quiet: Settings) -> None:
    def answer(request: Request) -> Reply | None:
        return rpc(request, RESULTS[name]) if request.method == "tools/call" else None

    server = OddServer(answer)
    async with server.running(), serving(open_service, quiet, server) as url:
        session = await open_session(url, "streamable-http")
        assert await call(session) == RESULTS[name]
        await session.close()


async def test_a_result_without_bottom_is_told_of(open_service: OpenService, quiet: Settings) -> None:
    deep = b'{"jsonrpc":"2.0","id":%d,"result":{"content":[],"x":' + b"[" * 5000 + b"]" * 5000 + b"}}"
    server = OddServer(lambda r: Reply(deep % r.message["id"]) if r.method == "tools/call" else None)
    async with server.running(), serving(open_service, quiet, server) as url:
        session = await open_session(url, "streamable-http")
        result = await call(session)
        assert result["isError"] is True
        assert "nested too deeply" in result["content"][0]["text"]
        await session.close()


@pytest.mark.parametrize("accept", ["application/json", "application/json, text/event-stream"])
async def test_a_long_result_comes_whole(accept: str, open_service: OpenService, quiet: Settings) -> None:
    text = "a" * 15_000_000
    long = b'{"jsonrpc":"2.0","id":3,"result":{"content":[{"type":"text","text":"%b"}]}}' % text.encode()

    def answer(request: Request) -> Reply | None:
        if request.method != "tools/call":
            return None
        return Reply(long.replace(b'"id":3', b'"id":%d' % request.message["id"], 1))

    server = OddServer(answer)
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "call_tool", "arguments": _TO_X}}
    async with server.running(), serving(open_service, quiet, server) as url, httpx2.AsyncClient() as client:
        asked = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "c", "version": "1"}}
        begun = await client.post(
            url,
            json={"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": asked},
            headers={"accept": accept},
        )
        headers = {"accept": accept, "mcp-session-id": begun.headers["mcp-session-id"]}
        async with client.stream("POST", url, json=message, headers=headers) as response:
            body = await response.aread()
        if "event-stream" not in accept:
            assert int(response.headers["content-length"]) == len(body)
        result = json.loads(body[body.index(b"{") : body.rindex(b"}") + 1])["result"]
    assert result == {"content": [{"type": "text", "text": text}]}


@pytest.mark.parametrize("name", ["structured list", "null isError", "unknown members", "long", "nested"])
async def test_clients_without_a_handshake_get_them_too(name: str, open_service: OpenService, quiet: Settings) -> None:
    def answer(request: Request) -> Reply | None:
        return rpc(request, RESULTS[name]) if request.method == "tools/call" else None

    server = OddServer(answer)
    meta = {
        PROTOCOL_VERSION_META_KEY: "2026-07-28",
        CLIENT_INFO_META_KEY: {"name": "c", "version": "1"},
        CLIENT_CAPABILITIES_META_KEY: {},
    }
    message = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": "call_tool", "arguments": _TO_X, "_meta": meta},
    }
    headers = {
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": "tools/call",
        "mcp-name": "call_tool",
    }
    async with server.running(), serving(open_service, quiet, server) as url, httpx2.AsyncClient() as client:
        response = await client.post(url, json=message, headers=headers)
        result = response.json()["result"]
    assert result.pop("resultType") == "complete"
    assert result.get("_meta", {}).pop("io.modelcontextprotocol/serverInfo")["name"] == "mcp-optimizer"
    if not RESULTS[name].get("_meta"):
        result.pop("_meta")
    assert result == RESULTS[name]


@pytest.mark.parametrize("method", ["elicitation/create", "sampling/createMessage", "roots/list"])
async def test_what_a_called_server_asks_reaches_our_client(
    method: str, open_service: OpenService, quiet: Settings
) -> None:
    abilities = {"elicitation": {}, "sampling": {}, "roots": {}}
    peer = Peer(**abilities)
    server = asking(method, {"x-unknown": 1})
    async with server.running(), serving(open_service, quiet, server) as url:
        session = await open_session(url, "streamable-http", abilities=abilities)
        answer = (await call(session, peer=peer))["structuredContent"]
        assert answer["result"] == {"action": "accept", "asked": method, "params": {"x-unknown": 1}}
        assert ("notifications/message", {"level": "info", "data": "hm"}) in peer.heard
        await session.close()


@pytest.mark.parametrize(("level", "told"), [("debug", True), ("info", True), ("notice", False), ("emergency", False)])
async def test_clients_choose_from_which_level_on_they_are_told(
    level: str, told: bool, open_service: OpenService, quiet: Settings
) -> None:
    peer = Peer(roots={})
    server = asking("roots/list")
    async with server.running(), serving(open_service, quiet, server) as url:
        session = await open_session(url, "streamable-http", abilities={"roots": {}})
        assert session.capabilities["logging"] == {}
        await session.request("logging/setLevel", {"level": level})
        await call(session, peer=peer)
        assert bool(peer.heard) is told
        await session.close()


async def test_what_our_client_can_not_answer_is_refused_at_once(open_service: OpenService, quiet: Settings) -> None:
    server = asking("elicitation/create")
    async with server.running(), serving(open_service, quiet, server) as url:
        session = await open_session(url, "streamable-http")
        answer = (await call(session))["structuredContent"]
        assert answer["error"]["message"] == "the client that made this call does not support elicitation"
        await session.close()


async def test_an_error_of_the_tool_is_an_error_here(open_service: OpenService, quiet: Settings) -> None:
    failed = {"content": [], "isError": True, "x": 1}
    server = OddServer(lambda r: rpc(r, failed) if r.method == "tools/call" else None)
    async with server.running(), serving(open_service, quiet, server) as url:
        session = await open_session(url, "streamable-http")
        assert await call(session) == failed
        await session.close()


async def test_tools_that_a_called_server_says_changed_are_listed_again(
    open_service: OpenService, quiet: Settings, tmp_path: Path
) -> None:
    """Within seconds, though no poll is due for an hour."""
    names = ["x"]

    def answer(request: Request) -> Reply | None:
        if request.verb == "GET":
            names[:] = ["x", "y"]
            return sse({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"})
        if request.method == "tools/list":
            return rpc(request, {"tools": [{"name": name, "inputSchema": {"type": "object"}} for name in names]})
        return None

    server = OddServer(answer, session="s")
    async with server.running():
        item = {"name": "odd", "package": "example.org/odd:1", "url": server.url, "status": "running"}
        source = tmp_path / "snapshot.json"
        source.write_text(json.dumps({"format": "mcp-optimizer-snapshot/1", "workloads": [item]}))
        service = await open_service(quiet)
        await service.ingest(IngestPart.WORKLOADS, [str(source)])
        async with served(service, source=str(source)) as (url, _):
            session = await open_session(url, "streamable-http")
            await call(session)
            async with asyncio.timeout(20):
                while (await service.workload("odd")).tools != 2:  # noqa: ASYNC110 - gives no event
                    await asyncio.sleep(0.05)
            await session.close()
