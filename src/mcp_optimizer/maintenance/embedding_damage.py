"""Stored embeddings that can't be any of the model's: of another size, or with numbers that are none."""

import numpy as np
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_COLUMNS = (
    ("mcpservers_registry", "server_embedding"),
    ("mcpservers_workload", "server_embedding"),
    ("tools_registry", "details_embedding"),
    ("tools_workload", "details_embedding"),
)


def is_sound(stored: bytes, dimension: int) -> bool:
    """Whether ``stored`` is a vector of ``dimension`` finite numbers."""
    return len(stored) == 4 * dimension and bool(np.isfinite(np.frombuffer(stored, dtype="<f4")).all())


async def damaged(connection: AsyncConnection) -> int:
    """How many stored embeddings can't be used."""
    dimension = await _dimension(connection)
    wrong = 0
    for table, column in _COLUMNS:
        rows = await connection.execute(text(f"SELECT {column} AS v FROM {table} WHERE {column} IS NOT NULL"))
        wrong += sum(not is_sound(row.v, dimension) for row in rows)
    return wrong


async def forget_damaged(connection: AsyncConnection) -> None:
    """Take what can't be used out of the memory of embeddings, so that it is rebuilt."""
    dimension = await _dimension(connection)
    rows = await connection.execute(text("SELECT text_hash, embedding FROM embedding_cache"))
    wrong = [{"hash": row.text_hash} for row in rows if not is_sound(row.embedding, dimension)]
    if wrong:
        await connection.execute(text("DELETE FROM embedding_cache WHERE text_hash = :hash"), wrong)


async def _dimension(connection: AsyncConnection) -> int:
    return (await connection.execute(text("SELECT dimension FROM embedding_model"))).scalar_one()
