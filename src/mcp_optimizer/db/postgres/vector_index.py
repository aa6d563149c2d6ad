"""The six search tables on PostgreSQL: pgvector for meaning, weighted tsvector for words (S3)."""

from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import asynccontextmanager
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from mcp_optimizer.db.postgres.full_text import CONFIGURATION, DOCUMENT, document_words, names_index
from mcp_optimizer.db.postgres.schema import any_length_statements, words_statements
from mcp_optimizer.db.search_index import IndexedTool, Near, Side
from mcp_optimizer.db.search_tables import ToolWords, all_tables, server_table, text_table, tool_words, vector_table
from mcp_optimizer.domain.vectors import Vector

MAX_INDEXED_DIMENSIONS: Final = 2000
"""Numbers that a vector may have to be indexed (HNSW); longer ones are compared one by one."""
EXACT_ROWS: Final = 10_000
"""So many vectors are compared one by one: that is exact, and takes some milliseconds."""
MAX_EXACT_IDS: Final = 2000
"""So many vectors are indexed one by one, in some seconds."""
_MAX_EXPLORED: Final = 1000
_MIN_EXPLORED: Final = 200
"""Of 100,000 tools so much exploring finds more than 95 of the 100 nearest (``bench engines`` measures it)."""


def create_statements(dimension: int) -> list[str]:
    """The statements that make the six tables for vectors of ``dimension`` (E4), where the core tables are."""
    return [
        "CREATE EXTENSION IF NOT EXISTS vector",
        *any_length_statements(),
        *words_statements(),
        *_table_statements(dimension),
        *_index_statements(dimension),
    ]


def _table_statements(dimension: int) -> list[str]:
    statements: list[str] = []
    key = 'TEXT COLLATE "C"'
    for side in Side:
        texts = ", ".join(f"{column} TEXT NOT NULL" for column in ToolWords._fields[2:])
        statements += [
            f"CREATE TABLE {server_table(side)} (id {key} PRIMARY KEY, embedding vector({dimension}) NOT NULL)",
            f"CREATE TABLE {vector_table(side)} "
            f"(id {key} PRIMARY KEY, server_id {key} NOT NULL, embedding vector({dimension}) NOT NULL)",
            f"CREATE TABLE {text_table(side)} "
            f"(id {key} PRIMARY KEY, server_id {key} NOT NULL, {texts}, document tsvector NOT NULL)",
        ]
    return statements


def _index_statements(dimension: int) -> list[str]:
    statements: list[str] = []
    for side in Side:
        vectors, words = vector_table(side), text_table(side)
        statements += [
            f"CREATE INDEX {vectors}_server ON {vectors} (server_id)",
            f"CREATE INDEX {words}_server ON {words} (server_id)",
            f"CREATE INDEX {words}_document ON {words} USING gin (document)",
            names_index(side),
        ]
        if dimension <= MAX_INDEXED_DIMENSIONS:
            statements.append(_nearest_index(side))
    return statements


def _nearest_index(side: Side) -> str:
    vectors = vector_table(side)
    return f"CREATE INDEX {vectors}_embedding ON {vectors} USING hnsw (embedding vector_cosine_ops)"


async def recreate(connection: AsyncConnection, dimension: int) -> None:
    """Drop the six tables and rebuild them, empty and without indexes, which are quicker made of full tables."""
    for table in all_tables():
        await connection.execute(text(f"DROP TABLE IF EXISTS {table}"))
    for statement in _table_statements(dimension):
        await connection.execute(text(statement))


async def finish(connection: AsyncConnection) -> None:
    """Make the indexes of tables that :func:`recreate` has made."""
    dimension = (await connection.execute(text("SELECT dimension FROM embedding_model"))).scalar_one()
    await _make(connection, _index_statements(dimension))


async def _make(connection: AsyncConnection, statements: Sequence[str]) -> None:
    await connection.execute(text("SELECT set_config('maintenance_work_mem', '512MB', true)"))
    for statement in statements:
        await connection.execute(text(statement))


@asynccontextmanager
async def filling(connection: AsyncConnection, side: Side, count: int) -> AsyncGenerator[None]:
    """The first ``count`` tools of a side: where these are many, the index of vectors is made when they are there, in
    a third of the time. Nobody can search that side until then; there is nothing in it anyway."""
    table = vector_table(side)
    dropped = False
    if count > MAX_EXACT_IDS:
        empty = await connection.execute(text(f"SELECT NOT EXISTS (SELECT FROM {table})"))
        indexed = await connection.execute(
            text("SELECT to_regclass(:name) IS NOT NULL"), {"name": f"{table}_embedding"}
        )
        dropped = empty.scalar_one() and indexed.scalar_one()
    if dropped:
        await connection.execute(text(f"DROP INDEX {table}_embedding"))
    yield
    if dropped:
        await _make(connection, [_nearest_index(side)])


async def put_servers(connection: AsyncConnection, side: Side, servers: Sequence[tuple[str, Vector]]) -> None:
    """Index servers by id and embedding, in place of what is indexed for them."""
    if servers:
        await connection.execute(
            text(
                f"INSERT INTO {server_table(side)} (id, embedding) VALUES (:id, CAST(:embedding AS vector)) "
                "ON CONFLICT (id) DO UPDATE SET embedding = excluded.embedding"
            ),
            [{"id": identifier, "embedding": vector} for identifier, vector in servers],
        )


async def remove_servers(connection: AsyncConnection, side: Side, ids: Collection[str]) -> None:
    """Take servers out of the index; ids that are not in it don't matter."""
    await _remove(connection, server_table(side), ids)


async def put_tools(connection: AsyncConnection, side: Side, tools: Sequence[IndexedTool]) -> None:
    """Index tools, in place of what is indexed for them."""
    await remove_tools(connection, side, [tool.id for tool in tools])
    await insert_tools(connection, side, tools)


async def insert_tools(connection: AsyncConnection, side: Side, tools: Sequence[IndexedTool]) -> None:
    """Index tools that are not in the index yet."""
    vectors = [
        {"id": tool.id, "server": tool.server_id, "embedding": tool.embedding}
        for tool in tools
        if tool.embedding is not None
    ]
    if vectors:
        await connection.execute(
            text(
                f"INSERT INTO {vector_table(side)} (id, server_id, embedding) "
                "VALUES (:id, :server, CAST(:embedding AS vector))"
            ),
            vectors,
        )
    if tools:
        columns = ToolWords._fields
        rows = [tool_words(tool) for tool in tools]
        await connection.execute(
            text(
                f"INSERT INTO {text_table(side)} ({', '.join(columns)}, document) "
                f"VALUES ({', '.join(f':{column}' for column in columns)}, {DOCUMENT})"
            ),
            [{"configuration": CONFIGURATION, **row._asdict(), **document_words(row)} for row in rows],
        )


async def remove_tools(connection: AsyncConnection, side: Side, ids: Collection[str]) -> None:
    """Take tools out of the index; ids that are not in it don't matter."""
    await _remove(connection, vector_table(side), ids)
    await _remove(connection, text_table(side), ids)


async def _remove(connection: AsyncConnection, table: str, ids: Collection[str]) -> None:
    if ids:
        await connection.execute(text(f"DELETE FROM {table} WHERE id = ANY(:ids)"), {"ids": list(ids)})


async def nearest_tools(
    connection: AsyncConnection, side: Side, vector: Vector, *, limit: int, servers: Collection[str] | None
) -> list[Near]:
    """The ``limit`` tools nearest to ``vector``, nearest first; only those of ``servers``, unless that is None (Q1).

    Exact where few tools are concerned. Of many the index gives those that are almost surely nearest; where it gives
    fewer than are wanted, all are compared.
    """
    if servers is not None and not servers:
        return []
    where, parameters = of_servers(servers)
    results: list[Near] = []
    if len(vector) <= MAX_INDEXED_DIMENSIONS and await _are_many(connection, side, where, parameters):
        explored = min(max(2 * limit, _MIN_EXPLORED), _MAX_EXPLORED)
        await connection.execute(
            text(
                "SELECT set_config('hnsw.iterative_scan', 'relaxed_order', true), "
                "set_config('hnsw.ef_search', :explored, true)"
            ),
            {"explored": str(explored)},
        )
        results = await _nearest(connection, side, vector, limit, where, parameters, exact=False)
    if len(results) < limit:
        results = await _nearest(connection, side, vector, limit, where, parameters, exact=True)
    return sorted(results, key=lambda near: (near.distance, near.id))


async def _are_many(connection: AsyncConnection, side: Side, where: str, parameters: dict[str, object]) -> bool:
    counted = await connection.execute(
        text(f"SELECT COUNT(*) FROM (SELECT 1 FROM {vector_table(side)} {where} LIMIT {EXACT_ROWS + 1}) few"),
        parameters,
    )
    return counted.scalar_one() > EXACT_ROWS


async def _nearest(
    connection: AsyncConnection,
    side: Side,
    vector: Vector,
    limit: int,
    where: str,
    parameters: dict[str, object],
    *,
    exact: bool,
) -> list[Near]:
    """``exact``: every distance is worked out before any is compared, so that no index is used."""
    distances = (
        f"SELECT id, server_id, embedding <=> CAST(:vector AS vector) AS distance FROM {vector_table(side)} {where}"
    )
    query = f"WITH every AS MATERIALIZED ({distances}) SELECT * FROM every" if exact else distances
    rows = await connection.execute(
        text(f"{query} ORDER BY {'distance, id' if exact else 'distance'} LIMIT :limit"),
        {"vector": vector, "limit": limit, **parameters},
    )
    return [Near(row.id, row.server_id, float(row.distance)) for row in rows]


async def nearest_servers(
    connection: AsyncConnection, side: Side, vector: Vector, *, limit: int
) -> list[tuple[str, float]]:
    """The ``limit`` servers nearest to ``vector`` by their own embedding, with their distances, nearest first."""
    rows = await connection.execute(
        text(
            f"SELECT id, embedding <=> CAST(:vector AS vector) AS distance FROM {server_table(side)} "
            "ORDER BY distance, id LIMIT :limit"
        ),
        {"vector": vector, "limit": limit},
    )
    return [(row.id, float(row.distance)) for row in rows]


def of_servers(servers: Collection[str] | None, word: str = "WHERE") -> tuple[str, dict[str, object]]:
    """The condition, and its parameters, that a row is of one of ``servers``; nothing for None."""
    if servers is None:
        return "", {}
    return f"{word} server_id = ANY(:servers)", {"servers": sorted(servers)}
