"""Searching in other processes: the same answers, whatever becomes of the processes."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from mcp_optimizer.config import Settings
from mcp_optimizer.domain.models import ObservedWorkload
from mcp_optimizer.domain.views import CountedHits, SearchQuery
from mcp_optimizer.embeddings import FastEmbedder
from mcp_optimizer.errors import TooBusyError, TooSlowError
from mcp_optimizer.server.workers.client import WorkerClient
from mcp_optimizer.server.workers.pool import SearchPool
from mcp_optimizer.service import DataService
from tests.conftest import OpenService
from tests.support.builders import catalog, listing, tool, workload
from tests.support.server_process import ServerProcess, server_environment
from tests.support.services import ingest
from tests.support.serving import client_of

pytestmark = pytest.mark.skipif(not Path("/proc").is_dir(), reason="processes are looked at in /proc")

QUERIES = [SearchQuery(text=f"make {what}") for what in ("an issue", "a note", "a page", "a list", "a plan", "a map")]


def workloads() -> list[ObservedWorkload]:
    """Some with a tool or two."""
    return [
        workload(f"server-{word}", f"example.org/{word}:1", [tool(f"create_{word}", f"Create a {word}."), tool("ping")])
        for word in ("issue", "note", "page", "list", "plan", "map")
    ]


@pytest.fixture
async def stocked(open_service: OpenService, settings: Settings, real_embedder: FastEmbedder) -> DataService:
    service = await open_service(
        settings.model_copy(update={"search_processes": 1, "search_timeout": 30.0}), embedder=real_embedder
    )
    await ingest(service, catalog(), listing(*workloads()))
    return service


@pytest.fixture
async def pool(stocked: DataService) -> AsyncIterator[SearchPool]:
    pool = SearchPool(stocked, most=1)
    async with pool.kept():
        yield pool


def said(answer: CountedHits) -> tuple[list[tuple[str, str, float]], int]:
    """An answer without the last digits, which depend on where vectors are compared."""
    return [(hit.server, hit.tool, round(hit.score, 4)) for hit in answer.hits], answer.baseline_tokens


async def until(holds: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait for what another process does."""
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 (another process decides)
            await asyncio.sleep(0.02)


async def crowded(pool: SearchPool) -> list[CountedHits]:
    """What everybody gets who asks at once, each twice."""
    return await asyncio.gather(*(pool.counted(query) for query in 2 * QUERIES))


async def grown(pool: SearchPool) -> WorkerClient:
    """The process that searches, once there is one."""
    await crowded(pool)
    await until(lambda: pool.processes == 1)
    return pool.searchers[0]


def is_there(pid: int) -> bool:
    """Whether a process runs."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_few_searches_start_no_process(pool: SearchPool) -> None:
    for query in QUERIES:
        await pool.counted(query)
    await asyncio.sleep(0)
    assert pool.processes == 0


async def test_another_process_finds_the_same_and_what_was_changed_since(
    pool: SearchPool, stocked: DataService
) -> None:
    here = [said(await stocked.search_counted(query)) for query in QUERIES]
    searcher = await grown(pool)
    assert list(map(said, await crowded(pool))) == 2 * here
    await stocked.delete_workloads(["server-issue"])
    there = said(await searcher.counted(QUERIES[0]))
    assert there == said(await stocked.search_counted(QUERIES[0]))
    assert there != here[0]


async def test_searches_of_a_killed_process_are_done_all_the_same(pool: SearchPool, stocked: DataService) -> None:
    searcher = await grown(pool)
    os.kill(searcher.pid, signal.SIGSTOP)  # it has been asked, and will not answer
    asked = [asyncio.create_task(pool.counted(query)) for query in QUERIES]
    await until(lambda: searcher.outstanding == len(QUERIES))
    os.kill(searcher.pid, signal.SIGKILL)
    here = [said(await stocked.search_counted(query)) for query in QUERIES]
    assert list(map(said, await asyncio.gather(*asked))) == here
    assert pool.processes == 0
    await crowded(pool)
    assert pool.processes == 0, "the next one is not started at once"


@pytest.mark.parametrize("error", [RuntimeError("the handler is closed"), BrokenPipeError()])
async def test_a_process_that_has_ended_unnoticed_is_not_felt(
    error: Exception, pool: SearchPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: bytes) -> None:
        raise error

    searcher = await grown(pool)
    monkeypatch.setattr(searcher._input, "write", refuse)
    assert all(answer.hits for answer in await crowded(pool))
    assert pool.processes == 0
    searcher.kill()
    await searcher.end()


async def test_a_process_that_hangs_is_ended(
    open_service: OpenService, settings: Settings, stocked: DataService, real_embedder: FastEmbedder
) -> None:
    hasty = await open_service(settings.model_copy(update={"search_timeout": 0.5}), embedder=real_embedder)
    hasty.runtime = replace(stocked.runtime, monotonic=time.monotonic)
    pool = SearchPool(hasty, most=1)
    async with pool.kept():
        pool.searchers.append(searcher := await WorkerClient.started(settings, time.monotonic))
        os.kill(searcher.pid, signal.SIGSTOP)
        with pytest.raises(TooSlowError):
            await pool.counted(QUERIES[0])
        await until(lambda: searcher.gone)
        assert (await pool.counted(QUERIES[0])).hits


async def test_a_search_that_nobody_waits_for_is_left_off(pool: SearchPool) -> None:
    searcher = await grown(pool)
    os.kill(searcher.pid, signal.SIGSTOP)
    asked = [asyncio.create_task(pool.counted(query)) for query in QUERIES]
    await until(lambda: searcher.outstanding == len(QUERIES))
    for task in asked:
        task.cancel()
    await asyncio.gather(*asked, return_exceptions=True)
    assert searcher.outstanding == 0
    os.kill(searcher.pid, signal.SIGCONT)
    assert (await searcher.counted(QUERIES[0])).hits


async def test_more_searches_than_may_be_are_refused_at_once(stocked: DataService) -> None:
    stocked.settings = stocked.settings.model_copy(update={"max_searches_at_once": 4})
    pool = SearchPool(stocked, most=0)
    answers = await asyncio.gather(*(pool.counted(query) for query in QUERIES), return_exceptions=True)
    assert [type(answer) for answer in answers] == [CountedHits] * 4 + [TooBusyError] * 2
    assert str(answers[-1]) == "4 searches are under way already (ask again in a second)"
    assert (await pool.counted(QUERIES[0])).hits, "those that have ended make room"


async def test_a_process_that_can_not_start_leaves_searching_here(
    pool: SearchPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    assert all(answer.hits for answer in await crowded(pool))
    await until(lambda: pool.starting is None)
    assert pool.processes == 0


async def test_an_idle_process_is_ended(pool: SearchPool) -> None:
    searcher = await grown(pool)
    await pool.end_idle(searcher.last_heard + 599)
    assert pool.processes == 1
    await pool.end_idle(searcher.last_heard + 601)
    assert pool.processes == 0
    assert not is_there(searcher.pid)


@pytest.mark.sqlite
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_no_process_outlives_its_server(
    number: signal.Signals, stocked: DataService, database_path: Path, tmp_path: Path, model_cache: Path
) -> None:
    secret = "planted-token-of-a-server"
    environment = server_environment(tmp_path, model_cache, mcp_token=secret, startup_polling_delay="3600")
    async with ServerProcess(database_path, environment) as server:
        pid = await _searcher_of(server, secret)
        assert secret not in Path(f"/proc/{pid}/cmdline").read_text()
        await server.end(number)
        await until(lambda: not is_there(pid))


async def _searcher_of(server: ServerProcess, token: str) -> int:
    """The process that a crowd makes a server start."""
    async with client_of(server.url, {"authorization": f"Bearer {token}"}) as client:
        while not server.children():
            asked = {"tool_description": "make a note", "tool_keywords": ""}
            answers = await asyncio.gather(*(client.call_tool("find_tool", asked) for _ in range(12)))
            assert not any(answer.is_error for answer in answers)
    return server.children()[0]


def test_the_command_is_for_servers_only() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "mcp_optimizer", "--help"], capture_output=True, text=True, check=True, timeout=30
    )
    assert "search-process" not in shown.stdout
