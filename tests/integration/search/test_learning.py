"""An order learned from use: kept beside the store, proved, explained, forgotten (Q6)."""

import asyncio
import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from mcp_optimizer.config import Settings
from mcp_optimizer.db import learning_ops
from mcp_optimizer.domain.search.learning import NotedCall
from mcp_optimizer.domain.search.queries import query_record
from mcp_optimizer.domain.views import SavedQuery, Scope, SearchHit, SearchQuery
from mcp_optimizer.errors import LearningOffError, ModelMismatchError, ReadOnlyError
from mcp_optimizer.service import DataService
from tests.conftest import OpenService
from tests.support.builders import listing, tool, workload
from tests.support.database import value
from tests.support.embedders import FakeEmbedder
from tests.support.places import Place
from tests.support.runtime import Clock
from tests.support.services import ingest

SLANG = {"create": "conjure", "delete": "zap", "list": "spill", "rename": "redub"}
"""What users say, which no tool says: only use can tell."""
NOUNS = ("invoice", "ticket", "customer")
PHRASES = ("{0} the {1}", "please {0} one {1}", "{0} {1} quickly")
HELD_BACK = "would you {0} that {1}"
AT = "2026-01-01T00:00:00Z"


def pairs() -> Iterator[tuple[str, str]]:
    return itertools.product(SLANG, NOUNS)


def calls() -> list[NotedCall]:
    """Three sessions for each tool, each with other words."""
    return [
        NotedCall(phrase.format(SLANG[verb], noun), noun, f"{verb}_{noun}", f"{verb} {noun} {phrase}", AT)
        for verb, noun in pairs()
        for phrase in PHRASES
    ]


@pytest.fixture
def wide_embedder() -> FakeEmbedder:
    """With room for all those words."""
    return FakeEmbedder(dimension=64, model="test/wide")


@pytest.fixture
async def stocked(open_service: OpenService, wide_embedder: FakeEmbedder) -> DataService:
    """Tools that differ by a verb, and calls after queries that have another word for it."""
    service = await open_service(embedder=wide_embedder)
    workloads = [
        workload(
            noun,
            f"example.org/{noun}:1",
            [tool(f"{verb}_{noun}", f"{verb} any {noun} of the office") for verb in SLANG],
        )
        for noun in NOUNS
    ]
    await ingest(service, None, listing(*workloads))
    await add(service, calls())
    return service


async def add(service: DataService, made: list[NotedCall]) -> None:
    async with service.store.database.writing() as connection:
        await learning_ops.add_calls(connection, made)


async def places(service: DataService, **options: Any) -> list[int]:
    """At which place each tool is found by words that nobody used before; 99: not."""
    found = []
    for verb, noun in pairs():
        hits = await service.search(SearchQuery(text=HELD_BACK.format(SLANG[verb], noun), **options))
        names = [hit.tool for hit in hits]
        found.append(names.index(f"{verb}_{noun}") + 1 if f"{verb}_{noun}" in names else 99)
    return found


def mrr(found: list[int]) -> float:
    return sum(1 / place for place in found) / len(found)


async def test_q6_what_was_called_makes_other_queries_find_more_and_forgetting_undoes_it(
    stocked: DataService, open_service: OpenService, wide_embedder: FakeEmbedder
) -> None:
    other = await open_service(embedder=wide_embedder)
    before = await places(other)
    report = await stocked.learn()
    assert report.accepted, report.reason
    assert (report.calls, report.queries, report.held_out) == (36, 36, 36)
    assert report.before is not None
    assert report.after is not None
    assert report.after.mrr > report.before.mrr
    learned = await places(other)  # it sees at once what the first one stored
    assert mrr(learned) > mrr(before) + 0.1
    assert await places(other, plain=True) == before
    assert await stocked.last_learned() == report
    forgot = await other.forget_learned()
    assert (forgot.calls, forgot.orders) == (36, 1)
    assert await places(stocked) == before
    assert await stocked.last_learned() is None


async def test_q6_a_hit_says_where_it_was_and_how_often_it_was_called(stocked: DataService) -> None:
    await stocked.learn()
    query = SearchQuery(text="zap the ticket", compare=True)
    first = (await stocked.search(query))[0]
    assert (first.tool, first.learned_rank) == ("delete_ticket", 1)
    assert first.learned_calls >= 3
    plain = [hit.tool for hit in await stocked.search(query.model_copy(update={"plain": True, "compare": False}))]
    for hit in (await stocked.search_counted(query)).hits:
        assert hit.plain_rank == plain.index(hit.tool) + 1
    (not_asked, *_) = await stocked.search(SearchQuery(text="zap the ticket"))
    assert (not_asked.learned_rank, not_asked.plain_rank, not_asked.moved) == (None, None, False)
    why = await stocked.search_why(SearchQuery(text="zap the ticket"), "ticket", "delete_ticket")
    assert why.place == 1


async def test_exact_names_stay_first(stocked: DataService) -> None:
    await stocked.learn()
    for verb, noun in pairs():
        assert (await stocked.search(SearchQuery(text=f"{verb}_{noun}", limit=1)))[0].tool == f"{verb}_{noun}"


async def test_a_dry_run_shows_what_would_move_and_stores_nothing(stocked: DataService) -> None:
    before = await places(stocked)
    report = await stocked.learn(dry_run=True)
    assert report.accepted
    assert report.dry_run
    assert any(moved.learned_rank != moved.plain_rank for moved in report.moved)
    assert {told.calls for told in report.tools} == {3}
    assert await places(stocked) == before
    assert await stocked.last_learned() is None
    assert (await stocked.forget_learned(dry_run=True)).calls == 36
    assert (await stocked.forget_learned(dry_run=True)).orders == 0


async def test_q6_saved_queries_guard_it(stocked: DataService) -> None:
    """What was accepted before goes, too: the order in use is always the last that was proved."""
    await stocked.learn()
    for verb, noun in pairs():
        text = HELD_BACK.format(SLANG[verb], noun)
        plain, learned = [
            (await stocked.search(SearchQuery(text=text, limit=1, plain=plain)))[0] for plain in (True, False)
        ]
        if plain.tool != learned.tool:
            break
    saved = SavedQuery(query=text, expect=(f"{plain.server}/{plain.tool}",), within=1)
    report = await stocked.learn(saved=[saved])
    assert not report.accepted
    assert report.lost == (f"{text}: {plain.server}/{plain.tool}",)
    assert "known answers would be lost" in report.reason
    assert (await stocked.search(SearchQuery(text=text, limit=1)))[0].tool == plain.tool


async def test_calls_that_are_chance_are_not_accepted(stocked: DataService) -> None:
    await stocked.forget_learned()
    tools = [(noun, f"{verb}_{noun}") for verb, noun in pairs()]
    await add(stocked, [call._replace(server=s, tool=t) for call, (s, t) in zip(calls(), tools[7:] * 4, strict=False)])
    report = await stocked.learn()
    assert not report.accepted


@pytest.mark.parametrize("kept", [0, 1, 19])
async def test_of_too_few_queries_nothing_is_learned(stocked: DataService, kept: int) -> None:
    await stocked.forget_learned()
    if kept:
        await add(stocked, calls()[:kept])
    before = await places(stocked)
    report = await stocked.learn()
    assert "too few" in report.reason
    assert await places(stocked) == before


async def test_tools_that_are_gone_are_left_out(stocked: DataService) -> None:
    await stocked.learn()
    await stocked.delete_workloads(["ticket"])
    hits = await stocked.search(SearchQuery(text="zap the ticket", compare=True))
    assert "ticket" not in {hit.server for hit in hits}
    assert (await stocked.learn()).queries == 24


async def test_another_model_has_an_order_of_its_own(
    stocked: DataService, settings: Settings, open_service: OpenService
) -> None:
    await stocked.learn()
    other = FakeEmbedder(dimension=24, model="other")
    await DataService(settings, embedder=other).reembed()
    again = await open_service(embedder=other)
    assert await places(again) == await places(again, plain=True)
    assert await again.last_learned() is None
    with pytest.raises(ModelMismatchError):
        await stocked.learn()


async def test_off_by_one_setting(
    stocked: DataService, settings: Settings, open_service: OpenService, wide_embedder: FakeEmbedder
) -> None:
    before = await places(stocked)
    await stocked.learn()
    off = await open_service(settings.model_copy(update={"search_learning": False}), embedder=wide_embedder)
    assert await places(off) == before
    assert not await off.is_learning_due()
    with pytest.raises(LearningOffError, match="off"):
        await off.learn()
    offer(off, "s", "zap a ticket", "ticket", "delete_ticket")
    off.note_call("s", "ticket", "delete_ticket")
    assert (await off.forget_learned()).calls == 36


async def test_read_only_learns_nothing(
    stocked: DataService, open_service: OpenService, wide_embedder: FakeEmbedder
) -> None:
    looking = await open_service(embedder=wide_embedder, read_only=True)
    assert (await looking.learn(dry_run=True)).accepted
    for work in (looking.learn, looking.forget_learned):
        with pytest.raises(ReadOnlyError):
            await work()


async def test_what_is_ended_midway_leaves_what_was_there(
    stocked: DataService, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stocked.learn()
    learned, report = await places(stocked), await stocked.last_learned()
    put = learning_ops.put_result

    async def fails(*given: Any, **named: Any) -> None:
        await put(*given, **named)
        raise OSError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(learning_ops, "put_result", fails)
        with pytest.raises(OSError, match="disk"):
            await stocked.learn()
    for turns in (1, 5, 50):
        task = asyncio.create_task(stocked.learn())
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert (await places(stocked), await stocked.last_learned()) == (learned, report)


@pytest.mark.parametrize("damage", ["X'00'", "X''", "X'0000C07F'"], ids=["cut", "empty", "not a number"])
@pytest.mark.sqlite
async def test_a_damaged_order_is_the_plain_one(stocked: DataService, database: Place, damage: str) -> None:
    before = await places(stocked)
    await stocked.learn()
    with database.connection() as connection:
        connection.execute(f"UPDATE learned_order SET id = 'other', matrix = {damage}")
    assert await places(stocked) == before


# Calls are kept


def offer(service: DataService, session: str, query: str, server: str, *tools: str) -> None:
    """A session is given tools."""
    hits = [
        SearchHit(
            server=server, tool=name, scope=Scope.WORKLOAD, description="", score=1, semantic_rank=1,
            semantic_distance=0.1, text_rank=None,
        )
        for name in tools
    ]  # fmt: skip
    service.note_query(query_record("find_tool", query, hits=hits, session=session))


async def test_q6_a_thousand_calls_of_one_session_after_one_query_are_one(
    service: DataService, database: Place
) -> None:
    for _ in range(1000):
        offer(service, "s", "zap a ticket", "ticket", "delete_ticket")
        service.note_call("s", "ticket", "delete_ticket")
    await service._queries.flush()
    assert value(database, "SELECT COUNT(*) FROM query_calls") == 1


async def test_q6_what_is_kept_of_one_tool_and_of_one_session_is_bounded(service: DataService, database: Place) -> None:
    most = learning_ops.MAX_CALLS_OF_ONE
    await add(service, [NotedCall(f"q{n}", "srv", "evil", f"s{n}", AT) for n in range(3 * most)])
    assert value(database, "SELECT COUNT(*) FROM query_calls") == most
    await add(service, [NotedCall(f"q{n}", "srv", f"t{n}", "one session", AT) for n in range(3 * most)])
    assert value(database, "SELECT COUNT(*) FROM query_calls WHERE session = 'one session'") == most


async def test_q6_a_client_that_calls_one_tool_after_everything_does_not_lift_it(stocked: DataService) -> None:
    """It asks what others ask; every query of its own counts once, and the tool has a bound."""
    hostile = [call._replace(server="ticket", tool="list_ticket", session="hostile") for call in calls()]
    await add(stocked, hostile)
    report = await stocked.learn()
    (evil,) = [told for told in report.tools if told.tool == "list_ticket"]
    assert evil.calls >= 36
    assert evil.votes <= 0.1 * 72
    for verb, noun in pairs():
        first = (await stocked.search(SearchQuery(text=HELD_BACK.format(SLANG[verb], noun), limit=1)))[0]
        assert first.tool != "list_ticket" or noun == "ticket"


async def test_only_what_was_offered_and_is_a_workloads_is_kept(service: DataService, database: Place) -> None:
    offer(service, "s", "zap a ticket", "ticket", "delete_ticket")
    service.note_call("s", "ticket", "list_ticket")
    service.note_call("t", "ticket", "delete_ticket")
    service.note_call("", "ticket", "delete_ticket")
    await service._queries.flush()
    assert value(database, "SELECT COUNT(*) FROM query_calls") == 0


async def test_a_query_is_kept_without_secrets(service: DataService, database: Place) -> None:
    """S7."""
    offer(service, "s", "fetch https://me:hunter2@example.org/x?token=abcdef123456", "web", "fetch")
    service.note_call("s", "web", "fetch")
    await service._queries.flush()
    kept = value(database, "SELECT query FROM query_calls")
    assert "hunter2" not in kept
    assert "abcdef123456" not in kept


async def test_a_server_learns_when_enough_is_new_and_again_after_a_month(stocked: DataService, clock: Clock) -> None:
    assert not await stocked.is_learning_due()
    await add(stocked, [call._replace(session=f"first {n}") for n, call in enumerate(calls()[:14])])
    assert await stocked.is_learning_due()
    await stocked.learn()
    assert not await stocked.is_learning_due()
    await add(stocked, [call._replace(session=f"new {n}") for n, call in enumerate(calls()[:19])])
    assert not await stocked.is_learning_due()
    await add(stocked, [calls()[0]._replace(session="one more")])
    assert await stocked.is_learning_due()
    await stocked.learn()
    clock.advance(31 * 86400)
    assert await stocked.is_learning_due()
    await stocked.forget_learned()
    assert not await stocked.is_learning_due()
