"""Embedding: ours beside FastEmbed's default batching, on the same texts in the same run."""

import asyncio
import tempfile
from pathlib import Path

from bench.data import catalog, texts
from bench.report import Figures, measured
from mcp_optimizer.config import OFFLINE_MODEL
from mcp_optimizer.embeddings import FastEmbedder

_MIXED = 384


def mixed_texts(count: int) -> list[str]:
    """Texts of very different lengths, as descriptions are: from three words to several sentences."""
    made = texts(catalog(count // 8 + 1, 8).entries)[:count]
    return [
        (text[: 20 + 13 * (place % 9)] if place % 4 else f"{text} {text} {text}") for place, text in enumerate(made)
    ]


def run(figures: Figures, cache: Path | None = None) -> None:
    """Print texts a second."""
    figures.head("Embedding (texts a second)")
    with tempfile.TemporaryDirectory() as temporary:
        embedder = FastEmbedder(OFFLINE_MODEL, cache_directory=cache or Path(temporary))
        wanted = mixed_texts(_MIXED)
        asyncio.run(embedder.embed(wanted[:16]))
        with measured() as ours:
            asyncio.run(embedder.embed(wanted))
        model = embedder.loaded()
        with measured() as default:
            list(model.embed(wanted))
    figures.say("ours: sorted, small batches", len(wanted) / ours.seconds, "/s")
    figures.say("baseline: FastEmbed's default batching", len(wanted) / default.seconds, "/s")
    figures.say("ours against the baseline", default.seconds / ours.seconds, "times", least=6)
