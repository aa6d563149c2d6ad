"""Embedding: ours beside FastEmbed's default batching, on the same texts in the same run."""

import asyncio
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.data import catalog, texts
from bench.report import Figures, measured
from mcp_optimizer.config import OFFLINE_FLOAT_MODEL, OFFLINE_MODEL
from mcp_optimizer.embeddings import FastEmbedder
from mcp_optimizer.embeddings.embedder import name_to_fastembed
from mcp_optimizer.embeddings.offline_model import prepare_offline_model

_MIXED = 384


def mixed_texts(count: int) -> list[str]:
    """Texts of very different lengths, as descriptions are: from three words to several sentences."""
    result = texts(catalog(count // 8 + 1, 8).entries)[:count]
    return [
        (text[: 20 + 13 * (place % 9)] if place % 4 else f"{text} {text} {text}") for place, text in enumerate(result)
    ]


def run(figures: Figures, cache: Path | None = None) -> None:
    """Print texts a second."""
    figures.head("Embedding (texts a second)")
    with tempfile.TemporaryDirectory() as temporary:
        directory = cache or Path(temporary)
        target = mixed_texts(_MIXED)
        with measured() as first:
            prepare_offline_model(directory)
        embedder = FastEmbedder(OFFLINE_MODEL, cache_directory=directory)
        before = FastEmbedder(OFFLINE_FLOAT_MODEL, cache_directory=directory)
        ours, vectors = _rate(embedder, target)
        floats, other_vectors = _rate(before, target)
        same = _default_rate(OFFLINE_FLOAT_MODEL, directory, target)
        plain = _default_rate(OFFLINE_MODEL, directory, target)
    alike = (vectors * other_vectors).sum(axis=1)
    figures.say("preparing the model, once", first.seconds, "s")
    figures.say("ours: integer products, a run a text", ours, "/s")
    figures.say("the same weights in floating point: sorted, small batches", floats, "/s")
    figures.say("baseline: FastEmbed's default batching, floating point", same, "/s")
    figures.say("baseline: FastEmbed's default batching, integer products", plain, "/s")
    figures.say("ours against the faster baseline", ours / max(plain, same), "times", least=6)
    figures.say("cosine of the two models' vectors, mean", float(alike.mean()), "")
    figures.say("cosine of the two models' vectors, least", float(alike.min()), "")


def _rate(embedder: FastEmbedder, wanted: list[str]) -> tuple[float, NDArray[np.float32]]:
    asyncio.run(embedder.embed(wanted[:16]))
    with measured() as watch:
        vectors = asyncio.run(embedder.embed(wanted))
    return len(wanted) / watch.seconds, np.stack(vectors)


def _default_rate(model: str, directory: Path, wanted: list[str]) -> float:
    """Of FastEmbed left to itself: its own batches, and threads as many as there are cores."""
    from fastembed import TextEmbedding  # noqa: PLC0415

    loaded = TextEmbedding(name_to_fastembed(model), specific_model_path=str(prepare_offline_model(directory, model)))
    with measured() as watch:
        list(loaded.embed(wanted))
    return len(wanted) / watch.seconds
