"""The six search tables on SQLite: sqlite-vec for meaning, FTS5 for words (S3). All that is special to them is here.

They are indexes: everything in them can be made again from the core tables. Rows are keyed by a number made from the
row's UUID, as both kinds of table want integer keys; the UUID itself stands beside it.
"""

import json
from collections.abc import Collection, Sequence
from typing import Final
from uuid import UUID

import numpy as np
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from mcp_optimizer.db.search_index import IndexedTool, Near, Side
from mcp_optimizer.db.search_tables import (
    all_tables,
    server_table,
    text_table,
    tool_words,
    vector_table,
)
from mcp_optimizer.domain.vectors import Vector

_MAX_KNN: Final = 4096
_WIDER: Final = 8


def search_key(identifier: str) -> int:
    """The integer key of a row in the search tables: 63 bits of its random UUID. ``db check`` proves no two collide."""
    number = UUID(identifier).int
    return (number >> 64 ^ number) & (2**63 - 1)


def create_statements(dimension: int) -> list[str]:
    """The statements that make the six tables for vectors of ``dimension`` (E4)."""
    statements: list[str] = []
    for side in Side:
        statements += [
            f"CREATE VIRTUAL TABLE {server_table(side)} USING vec0("
            f"key INTEGER PRIMARY KEY, embedding FLOAT[{dimension}] distance_metric=cosine, +id TEXT)",
            f"CREATE VIRTUAL TABLE {vector_table(side)} USING vec0("
            f"key INTEGER PRIMARY KEY, embedding FLOAT[{dimension}] distance_metric=cosine, "
            "server_id TEXT, +id TEXT)",
            f"CREATE VIRTUAL TABLE {text_table(side)} USING fts5("
            "name, words, description, parameters, server, segments, owner, id UNINDEXED, server_id UNINDEXED, "
            "tokenize='porter unicode61 remove_diacritics 2')",
        ]
    return statements


async def recreate(connection: AsyncConnection, dimension: int) -> None:
    """Drop the six tables and rebuild them, empty."""
    for table in all_tables():
        await connection.execute(text(f"DROP TABLE IF EXISTS {table}"))
    for statement in create_statements(dimension):
        await connection.execute(text(statement))


async def finish(connection: AsyncConnection) -> None:
    """Nothing is left to do: these indexes are complete with every row."""


async def put_servers(connection: AsyncConnection, side: Side, servers: Sequence[tuple[str, Vector]]) -> None:
    """Index servers by id and embedding, in place of what is indexed for them."""
    await remove_servers(connection, side, [identifier for identifier, _ in servers])
    if servers:
        await connection.execute(
            text(f"INSERT INTO {server_table(side)} (key, embedding, id) VALUES (:key, :embedding, :id)"),
            [
                {"key": search_key(identifier), "embedding": vector.tobytes(), "id": identifier}
                for identifier, vector in servers
            ],
        )


async def remove_servers(connection: AsyncConnection, side: Side, ids: Collection[str]) -> None:
    """Take servers out of the index; ids that are not in it don't matter."""
    await _remove(connection, server_table(side), "key", ids)


async def put_tools(connection: AsyncConnection, side: Side, tools: Sequence[IndexedTool]) -> None:
    """Index tools, in place of what is indexed for them."""
    await remove_tools(connection, side, [tool.id for tool in tools])
    await insert_tools(connection, side, tools)


async def insert_tools(connection: AsyncConnection, side: Side, tools: Sequence[IndexedTool]) -> None:
    """Index tools that are not in the index yet."""
    vectors = [
        {"key": search_key(tool.id), "embedding": tool.embedding.tobytes(), "server": tool.server_id, "id": tool.id}
        for tool in tools
        if tool.embedding is not None
    ]
    if vectors:
        await connection.execute(
            text(
                f"INSERT INTO {vector_table(side)} (key, embedding, server_id, id) "
                "VALUES (:key, :embedding, :server, :id)"
            ),
            vectors,
        )
    if tools:
        await connection.execute(
            text(
                f"INSERT INTO {text_table(side)} "
                "(rowid, name, words, description, parameters, server, segments, owner, id, server_id) VALUES "
                "(:key, :name, :words, :description, :parameters, :server, :segments, :owner, :id, :server_id)"
            ),
            [_text_row(tool) for tool in tools],
        )


def owner_token(server_id: str) -> str:
    """A server's id as one word, by which full text finds its tools."""
    return server_id.replace("-", "")


def _text_row(indexed: IndexedTool) -> dict[str, str | int]:
    """A tool's row in the full-text table."""
    row = tool_words(indexed)
    return {"key": search_key(row.id), "owner": owner_token(row.server_id), **row._asdict()}


async def remove_tools(connection: AsyncConnection, side: Side, ids: Collection[str]) -> None:
    """Take tools out of the index; ids that are not in it don't matter."""
    await _remove(connection, vector_table(side), "key", ids)
    await _remove(connection, text_table(side), "rowid", ids)


async def _remove(connection: AsyncConnection, table: str, column: str, ids: Collection[str]) -> None:
    """Delete rows one by one: a search table finds one key at once, but a set of keys by looking at every row."""
    if ids:
        await connection.execute(
            text(f"DELETE FROM {table} WHERE {column} = :key"), [{"key": search_key(identifier)} for identifier in ids]
        )


async def nearest_tools(
    connection: AsyncConnection, side: Side, vector: Vector, *, limit: int, servers: Collection[str] | None
) -> list[Near]:
    """The ``limit`` tools nearest to ``vector``, nearest first; only those of ``servers``, unless that is None (Q1).

    A filter inside the scan costs several times the scan, so a wider scan without one is tried first: when that
    holds enough tools of ``servers``, they are the nearest.
    """
    if servers is not None and not servers:
        return []
    wide = min(limit if servers is None else _WIDER * limit, _MAX_KNN)
    result = await _scan(connection, side, vector, wide, None)
    if servers is None or len(result) < wide:
        return [near for near in result if servers is None or near.server_id in servers][:limit]
    allowed = [near for near in result if near.server_id in servers]
    if len(allowed) >= limit:
        return allowed[:limit]
    return await _scan(connection, side, vector, min(limit, _MAX_KNN), servers)


async def nearest_servers(
    connection: AsyncConnection, side: Side, vector: Vector, *, limit: int
) -> list[tuple[str, float]]:
    """The ``limit`` servers nearest to ``vector`` by their own embedding, with their distances, nearest first."""
    rows = await connection.execute(
        text(f"SELECT id, distance FROM {server_table(side)} WHERE embedding MATCH :vector AND k = :limit"),
        {"vector": vector.astype(np.float32).tobytes(), "limit": min(limit, _MAX_KNN)},
    )
    return sorted(((row.id, float(row.distance)) for row in rows), key=lambda pair: (pair[1], pair[0]))


async def _scan(
    connection: AsyncConnection, side: Side, vector: Vector, limit: int, servers: Collection[str] | None
) -> list[Near]:
    where, parameters = of_servers(servers)
    rows = await connection.execute(
        text(
            f"SELECT id, server_id, distance FROM {vector_table(side)} "
            f"WHERE embedding MATCH :vector AND k = :limit {where}"
        ),
        {"vector": vector.astype(np.float32).tobytes(), "limit": limit, **parameters},
    )
    result = (Near(row.id, row.server_id, float(row.distance)) for row in rows)
    return sorted(result, key=lambda near: (near.distance, near.id))


def of_servers(servers: Collection[str] | None) -> tuple[str, dict[str, str]]:
    """The condition, and its parameters, that a row is of one of ``servers``; nothing for None."""
    if servers is None:
        return "", {}
    return "AND server_id IN (SELECT value FROM json_each(:servers))", {"servers": json.dumps(sorted(servers))}
