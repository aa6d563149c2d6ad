"""An embedder for measuring what is not embedding: quick vectors while a store is filled, real ones when it counts."""

import functools
import hashlib
import re
from collections.abc import Callable, Sequence

import numpy as np

from mcp_optimizer.domain.vectors import Embedder, Vector


class Switchable:
    """Vectors quickly made until ``real`` is set; then those of a real embedder, under the same model name."""

    def __init__(self, embedder: Embedder, quick: Callable[[str, int], Vector] | None = None) -> None:
        self._embedder = embedder
        self._quick = quick or hashed
        self.real = False
        self.texts = 0

    @property
    def model(self) -> str:
        """The real model's name."""
        return self._embedder.model

    async def dimension(self) -> int:
        """The real model's dimension."""
        return await self._embedder.dimension()

    async def embed(self, texts: Sequence[str], on_progress: Callable[[int], None] | None = None) -> list[Vector]:
        """Vectors, quick or real."""
        self.texts += len(texts)
        if self.real:
            return await self._embedder.embed(texts, on_progress)
        dimension = await self._embedder.dimension()
        return [self._quick(text, dimension) for text in texts]


def worded(text: str, dimension: int) -> Vector:
    """A unit vector between those of a text's words: texts that share some are near each other, as a model's are."""
    words = re.findall(r"[^\W_]+", text.lower()) or [text]
    total = np.sum([_of_word(word, dimension) for word in words], axis=0)
    return (total / np.linalg.norm(total)).astype(np.float32)


@functools.cache
def _of_word(word: str, dimension: int) -> Vector:
    return hashed(word, dimension)


def hashed(text: str, dimension: int) -> Vector:
    """A unit vector made from a text's hash."""
    seed = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")
    vector = np.random.default_rng(seed).standard_normal(dimension, dtype=np.float32)
    return vector / np.linalg.norm(vector)
