"""The vectors of queries: made once, few kept, and queries go before catalogs."""

import os
import sys

import pytest

from mcp_optimizer.embeddings.executors import ModelExecutors
from mcp_optimizer.search import query_vectors
from mcp_optimizer.search.query_vectors import QueryVectors
from tests.support.embedders import FakeEmbedder


async def test_a_query_is_embedded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(query_vectors, "_KEPT", 2)
    embedder = FakeEmbedder()
    queries = QueryVectors(embedder)
    first = await queries.of("find mail")
    assert first is not None
    assert await queries.of("find mail") is first
    await queries.of("find files")
    await queries.of("find mail")
    await queries.of("find issues")
    assert embedder.texts == ["find mail", "find files", "find issues"]
    await queries.of("find files")
    assert embedder.texts[3:] == ["find files"], "the one that was asked longest ago had to go"


@pytest.mark.skipif(sys.platform != "linux", reason="niceness is a thread's own on Linux only")
async def test_many_texts_give_way_to_one() -> None:
    threads = ModelExecutors(at_once=1)

    def niceness() -> int:
        return os.getpriority(os.PRIO_PROCESS, 0)

    assert await threads.soon(niceness) == niceness()
    assert await threads.aside(niceness) == min(19, niceness() + 10)
