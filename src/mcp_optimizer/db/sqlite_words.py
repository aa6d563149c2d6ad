"""The full-text half of a search on SQLite: which tools hold words of a query (Q1, Q2).

What costs time is ranking: some microseconds for every row that matches. So a query that matches more rows than
``BUDGET`` is narrowed, step by step, to the rows that say most: those with its rarer words, those with its words in
their names, those with all of them. On a store of a few thousand tools nothing is ever narrowed.
"""

from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from mcp_optimizer.db.sqlite_driver import in_its_thread
from mcp_optimizer.db.sqlite_search import Side, of_servers, owner_token, text_table
from mcp_optimizer.domain.search_words import is_unspaced

BUDGET: Final = 2000
"""Rows that a query may rank."""
_FEW_SERVERS: Final = 64
"""So many servers are looked up by the index itself; more are told apart row by row, best rows first."""
_WEIGHTS: Final = "bm25(2.0, 8.0, 4.0, 1.0, 4.0, 4.0, 0.0)"
"""Of name, words of the name, description, parameters, server, segments, owner. Tuned by ``bench search_quality``."""


class WordMatch(NamedTuple):
    """A tool that holds words of a query: its BM25 score (higher is better), and the texts that were searched."""

    id: str
    server_id: str
    score: float
    fields: dict[str, str]


async def matching_tools(
    connection: AsyncConnection, side: Side, terms: Sequence[str], *, limit: int, servers: Collection[str] | None
) -> list[WordMatch]:
    """The ``limit`` tools that hold most of ``terms``, best first; only those of ``servers``, unless that is None."""
    if not terms or (servers is not None and not servers):
        return []
    return await in_its_thread(connection, lambda bare: _matching(bare, side, terms, limit, servers))


def _matching(
    bare: Any, side: Side, terms: Sequence[str], limit: int, servers: Collection[str] | None
) -> list[WordMatch]:
    owners = ""
    where, parameters = of_servers(servers)
    if servers is not None and len(servers) <= _FEW_SERVERS:
        owners = f"owner : ({_any([owner_token(item) for item in servers])}) AND "
        where, parameters = "", {}
    expression = _narrowed(bare, side, terms, owners)
    if expression is None:  # words that are everywhere tell nothing apart; meaning does
        return []
    table = text_table(side)
    rows = bare.execute(
        f"SELECT id, server_id, rank, name, words, description, parameters, server FROM {table} "
        f"WHERE {table} MATCH :expression AND rank MATCH '{_WEIGHTS}' {where} ORDER BY rank LIMIT :limit",
        {"expression": expression, "limit": limit, **parameters},
    )
    found = [
        WordMatch(
            identifier,
            server_id,
            -float(rank),
            {"name": f"{name} {words}", "server": server, "description": description, "parameters": parameters},
        )
        for identifier, server_id, rank, name, words, description, parameters, server in rows
    ]
    return sorted(found, key=lambda match: (-match.score, match.id))


def _narrowed(bare: Any, side: Side, terms: Sequence[str], owners: str) -> str | None:
    """The widest expression that matches no more than ``BUDGET`` rows, and some; None when there is none."""
    everything = f"{owners}({_any(terms)})"
    if _count(bare, side, everything) <= BUDGET:
        return everything
    counts = {term: _count(bare, side, f"{owners}{quoted(term)}") for term in terms}
    for expression in _narrower(terms, counts):
        if 0 < _count(bare, side, f"{owners}{expression}") <= BUDGET:
            return f"{owners}{expression}"
    return None


def _narrower(terms: Sequence[str], counts: dict[str, int]) -> Iterator[str]:
    """Expressions that match fewer rows, the most telling first."""
    rare = _rarest(terms, counts, BUDGET // 2)
    if rare:  # the rarer words decide which rows are looked at, all words how these are ranked
        yield f"(({_any(rare)}) AND ({_any(terms)}))"
    known = [term for term in terms if counts[term]]
    yield f"({' AND '.join(map(quoted, known))})"
    yield f"({{name words}} : ({_any(terms)}))"
    rare = _rarest(terms, counts, BUDGET)
    if rare:
        yield f"({_any(rare)})"


def _rarest(terms: Sequence[str], counts: dict[str, int], most: int) -> list[str]:
    """The rarest of the terms that any row has, with no more than ``most`` rows together."""
    rare: list[str] = []
    for term in sorted((term for term in terms if counts[term]), key=lambda item: counts[item]):
        if sum(counts[item] for item in rare) + counts[term] <= most:
            rare.append(term)
    return rare


def _any(terms: Sequence[str]) -> str:
    return " OR ".join(map(quoted, terms))


def quoted(term: str) -> str:
    """A term as FTS5 takes it: nothing in it is an operator (Q2). A single character of a script without spaces is
    the beginning of a pair."""
    begins = "*" if len(term) == 1 and is_unspaced(term) else ""
    return '"' + term.replace("\0", "").replace('"', '""') + '"' + begins


def _count(bare: Any, side: Side, expression: str) -> int:
    """How many rows match, counted no further than one above ``BUDGET``."""
    table = text_table(side)
    found = bare.execute(
        f"SELECT COUNT(*) FROM (SELECT 1 FROM {table} WHERE {table} MATCH ? LIMIT {BUDGET + 1})", (expression,)
    )
    return int(found.fetchone()[0])
