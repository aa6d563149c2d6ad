"""The filter language of the lists, as pure functions.

Words are separated by spaces and must all hold. ``text`` is contained, ``!text`` is not, ``~text`` holds its letters
in order (fuzzy), ``/text/`` is a regular expression (RE2), ``field:value`` looks in one column, ``field:=value`` is
exactly the column, ``tools:>5`` and ``updated:<1d`` compare numbers and ages, ``error|stopped`` is one or the other.
Quotes keep spaces together. ``!`` comes first: ``!~text``, ``!status:running``. A word before a colon that is no
field is text like any other, so that an image tag or a URL can be looked for as it is.
"""

import functools
import operator
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import re2

_MAX_PATTERN_CHARACTERS: Final = 200
_MAX_PATTERN_MEMORY: Final = 1 << 20
"""Bytes that a compiled regular expression and its search may take."""
_WORD = re.compile(r'(?:[^\s"]|"[^"]*"?)+')
_ALTERNATIVE = re.compile(r'(?:[^|"]|"[^"]*"?)+')
_QUANTITY = re.compile(r"([\d,]+(?:\.\d+)?)([smhdw]?)")
_UNIT_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}


class Way(StrEnum):
    """How a text is looked for."""

    CONTAINED = ""
    EXACT = "="
    FUZZY = "~"
    PATTERN = "/"
    AT_LEAST = ">="
    AT_MOST = "<="
    MORE = ">"
    LESS = "<"


@dataclass(frozen=True, slots=True)
class FilterTerm:
    """One alternative of a word."""

    text: str
    way: Way = Way.CONTAINED

    def holds(self, text: str) -> bool:
        """Whether the (case-folded) text answers it."""
        match self.way:
            case Way.EXACT:
                return self.text in (text, *text.split("\n"))
            case Way.FUZZY:
                return in_order(self.text, text)
            case Way.PATTERN:
                pattern = _pattern(self.text)
                return pattern is not None and pattern.search(text) is not None
            case Way.CONTAINED:
                return self.text in text
        limit, value = quantity(self.text), quantity(text)
        return limit is not None and value is not None and _COMPARISONS[self.way](value, limit)

    @property
    def problem(self) -> str:
        """Why it can't be understood; empty when it can."""
        if self.way is Way.PATTERN and _pattern(self.text) is None:
            return _pattern_problem(self.text)
        if self.way in _COMPARISONS and quantity(self.text) is None:
            return f"{self.text} is neither a number nor an age such as 2h or 1d."
        return ""


@dataclass(frozen=True, slots=True)
class Term:
    """One word of a filter."""

    alternatives: tuple[FilterTerm, ...]
    field: str | None = None
    inverted: bool = False

    def holds(self, text: str) -> bool:
        """Whether the (case-folded) text answers this word."""
        return any(target.holds(text) for target in self.alternatives) is not self.inverted


@dataclass(frozen=True, slots=True)
class Filter:
    """A whole filter. Empty: everything passes."""

    terms: tuple[Term, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.terms)

    def passes(self, haystack: str, field: Callable[[str], str]) -> bool:
        """Whether a row passes: ``haystack`` is all its text, ``field`` gives one column; both case-folded."""
        return all(term.holds(haystack if term.field is None else field(term.field)) for term in self.terms)


def parse(text: str, fields: Collection[str]) -> Filter:
    """The filter that ``text`` says. Words that say nothing yet (``!``, ``status:``) are left out."""
    terms = (_term(word, fields) for word in _WORD.findall(text))
    return Filter(tuple(term for term in terms if term.alternatives))


def _term(word: str, fields: Collection[str]) -> Term:
    inverted = word.startswith("!")
    word = word.removeprefix("!")
    name, colon, value = word.partition(":")
    field = name.casefold() if colon and name.casefold() in fields else None
    return Term(tuple(_alternatives(value if field else word, in_field=field is not None)), field, inverted)


def _alternatives(text: str, *, in_field: bool) -> Iterator[FilterTerm]:
    if len(text) > 2 and text.startswith("/") and text.endswith("/"):
        yield FilterTerm(text[1:-1], Way.PATTERN)
        return
    for part in _ALTERNATIVE.findall(text):
        ways = (Way.AT_LEAST, Way.AT_MOST, Way.MORE, Way.LESS, Way.EXACT, Way.FUZZY) if in_field else (Way.FUZZY,)
        way = next((way for way in ways if part.startswith(way)), Way.CONTAINED)
        target = part.removeprefix(way).replace('"', "").casefold()
        if target:
            yield FilterTerm(target, way)


def filter_problem(text: str, fields: Collection[str]) -> str:
    """What of a filter is not understood, in a sentence; empty when all is."""
    for word in _WORD.findall(text):
        name, colon, value = word.removeprefix("!").partition(":")
        if colon and value and not value.startswith("/") and name.isalpha() and name.casefold() not in fields:
            return f"There is no field {name}; there are: {', '.join(sorted(fields))}."
    target = (one for term in parse(text, fields).terms for one in term.alternatives)
    return next((one.problem for one in target if one.problem), "")


def quantity(text: str) -> float | None:
    """A number, or an age in seconds (``1,204``, ``3h``); None when the text is neither."""
    match = _QUANTITY.fullmatch(text.strip())
    digits = match[1].replace(",", "") if match else ""
    return float(digits) * _UNIT_SECONDS[match[2]] if match and digits else None


def _pattern_problem(text: str) -> str:
    if len(text) > _MAX_PATTERN_CHARACTERS:
        return f"A regular expression may have {_MAX_PATTERN_CHARACTERS} characters; this one has {len(text):,}."
    return f"/{text}/ is not a regular expression (RE2: without lookaround and backreferences)."


@functools.lru_cache(maxsize=64)
def _pattern(text: str) -> "re2._Regexp | None":
    """The regular expression, searched in time linear in the text: it is typed while the screen waits."""
    if len(text) > _MAX_PATTERN_CHARACTERS:
        return None
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    options.never_capture = True
    options.max_mem = _MAX_PATTERN_MEMORY
    try:
        return re2.compile(text, options)
    except (re2.error, UnicodeEncodeError):
        return None


def in_order(letters: str, text: str) -> bool:
    """Whether all of ``letters`` occur in ``text``, one after the other."""
    rest = iter(text)
    return all(letter in rest for letter in letters)


def quoted(value: str) -> str:
    """``value`` as it stands after ``field:=``, in quotes where it holds spaces."""
    clean = value.replace('"', "")
    return f'"{clean}"' if " " in clean or not clean else clean
