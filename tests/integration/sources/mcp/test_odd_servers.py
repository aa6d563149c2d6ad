"""Servers that misbehave: for each situation, what listing and calling give (L8, B)."""

import asyncio
import gzip
import json
import time
import zlib
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from mcp_optimizer.errors import CallError
from mcp_optimizer.sources.mcp.calls import Connections
from mcp_optimizer.sources.mcp.tools import FetchedTools, ToolsError, fetch_tools
from tests.support.odd_results import RESULTS, Peer, asking
from tests.support.odd_server import VERSION, Answer, OddServer, Reply, Request, rpc, rpc_error, sse

_MILLION = 1_000_000
_BOMB = gzip.compress(b'{"a":"' + b"x" * 100 * _MILLION + b'"}')
_ITEM = {"type": "text", "text": "x"}


def on(method: str, make: Callable[[Request], Reply | None]) -> Answer:
    """Answer one JSON-RPC method in a way of its own."""
    return lambda request: make(request) if request.method == method else None


def calling(make: Callable[[Request], Reply | None]) -> Answer:
    """Answer calls in a way of its own."""
    return on("tools/call", make)


def encoded(body: Callable[[bytes], bytes], name: str) -> Answer:
    """Answer calls with a body in an encoding."""

    def make(request: Request) -> Reply:
        plain = rpc(request, {"content": [_ITEM]})
        assert isinstance(plain.body, bytes)
        return Reply(body(plain.body), headers={**plain.headers, "Content-Encoding": name})

    return calling(make)


@asynccontextmanager
async def connected(server: OddServer) -> AsyncGenerator[Callable[..., Any]]:
    connections = Connections()

    async def call(transport: str = "streamable-http", seconds: float = 5.0, **more: Any) -> Any:
        return await connections.call(
            server.url, transport, "x", more.pop("arguments", {}), seconds=seconds, connect_seconds=5, **more
        )

    async with server.running():
        try:
            yield call
        finally:
            await connections.close()
    await asyncio.sleep(0)
    assert [task for task in asyncio.all_tasks() if task.get_name() == "mcp-connection"] == []


@pytest.mark.parametrize("name", RESULTS)
@pytest.mark.parametrize("shape", ["json", "sse"])
async def test_results_come_as_they_are(name: str, shape: str) -> None:
    result = RESULTS[name]

    def make(request: Request) -> Reply:
        message = {"jsonrpc": "2.0", "id": request.message["id"], "result": result}
        return rpc(request, result) if shape == "json" else sse(message)

    async with connected(OddServer(calling(make))) as call:
        assert await call() == result


REFUSALS: dict[str, tuple[Answer, str]] = {
    "gzip bomb": (calling(lambda _: Reply(_BOMB, headers={"Content-Encoding": "gzip"})), "sent more than 16,777,216"),
    "br": (encoded(lambda body: body, "br"), "in an encoding that was not asked for: br"),
    "zstd": (encoded(lambda body: body, "zstd"), "in an encoding that was not asked for: zstd"),
    "chain": (encoded(lambda b: gzip.compress(gzip.compress(b)), "gzip, gzip"), "not asked for: gzip, gzip"),
    "not gzip": (encoded(lambda body: body, "gzip"), "can't be decompressed"),
    "cut gzip": (encoded(lambda body: gzip.compress(body)[:-9], "gzip"), "can't be decompressed"),
    "many items": (calling(lambda r: rpc(r, {"content": [_ITEM] * 300_000})), "more than 500,000 JSON values"),
    "many small items": (calling(lambda r: rpc(r, {"content": [_ITEM] * 20_000})), "sent 20,000 content items"),
    "many values": (
        calling(lambda r: rpc(r, {"content": [], "structuredContent": [0] * 1_500_000})),
        "more than 500,000 JSON values",
    ),
    "many lists": (
        calling(lambda r: rpc(r, {"content": [], "structuredContent": [[]] * 300_000})),
        "more than 200,000 JSON values",
    ),
    "too deep": (calling(lambda _: Reply(b'{"result":' + b"[" * 100_000)), "nested too deeply"),
    "endless line": (
        calling(lambda _: Reply([b"data: "] + [b"x" * _MILLION] * 40, headers={"Content-Type": "text/event-stream"})),
        "sent more than 16,777,216",
    ),
    "endless events": (
        calling(lambda _: Reply([b"data: {}\n\n" * 5000] * 40, headers={"Content-Type": "text/event-stream"})),
        "sent more than 100,000 events",
    ),
    "two kinds of html": (
        calling(lambda _: Reply(b"<html>", headers={"Content-Type": "text/html"})),
        "sent an answer that is not MCP",
    ),
    "no result": (calling(lambda _: Reply(b'{"jsonrpc":"2.0","id":3}')), "neither result nor error"),
    "result a number": (calling(lambda r: rpc(r, 5)), "its result is a number, not an object"),
    "accepted": (calling(lambda _: Reply(status=202)), "answered HTTP 202 without a response"),
    "unauthorized": (
        calling(lambda _: Reply(status=401, headers={"WWW-Authenticate": 'Bearer realm="m"'})),
        r'needs authentication \(HTTP 401, Bearer realm="m"\)',
    ),
    "server error": (calling(lambda _: Reply(b'{"detail":"the disk is full"}', status=500)), "500: the disk is full"),
    "rpc error": (
        calling(lambda r: rpc_error(r, -32602, "bad arguments", {"path": ["a"], "more": "y" * 9999})),
        r"refused the call: bad arguments \(\{\"path\"",
    ),
    "error with status": (calling(lambda r: rpc_error(r, -32602, "bad", status=400)), "answered HTTP 400: bad"),
    "other origin": (
        calling(lambda _: Reply(status=307, headers={"Location": "http://example.com/mcp"})),
        r"redirects \(HTTP 307\) to http://example.com/mcp, which is not followed",
    ),
    "circle": (calling(lambda _: Reply(status=308, headers={"Location": "/mcp"})), "redirects too often"),
    "see other": (calling(lambda _: Reply(status=303, headers={"Location": "/else"})), "HTTP 303.*not followed"),
    "odd version": (
        on("initialize", lambda r: rpc(r, {"protocolVersion": "1999-01-01", "capabilities": {}})),
        "speaks protocol version 1999-01-01, which is not known here",
    ),
    "unsupported version": (
        on("initialize", lambda r: rpc_error(r, -32602, "Unsupported protocol version", {"supported": ["1999-01-01"]})),
        "Unsupported protocol version.*it speaks protocol versions 1999-01-01",
    ),
    "first cause": (
        lambda r: Reply(status=404) if r.verb == "GET" else rpc_error(r, -32000, "licence expired", status=400),
        "licence expired",
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
async def test_why_a_call_fails_is_told(name: str) -> None:
    answer, reason = REFUSALS[name]
    async with connected(OddServer(answer)) as call:
        with pytest.raises(CallError, match=reason) as caught:
            await call()
    assert len(str(caught.value)) <= 330


@pytest.mark.parametrize(
    ("name", "pack"),
    [
        ("gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", lambda body: zlib.compress(body, wbits=-15)),
        ("gzip", lambda body: gzip.compress(body[:9]) + gzip.compress(body[9:])),
        ("identity", bytes),
    ],
)
async def test_one_encoding_is_unpacked_though_none_was_asked_for(name: str, pack: Callable[[bytes], bytes]) -> None:
    server = OddServer(encoded(pack, name))
    async with connected(server) as call:
        assert await call() == {"content": [_ITEM]}
    assert {request.headers["accept-encoding"] for request in server.requests} == {"identity"}


@pytest.mark.parametrize(
    "name", ["gzip bomb", "many items", "many values", "many lists", "endless line", "endless events"]
)
async def test_no_server_holds_up_another(name: str) -> None:
    """The loop is never kept for long; the limit leaves room for a busy machine."""
    worst, last, done = 0.0, time.perf_counter(), False

    async def watch() -> None:
        nonlocal worst, last
        while not done:
            await asyncio.sleep(0.002)
            now = time.perf_counter()
            worst, last = max(worst, now - last), now

    bodies = OddServer(REFUSALS[name][0])
    made: dict[str, Reply] = {}
    inner = bodies.answer

    def ready(request: Request) -> Any:  # making the answer must not count
        if request.method != "tools/call":
            return None
        return made["reply"]

    made["reply"] = inner(Request("POST", "/mcp", {}, {"method": "tools/call", "id": 3}, 1))  # ty: ignore[invalid-assignment]
    async with connected(OddServer(ready)) as call:
        last = time.perf_counter()
        watching = asyncio.create_task(watch())
        with pytest.raises(CallError):
            await call(seconds=30.0)
        done = True
        await watching
    print(f"{name}: {1000 * worst:.0f} ms")
    assert worst < 0.5


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_within_the_origin_is_followed(status: int) -> None:
    def answer(request: Request) -> Reply | None:
        where = {"Location": f"http://localhost:{server.port}/mcp/"}
        return None if request.path == "/mcp/" else Reply(status=status, headers=where)

    server = OddServer(answer)
    async with connected(server) as call:
        assert (await call())["content"][0]["text"] == "done"
        assert (await call())["content"][0]["text"] == "done"
    assert [(r.verb, r.path) for r in server.requests if r.method == "tools/call"] == [("POST", "/mcp/")] * 2


LOST: dict[str, Callable[[Request], Reply]] = {
    "404": lambda _: Reply(b"no such session", status=404, headers={"Content-Type": "text/plain"}),
    "400": lambda _: Reply(status=400),
    "401": lambda _: Reply(status=401),
    "403": lambda _: Reply(status=403),
    "410": lambda _: Reply(status=410),
    "session not found": lambda r: rpc_error(r, -32001, "Session not found"),
    "not initialized": lambda r: rpc_error(r, -32600, "Server not initialized"),
    "expired": lambda r: rpc_error(r, -32000, "Bad Request: the session has expired", status=400),
    "invalid id": lambda r: rpc_error(r, -32000, "Bad Request: No valid session ID provided", status=400),
}


@pytest.mark.parametrize("name", LOST)
async def test_a_lost_session_is_opened_again_and_the_call_made_once_more(name: str) -> None:
    server = OddServer(calling(lambda r: LOST[name](r) if r.number == 2 else None), session="s")
    async with connected(server) as call:
        for _ in range(3):
            assert (await call())["content"][0]["text"] == "done"
    assert (server.count("initialize"), server.count("tools/call")) == (2, 4)


@pytest.mark.parametrize("status", [429, 500, 502, 503])
async def test_a_connection_that_failed_is_not_used_again(status: int) -> None:
    server = OddServer(calling(lambda r: Reply(status=status) if r.number == 2 else None))
    async with connected(server) as call:
        await call()
        with pytest.raises(CallError, match=f"HTTP {status}"):
            await call()
        await call()
    assert (server.count("initialize"), server.count("tools/call")) == (2, 3)


async def test_an_error_of_the_tool_ends_no_connection() -> None:
    server = OddServer(calling(lambda r: rpc_error(r, -32000, "no such city")))
    async with connected(server) as call:
        for _ in range(3):
            with pytest.raises(CallError, match="refused the call: no such city"):
                await call()
    assert server.count("initialize") == 1


async def test_the_version_that_a_server_names_is_spoken() -> None:
    def answer(request: Request) -> Reply | None:
        if request.method == "initialize" and request.message["params"]["protocolVersion"] != "2024-11-05":
            return rpc_error(request, -32602, "Unsupported protocol version", {"supported": ["2024-11-05"]}, 400)
        if request.method == "initialize":
            return rpc(request, {"protocolVersion": "2024-11-05", "capabilities": {}})
        return None

    server = OddServer(answer)
    async with connected(server) as call:
        await call()
    assert server.requests[-1].headers["mcp-protocol-version"] == "2024-11-05"


async def test_meta_is_passed_on_and_a_token_sent_only_where_progress_is_asked_for() -> None:
    server = OddServer()
    async with connected(server) as call:
        await call()
        await call(meta={"a/b": 1, "progressToken": "theirs", "io.modelcontextprotocol/clientInfo": {}})

        async def note(*_: Any) -> None: ...

        await call(meta={"a/b": 1, "progressToken": "theirs"}, on_progress=note)
    sent = [r.message["params"] for r in server.requests if r.method == "tools/call"]
    assert "_meta" not in sent[0]
    assert sent[1]["_meta"] == {"a/b": 1}
    assert sent[2]["_meta"]["a/b"] == 1
    assert isinstance(sent[2]["_meta"]["progressToken"], int)


@pytest.mark.parametrize(
    ("method", "ability"),
    [("elicitation/create", "elicitation"), ("sampling/createMessage", "sampling"), ("roots/list", "roots")],
)
async def test_what_a_server_asks_reaches_a_client_that_can_answer(method: str, ability: str) -> None:
    peer = Peer(**{ability: {}})
    server = asking(method, {"x-unknown": 1})
    async with connected(server) as call:
        answer = (await call(peer=peer))["structuredContent"]
    assert answer["result"] == {"action": "accept", "asked": method, "params": {"x-unknown": 1}}
    assert peer.heard == [("notifications/message", {"level": "info", "data": "hm"})]
    told = next(r for r in server.requests if r.method == "initialize").message["params"]["capabilities"]
    assert told == {ability: {}}


@pytest.mark.parametrize(
    ("method", "peer", "reason"),
    [
        ("elicitation/create", None, "the client that made this call does not support elicitation"),
        ("sampling/createMessage", Peer(roots={}), "the client that made this call does not support sampling"),
        ("roots/list", Peer(), "the client that made this call does not support roots"),
        ("tasks/list", Peer(roots={}), "tasks/list is not known here"),
        ("elicitation/create", Peer(elicitation={}), "the person said no"),
    ],
)
async def test_what_no_client_can_answer_is_refused_at_once(method: str, peer: Any, reason: str) -> None:
    began = time.monotonic()
    async with connected(asking(method, {"message": "refuse"})) as call:
        answer = (await call(peer=peer))["structuredContent"]
    assert answer["error"]["message"] == reason
    assert time.monotonic() - began < 3


async def test_progress_extends_the_time_limit_up_to_a_ceiling() -> None:
    class Working(OddServer):
        @staticmethod
        async def _send(writer: asyncio.StreamWriter, reply: Reply) -> None:
            if reply.status != 299:
                await OddServer._send(writer, reply)
                return
            assert isinstance(reply.body, bytes)
            token, steps = json.loads(reply.body)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
            for step in range(steps):
                params = {"progressToken": token, "progress": step}
                message = {"jsonrpc": "2.0", "method": "notifications/progress", "params": params}
                writer.write(b"data: " + json.dumps(message).encode() + b"\n\n")
                await writer.drain()
                await asyncio.sleep(0.15)
            body = {"jsonrpc": "2.0", "id": token, "result": {"content": []}}
            writer.write(b"data: " + json.dumps(body).encode() + b"\n\n")
            writer.close()

    steps: list[float] = []

    async def note(progress: float, *_: Any) -> None:
        steps.append(progress)

    def answer(request: Request) -> Reply | None:
        if request.method != "tools/call":
            return None
        told = [request.message["id"], request.message["params"]["arguments"]["steps"]]
        return Reply(json.dumps(told).encode(), status=299)

    async with connected(Working(answer)) as call:
        assert await call(seconds=0.4, on_progress=note, arguments={"steps": 6}) == {"content": []}
        assert steps == [0, 1, 2, 3, 4, 5]
        with pytest.raises(CallError, match=r"did not answer within 0.4 s"):
            await call(seconds=0.4, arguments={"steps": 6})
        began = time.monotonic()
        with pytest.raises(CallError, match=r"did not answer within 4 s"):
            await call(seconds=0.4, on_progress=note, arguments={"steps": 1000})
        assert time.monotonic() - began < 6


async def test_a_server_that_says_that_its_tools_changed_is_told_of() -> None:
    changed: list[str] = []

    def answer(request: Request) -> Reply | None:
        if request.verb == "GET":
            return sse({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"})
        return None

    server = OddServer(answer, session="s")
    connections = Connections(on_tools_changed=changed.append)
    async with server.running() as url:
        await connections.call(url, "streamable-http", "x", {}, seconds=5, connect_seconds=5)
        async with asyncio.timeout(5):
            while not changed:  # noqa: ASYNC110 - what is waited for gives no event
                await asyncio.sleep(0.01)
        await connections.close()
    assert changed == [url]


@pytest.mark.parametrize("location", ["http://evil.example/messages", "https://127.0.0.1:1/m", "http://127.0.0.1:1/m"])
async def test_an_sse_endpoint_on_another_host_is_refused_at_once(location: str) -> None:
    def answer(request: Request) -> Reply | None:
        if request.verb == "GET":
            event = f"event: endpoint\ndata: {location}\n\n".encode()
            return Reply([event], headers={"Content-Type": "text/event-stream"})
        return Reply(status=405)

    began = time.monotonic()
    async with connected(OddServer(answer)) as call:
        with pytest.raises(CallError, match="names an SSE endpoint on another host, which is not followed"):
            await call("sse")
    assert time.monotonic() - began < 3


def page(*tools: Any, cursor: Any = None) -> dict[str, Any]:
    return {"tools": list(tools), **({} if cursor is None else {"nextCursor": cursor})}


def tool(name: Any, **more: Any) -> dict[str, Any]:
    return {"name": name, "inputSchema": {"type": "object"}, **more}


def deep(levels: int) -> Any:
    value: Any = {}
    for _ in range(levels):
        value = {"a": value}
    return value


LISTINGS: dict[str, tuple[list[Any], list[str], str | None]] = {
    "schema true": ([page({"name": "a", "inputSchema": True})], ["a"], "a: its inputSchema is true or false, not an"),
    "schema text": ([page({"name": "a", "inputSchema": "x"})], ["a"], "a: its inputSchema is a text, not an object"),
    "schema of array": ([page({"name": "a", "inputSchema": {"type": "array"}})], ["a"], "is not of type object"),
    "output schema": ([page(tool("a", outputSchema=[]))], ["a"], "a: its outputSchema is a list, not an object"),
    "description 42": ([page(tool("a", description=42))], ["a"], "a: its description is a number, not a text"),
    "annotations": ([page(tool("a", annotations="x"))], ["a"], "a: its annotations is a text"),
    "deep": ([page(tool("a", description="d", x=deep(70)), tool("b"))], ["a", "b"], "deeper than 64 levels"),
    "twice": ([page(tool("a", description="1"), tool("a", description="2"))], ["a"], "a is listed more than once"),
    "no name": ([page(tool("a"), {"inputSchema": {}}, tool(""), tool(7), 5)], ["a"], r"tools\[1\] has no name"),
    "spaces": ([page(tool(" a "), tool("b c"))], [" a ", "b c"], None),
    "same cursor": (
        [page(tool("a"), cursor="1"), page(tool("b"), cursor="1")],
        ["a", "b"],
        "tools/list pagination loops",
    ),
    "repeating": ([page(tool("a"), cursor=str(n)) for n in range(60)], ["a"], "tools/list pagination loops"),
    "empty pages": (
        [page(tool("a"), cursor="x")] + [page(cursor=str(n)) for n in range(60)],
        ["a"],
        "pagination loops",
    ),
    "one empty page": ([page(cursor="1"), page(tool("a"))], ["a"], None),
    "null later": ([page(tool("a"), cursor="1"), {"tools": None}], ["a"], "its list of tools is null, not a list"),
    "odd cursor": ([page(tool("a"), cursor={"x": 1})], ["a"], "nextCursor is an object"),
    "error later": ([page(tool("a"), cursor="1"), 429], ["a"], "HTTP 429.*the tools read before are kept"),
    "garbage later": ([page(tool("a"), cursor="1"), b"\xff{"], ["a"], "not MCP"),
    "too many": ([page(*(tool(f"t{n}") for n in range(100_000)))], [f"t{n}" for n in range(50)], None),
}


@pytest.mark.parametrize("name", LISTINGS)
async def test_what_is_listed_is_kept_as_far_as_it_is_sound(name: str) -> None:
    pages, names, problem = LISTINGS[name]

    def make(request: Request) -> Reply:
        given = pages[request.number - 1]
        if isinstance(given, int):
            return Reply(status=given)
        return Reply(given) if isinstance(given, bytes) else rpc(request, given)

    async with OddServer(on("tools/list", make)).running() as url:
        fetched = await fetch_tools(url, "streamable-http", timeout=10, max_tools=50)
    assert [tool.name for tool in fetched.tools] == names
    assert fetched.cut == (name == "too many")
    if problem is None:
        assert fetched.problem is None
    else:
        assert fetched.problem is not None
        assert pytest.raises(AssertionError, match=problem).matches(AssertionError(fetched.problem))


NO_TOOLS: dict[str, tuple[Any, str]] = {
    "null": ({"tools": None}, "its list of tools is null, not a list"),
    "no list": ({}, "its list of tools is null, not a list"),
    "refused": (-32603, "refused the call: broken"),
    "busy": (429, "answered HTTP 429"),
}


@pytest.mark.parametrize("name", NO_TOOLS)
async def test_a_listing_of_which_nothing_can_be_read_is_a_reason(name: str) -> None:
    given, reason = NO_TOOLS[name]

    def make(request: Request) -> Reply:
        if given == -32603:
            return rpc_error(request, given, "broken")
        return Reply(status=given) if isinstance(given, int) else rpc(request, given)

    async with OddServer(on("tools/list", make)).running() as url:
        with pytest.raises(ToolsError, match=reason):
            await fetch_tools(url, "streamable-http", timeout=5, max_tools=50)


async def test_a_server_without_the_tools_capability_has_none_and_is_well() -> None:
    def answer(request: Request) -> Reply | None:
        if request.method == "initialize":
            return rpc(request, {"protocolVersion": VERSION, "capabilities": {"prompts": {}}})
        return rpc_error(request, -32601, "Method not found") if request.method == "tools/list" else None

    async with OddServer(answer).running() as url:
        assert await fetch_tools(url, "streamable-http", timeout=5, max_tools=50) == FetchedTools(tools=())


@pytest.mark.parametrize("announced", ["sse", "streamable-http", "", "stdio"])
async def test_the_other_transport_is_tried_where_the_announced_one_is_not_spoken(announced: str) -> None:
    server = OddServer()
    async with server.running() as url:
        fetched = await fetch_tools(url, announced, timeout=10, max_tools=50)
    assert [tool.name for tool in fetched.tools] == ["x"]
    assert (server.requests[0].verb == "GET") == (announced == "sse")


async def test_a_server_of_the_newer_protocol_gets_the_input_that_it_asks_for() -> None:
    """It knows no handshake, and asks by its result."""

    def answer(request: Request) -> Reply | None:
        if request.method == "initialize":
            return rpc_error(request, -32022, "Unsupported protocol version", {"supported": ["2026-07-28"]}, 400)
        if request.method == "server/discover":
            return rpc(request, {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}})
        params = request.message.get("params", {})
        if "inputResponses" in params:
            return rpc(request, {"resultType": "complete", "content": [], "structuredContent": params})
        asked = {"method": "elicitation/create", "params": {"message": "which?"}}
        return rpc(request, {"resultType": "input_required", "inputRequests": {"k": asked}, "requestState": "s"})

    server = OddServer(answer)
    async with connected(server) as call:
        got = (await call(peer=Peer(elicitation={})))["structuredContent"]
        with pytest.raises(CallError, match="asks for input, which is refused: the client that made this call"):
            await call()
    assert got["inputResponses"]["k"]["action"] == "accept"
    assert got["requestState"] == "s"
    headers = server.requests[-1].headers
    assert (headers["mcp-method"], headers["mcp-name"]) == ("tools/call", "x")


async def test_a_refused_notification_ends_no_handshake() -> None:
    server = OddServer(on("notifications/initialized", lambda _: Reply(status=405)))
    async with connected(server) as call:
        assert (await call())["content"][0]["text"] == "done"


async def test_a_stream_that_breaks_off_is_resumed_from_its_last_event() -> None:
    def answer(request: Request) -> Reply | None:
        if request.method == "tools/call":
            return Reply([b"id: e1\nretry: 10\ndata:\n\n"], headers={"Content-Type": "text/event-stream"})
        if request.verb == "GET" and request.headers.get("last-event-id") == "e1":
            return sse({"jsonrpc": "2.0", "id": 2, "result": {"content": [], "resumed": True}})
        return None

    async with connected(OddServer(answer, session="s")) as call:
        assert await call() == {"content": [], "resumed": True}
