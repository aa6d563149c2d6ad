"""Which rows full text ranks (Q1, Q2). Pure; each engine brings its own syntax and counts.

What costs time is ranking: some microseconds for every row that matches. So a query that matches more rows than
``BUDGET`` is narrowed, step by step, to the rows that say most: those with its rarer words, those with its words in
their names, those with all of them. On a store of a few thousand tools nothing is ever narrowed.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

BUDGET: Final = 2000
"""Rows that a query may rank."""


@dataclass(frozen=True)
class FtsSyntax:
    """How an engine writes what it looks for. Nothing in a term is an operator (Q2)."""

    quoted: Callable[[str], str]
    either: str
    both: str
    in_names: Callable[[Sequence[str]], str]
    """Any of the terms, in the names of tools only."""

    def any_of(self, terms: Sequence[str]) -> str:
        """Rows that hold one of the terms."""
        return self.either.join(map(self.quoted, terms))

    def all_of(self, terms: Sequence[str]) -> str:
        """Rows that hold every term."""
        return self.both.join(map(self.quoted, terms))


def narrower(syntax: FtsSyntax, terms: Sequence[str], counts: Mapping[str, int]) -> Iterator[str]:
    """Expressions that match fewer rows than any of ``terms``, the most telling first. ``counts``: rows by term."""
    rare = _rarest(terms, counts, BUDGET // 2)
    if rare:  # the rarer words decide which rows are looked at, all words how these are ranked
        yield f"(({syntax.any_of(rare)}){syntax.both}({syntax.any_of(terms)}))"
    known = [term for term in terms if counts[term]]
    if known:
        yield f"({syntax.all_of(known)})"
    yield f"({syntax.in_names(terms)})"
    rare = _rarest(terms, counts, BUDGET)
    if rare:
        yield f"({syntax.any_of(rare)})"


def _rarest(terms: Sequence[str], counts: Mapping[str, int], most: int) -> list[str]:
    """The rarest of the terms that any row has, with no more than ``most`` rows together."""
    rare: list[str] = []
    for term in sorted((term for term in terms if counts[term]), key=lambda item: counts[item]):
        if sum(counts[item] for item in rare) + counts[term] <= most:
            rare.append(term)
    return rare
