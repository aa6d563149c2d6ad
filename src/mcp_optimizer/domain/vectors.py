"""Vectors of texts, and what makes them (E1-E4). Pure."""

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

type Vector = NDArray[np.float32]
"""A unit vector, shape (dimension,)."""


class Embedder(Protocol):
    """Texts to unit vectors. The same text gives the same vector."""

    @property
    def model(self) -> str:
        """The name the store remembers (E3)."""
        ...

    async def dimension(self) -> int:
        """Length of every vector (E4)."""
        ...

    async def embed(self, texts: Sequence[str], on_progress: Callable[[int], None] | None = None) -> list[Vector]:
        """One vector a text, in the order given. ``on_progress`` gets the number done so far.

        Raises EmbeddingError. Cancelling ends it after the batch that is under way.
        """
        ...


def mean_vector(vectors: Sequence[Vector]) -> Vector | None:
    """The unit vector in the mean direction (L4); None of no vectors, or if they cancel out."""
    if not vectors:
        return None
    mean = np.mean(np.stack(vectors), axis=0, dtype=np.float32)
    length = float(np.linalg.norm(mean))
    return mean / np.float32(length) if np.isfinite(length) and length > 0 else None
