"""A text of several parts is embedded part by part, and is their mean."""

import numpy as np
import pytest

from mcp_optimizer.db.embedding_cache import embed_texts
from mcp_optimizer.domain.tools.text import tool_text
from tests.support.builders import tool
from tests.support.embedders import FakeEmbedder


async def test_e2_the_parts_of_texts_are_embedded_each_once() -> None:
    embedder = FakeEmbedder()
    texts = [tool_text("web", tool("get_page", "Fetches.")), tool_text("web", tool("get_all", "Fetches.")), "plain"]
    done: list[int] = []
    first, second, plain = await embed_texts(embedder, texts, done.append)
    assert embedder.texts == ["web: get page", "Fetches.", "web: get all", "plain"]
    assert done[-1] == len(texts)
    mean = embedder.vector("web: get page") + embedder.vector("Fetches.")
    assert first == pytest.approx(mean / np.linalg.norm(mean), abs=1e-6)
    assert not np.allclose(first, second)
    assert np.array_equal(plain, embedder.vector("plain"))
