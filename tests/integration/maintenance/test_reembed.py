"""Another embedding model: refused when opening, and brought in by re-embedding (E3, E4)."""

import asyncio
import os
import signal
import sys
import textwrap
from pathlib import Path

import pytest

from mcp_optimizer.config import Settings
from mcp_optimizer.domain.views import Scope, SearchQuery
from mcp_optimizer.errors import EmbeddingError, ModelMismatchError
from mcp_optimizer.service import DataService
from tests.conftest import OpenService
from tests.integration.search.test_hybrid import CATALOG, LISTING
from tests.support.database import dump, value
from tests.support.embedders import FakeEmbedder
from tests.support.places import Place
from tests.support.services import assert_sound, ingest

QUERY = SearchQuery(text="get the weather forecast", scope=Scope.ALL, status=None)

VICTIM = """
    import asyncio, sys
    from mcp_optimizer.config import Settings
    from mcp_optimizer.service import DataService
    from tests.support.embedders import FakeEmbedder

    service = DataService(
        Settings(db_url=sys.argv[1]),
        embedder=FakeEmbedder(dimension=24, model="other", delay=0.2, batch=1),
    )
    import mcp_optimizer.db.embedding_cache as memory
    memory._EMBED_CHUNK = 2
    asyncio.run(service.reembed(lambda done, total: print(done, total, flush=True)))
"""


def other(**options: object) -> FakeEmbedder:
    """Another model, of another dimension."""
    return FakeEmbedder(dimension=24, model="other", **options)  # ty: ignore[invalid-argument-type]


async def test_e3_re_embedding_brings_in_another_model(
    service: DataService, settings: Settings, open_service: OpenService
) -> None:
    await ingest(service, CATALOG, LISTING)
    with pytest.raises(ModelMismatchError, match="holds embeddings") as refused:
        await DataService(settings, embedder=other()).open()
    assert "db reembed" in str(refused.value.remedy)
    told: list[tuple[int, int]] = []
    embedded = await DataService(settings, embedder=other()).reembed(lambda done, total: told.append((done, total)))
    assert embedded == told[-1][0] == told[-1][1] > 0
    with pytest.raises(ModelMismatchError):
        await service.search(QUERY)
    again = await open_service(embedder=other())
    await assert_sound(again)
    assert (await again.search(QUERY))[0].tool == "get_forecast"
    embedder = other()
    third = await open_service(embedder=embedder)
    await ingest(third, CATALOG, LISTING)
    assert embedder.texts == [], "nothing is embedded again"
    assert await DataService(settings, embedder=other()).reembed() == 0


async def test_searches_go_on_until_all_is_embedded(service: DataService, settings: Settings) -> None:
    await ingest(service, CATALOG, LISTING)
    embedder = other(delay=0.05, batch=1)
    running = asyncio.create_task(DataService(settings, embedder=embedder).reembed())
    await embedder.started.wait()
    assert (await service.search(QUERY))[0].tool == "get_forecast"
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert (await service.search(QUERY))[0].tool == "get_forecast"


async def test_a_text_that_fails_changes_nothing(service: DataService, settings: Settings, database: Place) -> None:
    await ingest(service, CATALOG, LISTING)
    before = {name: rows for name, rows in dump(database).items() if name != "embedding_cache"}
    embedder = other()
    embedder.fail_on = {"Radar"}
    with pytest.raises(EmbeddingError, match="nothing was changed"):
        await DataService(settings, embedder=embedder).reembed()
    assert {name: rows for name, rows in dump(database).items() if name != "embedding_cache"} == before


async def test_a_killed_run_goes_on_where_it_was(
    service: DataService, settings: Settings, database: Place, open_service: OpenService
) -> None:
    await ingest(service, CATALOG, LISTING)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", textwrap.dedent(VICTIM), database.url,
        stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[3],
    )  # fmt: skip
    assert process.stdout is not None
    for _ in range(5):
        assert await asyncio.wait_for(process.stdout.readline(), 30)
    os.kill(process.pid, signal.SIGKILL)
    assert await process.wait() == -signal.SIGKILL
    assert value(database, "SELECT name FROM embedding_model") == "test/words"
    assert (await service.search(QUERY))[0].tool == "get_forecast"
    await assert_sound(service)
    embedder = other()
    total = await DataService(settings, embedder=embedder).reembed()
    texts = value(database, "SELECT COUNT(*) FROM embedding_cache")
    assert 0 < total < texts / 2, "what had been embedded was remembered"
    await assert_sound(await open_service(embedder=other()))
