"""The MCP server over real HTTP and stdio, asked by the official client."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client, StdioServerParameters
from mcp_types import CallToolResult, TextContent
from pydantic import SecretStr
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from mcp_optimizer.config import Settings
from mcp_optimizer.demo.simulator import ToolHiveSimulator
from mcp_optimizer.domain.models import ObservedWorkload
from mcp_optimizer.domain.reports import IngestPart
from mcp_optimizer.errors import OptimizerError, ServeError
from mcp_optimizer.server.runner import bound_socket, url_of
from mcp_optimizer.service import DataService
from tests.conftest import OpenService
from tests.support.builders import catalog, entry, listing, tool, workload
from tests.support.embedders import FakeEmbedder
from tests.support.places import Place
from tests.support.services import ingest
from tests.support.serving import client_of, served

QUIET = {"startup_polling_delay": 3600.0, "mcp_port": 0}


@pytest.fixture
def quiet(settings: Settings) -> Settings:
    """Settings under which no source is asked within a test."""
    return settings.model_copy(update=QUIET)


def running_workloads() -> list[ObservedWorkload]:
    """Two that run, one that does not, one of another group."""
    return [
        workload(
            "github",
            "example.org/github:1",
            [tool("create_issue", "Create an issue."), tool("list_pulls", "List pull requests.")],
        ),
        workload("clock", "example.org/clock:1", [tool("now", "Tell the time.")], group="other"),
        workload("gone", "example.org/gone:1", [tool("create_issue", "Create an issue, elsewhere.")], status="stopped"),
        workload("odd", "example.org/odd:1", [tool("create_issue", "Create an issue, oddly.")], status="hibernating"),
    ]


@pytest.fixture
async def stocked(open_service: OpenService, quiet: Settings) -> DataService:
    service = await open_service(quiet)
    await ingest(
        service,
        catalog(entry("fetch", "example.org/fetch:1", [tool("fetch", "Fetch a page.")])),
        listing(*running_workloads()),
    )
    return service


@pytest.fixture
async def url(stocked: DataService) -> AsyncIterator[str]:
    async with served(stocked) as (url, _):
        yield url


def names(result: CallToolResult) -> list[tuple[str, str]]:
    """Server and name of every tool in an answer."""
    answer = result.structured_content
    return [(found["mcp_server_name"], found["name"]) for found in answer.get("tools", answer.get("result"))]


async def test_find_tool_gives_tools_of_running_servers_and_what_was_saved(url: str) -> None:
    async with client_of(url) as client:
        result = await client.call_tool("find_tool", {"tool_description": "create an issue", "tool_keywords": "issue"})
    assert names(result)[0] == ("github", "create_issue")
    assert {server for server, _ in names(result)} <= {"github", "clock"}
    (content,) = result.content
    assert isinstance(content, TextContent)
    assert json.loads(content.text) == result.structured_content
    best = result.structured_content["tools"][0]
    assert best["inputSchema"]["type"] == "object"
    assert best["description"] == "Create an issue."
    saved = result.structured_content["token_metrics"]
    assert saved["tokens_saved"] == saved["baseline_tokens"] - saved["returned_tokens"] >= 0


async def test_the_limit_and_the_groups_hold_inside_the_search(open_service: OpenService, quiet: Settings) -> None:
    """Q1: a filter after the search would leave nothing of the one group among a hundred better tools of others."""
    service = await open_service(quiet.model_copy(update={"allowed_groups": ("small",), "max_tools_to_return": 2}))
    crowd = [
        workload(f"w{n}", f"example.org/w{n}:1", [tool("create_issue", "Create an issue.")], group="big")
        for n in range(100)
    ]
    small = workload(
        "s", "example.org/s:1", [tool("note", "Write a note about an issue."), tool("b", "Bees.")], group="small"
    )
    await ingest(service, None, listing(*crowd, small))
    async with served(service) as (url, _), client_of(url) as client:
        result = await client.call_tool("find_tool", {"tool_description": "create an issue"})
        everything = await client.call_tool("list_tools")
    assert len(names(result)) == 2
    assert {server for server, _ in names(result)} == {"s"}
    assert names(everything) == [("s", "b"), ("s", "note")]
    stored = result.structured_content["token_metrics"]["baseline_tokens"]
    assert stored == sum(tool.tokens for tool in (await service.workload("s")).tool_list)


async def test_list_tools_lists_running_servers_only(url: str) -> None:
    async with client_of(url) as client:
        result = await client.call_tool("list_tools", {})
    assert names(result) == [("clock", "now"), ("github", "create_issue"), ("github", "list_pulls")]
    assert len(result.content) == 3


async def test_more_tools_than_can_be_listed_are_refused(open_service: OpenService, quiet: Settings) -> None:
    service = await open_service(quiet.model_copy(update={"max_tools_listed": 2}))
    await ingest(service, None, listing(*running_workloads()))
    async with served(service) as (url, _), client_of(url) as client:
        result = await client.call_tool("list_tools", {})
    assert result.is_error
    assert "3 tools" in text_of(result)


async def test_it_says_what_it_offers(url: str) -> None:
    async with client_of(url) as client:
        listed = await client.list_tools()
        assert client.server_info is not None
        assert client.server_info.name == "mcp-optimizer"
    assert [offered.name for offered in listed.tools] == ["find_tool", "call_tool", "list_tools"]
    assert all(offered.description and offered.input_schema for offered in listed.tools)


def text_of(result: CallToolResult) -> str:
    return " ".join(part.text for part in result.content if isinstance(part, TextContent))


BAD_CALLS: list[tuple[str, dict[str, Any], str]] = [
    ("find_tool", {"tool_description": 7}, "tool_description"),
    ("find_tool", {}, "say what the tool should do"),
    ("find_tool", {"tool_description": "  "}, "say what the tool should do"),
    ("call_tool", {"server_name": "github"}, "tool_name is missing"),
    ("call_tool", {"server_name": "nobody", "tool_name": "x"}, "nobody"),
    ("call_tool", {"server_name": "gone", "tool_name": "create_issue"}, "stopped"),
    ("call_tool", {"server_name": "odd", "tool_name": "create_issue"}, "hibernating"),
    ("install_server", {"server_name": "fetch"}, "unknown tool install_server"),
    ("no_such", {}, "available: find_tool, call_tool, list_tools"),
]


async def test_each_bad_call_has_its_reason(url: str) -> None:
    async with client_of(url) as client:
        for name, arguments, said in BAD_CALLS:
            result = await client.call_tool(name, arguments)
            assert result.is_error, (name, arguments)
            assert said in text_of(result)


async def test_registry_tools_are_found_where_installing_is_on(open_service: OpenService, quiet: Settings) -> None:
    service = await open_service(quiet.model_copy(update={"enable_dynamic_install": True}))
    await ingest(
        service,
        catalog(entry("fetch", "example.org/fetch:1", [tool("fetch", "Fetch a page.")])),
        listing(*running_workloads()),
    )
    async with served(service) as (url, _), client_of(url) as client:
        result = await client.call_tool("search_registry", {"tool_description": "fetch a page"})
        assert [offered.name for offered in (await client.list_tools()).tools][-1] == "install_server"
        unknown = await client.call_tool("install_server", {"server_name": "nobody"})
    assert names(result) == [("fetch", "fetch")]
    assert text_of(unknown) == "no registry server named nobody (search_registry gives the names of servers)"


# Seen from outside


async def test_health_is_open_and_figures_are_told(url: str) -> None:
    base = url.removesuffix("/mcp")
    async with client_of(url) as client:
        await client.call_tool("find_tool", {"tool_description": "create an issue"})
        await client.call_tool("find_tool", {})
    async with httpx2.AsyncClient(base_url=base, trust_env=False) as http:
        for path in ("/", "/health"):
            assert (await http.get(path)).json() == {"status": "ok"}
        figures = (await http.get("/metrics")).text
    assert 'mcp_optimizer_requests_total{outcome="ok",tool="find_tool"} 1.0' in figures
    assert 'mcp_optimizer_requests_total{outcome="error",tool="find_tool"} 1.0' in figures
    assert 'mcp_optimizer_request_seconds_count{tool="find_tool"} 2.0' in figures
    assert 'mcp_optimizer_stored{what="workloads"} 4.0' in figures
    saved = next(line for line in figures.splitlines() if line.startswith('mcp_optimizer_tokens_total{kind="saved"}'))
    assert float(saved.split()[1]) >= 0


async def test_a_page_of_another_site_reaches_nothing(url: str) -> None:
    async with httpx2.AsyncClient(base_url=url.removesuffix("/mcp"), trust_env=False) as http:
        for headers, status in (({"host": "evil.example"}, 421), ({"origin": "https://evil.example"}, 403)):
            for path in ("/", "/health", "/metrics", "/mcp", "/none"):
                assert (await http.get(path, headers=headers)).status_code == status, path
            assert (await http.post("/mcp", headers=headers, json={})).status_code == status


async def test_whose_host_or_origin_is_refused_is_told_which(url: str) -> None:
    """A proxy may send another one than its client did."""
    async with httpx2.AsyncClient(base_url=url.removesuffix("/mcp"), trust_env=False) as http:
        with capture_logs() as logged:
            host = await http.get("/", headers={"host": "inner.example:80"})
            origin = await http.get("/", headers={"origin": "https://me:s3cret@page.example"})
            await http.get("/", headers={"host": "x" * 5000})
    assert "the Host 'inner.example:80' is not served here" in host.text
    assert "pages of the Origin 'https://page.example' may not ask here" in origin.text
    assert [line["reason"] for line in logged][:2] == [host.text.strip(), origin.text.strip()]
    assert len(logged[2]["reason"]) < 250


async def test_with_a_token_only_health_is_open(open_service: OpenService, quiet: Settings) -> None:
    service = await open_service(quiet.model_copy(update={"mcp_token": SecretStr("s3cret-token")}))
    async with served(service) as (url, _):
        async with httpx2.AsyncClient(base_url=url.removesuffix("/mcp"), trust_env=False) as http:
            assert (await http.get("/health")).status_code == 200
            refused = await http.get("/metrics")
            assert (refused.status_code, refused.headers["www-authenticate"][:6]) == (401, "Bearer")
            assert (await http.post("/mcp", json={})).status_code == 401
            told = await http.get("/metrics", headers={"authorization": "Bearer s3cret-token"})
            assert told.status_code == 200
            assert "s3cret" not in told.text + refused.text
        async with client_of(url, {"authorization": "Bearer s3cret-token"}) as client:
            assert not (await client.call_tool("list_tools")).is_error


async def test_a_request_that_is_too_large_is_refused(open_service: OpenService, quiet: Settings) -> None:
    service = await open_service(quiet.model_copy(update={"max_request_bytes": 2000}))
    async with served(service) as (url, _), httpx2.AsyncClient(trust_env=False) as http:
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "x" * 5000}}
        answer = await http.post(url, json=body, headers={"accept": "application/json, text/event-stream"})
    assert answer.status_code == 413


async def test_each_answer_has_its_requests_id(url: str) -> None:
    async with httpx2.AsyncClient(base_url=url.removesuffix("/mcp"), trust_env=False) as http:
        assert (await http.get("/health", headers={"x-request-id": "mine-1"})).headers["x-request-id"] == "mine-1"
        made = (await http.get("/health", headers={"x-request-id": "not\tone"})).headers["x-request-id"]
    assert len(made) == 36


async def test_the_id_of_a_request_that_failed_leads_to_its_line_in_the_log(url: str) -> None:
    async with httpx2.AsyncClient(base_url=url.removesuffix("/mcp"), trust_env=False) as http:
        with capture_logs() as logged:
            for number, path in enumerate(("/none", "/health", "/mcp")):
                answer = await http.post(path, headers={"x-request-id": f"mine-{number}"}, content=b"{}")
                assert answer.status_code >= 400
            await http.get("/health", headers={"x-request-id": "well"})
    failures = [line for line in logged if line["event"] == "request failed"]
    assert [(line["request_id"], line["status"], line["path"]) for line in failures] == [
        ("mine-0", 404, "/none"), ("mine-1", 405, "/health"), ("mine-2", 400, "/mcp")
    ]  # fmt: skip


async def test_figures_without_the_stores_are_logged_with_their_request(
    stocked: DataService, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unreadable() -> None:
        raise OptimizerError("the database is away")

    monkeypatch.setattr(stocked, "overview", unreadable)
    async with httpx2.AsyncClient(base_url=url.removesuffix("/mcp"), trust_env=False) as http:
        with capture_logs() as logged:
            assert (await http.get("/metrics", headers={"x-request-id": "mine"})).status_code == 200
    assert [(line["request_id"], line["reason"]) for line in logged] == [("mine", "the database is away")]


async def test_a_call_of_no_tool_of_ours_is_counted_and_logged_with_its_reason(url: str) -> None:
    async with client_of(url) as client:
        with capture_logs(processors=[merge_contextvars]) as logged:
            await client.call_tool("no_such", {"a": 1})
            await client.call_tool("find_tool", {"query": "x"})
    async with httpx2.AsyncClient(base_url=url.removesuffix("/mcp"), trust_env=False) as http:
        figures = (await http.get("/metrics")).text
    assert 'mcp_optimizer_requests_total{outcome="error",tool="unknown"} 1.0' in figures
    assert "no_such" not in figures
    reasons = {line["request_id"]: line["reason"] for line in logged if line["event"] == "tool call failed"}
    assert [reason[:30] for reason in reasons.values()] == [
        "unknown tool no_such; availabl", "find_tool: say what the tool s"
    ]  # fmt: skip
    assert [line["request_id"] for line in logged if line["event"] == "tool called"] == list(reasons)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1"])
def test_it_is_not_bound_where_all_could_reach_it_unprotected(host: str) -> None:
    with pytest.raises(ServeError, match="not a loopback address"):
        bound_socket(Settings(mcp_host=host, mcp_port=0))
    assert Settings().mcp_host == "127.0.0.1"


def test_a_port_in_use_is_an_error_with_a_remedy() -> None:
    with bound_socket(Settings(mcp_port=0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ServeError) as error:
            bound_socket(Settings(mcp_port=port))
    assert str(port) in error.value.message
    assert "--port" in str(error.value.remedy)


def test_where_clients_reach_it() -> None:
    assert url_of("0.0.0.0", 9900) == "http://127.0.0.1:9900/mcp"
    assert url_of("::1", 80) == "http://[::1]:80/mcp"


async def test_others_see_the_server_and_what_was_asked(stocked: DataService, open_service: OpenService) -> None:
    looking = await open_service()
    async with served(stocked) as (url, _):
        (seen,) = await looking.running_servers()
        assert (seen.address, seen.transport) == (url, "streamable-http")
        async with client_of(url) as client:
            await client.call_tool("find_tool", {"tool_description": "create an issue", "tool_keywords": ["issue"]})
        await stocked._queries.flush()
        (query,) = await looking.recent_queries()
        assert (query.text, query.keywords, query.server_id) == ("create an issue", "issue", seen.id)
        assert query.hits[0].tool == "create_issue"
        assert query.request_id
    assert await looking.running_servers() == []


async def test_it_starts_and_answers_without_toolhive(stocked: DataService, url: str) -> None:
    assert stocked.settings.toolhive_url is None
    async with client_of(url) as client:
        assert names(await client.call_tool("list_tools"))


async def test_the_model_is_ready_before_anybody_asks(stocked: DataService, fake_embedder: FakeEmbedder) -> None:
    fake_embedder.texts.clear()
    async with served(stocked), asyncio.timeout(10):
        while not fake_embedder.texts:  # noqa: ASYNC110 (nothing tells of it)
            await asyncio.sleep(0.01)


async def test_a_model_that_is_not_to_be_had_does_not_stop_the_server(
    stocked: DataService, fake_embedder: FakeEmbedder
) -> None:
    fake_embedder.unavailable = True
    async with served(stocked) as (url, _), client_of(url) as client:
        result = await client.call_tool("find_tool", {"tool_description": "create an issue"})
    assert names(result)[0] == ("github", "create_issue")


async def test_many_clients_at_once(url: str) -> None:
    async def ask(number: int) -> list[tuple[str, str]]:
        async with client_of(url) as client:
            return names(await client.call_tool("find_tool", {"tool_description": f"create issue {number}"}))

    answers = await asyncio.gather(*(ask(number) for number in range(20)))
    assert all(answer[0] == ("github", "create_issue") for answer in answers)


async def test_a_tool_is_found_called_and_its_result_is_its_own(
    open_service: OpenService, quiet: Settings, tmp_path: Path
) -> None:
    found = {"name": "add", "description": "Add two numbers.", "inputSchema": {"type": "object"}}
    given = {"name": "calc", "package": "example.org/calc:1", "status": "running", "tool_definitions": [found]}
    async with ToolHiveSimulator(catalog={"servers": {}}, workloads=[given]) as toolhive:
        service = await open_service(quiet.model_copy(update={"toolhive_url": toolhive.url}))
        await service.ingest(IngestPart.ALL)
        async with served(service) as (url, _), client_of(url) as client:
            result = await client.call_tool("find_tool", {"tool_description": "add numbers"})
            ((server, name),) = names(result)
            called = {"server_name": server, "tool_name": name, "parameters": {"a": 1}}
            answer = await client.call_tool("call_tool", called)
            assert text_of(answer) == 'calc answered add with {"a": 1}'
            assert not answer.is_error
            toolhive.set_status("calc", "stopped")
            away = await client.call_tool("call_tool", called)
            assert away.is_error


async def test_an_installed_server_is_waited_for_by_the_name_of_its_workload(
    open_service: OpenService, quiet: Settings
) -> None:
    books = {"image": "example.org/books:1", "tools": ["add_book"], "description": "Keeps books.", "transport": "stdio"}
    async with ToolHiveSimulator(catalog={"servers": {"io.example/books": books}}, workloads=[]) as toolhive:
        settings = quiet.model_copy(update={"toolhive_url": toolhive.url, "enable_dynamic_install": True})
        service = await open_service(settings)
        await service.ingest(IngestPart.REGISTRY)
        async with served(service) as (url, _), client_of(url) as client:
            (name,) = [
                server for server, _ in names(await client.call_tool("search_registry", {"tool_keywords": "book"}))
            ]
            installed = await client.call_tool("install_server", {"server_name": name})
            assert text_of(installed) == (
                "ToolHive starts io.example/books as books. It answers, and its tools are found."
            )
            again = await client.call_tool("install_server", {"server_name": name})
            assert text_of(again) == "io.example/books is running already, as books."
            ((server, tool_name),) = names(await client.call_tool("find_tool", {"tool_keywords": "book"}))
            called = {"server_name": server, "tool_name": tool_name}
            assert not (await client.call_tool("call_tool", called)).is_error


async def test_a_server_process_ends_in_order(stocked: DataService, database: Place) -> None:
    """It says where it is, answers, and leaves nothing behind; its log is JSON with the ids of requests."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "mcp_optimizer", "--db", database.url, "serve", "--port", "0",
        env={**os.environ, "EMBEDDING_MODEL_NAME": stocked.embedder.model, "STARTUP_POLLING_DELAY": "3600"},
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr is not None
    said: list[str] = []
    try:
        while not (said and said[-1].startswith("serving MCP at ")):
            said.append((await asyncio.wait_for(process.stderr.readline(), 60)).decode())
            assert said[-1], "it ended"
        async with client_of(said[-1].removeprefix("serving MCP at ").strip()) as client:
            await client.call_tool("find_tool", {"tool_keywords": "issue s3cret"})
        assert len(await stocked.running_servers()) == 1
        process.terminate()
        said += (await asyncio.wait_for(process.stderr.read(), 30)).decode().splitlines()
        assert await asyncio.wait_for(process.wait(), 30) == 0
    finally:
        if process.returncode is None:
            process.kill()
    assert await stocked.running_servers() == []
    assert [query.keywords for query in await stocked.recent_queries()] == ["issue s3cret"]
    logged = [json.loads(line) for line in said if line.startswith("{")]
    (called,) = [line for line in logged if line["event"] == "tool called"]
    assert (called["tool"], called["outcome"], called["arguments"]) == ("find_tool", "ok", ["tool_keywords"])
    assert len(called["request_id"]) == 36
    assert "s3cret" not in "".join(said)


async def test_over_stdio(database: Place, stocked: DataService, tmp_path: Any) -> None:
    """Nothing but MCP is on stdout: the client would choke on it."""
    environment = {
        **{name: value for name, value in os.environ.items() if name.startswith(("XDG_", "MCP_", "HOME", "PATH"))},
        "EMBEDDING_MODEL_NAME": stocked.embedder.model,
        "STARTUP_POLLING_DELAY": "3600",
    }
    parameters = StdioServerParameters(
        command=sys.executable,
        args=["-m", "mcp_optimizer", "--db", database.url, "serve", "--transport", "stdio"],
        env=environment,
    )
    async with Client(parameters) as client:
        result = await client.call_tool("find_tool", {"tool_keywords": "issue"})
        assert names(result)[0] == ("github", "create_issue")
        (seen,) = await stocked.running_servers()
        assert seen.transport == "stdio"
