"""The filter language of the lists, as pure functions.

Words are separated by spaces and must all hold. ``text`` is contained, ``!text`` is not, ``~text`` holds its letters in
order (fuzzy), ``field:value`` looks in one column, ``field:=value`` is exactly the column. Quotes keep spaces together.
``!`` comes first: ``!~text``, ``!status:running``. A word before a colon that is no field is text like any other, so
that an image tag or a URL can be looked for as it is.
"""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass

_WORD = re.compile(r'(?:[^\s"]|"[^"]*"?)+')


@dataclass(frozen=True, slots=True)
class Term:
    """One word of a filter."""

    text: str
    field: str | None = None
    inverted: bool = False
    fuzzy: bool = False
    exact: bool = False

    def holds(self, text: str) -> bool:
        """Whether the (case-folded) text answers this word."""
        if self.exact:
            found = text == self.text
        elif self.fuzzy:
            found = in_order(self.text, text)
        else:
            found = self.text in text
        return found is not self.inverted


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
    return Filter(tuple(term for term in terms if term.text))


def _term(word: str, fields: Collection[str]) -> Term:
    inverted = word.startswith("!")
    word = word.removeprefix("!")
    name, colon, value = word.partition(":")
    field = name.casefold() if colon and name.casefold() in fields else None
    text = value if field else word
    exact = field is not None and text.startswith("=")
    text = text.removeprefix("=") if exact else text
    fuzzy = not exact and text.startswith("~")
    text = text.removeprefix("~") if fuzzy else text
    return Term(text=text.replace('"', "").casefold(), field=field, inverted=inverted, fuzzy=fuzzy, exact=exact)


def unknown_field(text: str, fields: Collection[str]) -> str:
    """The first word before a colon that looks like a field and is none; empty when there is none such."""
    for word in _WORD.findall(text):
        name, colon, value = word.removeprefix("!").partition(":")
        if colon and value and not value.startswith("/") and name.isalpha() and name.casefold() not in fields:
            return name
    return ""


def in_order(letters: str, text: str) -> bool:
    """Whether all of ``letters`` occur in ``text``, one after the other."""
    rest = iter(text)
    return all(letter in rest for letter in letters)


def quoted(value: str) -> str:
    """``value`` as it stands after ``field:=``, in quotes where it holds spaces."""
    clean = value.replace('"', "")
    return f'"{clean}"' if " " in clean or not clean else clean
