"""The key that credentials in URLs are hashed with: one a database, made with it.

It stands in the database and not in a file of the user's, because everybody who uses one database must give one
credential one identity: several machines at one PostgreSQL, a copy, a backup that is restored. Who has the whole
database could try credentials against the hashes; tokens are too long for that, and a short password is weak anywhere.
What is handed to others, a snapshot, holds hashes without the key: they can't be tried at all.
"""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from mcp_optimizer.domain.sealing import Sealer


async def sealer_of(connection: AsyncConnection) -> Sealer:
    """What makes values from outside storable in this database."""
    key = (await connection.execute(text("SELECT key FROM credential_key"))).scalar_one()
    return Sealer(bytes.fromhex(key))


async def replace_key(connection: AsyncConnection, key: bytes) -> None:
    """Let a new database have the key that its first values were sealed with."""
    await connection.execute(text("UPDATE credential_key SET key = :key"), {"key": key.hex()})
