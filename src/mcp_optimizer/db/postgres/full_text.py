"""The full-text half of a search on PostgreSQL: which tools hold words of a query (Q1, Q2).

Texts and queries are cut into words here, in the same way on both sides, so that PostgreSQL's own parser, which sees
addresses, paths and numbers in them, has nothing left to decide.
"""

import math
import re
import unicodedata
from collections.abc import Collection, Sequence
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from mcp_optimizer.db.fts_narrowing import BUDGET, FtsSyntax, narrower
from mcp_optimizer.db.postgres.schema import CONFIGURATION
from mcp_optimizer.db.search_index import Side, WordMatch
from mcp_optimizer.db.search_tables import MATCH_FIELDS, ToolWords, text_table, word_match
from mcp_optimizer.domain.search.words import is_unspaced

_WORD: Final = re.compile(r"[^\W_]+")
_MAX_CHARACTERS: Final = 100_000
"""Of a text, that are indexed: all words of a tool must fit into one megabyte."""
_CONFIGURED: Final = "CAST(:configuration AS regconfig)"
_WEIGHTS: Final = "'{0.125, 0.25, 0.5, 1.0}'"
"""Of parameters (D), whole name (C), description, server and segments (B), words of the name (A)."""
_FIELDS: Final = {
    "words": "A",
    "description": "B",
    "server": "B",
    "segments": "B",
    "name": "C",
    "parameters": "D",
}

_LABELLED: Final = re.compile(r":(\*?)A")
_NAMES: Final = "ts_filter(document, '{a}')"
"""The words of names. They have an index of their own: that of documents does not know where a word stands, so that
every row with a word of the query would have to be read."""

DOCUMENT: Final = " || ".join(
    f"setweight(to_tsvector({_CONFIGURED}, :{field}_words), '{weight}')" for field, weight in _FIELDS.items()
)
"""What is indexed of a tool; its parameters are ``configuration`` and those of :func:`document_words`."""


def names_index(side: Side) -> str:
    """The statement that makes the index of the words of names, where there is none."""
    table = text_table(side)
    return f"CREATE INDEX IF NOT EXISTS {table}_names ON {table} USING gin ({_NAMES})"


def plain_words(source: str) -> str:
    """The words of a text: letters and digits only, lower case, no accents."""
    folded = unicodedata.normalize("NFKD", source[:_MAX_CHARACTERS].casefold())
    bare = "".join(letter for letter in folded if not unicodedata.combining(letter))
    return " ".join(_WORD.findall(unicodedata.normalize("NFC", bare)))


def document_words(row: ToolWords) -> dict[str, str]:
    """The parameters of ``DOCUMENT`` for a tool."""
    return {f"{field}_words": plain_words(getattr(row, field)) for field in _FIELDS}


def quoted(term: str, label: str = "") -> str:
    """A term as ``to_tsquery`` takes it: nothing in it is an operator (Q2). Of several words, one after the other. A
    single character of a script without spaces is the beginning of a pair. Empty where there is no word in it."""
    words = plain_words(term)
    prefix = "*" if len(term) == 1 and is_unspaced(term) else ""
    marks = f":{prefix}{label}" if prefix or label else ""
    return f"'{words}'{marks}" if words else ""


_SYNTAX: Final = FtsSyntax(
    quoted=quoted,
    either=" | ",
    both=" & ",
    in_names=lambda terms: " | ".join(quoted(term, "A") for term in terms),
)


def matches(expression: str, parameter: str) -> tuple[str, str]:
    """The condition that a row matches an expression, and the value of its parameter. What is sought in names only is
    labelled in whole: nothing else of an expression can look like a label, as terms are letters and digits."""
    bare = _LABELLED.sub(lambda label: f":{label[1]}" if label[1] else "", expression)
    column = "document" if bare == expression else _NAMES
    return f"{column} @@ to_tsquery({_CONFIGURED}, :{parameter})", bare


async def matching_tools(
    connection: AsyncConnection, side: Side, terms: Sequence[str], *, limit: int, servers: Collection[str] | None
) -> list[WordMatch]:
    """The ``limit`` tools that hold most of ``terms``, best first; only those of ``servers``, unless that is None.

    Ranked by how rare each word is, times how often and where a tool has it.
    """
    sought = [term for term in terms if quoted(term)]
    if not sought or (servers is not None and not servers):
        return []
    scope = _Scope(connection, side, servers)
    counts = dict(zip(sought, await scope.count([quoted(term) for term in sought]), strict=True))
    expression = await _narrowed(scope, sought, counts)
    if expression is None:  # words that are everywhere tell nothing apart; meaning does
        return []
    rarity = [math.log(1 + (scope.size + 0.5) / (counts[term] + 0.5)) for term in sought]
    score = " + ".join(
        f"{weight:.6f} * ts_rank({_WEIGHTS}, document, to_tsquery({_CONFIGURED}, :term{number}), 1)"
        for number, weight in enumerate(rarity)
    )
    condition, sought_in = matches(expression, "expression")
    rows = await connection.execute(
        text(
            f"SELECT {score} AS score, id, server_id, {', '.join(MATCH_FIELDS.values())} FROM {text_table(side)} "
            f"WHERE {condition} {scope.condition} "
            "ORDER BY score DESC, id LIMIT :limit"
        ),
        {
            **{f"term{number}": quoted(term) for number, term in enumerate(sought)},
            **scope.parameters,
            "expression": sought_in,
            "limit": limit,
        },
    )
    results = [word_match(float(score), *row) for score, *row in rows]
    return sorted(results, key=lambda match: (-match.score, match.id))


class _Scope:
    """Which rows are searched; counts them."""

    size = 0

    def __init__(self, connection: AsyncConnection, side: Side, servers: Collection[str] | None) -> None:
        self._connection = connection
        self._table = text_table(side)
        self.condition = "" if servers is None else "AND server_id = ANY(:servers)"
        self.parameters: dict[str, Any] = {"configuration": CONFIGURATION}
        if servers is not None:
            self.parameters["servers"] = sorted(servers)

    async def count(self, expressions: Sequence[str]) -> list[int]:
        """How many rows match each expression, counted no further than one above ``BUDGET``."""
        sought = [matches(expression, f"e{number}") for number, expression in enumerate(expressions)]
        counted = ", ".join(
            f"(SELECT COUNT(*) FROM (SELECT 1 FROM {self._table} WHERE {condition} {self.condition} "
            f"LIMIT {BUDGET + 1}) few)"
            for condition, _ in sought
        )
        size = f"(SELECT reltuples FROM pg_class WHERE oid = CAST('{self._table}' AS regclass))"
        rows = await self._connection.execute(
            text(f"SELECT {size}, {counted}"),
            {**self.parameters, **{f"e{number}": value for number, (_, value) in enumerate(sought)}},
        )
        result = rows.one()
        self.size = max(int(result[0]), *result[1:], 1)
        return list(result[1:])


async def _narrowed(scope: _Scope, terms: Sequence[str], counts: dict[str, int]) -> str | None:
    """The widest expression that matches no more than ``BUDGET`` rows, and some; None when there is none."""
    everything = _SYNTAX.any_of(terms)
    if sum(counts.values()) <= BUDGET:
        return everything if any(counts.values()) else None
    widest = [everything] if max(counts.values()) <= BUDGET else []  # else it surely matches more
    for expression in (*widest, *narrower(_SYNTAX, terms, counts)):
        (result,) = await scope.count([expression])
        if 0 < result <= BUDGET:
            return expression
    return None
