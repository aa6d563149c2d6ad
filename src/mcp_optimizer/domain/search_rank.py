"""How the two halves of a search become one list (Q1). Pure; measured with ``python -m bench search_quality``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

RANK_CONSTANT: Final = 5
"""Of reciprocal rank fusion: how little the first ranks outweigh the next. Small: a half's first hit is often right."""
SERVER_SHARE: Final = 0.35
"""How much the likeness of a tool's server counts beside the tool's own."""


@dataclass(frozen=True)
class TextMatch:
    """A tool that full text found: its BM25 score (higher is better), and where it has which words of the query."""

    id: str
    score: float
    coverage: float
    """Share of the query's words that it answers, 0 to 1."""
    matched: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass
class Found:
    """Where a tool was found, and how well. Ranks start at 1; None: that half did not find it."""

    id: str
    semantic_rank: int | None = None
    distance: float | None = None
    text_rank: int | None = None
    text: TextMatch | None = None
    exact: bool = False
    semantic_ratio: float = 0.5
    """Weight of the rank by meaning; the rank by words has the rest."""

    @property
    def score(self) -> float:
        """Reciprocal rank fusion. A rank by words counts as far as the words are those of the query: a tool that holds
        one word of ten says little. Two first places with every word give 2 / 6."""
        total = 0.0
        if self.semantic_rank is not None:
            total += 2 * self.semantic_ratio / (RANK_CONSTANT + self.semantic_rank)
        if self.text_rank is not None and self.text is not None:
            total += 2 * (1 - self.semantic_ratio) * self.text.coverage / (RANK_CONSTANT + self.text_rank)
        return total


def by_meaning(distances: Mapping[str, float], server_distances: Mapping[str, float]) -> list[tuple[str, float]]:
    """Ids with what they are ranked by, best (least) first: a tool's own cosine distance, and a share of its server's.

    A server without an embedding counts as neither like nor unlike.
    """
    ranked = {item: own + SERVER_SHARE * server_distances.get(item, 1.0) for item, own in distances.items()}
    return sorted(ranked.items(), key=lambda pair: (pair[1], pair[0]))


def fused(
    near: Sequence[tuple[str, float]],
    matching: Sequence[TextMatch],
    exact: Sequence[str],
    *,
    semantic_ratio: float = 0.5,
) -> list[Found]:
    """Every tool found, best first, an exact name before all others (Q1).

    ``near``: ids with distances in their order by meaning. ``matching``: in their order by words. A half of no weight
    finds nothing.
    """
    near = near if semantic_ratio > 0 else ()
    matching = matching if semantic_ratio < 1 else ()
    found: dict[str, Found] = {}
    for rank, (identifier, distance) in enumerate(near, start=1):
        found[identifier] = Found(identifier, semantic_rank=rank, distance=distance)
    for rank, match in enumerate(matching, start=1):
        item = found.setdefault(match.id, Found(match.id))
        item.text_rank, item.text = rank, match
    for identifier in exact:
        found.setdefault(identifier, Found(identifier)).exact = True
    for item in found.values():
        item.semantic_ratio = semantic_ratio
    return sorted(found.values(), key=lambda item: (not item.exact, -item.score, item.semantic_rank or 10**9, item.id))
