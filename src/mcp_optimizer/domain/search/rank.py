"""How what meaning and words find becomes one list (Q1). Pure; measured with ``python -m bench search_quality``.

Values are added, not ranks: how far the best is ahead of the next says much, and a rank forgets it.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

SERVER_SHARE: Final = 0.3
"""How much the likeness of a tool's server counts beside the tool's own."""
WORD_SHARE: Final = 0.5
"""What the best match by words counts, with every word of the query in it, beside a likeness of 1."""
COMMON_SPREAD: Final = 0.35
"""How far the default model's cosines of the nearest hundred tools lie apart; other models' are stretched to that."""


@dataclass(frozen=True)
class TextMatch:
    """A tool that full text found: its BM25 score (higher is better), and where it has which words of the query."""

    id: str
    score: float
    coverage: float
    """Share of the query's words that it answers, 0 to 1."""
    matched: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class PhraseMatches:
    """What was found for one phrase: the whole query, or one sentence of it."""

    text: str = ""
    distances: Mapping[str, float] = field(default_factory=dict)
    """Cosine distance of every tool that any phrase found, however it was found; none of tools without a vector."""
    server_distances: Mapping[str, float] = field(default_factory=dict)
    """By tool: the cosine distance of its server. One without an embedding counts as neither like nor unlike."""
    matches: Mapping[str, TextMatch] = field(default_factory=dict)
    """By tool: what words found."""
    bounds: tuple[float, float] | None = None
    """Least and greatest cosine of the nearest tools, where the model's cosines are not those the shares are made
    for: they are stretched to what is common there."""

    def vector_score(self, tool: str) -> float:
        """The likeness of a tool and of its server to the phrase."""
        if tool not in self.distances:
            return 0.0
        own, server = self.distances[tool], self.server_distances.get(tool)
        return self._likeness(own) + (0.0 if server is None else SERVER_SHARE * self._likeness(server))

    def _likeness(self, distance: float) -> float:
        if self.bounds is None:
            return 1 - distance
        low, high = self.bounds
        return COMMON_SPREAD * min(max((1 - distance - low) / max(high - low, 1e-6), 0.0), 1.0)

    def word_scores(self) -> dict[str, float]:
        """By tool: its share of the best BM25 of the phrase, less where few of the phrase's words are in it.

        The square root: a long query has words that no tool has, its values above all. The share counts in it as
        well, so that a tool far behind the best by words counts less.
        """
        best = max((match.score for match in self.matches.values()), default=0.0)
        if best <= 0:
            return dict.fromkeys(self.matches, 0.0)
        shares = {tool: max(match.score, 0.0) / best for tool, match in self.matches.items()}
        return {
            tool: WORD_SHARE * share * math.sqrt(share * self.matches[tool].coverage) for tool, share in shares.items()
        }


@dataclass
class RankedTool:
    """Where a tool was found, and how well. Ranks start at 1; None: that half did not find it."""

    id: str
    semantic_rank: int | None = None
    distance: float | None = None
    """Of the whole query, however the tool was found; None without a vector."""
    text_rank: int | None = None
    text: TextMatch | None = None
    exact: bool = False
    vector_score: float = 0.0
    """What its vector counts in the score."""
    word_score: float = 0.0
    """What its words count in the score."""
    sentence: str | None = None
    """The sentence of the query that it answers best, where the query has several."""

    @property
    def score(self) -> float:
        """What it is ranked by."""
        return self.vector_score + self.word_score


def fused(
    phrases: Sequence[PhraseMatches], near: Collection[str], exact: Collection[str], *, semantic_ratio: float = 0.5
) -> list[RankedTool]:
    """Every tool found, best first, an exact name before all others (Q1).

    ``phrases``: the whole query, then its sentences, if it has several; a tool's score is the mean of the whole's and
    of its best sentence's. ``near``: the tools that meaning found. A half of no weight finds nothing.
    """
    by_vector = 2 * semantic_ratio
    by_words = 2 * (1 - semantic_ratio)
    word_scores = [phrase.word_scores() if by_words else {} for phrase in phrases]
    worded = {tool for scores in word_scores for tool in scores}
    meant = set(near) if by_vector else set()

    def score(tool: str, at: int) -> tuple[float, float]:
        return by_vector * phrases[at].vector_score(tool), by_words * word_scores[at].get(tool, 0.0)

    ranked: list[RankedTool] = []
    for tool in {*meant, *worded, *exact}:
        item = RankedTool(tool, exact=tool in exact, distance=phrases[0].distances.get(tool) if phrases else None)
        item.vector_score, item.word_score = score(tool, 0) if phrases else (0.0, 0.0)
        best = max(range(1, len(phrases)), key=lambda at: sum(score(tool, at)), default=0)
        if best:
            of_sentence = score(tool, best)
            item.vector_score = (item.vector_score + of_sentence[0]) / 2
            item.word_score = (item.word_score + of_sentence[1]) / 2
            item.sentence = phrases[best].text
        matches = (phrase.matches.get(tool) for phrase in (phrases[0], phrases[best], *phrases) if tool in worded)
        item.text = next((match for match in matches if match is not None), None)
        ranked.append(item)
    _rank_halves(ranked, meant, worded)
    return sorted(ranked, key=lambda item: (not item.exact, -item.score, item.semantic_rank or 10**9, item.id))


def _rank_halves(ranked: Sequence[RankedTool], meant: Collection[str], worded: Collection[str]) -> None:
    """Give each tool its rank among those that the same half found."""
    by_vector = sorted((item for item in ranked if item.id in meant), key=lambda item: (-item.vector_score, item.id))
    for rank, item in enumerate(by_vector, start=1):
        item.semantic_rank = rank
    by_words = sorted((item for item in ranked if item.id in worded), key=lambda item: (-item.word_score, item.id))
    for rank, item in enumerate(by_words, start=1):
        item.text_rank = rank
