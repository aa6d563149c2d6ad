"""Reading embeddings in bulk, and which servers' have changed, for keeping them at hand."""

from collections.abc import AsyncIterator, Collection
from typing import NamedTuple

from sqlalchemy import bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

from mcp_optimizer.db.sqlite_search import Side

_BATCH = 4000
_TOOLS = {Side.REGISTRY: "tools_registry", Side.WORKLOAD: "tools_workload"}

type StoredVector = tuple[str, str, bytes]
"""A tool's id, its server's id, its vector as little-endian 32-bit floats."""


class VectorState(NamedTuple):
    """How many vectors there are, of which model, as of which change."""

    sequence: int
    model: str
    dimension: int
    count: int


class StoreVersion(NamedTuple):
    """The last change, and the model of the stored embeddings."""

    sequence: int
    model: str


async def version(connection: AsyncConnection) -> StoreVersion:
    """What a search compares to see whether anything has changed; costs next to nothing."""
    found = await connection.execute(
        text("SELECT (SELECT COALESCE(MAX(sequence), 0) FROM change_log) AS sequence, name FROM embedding_model")
    )
    row = found.one()
    return StoreVersion(row.sequence, row.name)


async def state(connection: AsyncConnection, side: Side) -> VectorState:
    """What :func:`all_vectors` will give on this connection's transaction."""
    sequence, model = await version(connection)
    dimension = (await connection.execute(text("SELECT dimension FROM embedding_model"))).scalar_one()
    count = (await connection.execute(text(f"SELECT COUNT(*) FROM {_TOOLS[side]}"))).scalar_one()
    return VectorState(sequence, model, dimension, count)


async def all_vectors(connection: AsyncConnection, side: Side, dimension: int) -> AsyncIterator[list[StoredVector]]:
    """Every tool's vector, some thousand at a time."""
    statement = text(
        f"SELECT rowid, id, server_id, details_embedding FROM {_TOOLS[side]} "
        f"WHERE rowid > :after ORDER BY rowid LIMIT {_BATCH}"
    )
    after = -1
    while True:
        rows = (await connection.execute(statement, {"after": after})).all()
        if not rows:
            return
        yield [(row[1], row[2], row[3]) for row in rows if row[3] is not None and len(row[3]) == 4 * dimension]
        after = rows[-1][0]


async def vectors_of(
    connection: AsyncConnection, side: Side, servers: Collection[str], dimension: int
) -> list[StoredVector]:
    """The vectors of these servers' tools."""
    if not servers:
        return []
    statement = text(
        f"SELECT id, server_id, details_embedding FROM {_TOOLS[side]} WHERE server_id IN :servers ORDER BY id"
    ).bindparams(bindparam("servers", expanding=True))
    rows = await connection.execute(statement, {"servers": sorted(servers)})
    return [(row[0], row[1], row[2]) for row in rows if row[2] is not None and len(row[2]) == 4 * dimension]


async def changed_servers(connection: AsyncConnection, side: Side, since: int, most: int) -> set[str] | None:
    """Ids of the side's servers that have changed after change ``since``; None when they are more than ``most``.

    Every change of a server's tools is logged as a change of the server.
    """
    rows = await connection.execute(
        text("SELECT DISTINCT entity_id FROM change_log WHERE sequence > :since AND entity = :entity LIMIT :limit"),
        {"since": since, "entity": str(side), "limit": most + 1},
    )
    found = {row.entity_id for row in rows}
    return None if len(found) > most else found


async def server_vectors(connection: AsyncConnection, side: Side, servers: Collection[str]) -> dict[str, bytes]:
    """The embeddings of servers, by id; a linked workload has its registry server's."""
    if not servers:
        return {}
    if side is Side.REGISTRY:
        query = "SELECT id, server_embedding AS v FROM mcpservers_registry WHERE id IN :servers"
    else:
        query = (
            "SELECT w.id, COALESCE(r.server_embedding, w.server_embedding) AS v FROM mcpservers_workload w "
            "LEFT JOIN mcpservers_registry r ON r.id = w.registry_server_id WHERE w.id IN :servers"
        )
    rows = await connection.execute(
        text(query).bindparams(bindparam("servers", expanding=True)), {"servers": sorted(servers)}
    )
    return {row.id: row.v for row in rows if row.v is not None}
