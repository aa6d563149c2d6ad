"""Running servers and the queries they answered, as other programs see them."""

import asyncio
import time
from pathlib import Path

import pytest

from mcp_optimizer.config import Settings
from mcp_optimizer.domain.search.queries import query_record
from mcp_optimizer.domain.serving.presence import PollView
from mcp_optimizer.domain.serving.retention import Retention
from mcp_optimizer.domain.views import Scope, SearchHit
from mcp_optimizer.read_model.change_feed import SERVING
from mcp_optimizer.service import DataService
from tests.conftest import OpenService
from tests.support.database import damage, raw_connection, value
from tests.support.embedders import FakeEmbedder
from tests.support.places import Place
from tests.support.runtime import Clock
from tests.support.time import FakeTime, settle

ADDRESS = "http://127.0.0.1:9900/mcp"


def hit(tool: str, rank: int) -> SearchHit:
    """A search hit."""
    return SearchHit(
        server="github", tool=tool, scope=Scope.WORKLOAD, description="…", score=1 / rank, semantic_rank=rank,
        semantic_distance=0.25, text_rank=None, tokens=50, details={"name": tool, "inputSchema": {}},
    )  # fmt: skip


async def test_a_server_is_seen_by_others_while_it_runs(open_service: OpenService, clock: Clock) -> None:
    serving, looking = await open_service(), await open_service(read_only=True)
    poll = PollView(part="workloads", source="toolhive", at="2026-01-02T03:04:05Z", seconds=0.2, outcome="done")
    server = await serving.announce_server(address=ADDRESS, transport="streamable-http")
    assert await looking.running_servers() == [server]
    clock.advance(20)
    await serving.heartbeat(server, [poll])
    (seen,) = await looking.running_servers()
    assert (seen.address, seen.pid, seen.polls) == (ADDRESS, server.pid, (poll,))
    assert (await looking.overview()).servers == (seen,)
    await serving.withdraw_server(server)
    assert await looking.running_servers() == []


async def test_one_that_was_killed_is_not_running_for_long(service: DataService, clock: Clock) -> None:
    await service.announce_server(address=ADDRESS, transport="streamable-http")
    clock.advance(40)
    assert len(await service.running_servers()) == 1
    clock.advance(20)
    assert await service.running_servers() == []


async def test_the_dead_are_forgotten_in_the_end(service: DataService, clock: Clock, database_path: Path) -> None:
    await service.announce_server(address=ADDRESS, transport="streamable-http")
    clock.advance(2 * 86400)
    await service.announce_server(address="stdio", transport="stdio")
    assert value(database_path, "SELECT COUNT(*) FROM running_servers") == 1


async def test_a_heartbeat_of_one_that_was_forgotten_brings_it_back(service: DataService, database_path: Path) -> None:
    server = await service.announce_server(address=ADDRESS, transport="streamable-http")
    await service.withdraw_server(server)
    await service.heartbeat(server)
    assert await service.running_servers() == [server]


async def test_its_address_is_stored_without_secrets(service: DataService) -> None:
    server = await service.announce_server(address="http://me:secret@host:1/mcp?token=abc", transport="sse")
    assert "secret" not in server.address + server.model_dump_json()
    assert "abc" not in server.address


@pytest.fixture
async def timed(settings: Settings) -> tuple[DataService, FakeTime]:
    """A service on a clock that stands still."""
    passing = FakeTime()
    return DataService(settings, embedder=FakeEmbedder(), runtime=passing.runtime()), passing


async def test_its_heart_beats_for_as_long_as_it_runs(timed: tuple[DataService, FakeTime]) -> None:
    service, passing = timed
    polls: list[PollView] = []
    async with service, service.presence.kept(address=ADDRESS, transport="sse", polls=lambda: polls):
        polls.append(PollView(part="registry", outcome="failed", detail="away"))
        for _ in range(20):
            await passing.pass_(15)
            await asyncio.sleep(0.02)
        (seen,) = await service.running_servers()
        assert seen.polls == tuple(polls)
        assert passing.seconds == 300
    async with service:
        assert await service.running_servers() == []


async def test_it_runs_where_the_store_is_held_by_another(settings: Settings, database: Place) -> None:
    passing = FakeTime()
    quick = settings.model_copy(update={"busy_timeout": 0.05})
    async with DataService(quick, embedder=FakeEmbedder(), runtime=passing.runtime()) as service:
        with raw_connection(database) as other:
            other.execute(database.take_lock)
            async with service.presence.kept(address=ADDRESS, transport="sse"):
                assert await service.running_servers() == []
                other.execute("ROLLBACK")
                await passing.pass_(15)
                await asyncio.sleep(0.1)
                assert len(await service.running_servers()) == 1


async def test_queries_are_seen_by_others_newest_first(timed: tuple[DataService, FakeTime]) -> None:
    service, passing = timed
    async with service:
        service.note_query(query_record("find_tool", "open an issue", keywords="github", hits=[hit("create_issue", 1)]))
        service.note_query(query_record("find_tool", "what time is it", milliseconds=3.21049, error="no such group"))
        assert await service.recent_queries() == [], "no request waits for the store"
        await settle()
        await passing.pass_(1.5)
        await asyncio.sleep(0.05)
        last, first = await service.recent_queries()
    assert (first.text, first.keywords, first.kind) == ("open an issue", "github", "find_tool")
    (found,) = first.hits
    assert (found.server, found.tool, found.semantic_rank, found.text_rank) == ("github", "create_issue", 1, None)
    assert (last.milliseconds, last.error, last.hits) == (3.21, "no such group", ())


async def test_what_waits_is_stored_when_the_service_is_closed(settings: Settings) -> None:
    async with DataService(settings, embedder=FakeEmbedder()) as service:
        service.note_query(query_record("find_tool", "one"))
    async with DataService(settings, embedder=FakeEmbedder()) as service:
        assert [query.text for query in await service.recent_queries()] == ["one"]


async def test_closing_waits_for_what_is_being_stored(settings: Settings) -> None:
    async with DataService(settings, embedder=FakeEmbedder()) as service:
        service.note_query(query_record("find_tool", "one"))
        flush = asyncio.ensure_future(service._queries.flush())
        await asyncio.sleep(0)
        flush.cancel()
        service.note_query(query_record("find_tool", "two"))
        writing = asyncio.ensure_future(asyncio.shield(service._queries.flush()))
        await asyncio.sleep(0)
        await service._queries.close()
        assert not service._queries._flushing.locked()
        await writing


async def test_what_a_newer_program_adds_is_passed_over(service: DataService, database: Place) -> None:
    newer = '{"kind": "find_tool", "text": "one", "mood": "good"}'
    damage(database, "INSERT INTO tool_queries (at, record) VALUES (?, ?)", "2026-01-02T03:04:05Z", newer)
    assert [query.text for query in await service.recent_queries()] == ["one"]


KEPT_QUERIES = Retention().max_queries


async def test_only_the_newest_are_kept(settings: Settings, database_path: Path) -> None:
    async with DataService(settings, embedder=FakeEmbedder()) as service:
        for number in range(3 * KEPT_QUERIES):
            service.note_query(query_record("find_tool", f"query {number}"))
            if number % 400 == 0:
                await service._queries.flush()
        await service._queries.flush()
        assert service._queries.dropped == 0
        kept = await service.recent_queries(limit=2 * KEPT_QUERIES)
    assert [query.text for query in kept] == [f"query {number}" for number in reversed(range(1000, 1500))]
    assert value(database_path, "SELECT COUNT(*) FROM tool_queries") == KEPT_QUERIES


async def test_noting_takes_no_time_and_drops_rather_than_waits(settings: Settings, database: Place) -> None:
    quick = settings.model_copy(update={"busy_timeout": 0.05})
    async with DataService(quick, embedder=FakeEmbedder()) as service:
        record = query_record("find_tool", "open an issue")
        with raw_connection(database) as other:
            other.execute(database.take_lock)
            start = time.perf_counter()
            for _ in range(2000):
                service.note_query(record)
            assert time.perf_counter() - start < 0.5
            await service._queries.flush()
            assert service._queries.dropped == 2000
        service.note_query(record)
        await service._queries.flush()
        assert len(await service.recent_queries()) == 1


async def test_a_query_changes_nothing_that_plans_and_views_are_made_from(service: DataService) -> None:
    before = await service.changes()
    kept = await service._view_builder()
    service.note_query(query_record("find_tool", "one"))
    await service._queries.flush()
    await service.announce_server(address=ADDRESS, transport="sse")
    assert await service.changes() == before
    assert await service._view_builder() is kept


async def test_whoever_watches_is_told_of_queries_and_servers(open_service: OpenService) -> None:
    serving, looking = await open_service(), await open_service()
    watching = aiter(looking.watch(interval=0.01))
    waiting = asyncio.ensure_future(anext(watching))
    await asyncio.sleep(0.1)
    serving.note_query(query_record("find_tool", "one"))
    await serving._queries.flush()
    assert await asyncio.wait_for(waiting, 5) == [SERVING]
    waiting = asyncio.ensure_future(anext(watching))
    await serving.announce_server(address=ADDRESS, transport="sse")
    assert await asyncio.wait_for(waiting, 5) == [SERVING]


async def test_a_service_opened_read_only_notes_nothing(open_service: OpenService) -> None:
    service = await open_service(read_only=True)
    service.note_query(query_record("find_tool", "one"))
    await service._queries.flush()
    assert await service.recent_queries() == []
