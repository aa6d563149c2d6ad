"""An embedder without a model: quick, deterministic, and it fails when it is told to."""

import asyncio
import functools
import hashlib
import re
from collections.abc import Callable, Sequence

import numpy as np

from mcp_optimizer.domain.vectors import Vector, mean_vector
from mcp_optimizer.errors import EmbeddingError, ModelUnavailableError


@functools.lru_cache(maxsize=100_000)
def _direction(word: str, dimension: int) -> Vector:
    seed = hashlib.sha256(word.encode("utf-8", "surrogatepass")).digest()[:8]
    return np.random.default_rng(int.from_bytes(seed)).standard_normal(dimension).astype(np.float32)


FAKE_MODEL = ("test/words", 16)
"""Name and dimension of :class:`FakeEmbedder`, unless it is told others."""


class FakeEmbedder:
    """Unit vectors from hashes of words: texts that share words are near each other, the same text is the same vector.

    ``fail_on``: texts that hold one of these can't be embedded. ``unavailable``: nothing can. ``delay``: seconds that
    each batch of ``batch`` texts takes. ``texts`` keeps every text that was embedded, ``calls`` counts the calls.
    """

    def __init__(
        self, *, dimension: int = FAKE_MODEL[1], model: str = FAKE_MODEL[0], delay: float = 0.0, batch: int = 8
    ) -> None:
        self._model = model
        self._dimension = dimension
        self.delay = delay
        self.batch = batch
        self.fail_on: set[str] = set()
        self.unavailable = False
        self.texts: list[str] = []
        self.calls = 0
        self.started = asyncio.Event()

    @property
    def model(self) -> str:
        """The name the store remembers."""
        return self._model

    async def dimension(self) -> int:
        """Length of every vector; not that of any real model (E4)."""
        return self._dimension

    async def embed(self, texts: Sequence[str], on_progress: Callable[[int], None] | None = None) -> list[Vector]:
        """One vector a text, in the order given."""
        self.calls += 1
        self.started.set()
        if self.unavailable:
            raise ModelUnavailableError("the model is not there", remedy="bring it back")
        if any(word in text for text in texts for word in self.fail_on):
            raise EmbeddingError("the model choked on a text")
        made: list[Vector] = []
        for start in range(0, len(texts), self.batch):
            if self.delay:
                await asyncio.sleep(self.delay)
            made += [self.vector(text) for text in texts[start : start + self.batch]]
            if on_progress is not None:
                on_progress(len(made))
        self.texts += texts
        return made

    def vector(self, text: str) -> Vector:
        """The vector of a text, for comparing."""
        words = re.findall(r"[^\W_]+", text.lower()) or [text]
        total = np.sum([_direction(word, self._dimension) for word in words], axis=0)
        return (total / np.linalg.norm(total)).astype(np.float32)

    def tool_vector(self, context: str, name: str) -> Vector:
        """The vector of one of our tools: the mean of those of its two parts."""
        mean = mean_vector([self.vector(f"{context}: {name}"), self.vector(f"{name} does what it says.")])
        assert mean is not None
        return mean

    def forget(self) -> None:
        """Start counting again."""
        self.texts.clear()
        self.calls = 0
