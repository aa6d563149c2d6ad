"""Training a matrix for query vectors by contrast over a store's own tools. Pure: vectors and labels in, matrix out."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

TEMPERATURE: Final = 0.05
_PULL_TO_IDENTITY: Final = 0.1
_STEPS: Final = 60
_LEARNING_RATE: Final = 0.003
_MAX_TOOLS: Final = 3000
"""Tools that a query is contrasted with; of more, a sample beside those that are nearest."""
_NEAREST: Final = 30
"""Tools nearest to each query that are always in the sample: the hardest to tell apart."""

type Matrix = NDArray[np.float32]


def train(queries: Matrix, tools: Matrix, labels: Sequence[Mapping[int, float]]) -> Matrix:
    """A matrix that turns each query towards its tools: ``transform(vector, matrix)`` is searched with.

    ``labels``: for each query the rows of ``tools`` that answered it, each with its weight. Vectors have length 1.
    """
    chosen = _chosen_tools(queries, tools, labels)
    cached = tools[chosen]
    targets, weights = _targets(labels, chosen)
    matrix = np.eye(tools.shape[1], dtype=np.float32)
    first = np.zeros_like(matrix)
    second = np.zeros_like(matrix)
    for step in range(1, _STEPS + 1):
        gradient = _gradient(matrix, queries, cached, targets, weights)
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient**2
        rate = _LEARNING_RATE * np.sqrt(1 - 0.999**step) / (1 - 0.9**step)
        matrix = (matrix - rate * first / (np.sqrt(second) + 1e-8)).astype(np.float32)
    return matrix


def transform(vectors: NDArray[np.float32], matrix: Matrix) -> NDArray[np.float32]:
    """Query vectors, or one, as they are searched with: of length 1 again."""
    turned = vectors @ matrix
    return turned / np.maximum(np.linalg.norm(turned, axis=-1, keepdims=True), 1e-9)


def _gradient(
    matrix: Matrix, queries: Matrix, tools: Matrix, targets: Matrix, weights: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Of the weighted mean cross entropy, and of the pull to identity."""
    turned = queries @ matrix
    length = np.maximum(np.linalg.norm(turned, axis=1, keepdims=True), 1e-9)
    turned /= length
    logits = turned @ tools.T / TEMPERATURE
    logits -= logits.max(axis=1, keepdims=True)
    shares = np.exp(logits)
    shares /= shares.sum(axis=1, keepdims=True)
    slope = ((shares - targets) * weights[:, None]) @ tools / TEMPERATURE
    slope = (slope - (slope * turned).sum(axis=1, keepdims=True) * turned) / length
    pull = 2 * _PULL_TO_IDENTITY * (matrix - np.eye(len(matrix), dtype=np.float32))
    return (queries.T @ slope + pull).astype(np.float32)


def _chosen_tools(queries: Matrix, tools: Matrix, labels: Sequence[Mapping[int, float]]) -> NDArray[np.intp]:
    """The rows of tools that are contrasted, ascending: all of them, or a sample with the hard ones in it."""
    if len(tools) <= _MAX_TOOLS:
        return np.arange(len(tools))
    chosen = {row for label in labels for row in label}
    for query in queries:
        chosen.update(np.argpartition(tools @ query, -_NEAREST)[-_NEAREST:].tolist())
    sample = np.random.default_rng(1).choice(len(tools), _MAX_TOOLS, replace=False)
    return np.array(sorted({*chosen, *sample.tolist()}), dtype=np.intp)


def _targets(
    labels: Sequence[Mapping[int, float]], chosen: NDArray[np.intp]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """What share of each query belongs to which tool, and what each query counts; these add up to 1."""
    targets = np.zeros((len(labels), len(chosen)), dtype=np.float32)
    weights = np.array([sum(label.values()) for label in labels], dtype=np.float32)
    for number, label in enumerate(labels):
        for row, weight in label.items():
            targets[number, np.searchsorted(chosen, row)] += weight / weights[number]
    return targets, weights / weights.sum()
