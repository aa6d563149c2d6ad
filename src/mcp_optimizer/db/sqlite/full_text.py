"""The full-text half of a search on SQLite: which tools hold words of a query (Q1, Q2)."""

from collections.abc import Collection, Sequence
from typing import Any, Final

import orjson
from sqlalchemy.ext.asyncio import AsyncConnection

from mcp_optimizer.db.fts_narrowing import BUDGET, FtsSyntax, narrower
from mcp_optimizer.db.search_index import Side, WordMatch
from mcp_optimizer.db.search_tables import MATCH_FIELDS, text_table, word_match
from mcp_optimizer.db.sqlite.driver import in_its_thread
from mcp_optimizer.db.sqlite.vector_index import of_servers, owner_token
from mcp_optimizer.domain.search.words import is_unspaced

_FEW_SERVERS: Final = 64
"""So many servers are looked up by the index itself; more are told apart row by row, best rows first."""
_WIDER: Final = 2
_WEIGHTS: Final = "bm25(1.0, 2.0, 1.0, 0.5, 1.0, 1.0, 0.0)"
"""Of name, words of the name, description, parameters, server, segments, owner. Tuned by ``bench search_quality``."""


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
    if servers is not None and len(servers) <= _FEW_SERVERS:
        owners = f"owner : ({_SYNTAX.any_of([owner_token(item) for item in servers])}) AND "
        servers = None
    expression = _narrowed(bare, side, terms, owners)
    if expression is None:  # words that are everywhere tell nothing apart; meaning does
        return []
    wide = limit if servers is None else _WIDER * limit  # mostly holds enough, without a filter that reads every row
    result = _ranked(bare, side, expression, wide, None)
    if servers is not None:
        whole = len(result) < wide
        result = [match for match in result if match.server_id in servers][:limit]
        if len(result) < limit and not whole:
            result = _ranked(bare, side, expression, limit, servers)
    return sorted(result, key=lambda match: (-match.score, match.id))


def _ranked(bare: Any, side: Side, expression: str, limit: int, servers: Collection[str] | None) -> list[WordMatch]:
    """The ``limit`` best rows that match, in the order of the index.

    They come as one row: between any two rows this thread would queue for the interpreter with the event loop.
    """
    where, parameters = of_servers(servers)
    table = text_table(side)
    rows = bare.execute(
        f"SELECT json_group_array(json_array(-rank, id, server_id, {', '.join(MATCH_FIELDS.values())})) "
        f"FROM (SELECT rank, * FROM {table} WHERE {table} MATCH :expression AND rank MATCH '{_WEIGHTS}' {where} "
        "ORDER BY rank LIMIT :limit)",
        {"expression": expression, "limit": limit, **parameters},
    )
    return [word_match(*row) for row in orjson.loads(rows.fetchone()[0])]


def _narrowed(bare: Any, side: Side, terms: Sequence[str], owners: str) -> str | None:
    """The widest expression that matches no more than ``BUDGET`` rows, and some; None when there is none."""
    everything = f"{owners}({_SYNTAX.any_of(terms)})"
    if _count(bare, side, everything) <= BUDGET:
        return everything
    counts = {term: _count(bare, side, f"{owners}{quoted(term)}") for term in terms}
    for expression in narrower(_SYNTAX, terms, counts):
        if 0 < _count(bare, side, f"{owners}{expression}") <= BUDGET:
            return f"{owners}{expression}"
    return None


def quoted(term: str) -> str:
    """A term as FTS5 takes it: nothing in it is an operator (Q2). A single character of a script without spaces is
    the beginning of a pair."""
    begins = "*" if len(term) == 1 and is_unspaced(term) else ""
    return '"' + term.replace("\0", "").replace('"', '""') + '"' + begins


_SYNTAX: Final = FtsSyntax(
    quoted=quoted,
    either=" OR ",
    both=" AND ",
    in_names=lambda terms: f"{{name words}} : ({' OR '.join(map(quoted, terms))})",
)


def _count(bare: Any, side: Side, expression: str) -> int:
    """How many rows match, counted no further than one above ``BUDGET``."""
    table = text_table(side)
    rows = bare.execute(
        f"SELECT COUNT(*) FROM (SELECT 1 FROM {table} WHERE {table} MATCH ? LIMIT {BUDGET + 1})", (expression,)
    )
    return int(rows.fetchone()[0])
