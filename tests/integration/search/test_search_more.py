"""Search beyond hits: vectors at hand, why not, servers, saved queries, tokens, cancelling."""

import asyncio
import json
from pathlib import Path

import pytest

from mcp_optimizer.config import Settings
from mcp_optimizer.db.search_index import Side
from mcp_optimizer.domain.models import Kind
from mcp_optimizer.domain.search.saved import parse_saved
from mcp_optimizer.domain.views import SavedQuery, Scope, SearchHit, SearchQuery, WhyNotReason
from mcp_optimizer.errors import ModelMismatchError, SourceError
from mcp_optimizer.service import DataService
from tests.conftest import OpenService
from tests.integration.search.test_hybrid import CATALOG, LISTING
from tests.support.builders import listing, tool, workload
from tests.support.database import damage
from tests.support.places import Place
from tests.support.services import ingest

EVERYTHING = SearchQuery(text="get the weather forecast", scope=Scope.ALL, status=None)


@pytest.fixture
async def filled(service: DataService) -> DataService:
    """A service that knows some tools."""
    await ingest(service, CATALOG, LISTING)
    return service


async def loaded(service: DataService) -> None:
    """Have the vectors of both sides at hand."""
    for side in Side:
        await service._search.resident.load(side)
    assert service._search.resident.bytes > 0


async def test_vectors_at_hand_find_what_the_scan_finds(filled: DataService) -> None:
    queries = [EVERYTHING, SearchQuery(text="query", kind=Kind.CONTAINER), SearchQuery(text="send", group="work")]
    scanned = [await filled.search(query) for query in queries]
    await loaded(filled)

    def told(hits: list[SearchHit]) -> list[tuple[object, ...]]:
        return [(h.server, h.tool, h.semantic_rank, h.text_rank, round(h.semantic_distance or 0, 4)) for h in hits]

    assert [told(await filled.search(query)) for query in queries] == [told(hits) for hits in scanned]


async def test_vectors_are_loaded_aside_when_searches_go_on(filled: DataService) -> None:
    await filled.search(EVERYTHING)
    assert not filled._search.resident._loading
    await filled.search(EVERYTHING)
    await asyncio.gather(*filled._search.resident._loading.values())
    assert filled._search.resident.bytes > 0


async def test_a_change_made_elsewhere_is_in_the_next_search(filled: DataService, open_service: OpenService) -> None:
    await loaded(filled)
    other = await open_service()
    new = listing(
        workload("new-1", "example.org/new:1", [tool("brew_coffee", "Brews a cup of coffee.")]), complete=False
    )
    await ingest(other, listing=new)
    (first, *_) = await filled.search(SearchQuery(text="cup of coffee"))
    assert (first.tool, first.semantic_rank) == ("brew_coffee", 1)
    await other.delete_workloads(["new-1"])
    assert "brew_coffee" not in [hit.tool for hit in await filled.search(SearchQuery(text="cup of coffee"))]


async def test_too_little_memory_means_scanning(open_service: OpenService, settings: Settings) -> None:
    service = await open_service(settings.model_copy(update={"search_memory_mb": 0}))
    await ingest(service, CATALOG, LISTING)
    for _ in range(3):
        assert await service.search(EVERYTHING)
    assert service._search.resident.bytes == 0


async def test_q3_hits_say_which_words_matched_where(filled: DataService) -> None:
    hit = (await filled.search(SearchQuery(text="forecasts for a city")))[0]
    assert hit.matched["name"] == ("forecasts",)
    assert set(hit.matched["description"]) == {"forecasts", "city"}
    assert 0 < hit.coverage <= 1


@pytest.mark.parametrize(
    ("query", "server", "tool_name", "reason"),
    [
        (SearchQuery(text="forecast"), "weather-1", "get_forecast", WhyNotReason.FOUND),
        (SearchQuery(text="forecast"), "nobody", "get_forecast", WhyNotReason.NO_SUCH_SERVER),
        (SearchQuery(text="forecast"), "weather-1", "nothing", WhyNotReason.NO_SUCH_TOOL),
        (SearchQuery(text="history"), "old-1", "get_history", WhyNotReason.STATUS),
        (SearchQuery(text="forecast", group="work"), "weather-1", "get_forecast", WhyNotReason.GROUP),
        (SearchQuery(text="mail", kind=Kind.CONTAINER), "mail-1", "sendMessage", WhyNotReason.KIND),
        (SearchQuery(text="forecast", limit=1), "db-1", "query", WhyNotReason.OUTRANKED),
    ],
)
async def test_q3_why_a_tool_is_not_found(
    filled: DataService, query: SearchQuery, server: str, tool_name: str, reason: WhyNotReason
) -> None:
    answer = await filled.search_why(query, server, tool_name)
    assert answer.reason is reason, answer
    if reason is WhyNotReason.OUTRANKED:
        assert answer.place is not None
        assert answer.place > 1
        assert answer.above[0] == "weather-1/get_forecast"


async def test_which_server_to_install(filled: DataService) -> None:
    first, *_ = await filled.search_servers("forecast and radar of the weather")
    assert (first.server, first.workloads) == ("weather", 1)
    assert "get_radar" in first.tools
    assert (await filled.search_servers("MAIL"))[0].server == "mail"
    assert await filled.search_servers(" ") == []


async def test_saved_queries(filled: DataService) -> None:
    saved = parse_saved('[{"query": "forecast", "expect": ["weather-1/get_forecast"], "within": 1}]')
    saved += parse_saved('{"query": "forecast", "expect": ["gone/tool"]}\n\n{"query": "x", "expect": ["a/b"]}')
    good, *bad = await filled.search_saved(saved)
    assert good.ok
    assert good.places == {"weather-1/get_forecast": 1}
    assert [result.ok for result in bad] == [False, False]


@pytest.mark.parametrize("content", ["[1]", "{", '[{"query": ""}]', '{"query": "a", "expect": []}', "[" * 100_000])
def test_b_saved_queries_that_are_none(content: str) -> None:
    with pytest.raises(SourceError):
        parse_saved(content)


async def test_tokens_of_all_tools_in_reach(filled: DataService) -> None:
    total = sum(view.tokens for view in await filled.workloads() if view.status == "running")
    assert await filled.search_tokens(SearchQuery(text="x")) == total > 0
    assert await filled.search_tokens(SearchQuery(text="x", group="nowhere")) == 0


@pytest.mark.parametrize("text", ["天気予報", "天気", "予"])
async def test_other_scripts_are_found_by_words_inside_a_run(service: DataService, text: str) -> None:
    tools = [tool("weather", "東京の天気予報を取得します"), tool("other", "メールを送信する")]
    await ingest(service, listing=listing(workload("jp", "example.org/jp:1", tools)))
    hits = await service.search(SearchQuery(text=text))
    assert {hit.tool: hit.text_rank for hit in hits} == {"weather": 1, "other": None}
    (only,) = await service.search(SearchQuery(text=text, semantic_ratio=0))
    assert only.tool == "weather"


async def test_a_misspelt_word_finds_its_tool(filled: DataService) -> None:
    hit = (await filled.search(SearchQuery(text="get forcast")))[0]
    assert (hit.tool, hit.text_rank) == ("get_forecast", 1)


async def test_another_model_in_the_store_is_an_error(filled: DataService, database: Place) -> None:
    damage(database, "UPDATE embedding_model SET name = 'another'")
    with pytest.raises(ModelMismatchError):
        await filled.search(EVERYTHING)
    damage(database, "UPDATE embedding_model SET name = 'test/words'")


async def test_a_cancelled_search_leaves_the_next_one_alone(filled: DataService) -> None:
    await loaded(filled)
    for _ in range(20):
        task = asyncio.create_task(filled.search(EVERYTHING))
        await asyncio.sleep(0.002)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert await asyncio.wait_for(filled.search(EVERYTHING), 5)


def test_saved_queries_are_json_all_the_way(tmp_path: Path) -> None:
    item = SavedQuery(query="q", expect=("a/b",))
    assert parse_saved(json.dumps([item.model_dump(mode="json")])) == [item]
