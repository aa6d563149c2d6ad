"""What clients of all kinds send over HTTP: headers, paths, ids, sessions, tokens; spoken in plain HTTP."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr

from mcp_optimizer.config import Settings, TokenSetting
from mcp_optimizer.errors import ServeError
from mcp_optimizer.server.runner import bound_socket
from mcp_optimizer.service import DataService
from tests.conftest import OpenService
from tests.support.builders import listing, tool, workload
from tests.support.services import ingest
from tests.support.serving import served

pytestmark = pytest.mark.sqlite

BOTH = "application/json, text/event-stream"
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 0,
    "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}},
}


@pytest.fixture
def quiet(settings: Settings) -> Settings:
    return settings.model_copy(update={"startup_polling_delay": 3600.0, "mcp_port": 0})


async def stocked(open_service: OpenService, settings: Settings) -> DataService:
    service = await open_service(settings)
    await ingest(
        service,
        None,
        listing(
            workload("github", "example.org/github:1", [tool("create_issue", "Create an issue.")], group="dev"),
            workload("clock", "example.org/clock:1", [tool("now", "Tell the time.")], group="ops"),
        ),
    )
    return service


@pytest.fixture
async def http(open_service: OpenService, quiet: Settings) -> AsyncIterator[httpx2.AsyncClient]:
    settings = quiet.model_copy(update={"allowed_origins": ("https://page.example",)})
    async with served(await stocked(open_service, settings)) as (url, _), client(url) as http:
        yield http


@asynccontextmanager
async def client(url: str, **headers: str) -> AsyncGenerator[httpx2.AsyncClient]:
    base = url.removesuffix("/mcp")
    async with httpx2.AsyncClient(base_url=base, trust_env=False, timeout=20, headers=headers) as http:
        yield http


def message(answer: httpx2.Response) -> dict[str, Any]:
    """The last message of an answer, be it JSON or an event stream."""
    if answer.headers["content-type"].startswith("text/event-stream"):
        return json.loads([line for line in answer.text.splitlines() if line.startswith("data:")][-1][5:])
    return answer.json()


async def initialized(http: httpx2.AsyncClient, accept: str = BOTH, path: str = "/mcp") -> dict[str, str]:
    """Headers of a session."""
    answer = await http.post(path, json=INITIALIZE, headers={"accept": accept})
    assert answer.status_code == 200, answer.text
    headers = {"accept": accept, "mcp-session-id": answer.headers["mcp-session-id"]}
    await http.post(path, json={"jsonrpc": "2.0", "method": "notifications/initialized"}, headers=headers)
    return headers


def called(request_id: Any, tool: str = "find_tool", **arguments: Any) -> dict[str, Any]:
    arguments = arguments or {"tool_description": "create an issue"}
    return {
        "jsonrpc": "2.0",
        "id": request_id,
        "method": "tools/call",
        "params": {"name": tool, "arguments": arguments},
    }


def servers(answer: httpx2.Response) -> set[str]:
    """The servers whose tools an answer names."""
    result = message(answer)["result"]["structuredContent"]
    return {tool["mcp_server_name"] for tool in result.get("tools", result.get("result"))}


# Headers and paths


@pytest.mark.parametrize("accept", ["application/json", "*/*", "application/*", "", "text/html, */*;q=0.1"])
async def test_who_takes_no_event_stream_gets_json(http: httpx2.AsyncClient, accept: str) -> None:
    headers = await initialized(http, accept)
    for body in (called(1), {"jsonrpc": "2.0", "id": "a", "method": "tools/list"}):
        answer = await http.post("/mcp", json=body, headers=headers)
        assert answer.headers["content-type"] == "application/json"
        assert (answer.json()["id"], answer.status_code) == (body["id"], 200)
    missing = await http.post("/mcp", json=called(2, "no_such"), headers=headers)
    assert missing.json()["result"]["isError"]


@pytest.mark.parametrize("accept", [BOTH, "text/event-stream", "text/event-stream, application/json;q=0.5"])
async def test_who_takes_event_streams_gets_one(http: httpx2.AsyncClient, accept: str) -> None:
    answer = await http.post("/mcp", json=called(1), headers=await initialized(http, accept))
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert servers(answer) >= {"github"}


async def test_a_path_may_end_with_a_slash(http: httpx2.AsyncClient) -> None:
    """A redirect would lead from https to http behind a proxy."""
    headers = await initialized(http, path="/mcp/")
    for path in ("/mcp", "/mcp/", "/mcp//"):
        assert servers(await http.post(path, json=called(1), headers=headers)) >= {"github"}
    for method in ("GET", "HEAD"):
        for path in ("/", "/health", "/health/", "/metrics/"):
            assert (await http.request(method, path)).status_code == 200
    assert (await http.get("/none/")).status_code == 404


async def test_a_listed_page_may_read_every_answer_and_no_other_page_any(http: httpx2.AsyncClient) -> None:
    asked = {"access-control-request-method": "POST", "access-control-request-headers": "authorization, mcp-session-id"}
    for path in ("/mcp", "/mcp/", "/health"):
        preflight = await http.request("OPTIONS", path, headers={"origin": "https://page.example", **asked})
        assert preflight.status_code == 204
        assert preflight.headers["access-control-allow-headers"] == "authorization, mcp-session-id"
        assert "POST" in preflight.headers["access-control-allow-methods"]
        for other in ("https://evil.example", "https://page.example.evil.example", "null", "http://localhost:3000"):
            refused = await http.request("OPTIONS", path, headers={"origin": other, **asked})
            assert refused.status_code >= 400
            assert "access-control-allow-origin" not in refused.headers
    for path, status in (("/health", 200), ("/none", 404), ("/mcp", 400)):
        answer = await http.get(path, headers={"origin": "https://page.example", "accept": BOTH})
        assert answer.status_code == status
        assert answer.headers["access-control-allow-origin"] == "https://page.example"
        assert "Mcp-Session-Id" in answer.headers["access-control-expose-headers"]
        assert "Origin" in answer.headers["vary"]


async def test_a_listed_page_may_read_why_it_is_refused(open_service: OpenService, tokens: Settings) -> None:
    settings = tokens.model_copy(update={"allowed_origins": ("https://page.example",)})
    page = {"origin": "https://page.example"}
    async with served(await stocked(open_service, settings)) as (url, _), client(url) as http:
        for path, headers, status in (
            ("/mcp", {}, 401),
            ("/mcp", {"authorization": "Bearer wrong"}, 401),
            ("/metrics", {"authorization": "Bearer dev-s3cret"}, 403),
            ("/health", {"host": "evil.example"}, 421),
        ):
            answer = await http.get(path, headers=page | headers)
            assert answer.status_code == status
            assert answer.headers["access-control-allow-origin"] == "https://page.example"
            assert answer.headers["vary"] == "Origin"
            unlisted = await http.get(path, headers={"origin": "https://evil.example", **headers})
            assert unlisted.status_code >= 400
            assert "access-control-allow-origin" not in unlisted.headers


@pytest.mark.parametrize(
    "lines",
    [
        ["host: [::1]evil"],
        ["host: 127.0.0.1:abc"],
        ["host: me@127.0.0.1"],
        ["host: 127.0.0.1", "host: 127.0.0.1"],
        ["host: 127.0.0.1", "host: evil.example"],
        ["host: 127.0.0.1", "authorization: Bearer a", "authorization: Bearer b"],
        ["host: 127.0.0.1", "origin: http://localhost", "origin: http://evil.example"],
        [],
    ],
)
async def test_a_head_that_can_be_read_in_two_ways_is_refused(http: httpx2.AsyncClient, lines: list[str]) -> None:
    reader, writer = await asyncio.open_connection(http.base_url.host, http.base_url.port)
    head = "".join(f"{line}\r\n" for line in lines)
    writer.write(f"GET /health HTTP/1.1\r\n{head}connection: close\r\n\r\n".encode())
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.1 421"))


@pytest.mark.parametrize(
    "content", [b"nonsense", b"\xff", b"[]", b"7", b'{"jsonrpc": "1.0", "id": 1, "method": "ping"}']
)
async def test_what_is_no_message_is_told(http: httpx2.AsyncClient, content: bytes) -> None:
    headers = {**await initialized(http), "content-type": "application/json"}
    answer = await http.post("/mcp", content=content, headers=headers)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] in {-32700, -32600}
    assert servers(await http.post("/mcp", json=called(2), headers=headers)) >= {"github"}


# Ids and sessions


@pytest.mark.parametrize("ids", [(7, 7), ("x", "x"), (1, "1"), ("2", 2)])
@pytest.mark.parametrize("accept", [BOTH, "application/json"])
async def test_two_requests_with_one_id_at_once(http: httpx2.AsyncClient, ids: tuple[Any, Any], accept: str) -> None:
    headers = await initialized(http, accept)
    for _ in range(2):  # an id is free again once its request is answered
        async with asyncio.timeout(20):
            answers = await asyncio.gather(*(http.post("/mcp", json=called(i), headers=headers) for i in ids))
        answered = [answer for answer in answers if "result" in message(answer)]
        refused = [message(answer)["error"]["code"] for answer in answers if "error" in message(answer)]
        assert len(answered) >= 1
        assert refused == [-32600] * (2 - len(answered))


async def test_the_longest_idle_session_makes_room(open_service: OpenService, quiet: Settings) -> None:
    async with served(await stocked(open_service, quiet), max_sessions=3) as (url, _), client(url) as http:
        first = await initialized(http)
        others = [await initialized(http) for _ in range(2)]
        assert (await http.post("/mcp", json=called(1), headers=first)).status_code == 200
        for _ in range(20):
            newest = await initialized(http)
        assert (await http.post("/mcp", json=called(1), headers=newest)).status_code == 200
        for gone in (first, *others):
            assert (await http.post("/mcp", json=called(1), headers=gone)).status_code == 404


async def test_a_thousand_sessions_that_nobody_ends_shut_nobody_out(open_service: OpenService, quiet: Settings) -> None:
    async with served(await stocked(open_service, quiet)) as (url, _), client(url) as http:
        begun = []
        for _ in range(1003):
            answer = await http.post("/mcp", json=INITIALIZE, headers={"accept": BOTH})
            assert answer.status_code == 200
            begun.append({"accept": BOTH, "mcp-session-id": answer.headers["mcp-session-id"]})
        for headers, status in ((begun[0], 404), (begun[2], 404), (begun[9], 200), (begun[-1], 200)):
            ping = {"jsonrpc": "2.0", "id": 5, "method": "ping"}
            assert (await http.post("/mcp", json=ping, headers=headers)).status_code == status


async def test_a_session_that_was_ended_is_gone(http: httpx2.AsyncClient) -> None:
    headers = await initialized(http)
    assert (await http.request("DELETE", "/mcp", headers=headers)).status_code == 200
    assert (await http.post("/mcp", json=called(1), headers=headers)).status_code == 404


# Tokens


@pytest.fixture
def tokens(quiet: Settings, tmp_path: Path) -> Settings:
    """One token that sees all, two that see a group each, one that sees a group that there is not."""
    made = []
    for name, groups in (("dev", ("dev",)), ("ops", ("ops",)), ("nobody", ("none",)), ("all", None)):
        (tmp_path / name).write_text(f"{name}-s3cret\n")
        made.append(TokenSetting(name=name, token_file=tmp_path / name, groups=groups))
    return quiet.model_copy(
        update={"mcp_tokens": tuple(made), "mcp_token": SecretStr("main-s3cret"), "enable_dynamic_install": True}
    )


async def test_each_token_sees_its_groups_only(open_service: OpenService, tokens: Settings) -> None:
    service = await stocked(open_service, tokens)
    seen = {
        "dev": {"github"},
        "ops": {"clock"},
        "nobody": set(),
        "all": {"github", "clock"},
        "main": {"github", "clock"},
    }
    offered, baseline = {}, {}
    async with served(service) as (url, _):
        for name, expected in seen.items():
            async with client(url, authorization=f"Bearer {name}-s3cret") as http:
                headers = await initialized(http, "application/json")
                asked = called(1, tool_description="create an issue, tell the time", tool_keywords="now issue")
                answer = await http.post("/mcp", json=asked, headers=headers)
                assert servers(answer) == expected
                baseline[name] = message(answer)["result"]["structuredContent"]["token_metrics"]["baseline_tokens"]
                assert servers(await http.post("/mcp", json=called(2, "list_tools", x=1), headers=headers)) == expected
                for server, tool_name in (("github", "create_issue"), ("clock", "now")):
                    calling = called(3, "call_tool", server_name=server, tool_name=tool_name)
                    result = message(await http.post("/mcp", json=calling, headers=headers))["result"]
                    hidden = f"no MCP server named {server}" in result["content"][0]["text"]
                    assert hidden is (server not in expected)
                listed = await http.post(
                    "/mcp", json={"jsonrpc": "2.0", "id": 4, "method": "tools/list"}, headers=headers
                )
                offered[name] = len(message(listed)["result"]["tools"])
                assert (await http.get("/metrics")).status_code == (200 if name in {"all", "main"} else 403)
        async with client(url, authorization="Bearer dev-s3cre") as http:
            assert (await http.post("/mcp", json=INITIALIZE, headers={"accept": BOTH})).status_code == 401
    assert baseline["dev"] + baseline["ops"] == baseline["all"] == baseline["main"] > baseline["nobody"] == 0
    assert offered == {"dev": 3, "ops": 3, "nobody": 3, "all": 5, "main": 5}
    await service._queries.flush()
    queries = await service.recent_queries()
    assert sorted(query.token for query in queries) == ["", "all", "dev", "nobody", "ops"]
    assert "s3cret" not in "".join(query.model_dump_json() for query in queries)


async def test_a_session_is_of_the_token_that_began_it(open_service: OpenService, tokens: Settings) -> None:
    async with (
        served(await stocked(open_service, tokens)) as (url, _),
        client(url, authorization="Bearer dev-s3cret") as dev,
        client(url, authorization="Bearer ops-s3cret") as ops,
    ):
        headers = await initialized(dev)
        for method, body in (("POST", called(1)), ("GET", None), ("DELETE", None)):
            assert (await ops.request(method, "/mcp", json=body, headers=headers)).status_code == 404
        assert servers(await dev.post("/mcp", json=called(1), headers=headers)) == {"github"}


@pytest.mark.parametrize("content", [None, b"", b" \n", b"two words", b"\xff\xfe", b"x" * 5000, b"main-s3cret"])
def test_a_file_without_a_token_of_its_own_is_named(quiet: Settings, tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "token"
    if content is not None:
        path.write_bytes(content)
    settings = quiet.model_copy(
        update={"mcp_token": SecretStr("main-s3cret"), "mcp_tokens": (TokenSetting(name="dev", token_file=path),)}
    )
    with pytest.raises(ServeError) as error:
        bound_socket(settings)
    assert "dev" in str(error.value)
    assert "s3cret" not in str(error.value)
    assert "words" not in str(error.value)


# What changes


async def test_a_client_is_told_when_what_it_would_find_changes(open_service: OpenService, tokens: Settings) -> None:
    service = await stocked(open_service, tokens)
    told: dict[str, list[str]] = {"dev": [], "ops": []}

    async def listen(http: httpx2.AsyncClient, name: str, headers: dict[str, str]) -> None:
        async with http.stream("GET", "/mcp", headers=headers) as answer:
            async for line in answer.aiter_lines():
                if line.startswith("data:"):
                    told[name].append(json.loads(line[5:])["method"])

    async with (
        served(service) as (url, made),
        client(url, authorization="Bearer dev-s3cret") as dev,
        client(url, authorization="Bearer ops-s3cret") as ops,
        asyncio.timeout(60),
    ):
        listening = []
        for http, name in ((dev, "dev"), (ops, "ops")):
            headers = await initialized(http)
            await http.post("/mcp", json={"jsonrpc": "2.0", "id": 4, "method": "tools/list"}, headers=headers)
            listening.append(asyncio.create_task(listen(http, name, headers)))
        await made.changes.tell()
        changed = [tool("create_issue", "Create an issue."), tool("close_issue", "Close an issue.")]
        await ingest(
            service,
            None,
            listing(
                workload("github", "example.org/github:1", changed, group="dev"),
                workload("clock", "example.org/clock:1", [tool("now", "Tell the time.")], group="ops"),
            ),
        )
        await made.changes.tell()
        while not told["dev"]:  # noqa: ASYNC110 (nothing tells of it)
            await asyncio.sleep(0.05)
        await made.changes.tell()
        for task in listening:
            task.cancel()
        await asyncio.gather(*listening, return_exceptions=True)
    assert told == {"dev": ["notifications/tools/list_changed"], "ops": []}


async def test_a_client_is_told_within_seconds_though_nobody_looks(open_service: OpenService, quiet: Settings) -> None:
    service = await stocked(open_service, quiet)
    async with served(service) as (url, made), client(url) as http, asyncio.timeout(60):
        headers = await initialized(http)
        await http.post("/mcp", json={"jsonrpc": "2.0", "id": 4, "method": "tools/list"}, headers=headers)
        await made.changes.tell()  # as it is by now
        changed = [tool("create_issue", "Create an issue."), tool("close_issue", "Close an issue.")]
        await ingest(service, None, listing(workload("github", "example.org/github:1", changed, group="dev")))
        async with http.stream("GET", "/mcp", headers=headers) as answer:
            async for line in answer.aiter_lines():
                if line.startswith("data:"):
                    assert json.loads(line[5:])["method"] == "notifications/tools/list_changed"
                    return
    pytest.fail("the stream ended")


async def test_that_the_list_changes_is_announced(http: httpx2.AsyncClient) -> None:
    answer = message(await http.post("/mcp", json=INITIALIZE, headers={"accept": BOTH}))
    assert answer["result"]["capabilities"]["tools"] == {"listChanged": True}
