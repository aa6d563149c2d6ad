"""Secrets that pass through ``serve`` stay in what they are for: not in logs, figures, the database or errors (S7)."""

from pathlib import Path
from typing import Any

import httpx2
import pytest

from mcp_optimizer.config import Settings
from mcp_optimizer.domain.reports import IngestPart
from mcp_optimizer.service import DataService
from tests.support.database import everything
from tests.support.places import SqlitePlace
from tests.support.planted import leaked, planted_toolhive
from tests.support.server_process import ServerProcess, server_environment
from tests.support.serving import client_of

pytestmark = pytest.mark.sqlite

TOKEN, HEADER, ARGUMENT = "canary-in-the-token-17", "canary-in-a-header-17", "canary-in-an-argument-17"


def found_in(text: str | bytes) -> list[Any]:
    """Every canary that is in it."""
    ours = [item for item in (TOKEN, HEADER, ARGUMENT) if (item.encode() if isinstance(text, bytes) else item) in text]
    return ours + leaked(text)


async def test_s7_no_secret_of_a_call_is_logged_counted_stored_or_told(tmp_path: Path, model_cache: Path) -> None:
    database = tmp_path / "served.db"
    async with planted_toolhive() as toolhive:
        environment = server_environment(
            tmp_path, model_cache, toolhive_url=toolhive.url, mcp_token=TOKEN, log_level="debug",
            startup_polling_delay="0.1", mcp_timeout="2",
        )  # fmt: skip
        async with DataService(Settings(db_url=f"sqlite:///{database}", toolhive_url=toolhive.url)) as service:
            await service.ingest(IngestPart.ALL)
            tools = {view.name: "search" for view in await service.workloads()}
        headers = {"authorization": f"Bearer {TOKEN}", "x-api-key": HEADER}
        async with ServerProcess(database, environment) as server:
            async with client_of(server.url, headers) as client:
                await client.call_tool("find_tool", {"tool_description": "anything keyed"})
                refused = await client.call_tool("find_tool", {"tool_description": "no more", "secret": ARGUMENT})
                errors = [item.text for item in refused.content]
                listed = (await client.call_tool("list_tools", {})).structured_content["result"]
                tools |= {tool["mcp_server_name"]: tool["name"] for tool in listed}
                for server_name, tool in tools.items():
                    call = {"server_name": server_name, "tool_name": tool, "parameters": {"password": ARGUMENT}}
                    result = await client.call_tool("call_tool", call)
                    errors += [item.text for item in result.content] if result.is_error else []
            async with httpx2.AsyncClient(trust_env=False) as http:
                root = server.url.removesuffix("/mcp")
                wrong = await http.post(server.url, headers={"authorization": f"Bearer {TOKEN}x"}, json={})
                figures = (await http.get(f"{root}/metrics", headers=headers)).text
        stored = everything(SqlitePlace(database))
    said = "".join(server.said)
    assert wrong.status_code == 401
    assert len(errors) > 2
    assert "tool called" in said
    assert "mcp_optimizer_requests" in figures
    assert b"anything keyed" in stored, "what is stored at all is found"
    assert {
        place: found
        for place, text in {
            "log": said, "figures": figures, "database": stored, "errors": "".join(errors), "refusal": wrong.text,
        }.items()
        if (found := found_in(text))
    } == {}  # fmt: skip
