"""A query that matches too many rows is narrowed to those that say most, in the same way on both engines (Q1)."""

import pytest

from mcp_optimizer.db import fts_narrowing as narrowing
from mcp_optimizer.db.dialects import index_of
from mcp_optimizer.db.postgres import full_text as postgres_words
from mcp_optimizer.db.search_index import Side
from mcp_optimizer.db.sqlite import full_text as sqlite_words
from mcp_optimizer.service import DataService
from tests.support.builders import catalog, entry, tool
from tests.support.services import ingest

NAMES = ["first", "second", "third", "fourth", "common_fifth", "sixthCommon"]


@pytest.fixture(autouse=True)
def small_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five rows are too many."""
    for module in (narrowing, postgres_words, sqlite_words):
        monkeypatch.setattr(module, "BUDGET", 4)


async def found(service: DataService, *terms: str) -> list[str]:
    """The names of the tools that the engine's words find, in order."""
    async with service.store.database.reading() as connection:
        rows = await index_of(connection).matching_tools(connection, Side.REGISTRY, terms, limit=10, servers=None)
        named = await service.store.registry_tools.by_ids(connection, [row.id for row in rows])
        return [named[row.id].name for row in rows]


@pytest.mark.parametrize(
    ("terms", "names"),
    [
        (("common",), {"common_fifth", "sixthCommon"}),
        (("common", "shared"), {"common_fifth", "sixthCommon"}),
        (("common", "third"), {"third"}),
        (("shared",), set()),
    ],
)
async def test_q1_words_that_are_everywhere_are_looked_for_in_names(
    service: DataService, terms: tuple[str, ...], names: set[str]
) -> None:
    tools = [tool(name, f"A common thing that is shared, {name}.") for name in NAMES]
    await ingest(service, catalog(entry("alpha", "example.org/alpha:1", tools)))
    assert set(await found(service, *terms)) == names


@pytest.mark.parametrize(
    ("expression", "parameter", "column"),
    [
        ("'read' | 'a file'", "'read' | 'a file'", "document"),
        ("('read':A | 'a file':A)", "('read' | 'a file')", "ts_filter(document, '{a}')"),
        ("('読':*A)", "('読':*)", "ts_filter(document, '{a}')"),
        ("'読':*", "'読':*", "document"),
    ],
)
@pytest.mark.sqlite
def test_what_is_sought_in_names_is_sought_in_their_index(expression: str, parameter: str, column: str) -> None:
    condition, given = postgres_words.matches(expression, "p")
    assert given == parameter
    assert condition.startswith(f"{column} @@ to_tsquery(")
