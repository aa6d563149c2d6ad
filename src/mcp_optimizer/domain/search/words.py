"""The words of a query, and where a tool has them. Pure: full text asks for these words, and the same words explain.

Scripts that put no spaces between words (Chinese, Japanese, Thai …) are cut into overlapping pairs of characters,
on both sides: a run of them would otherwise be one word that nobody types whole.
"""

import functools
import itertools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from mcp_optimizer.domain.tools.text import name_words

MAX_TERMS: Final = 64
"""Words of a query that are looked for: more cost time and change nothing."""
MAX_SENTENCES: Final = 8
"""Parts of a query that are also searched one by one: a query of more sentences is cut into so many runs of them.
With four, recall at 8 where several tools are wanted falls by .027 on one public set."""
_MAX_SPLIT: Final = 2000
"""Characters of a query that are split into sentences; a model reads no more either."""
_LEAST_WORDS: Final = 3
"""Words that make a sentence worth a search of its own."""
_SENTENCE_END: Final = re.compile(r"(?<=[.!?;])\s+|(?<=[。！？；])|\n+")
_MAX_RUNS: Final = 4000
_MAX_FIELD: Final = 4000
_WORD: Final = re.compile(r"\w+")
_UNSPACED: Final = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
    "\U00020000-\U0003134f]+"
)
_ENDING: Final = re.compile(r"(?:ational|ations?|ments?|ings?|ions?|ers?|ies|ied|ed|es|ly|s|e|y)$")
_STOP_WORDS: Final = (
    "a an and are as at be been by can could did do does for from had has have how i if in into is it its let like me "
    "my need of on or our please say so some tell than that the their them then there these they this those to up "
    "using want was we were what when where which who why will with would you your"
)
_STOP: Final = frozenset(re.split(" ", _STOP_WORDS))
"""Words that say nothing about a tool. Verbs that stand in names (get, show, use) are not among them."""


def pairs(text: str) -> list[str]:
    """The overlapping pairs of characters of every unspaced run in ``text``; a run of one character as it is."""
    results: list[str] = []
    for run in _UNSPACED.findall(text[:_MAX_RUNS]):
        results += [run[at : at + 2] for at in range(max(1, len(run) - 1))]
    return results


def is_unspaced(term: str) -> bool:
    """Whether a term is of a script without spaces."""
    return _UNSPACED.search(term) is not None


def query_terms(query: str) -> list[str]:
    """The words of ``query`` to look for, in lower case, each once: names whole and split, stop words left out.

    A query of nothing but stop words keeps them. Empty when there is no word at all.
    """
    result = [word.lower() for word in (*_WORD.findall(query), *_WORD.findall(name_words(query)))] if query else []
    target = [word for word in result if word not in _STOP] or result
    terms: dict[str, None] = {}
    for word in target:
        terms |= dict.fromkeys(pairs(word) if is_unspaced(word) else [word])
        if len(terms) >= MAX_TERMS:
            break
    return list(terms)[:MAX_TERMS]


def sentences(query: str) -> list[str]:
    """The sentences of a query of several, at most eight, neighbours put together where there are more.

    None of a query of one: that is searched whole anyway.
    """
    results = [part.strip() for part in _SENTENCE_END.split(query[:_MAX_SPLIT])]
    target = [part for part in results if len(_WORD.findall(part)) >= _LEAST_WORDS or len(pairs(part)) >= _LEAST_WORDS]
    count = min(len(target), MAX_SENTENCES)
    bounds = [at * len(target) // max(count, 1) for at in range(count + 1)]
    return [" ".join(target[begin:end]) for begin, end in itertools.pairwise(bounds)] if count > 1 else []


def stem(word: str) -> str:
    """An English word without its ending, roughly as full text sees it; other words as they are."""
    if len(word) <= 3 or not word.isascii():
        return word
    cut = _ENDING.sub("", word)
    cut = cut if len(cut) >= 3 else word
    return cut[:-1] if len(cut) > 3 and cut[-1] == cut[-2] else cut


class _Look(NamedTuple):
    """What a term looks like in a text."""

    beginning: str
    """It begins with this; a text without it needs no closer look."""
    pattern: re.Pattern[str]


@functools.lru_cache(maxsize=2048)
def _look(term: str) -> _Look:
    """A pair of characters anywhere, a short word whole, another with any ending."""
    if is_unspaced(term):
        return _Look(term, re.compile(re.escape(term)))
    begin = stem(term)
    ending = "" if len(begin) <= 3 and begin == term else r"[^\W_]{0,6}"
    return _Look(begin, re.compile(rf"(?<![^\W_]){re.escape(begin)}{ending}(?![^\W_])"))


def matched_words(terms: Sequence[str], fields: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Which of ``terms`` stand in which field, whatever their ending; fields without any are left out."""
    looks = _looks(tuple(terms))
    results: dict[str, tuple[str, ...]] = {}
    for name, text in fields.items():
        lowered = text[:_MAX_FIELD].lower()
        words = [
            term
            for term, (beginning, pattern) in looks
            if (place := lowered.find(beginning)) >= 0 and pattern.search(lowered, place)
        ]
        if words:
            results[name] = tuple(words)
    return results


@functools.lru_cache(maxsize=64)
def _looks(terms: tuple[str, ...]) -> list[tuple[str, _Look]]:
    """What the terms of a query look like; asked for every tool that is found."""
    return [(term, _look(term)) for term in terms]


def word_spans(text: str, terms: Iterable[str]) -> list[tuple[int, int]]:
    """Where in ``text`` what :func:`matched_words` found of ``terms`` begins and ends, in order; none overlap."""
    lowered = text.lower()
    if len(lowered) != len(text):  # a few letters change their length in lower case; places would not agree
        return []
    spans: list[tuple[int, int]] = []
    for begin, stop in sorted(match.span() for term in terms for match in _look(term).pattern.finditer(lowered)):
        if not spans or begin >= spans[-1][1]:
            spans.append((begin, stop))
    return spans


def mark_words(text: str, terms: Iterable[str], mark: Callable[[str], str]) -> str:
    """``text`` with ``mark`` put around each of :func:`word_spans`."""
    result, end = [], 0
    for begin, stop in word_spans(text, terms):
        result += [text[end:begin], mark(text[begin:stop])]
        end = stop
    return "".join([*result, text[end:]])


_FIELD_WEIGHT: Final = {"description": 0.8, "parameters": 0.5}


def coverage(terms: Sequence[str], matched: Mapping[str, Iterable[str]]) -> float:
    """How much of the query a tool's words answer, 0 to 1: a word in a name counts full, in the description less."""
    if not terms:
        return 0.0
    best = dict.fromkeys(terms, 0.0)
    for field, words in matched.items():
        weight = _FIELD_WEIGHT.get(field, 1.0)
        for word in words:
            best[word] = max(best.get(word, 0.0), weight)
    return sum(best.values()) / len(best)
