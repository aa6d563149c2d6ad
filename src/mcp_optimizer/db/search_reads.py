"""What a search reads from the core tables: embeddings in bulk, servers, names, and which servers have changed (S5)."""

from collections.abc import AsyncGenerator, Collection
from typing import NamedTuple

from sqlalchemy import bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

from mcp_optimizer.db.logs.change_log import forgotten_since
from mcp_optimizer.db.rows import IN_CHUNK, kind_of, short
from mcp_optimizer.db.search_index import Side
from mcp_optimizer.domain.models import Kind

_BATCH = 4000

type StoredVector = tuple[str, str, bytes]
"""A tool's id, its server's id, its vector as little-endian 32-bit floats."""


class StoreVersion(NamedTuple):
    """The last change, the model and dimension of the stored embeddings, and the id of the order learned for it."""

    sequence: int
    model: str
    dimension: int
    learned: str | None = None


class ServerRow(NamedTuple):
    """What filters ask of a server. ``status`` is None for a registry server."""

    id: str
    name: str
    group: str
    kind: Kind
    status: str | None
    virtual: bool


class ToolsMark(NamedTuple):
    """What differs when the tools of a server do."""

    tools: int
    tokens: int
    last_update: str


async def tools_marks(connection: AsyncConnection, side: Side) -> dict[str, ToolsMark]:
    """The mark of each server's tools, by the server's id; those without tools have none."""
    rows = await connection.execute(
        text(
            "SELECT server_id, COUNT(*) AS tools, SUM(token_count) AS tokens, MAX(updated_at) AS last_update "
            f"FROM {side.tools} GROUP BY server_id"
        )
    )
    return {row.server_id: ToolsMark(row.tools, int(row.tokens or 0), str(row.last_update)) for row in rows}


async def version(connection: AsyncConnection) -> StoreVersion:
    """What a search compares to see whether anything has changed; costs next to nothing."""
    rows = await connection.execute(
        short(
            "SELECT (SELECT COALESCE(MAX(sequence), 0) FROM change_log) AS sequence, name, dimension, "
            "(SELECT id FROM learned_order WHERE model = name AND matrix IS NOT NULL) AS learned FROM embedding_model"
        )
    )
    row = rows.one()
    return StoreVersion(row.sequence, row.name, row.dimension, row.learned)


async def tool_count(connection: AsyncConnection, side: Side) -> int:
    """How many tools a side has; :func:`all_vectors` gives no more."""
    return int((await connection.execute(text(f"SELECT COUNT(*) FROM {side.tools}"))).scalar_one())


async def all_vectors(connection: AsyncConnection, side: Side, dimension: int) -> AsyncGenerator[list[StoredVector]]:
    """Every tool's vector, some thousand at a time."""
    statement = text(f"SELECT id, server_id, details_embedding FROM {side.tools}")
    async with connection.stream(statement, execution_options={"yield_per": _BATCH}) as rows:
        async for batch in rows.partitions():
            yield [vector for row in batch if (vector := _stored(tuple(row), dimension)) is not None]


async def vectors_of(
    connection: AsyncConnection, side: Side, servers: Collection[str], dimension: int
) -> list[StoredVector]:
    """The vectors of these servers' tools."""
    if not servers:
        return []
    statement = text(
        f"SELECT id, server_id, details_embedding FROM {side.tools} WHERE server_id IN :servers ORDER BY id"
    ).bindparams(bindparam("servers", expanding=True))
    rows = await connection.execute(statement, {"servers": sorted(servers)})
    return [vector for row in rows if (vector := _stored(tuple(row), dimension)) is not None]


async def tool_vectors(
    connection: AsyncConnection, side: Side, tools: Collection[str], dimension: int
) -> dict[str, bytes]:
    """The embeddings of these tools, by id; those without one are left out."""
    statement = text(f"SELECT id, server_id, details_embedding FROM {side.tools} WHERE id IN :tools").bindparams(
        bindparam("tools", expanding=True)
    )
    results: dict[str, bytes] = {}
    target = sorted(tools)
    for start in range(0, len(target), IN_CHUNK):
        rows = await connection.execute(statement, {"tools": target[start : start + IN_CHUNK]})
        results |= {v[0]: v[2] for row in rows if (v := _stored(tuple(row), dimension)) is not None}
    return results


def _stored(row: tuple[str, str, bytes | None], dimension: int) -> StoredVector | None:
    """A row with a vector of the model's size."""
    identifier, server, vector = row
    return None if vector is None or len(vector) != 4 * dimension else (identifier, server, vector)


async def changed_servers(connection: AsyncConnection, side: Side, since: int, most: int) -> set[str] | None:
    """Ids of the side's servers that have changed after change ``since``; None when they are more than ``most``.

    Every change of a server's tools is logged as a change of the server. None, too, where changes are forgotten.
    """
    if await forgotten_since(connection, since):
        return None
    rows = await connection.execute(
        text("SELECT DISTINCT entity_id FROM change_log WHERE sequence > :since AND entity = :entity LIMIT :limit"),
        {"since": since, "entity": str(side), "limit": most + 1},
    )
    results = {row.entity_id for row in rows}
    return None if len(results) > most else results


async def server_vectors(connection: AsyncConnection, side: Side, servers: Collection[str]) -> dict[str, bytes]:
    """The embeddings of servers, by id; a linked workload has its registry server's."""
    if side is Side.REGISTRY:
        query = "SELECT id, server_embedding AS v FROM mcpservers_registry WHERE id IN :servers"
    else:
        query = (
            "SELECT w.id, COALESCE(r.server_embedding, w.server_embedding) AS v FROM mcpservers_workload w "
            "LEFT JOIN mcpservers_registry r ON r.id = w.registry_server_id WHERE w.id IN :servers"
        )
    statement = text(query).bindparams(bindparam("servers", expanding=True))
    results: dict[str, bytes] = {}
    target = sorted(servers)
    for start in range(0, len(target), IN_CHUNK):
        rows = await connection.execute(statement, {"servers": target[start : start + IN_CHUNK]})
        results |= {row.id: row.v for row in rows if row.v is not None}
    return results


async def server_rows(connection: AsyncConnection, side: Side) -> list[ServerRow]:
    """Every server of a side."""
    own = "NULL AS status, FALSE AS virtual_mcp" if side is Side.REGISTRY else "status, virtual_mcp"
    rows = await connection.execute(text(f'SELECT id, name, "group", remote, {own} FROM {side.servers}'))
    return [ServerRow(row[0], row[1], row[2], kind_of(row[3]), row[4], bool(row[5])) for row in rows]


async def tool_names(connection: AsyncConnection, side: Side) -> list[str]:
    """The names of all tools, as often as they occur."""
    return list((await connection.execute(text(f"SELECT name FROM {side.tools}"))).scalars())


async def linked_counts(connection: AsyncConnection) -> dict[str, int]:
    """How many workloads are linked to each registry server that has any, by its id."""
    rows = await connection.execute(
        text(
            "SELECT registry_server_id AS id, COUNT(*) AS n FROM mcpservers_workload "
            "WHERE registry_server_id IS NOT NULL GROUP BY registry_server_id"
        )
    )
    return {row.id: row.n for row in rows}
