"""Search over tools (Q1, Q2, Q3, Q4)."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mcp_optimizer.db.search_index import Side
from mcp_optimizer.domain.models import Kind
from mcp_optimizer.domain.search.words import sentences
from mcp_optimizer.domain.views import Scope, SearchQuery
from mcp_optimizer.embeddings import FastEmbedder
from mcp_optimizer.service import DataService
from tests.conftest import OpenService
from tests.support.builders import catalog, entry, listing, tool, workload
from tests.support.embedders import FakeEmbedder
from tests.support.services import ingest

LISTING = listing(
    workload(
        "weather-1",
        "example.org/weather:1",
        [tool("get_forecast", "Get the weather forecast for a city.", city="where"), tool("get_alerts", "Alerts.")],
        group="home",
    ),
    workload("mail-1", "https://mail.example/mcp", [tool("sendMessage", "Send a mail message to someone.")]),
    workload("db-1", "example.org/db:1", [tool("run_query", "Run a query."), tool("query", "Ask.")], group="work"),
    workload("old-1", "example.org/old:1", [tool("get_history", "Weather of the past.")], status="stopped"),
    workload("odd-1", "example.org/odd:1", [tool("\U0001f9ed", "A compass."), tool("c++", "Compile.")]),
)
CATALOG = catalog(
    entry("weather", "example.org/weather:1", [tool("get_forecast", "Forecasts."), tool("get_radar", "Radar.")]),
    entry("mail", "https://mail.example/mcp", ["sendMessage"], group="office"),
)


@pytest.fixture
async def filled(service: DataService) -> DataService:
    """A service that knows some tools."""
    await ingest(service, CATALOG, LISTING)
    return service


async def found(service: DataService, text: str, **filters: object) -> list[str]:
    """What a search finds, as ``server/tool``."""
    hits = await service.search(SearchQuery(text=text, **filters))  # ty: ignore[invalid-argument-type]
    return [f"{hit.server}/{hit.tool}" for hit in hits]


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("query", "db-1/query"),
        ("QUERY", "db-1/query"),
        ("  run_query ", "db-1/run_query"),
        ("sendmessage", "mail-1/sendMessage"),
        ("get_alerts", "weather-1/get_alerts"),
        ("\U0001f9ed", "odd-1/\U0001f9ed"),
        ("c++", "odd-1/c++"),
    ],
)
async def test_q1_an_exact_name_comes_first(filled: DataService, text: str, first: str) -> None:
    hits = await filled.search(SearchQuery(text=text))
    assert f"{hits[0].server}/{hits[0].tool}" == first
    assert hits[0].exact_name
    assert not any(hit.exact_name for hit in hits[1:])


@pytest.mark.parametrize(
    ("text", "first"),
    [("weather forecast", "weather-1/get_forecast"), ("send message", "mail-1/sendMessage"), ("compass", "odd-1/🧭")],
)
async def test_q1_words_find_their_tool(filled: DataService, text: str, first: str) -> None:
    assert (await found(filled, text))[0] == first


async def test_q3_hits_say_why(filled: DataService) -> None:
    first, *others = await filled.search(SearchQuery(text="forecast of the weather in a city"))
    assert first.tool == "get_forecast"
    assert (first.semantic_rank, first.text_rank) == (1, 1)
    assert first.score == pytest.approx(first.vector_score + first.word_score, abs=1e-5)
    assert first.word_score == pytest.approx(0.5 * first.coverage**0.5, abs=1e-3)  # the best by words
    assert first.semantic_distance is not None
    assert 0 <= first.semantic_distance < 1
    assert first.tokens > 0
    assert first.details["inputSchema"]["properties"]["city"]
    only_semantic = [hit for hit in others if hit.text_rank is None]
    assert only_semantic
    for hit in only_semantic:
        assert hit.semantic_rank is not None
        assert hit.semantic_distance is not None
        assert hit.score == hit.vector_score > 1 - hit.semantic_distance - 0.2
    assert [hit.score for hit in others] == sorted((hit.score for hit in others), reverse=True)


async def test_q4_only_running_by_default(filled: DataService) -> None:
    assert "old-1/get_history" not in await found(filled, "get_history")
    assert (await found(filled, "get_history", status=None))[0] == "old-1/get_history"
    assert await found(filled, "get_history", status="stopped") == ["old-1/get_history"]
    assert await found(filled, "get_history", status="no such status") == []


async def test_q1_filters(filled: DataService) -> None:
    assert {name.split("/")[0] for name in await found(filled, "query", group="work")} == {"db-1"}
    assert {name.split("/")[0] for name in await found(filled, "query", kind=Kind.REMOTE)} == {"mail-1"}
    assert await found(filled, "query", group="nowhere") == []
    assert set(await found(filled, "forecast", scope=Scope.REGISTRY)) == {
        "weather/get_forecast", "weather/get_radar", "mail/sendMessage",
    }  # fmt: skip
    assert await found(filled, "forecast", scope=Scope.REGISTRY, group="office") == ["mail/sendMessage"]
    both = await filled.search(SearchQuery(text="get_forecast", scope=Scope.ALL))
    assert {(hit.server, hit.scope) for hit in both[:2]} == {
        ("weather-1", Scope.WORKLOAD),
        ("weather", Scope.REGISTRY),
    }
    assert all(hit.exact_name for hit in both[:2])


async def test_q1_a_filtered_search_still_fills_its_limit(service: DataService) -> None:
    """The filtered server's tools are worse matches than hundreds of others, and found all the same."""
    crowd = workload("crowd", "example.org/crowd", [tool(f"weather_{n}", "Weather weather.") for n in range(300)])
    few = workload("few", "example.org/few", [tool(f"unlike_{n}", "A trace of weather.") for n in range(30)], group="g")
    await ingest(service, listing=listing(crowd, few))
    hits = await service.search(SearchQuery(text="weather", group="g", limit=25))
    assert len(hits) == 25
    assert {hit.server for hit in hits} == {"few"}
    assert all(hit.semantic_rank is not None or hit.text_rank is not None for hit in hits)
    assert len(await service.search(SearchQuery(text="weather", limit=200))) == 200


def through(query: SearchQuery) -> set[tuple[Scope, str, str]]:
    """Every tool that the query's filters let through, judged by what is stored and not by the search."""
    passing: set[tuple[Scope, str, str]] = set()
    if query.scope is not Scope.WORKLOAD:
        for entry in CATALOG.entries:
            if query.group in {None, entry.group} and query.kind in {None, entry.identity.kind}:
                passing |= {(Scope.REGISTRY, entry.name, item.name) for item in entry.tools}
    if query.scope is not Scope.REGISTRY:
        for item in LISTING.workloads:
            same = query.group in {None, item.group} and query.kind in {None, item.identity.kind}
            if same and query.status in {None, item.status}:
                passing |= {(Scope.WORKLOAD, item.name, given.name) for given in item.tools or ()}
    return passing


QUERIES = st.builds(
    SearchQuery,
    text=st.one_of(
        st.text(min_size=1, max_size=30).filter(lambda text: bool(text.replace("\0", "").strip())),
        st.sampled_from(["query", "get_forecast", "SENDMESSAGE", " c++ ", "weather of the past"]),
    ),
    scope=st.sampled_from(Scope),
    status=st.sampled_from([None, "running", "stopped", "paused"]),
    group=st.sampled_from([None, "home", "work", "office", "nowhere"]),
    kind=st.sampled_from([None, *Kind]),
    limit=st.integers(1, 20),
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(query=QUERIES)
async def test_q1_filters_hold_fill_the_limit_and_keep_exact_names_first(
    filled: DataService, query: SearchQuery
) -> None:
    passing = through(query)
    hits = [(hit.scope, hit.server, hit.tool) for hit in await filled.search(query)]
    assert set(hits) <= passing
    assert len(hits) == len(set(hits)) == min(query.limit, len(passing))
    exact = {found for found in passing if found[2].casefold() == query.text.strip().casefold()}
    assert set(hits[: len(exact)]) <= exact


async def test_q1_an_exact_name_comes_first_however_many_have_it(service: DataService) -> None:
    same = [workload(f"s{n:03}", f"example.org/s{n}", [tool("→", "Arrow."), "other"]) for n in range(250)]
    mine = workload("zz-mine", "example.org/mine", [tool("→", "Arrow."), *(f"arrow_{n}" for n in range(80))], group="g")
    await ingest(service, listing=listing(*same, mine))
    hits = await service.search(SearchQuery(text="→", group="g", limit=5))
    assert (hits[0].server, hits[0].tool, hits[0].exact_name) == ("zz-mine", "→", True)


@pytest.mark.parametrize(
    "text",
    [
        '"', "'", "'; DROP TABLE tools_workload; --", "AND", "NOT", "NEAR(a b)", "a*", "(", "name:", "e-mail", "c++",
        "-", "^a", "{a}", "a", "é", "\0", "ping\0pong", "\U0001f9ed", "\u202e", "\ud800", "ping \udfff pong", "%", "_",
        "x" * 10_000, "word " * 2_000, "\n\t", "١٢٣", "㍿", "ß", "İ",
    ],
)  # fmt: skip
async def test_q2_any_text_is_a_safe_query(filled: DataService, text: str) -> None:
    hits = await filled.search(SearchQuery(text=text, scope=Scope.ALL, status=None))
    assert len(hits) <= 20


async def test_q2_an_empty_query_finds_nothing(filled: DataService, fake_embedder: FakeEmbedder) -> None:
    fake_embedder.forget()
    assert await found(filled, "") == await found(filled, " \n ") == []
    assert fake_embedder.calls == 0


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=10_000))
async def test_q2_any_generated_text_is_a_safe_query(filled: DataService, text: str) -> None:
    hits = await filled.search(SearchQuery(text=text, scope=Scope.ALL, status=None, limit=200))
    assert len({(hit.server, hit.tool, hit.scope) for hit in hits}) == len(hits)
    assert bool(hits) == bool(text.replace("\0", "").strip())


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text("\"'*()^:-+{}ANDORTE \0\ud800", max_size=40))
async def test_q2_any_operators_are_a_safe_query(filled: DataService, text: str) -> None:
    await filled.search(SearchQuery(text=text))


async def test_an_empty_store_finds_nothing(service: DataService) -> None:
    assert await found(service, "anything", scope=Scope.ALL, status=None) == []


async def test_without_a_model_words_still_find_what_they_find(
    filled: DataService, fake_embedder: FakeEmbedder
) -> None:
    fake_embedder.unavailable = True
    hits = await filled.search(SearchQuery(text="forecast"))
    assert hits
    assert all(hit.semantic_rank is None and hit.text_rank is not None for hit in hits)


async def test_a_tool_that_could_not_be_embedded_is_found_by_its_words(
    service: DataService, fake_embedder: FakeEmbedder
) -> None:
    fake_embedder.fail_on = {"poison"}
    await ingest(service, listing=listing(workload("one", "example.org/one", [tool("poison_arrow", "Shoots.")])))
    fake_embedder.fail_on = set()
    (hit,) = await service.search(SearchQuery(text="arrow", status=None))
    assert (hit.tool, hit.semantic_rank, hit.text_rank) == ("poison_arrow", None, 1)


async def test_q1_a_tool_that_words_alone_found_has_its_own_distance(service: DataService) -> None:
    """Of more tools than meaning looks at; on every engine, with vectors at hand and without."""
    crowd = workload("crowd", "example.org/crowd", [tool(f"weather_{n}", "Weather weather.") for n in range(300)])
    far = workload("far", "example.org/far", [tool("zebra", "Stripes on an animal, xylophone.")])
    await ingest(service, listing=listing(crowd, far))
    query = SearchQuery(text="weather weather weather xylophone")
    (before,) = [hit for hit in await service.search(query) if hit.tool == "zebra"]
    await service._search.resident.load(Side.WORKLOAD)
    (after,) = [hit for hit in await service.search(query) if hit.tool == "zebra"]
    assert before.text_rank == after.text_rank == 1
    assert before.semantic_distance is not None
    assert before.semantic_distance == pytest.approx(after.semantic_distance, abs=1e-3)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("What is the forecast for the city? Then send a message with it.", {"get_forecast", "sendMessage"}),
        ("send a message\nrun a database query", {"sendMessage", "run_query"}),
    ],
)
async def test_q1_each_sentence_of_a_query_finds_its_tool(filled: DataService, text: str, wanted: set[str]) -> None:
    hits = await filled.search(SearchQuery(text=text, limit=4))
    assert wanted <= {hit.tool for hit in hits}
    assert all(hit.sentence in sentences(text) for hit in hits if not hit.exact_name)
    one = await filled.search(SearchQuery(text="send a message"))
    assert {hit.sentence for hit in one} == {None}


async def test_with_the_real_model_meaning_finds_what_words_do_not(
    open_service: OpenService, real_embedder: FastEmbedder
) -> None:
    service = await open_service(embedder=real_embedder)
    await ingest(service, CATALOG, LISTING)
    hits = await service.search(SearchQuery(text="will it rain tomorrow"))
    assert hits[0].server == "weather-1"
    assert (await service.search(SearchQuery(text="\ud800 sendMessage")))[0].tool == "sendMessage"
