"""What a server notes of its clients' calls, to learn from (Q6); and the process that learns."""

from pathlib import Path
from typing import Any

import pytest

from mcp_optimizer.config import Settings
from mcp_optimizer.errors import CallError
from mcp_optimizer.server.learning import learn_aside
from mcp_optimizer.service import DataService
from tests.conftest import OpenService
from tests.support.builders import listing, tool, workload
from tests.support.database import rows
from tests.support.places import Place
from tests.support.services import ingest
from tests.support.serving import client_of, served

pytestmark = pytest.mark.sqlite

ISSUE = {"tool_description": "create an issue"}


@pytest.fixture
async def stocked(open_service: OpenService, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> DataService:
    """A service whose workload's tools work, fail, or can't be reached, by their names."""
    service = await open_service(settings.model_copy(update={"startup_polling_delay": 3600.0, "mcp_port": 0}))
    tools = [tool(name, f"Create an issue, {name}.") for name in ("works", "fails", "unreachable")]
    await ingest(service, None, listing(workload("github", "example.org/github:1", tools)))

    async def call(server: str, name: str, *_: Any, **__: Any) -> dict[str, Any]:
        if name == "unreachable":
            raise CallError("it can't be reached")
        return {"content": [{"type": "text", "text": "done"}], "isError": name == "fails"}

    monkeypatch.setattr(service._calling, "call", call)
    return service


def called(name: str) -> dict[str, Any]:
    return {"server_name": "github", "tool_name": name, "parameters": {"secret": "argument"}}


async def kept(service: DataService, database: Place) -> list[tuple[Any, ...]]:
    await service._queries.flush()
    return rows(database, "SELECT query, server, tool FROM query_calls")


async def test_q6_a_call_that_succeeds_is_kept_with_the_query_that_offered_it(
    stocked: DataService, database: Place
) -> None:
    async with served(stocked) as (url, _), client_of(url) as client:
        await client.call_tool("find_tool", ISSUE)
        for name in ("fails", "unreachable", "works", "works"):
            await client.call_tool("call_tool", called(name))
        async with client_of(url) as other:
            await other.call_tool("call_tool", called("works"))
    assert [tuple(row) for row in await kept(stocked, database)] == [("create an issue", "github", "works")]
    everything = str(rows(database, "SELECT * FROM query_calls")) + str(rows(database, "SELECT * FROM tool_queries"))
    assert "argument" not in everything


async def test_q6_what_was_called_without_asking_says_nothing(stocked: DataService, database: Place) -> None:
    async with served(stocked) as (url, _), client_of(url) as client:
        await client.call_tool("call_tool", called("works"))
        await client.call_tool("find_tool", ISSUE)
    assert await kept(stocked, database) == []


async def test_a_process_of_its_own_learns(settings: Settings, tmp_path: Path) -> None:
    """It opens the database itself, with the offline model."""
    report = await learn_aside(settings.model_copy(update={"db_url": f"sqlite:///{tmp_path / 'own.db'}"}))
    assert report is not None
    assert "too few" in report.reason


async def test_one_that_fails_says_so_and_no_more(settings: Settings) -> None:
    assert await learn_aside(settings.model_copy(update={"db_url": "sqlite:////proc/nowhere/a.db"})) is None
