"""A logged query is asked again as the agent asked it, by whoever looks, with the server's settings (Q5)."""

from pathlib import Path
from typing import Any

import pytest

from mcp_optimizer.config import Settings, TokenSetting
from mcp_optimizer.domain.search.queries import QueryView
from mcp_optimizer.domain.views import WhyNotReason
from mcp_optimizer.service import DataService
from tests.conftest import OpenService
from tests.support.builders import listing, tool, workload
from tests.support.services import ingest
from tests.support.serving import client_of, served

ISSUE = "create an issue"


async def asked(open_service: OpenService, settings: Settings, token: str = "") -> tuple[DataService, QueryView]:
    """A service with settings of its own, and what it reads of a query that a server with ``settings`` answered."""
    serving = await open_service(settings)
    issue = tool("create_issue", "Create an issue.")
    await ingest(
        serving,
        None,
        listing(
            workload("github", "example.org/github:1", [issue, tool("close_issue", "Close an issue.")], group="dev"),
            workload("tracker", "example.org/tracker:1", [issue], group="ops"),
            workload("clock", "example.org/clock:1", [tool("now", "Tell the time.")], group="dev"),
            workload("gone", "example.org/gone:1", [issue], group="dev", status="stopped"),
        ),
    )
    looking = await open_service()
    headers = {"authorization": f"Bearer {token}"} if token else None
    async with served(serving) as (url, _), client_of(url, headers) as client:
        await client.call_tool("find_tool", {"tool_description": ISSUE})
    await serving._queries.flush()
    (query,) = await looking.recent_queries()
    return looking, query


@pytest.mark.parametrize(
    ("change", "server", "name", "reason", "words"),
    [
        ({"max_tools_to_return": 1}, "github", "close_issue", WhyNotReason.OUTRANKED, "only 1 "),
        ({"allowed_groups": ("dev",)}, "tracker", "create_issue", WhyNotReason.VISIBILITY, "group ops"),
        ({"skipped_workloads": ("track",)}, "tracker", "create_issue", WhyNotReason.VISIBILITY, "holds track"),
        ({"tool_distance_threshold": 0.0}, "clock", "now", WhyNotReason.THRESHOLD, "farther than 0"),
        ({}, "gone", "create_issue", WhyNotReason.STATUS, "stopped"),
        ({}, "github", "create_issue", WhyNotReason.FOUND, "place"),
    ],
    ids=["limit", "group", "skip", "threshold", "status", "returned"],
)
async def test_q5_each_setting_of_the_server_is_named(
    open_service: OpenService,
    settings: Settings,
    change: dict[str, Any],
    server: str,
    name: str,
    reason: WhyNotReason,
    words: str,
) -> None:
    update = {"startup_polling_delay": 3600.0, "mcp_port": 0, **change}
    looking, query = await asked(open_service, settings.model_copy(update=update))
    again = await looking.search(query.search_query())
    assert [(hit.server, hit.tool) for hit in again] == [(hit.server, hit.tool) for hit in query.hits]
    answer = await looking.search_why(query.search_query(), server, name)
    assert answer.reason is reason
    assert words in answer.detail
    assert ((server, name) in [(hit.server, hit.tool) for hit in query.hits]) is (reason is WhyNotReason.FOUND)


async def test_q5_the_groups_of_the_token_hold(open_service: OpenService, settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "ops").write_text("ops-s3cret")
    token = TokenSetting(name="ops", token_file=tmp_path / "ops", groups=("ops",))
    update = {"startup_polling_delay": 3600.0, "mcp_port": 0, "mcp_tokens": (token,)}
    looking, query = await asked(open_service, settings.model_copy(update=update), "ops-s3cret")
    again = await looking.search(query.search_query())
    assert {hit.server for hit in again} == {hit.server for hit in query.hits} == {"tracker"}
    answer = await looking.search_why(query.search_query(), "github", "create_issue")
    assert (answer.reason, "sees only: ops" in answer.detail) == (WhyNotReason.VISIBILITY, True)
