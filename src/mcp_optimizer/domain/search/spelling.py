"""Misspelt words of a query, put right by the words that tools and servers are named with. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from mcp_optimizer.domain.tools.text import name_words

_SHORTEST: Final = 4
_SHORTEST_BEGINNING: Final = 3
_LONG: Final = 8
_MAX_CORRECTED: Final = 4
_MAX_WORD: Final = 30


def vocabulary(names: Iterable[str]) -> dict[str, int]:
    """The words that names are made of, with how often each stands in one; only those that can be a correction."""
    counts: Counter[str] = Counter()
    for name in names:
        counts.update(name_words(name).lower().split())
    return {word: count for word, count in counts.items() if _correctable(word)}


def corrections(words: Sequence[str], known: Mapping[str, int], *, unfinished: str | None = None) -> dict[str, str]:
    """For each of ``words`` that is not known, the known word it was probably meant to be; at most four of them.

    The first letter must be right, and one letter may be wrong, missing, too many or swapped; two in words of eight
    letters and more. Of several the nearest counts, then the commonest. ``unfinished``: the word that is being typed;
    it may be the beginning of a known one.
    """
    target = [word for word in words if _correctable(word) and word not in known][:_MAX_CORRECTED]
    results: dict[str, str] = {}
    if unfinished is not None and unfinished not in known and len(unfinished) >= _SHORTEST_BEGINNING:
        begun = min(((-count, word) for word, count in known.items() if word.startswith(unfinished)), default=None)
        if begun is not None:
            results[unfinished] = begun[1]
            target = [word for word in target if word != unfinished]
    for word in target:
        most = 1 if len(word) < _LONG else 2
        near = (
            (distance, -count, other)
            for other, count in known.items()
            if other[0] == word[0]
            and abs(len(other) - len(word)) <= most
            and (distance := edit_distance(word, other, most)) <= most
        )
        best = min(near, default=None)
        if best is not None:
            results[word] = best[2]
    return results


def _correctable(word: str) -> bool:
    return _SHORTEST <= len(word) <= _MAX_WORD and word.isascii() and word.isalpha()


def edit_distance(one: str, other: str, most: int) -> int:
    """Letters changed, added, left out or swapped with their neighbour; more than that: ``most`` + 1."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, left in enumerate(one, start=1):
        following = [i]
        for j, right in enumerate(other, start=1):
            cost = min(row[j] + 1, following[j - 1] + 1, row[j - 1] + (left != right))
            if i > 1 and j > 1 and left == other[j - 2] and one[i - 2] == right:
                cost = min(cost, before[j - 2] + 1)
            following.append(cost)
        if min(following) > most:
            return most + 1
        before, row = row, following
    return row[-1]
