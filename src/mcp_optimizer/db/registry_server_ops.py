"""Registry servers: ``mcpservers_registry``, its vector table, and the duplicates and resolutions beside it."""

from collections.abc import Collection, Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from mcp_optimizer.db.dialects import index_of
from mcp_optimizer.db.logs.change_log import Logged, Writing, record
from mcp_optimizer.db.rows import (
    claim_columns,
    identity_columns,
    kind_of,
    model_from_json,
    registry_server_columns,
    registry_server_from,
    to_bytes,
    to_vector,
)
from mcp_optimizer.db.search_index import Side
from mcp_optimizer.domain.models import Alias, CatalogEntry, Identity, IdentityKey, RegistryServer
from mcp_optimizer.domain.vectors import Vector

_COLUMNS = (
    "name", "url", "package", "identity", "remote", "transport", "description", "title", "tags", "tier",
    "repository", "group", "status", "text_hash", "tools_digest", "claim", "claim_identity", "updated_at",
)  # fmt: skip


class RegistryServerOps:
    """Reads and writes registry servers."""

    async def all(self, connection: AsyncConnection) -> list[RegistryServer]:
        """Every registry server, by name."""
        rows = await connection.execute(text("SELECT * FROM mcpservers_registry ORDER BY name, identity"))
        return [registry_server_from(row) for row in rows]

    async def any(self, connection: AsyncConnection) -> bool:
        """Whether there is one at all."""
        rows = await connection.execute(text("SELECT 1 FROM mcpservers_registry LIMIT 1"))
        return rows.first() is not None

    async def embedding(self, connection: AsyncConnection, server_id: str) -> Vector | None:
        """A server's embedding."""
        rows = await connection.execute(
            text("SELECT server_embedding FROM mcpservers_registry WHERE id = :id"), {"id": server_id}
        )
        return to_vector(rows.scalar_one_or_none())

    async def add(self, writing: Writing, server: RegistryServer, embedding: Vector | None, *, cause: str) -> None:
        """Insert a server."""
        names = ", ".join(f'"{column}"' for column in ("id", "created_at", *_COLUMNS))
        values = ", ".join(f":{column}" for column in ("id", "created_at", *_COLUMNS))
        await writing.connection.execute(
            text(f"INSERT INTO mcpservers_registry ({names}, server_embedding) VALUES ({values}, :embedding)"),
            {**registry_server_columns(server), "embedding": to_bytes(embedding)},
        )
        await self._index(writing, server.id, embedding)
        await record(writing, [Logged("registry", server.id, server.name, "added", cause, server.identity.raw)])

    async def update(
        self, writing: Writing, server: RegistryServer, embedding: Vector | None, *, change: Logged
    ) -> None:
        """Update the server's row in place; it keeps its id, and so its links (C1)."""
        values = ", ".join(f'"{column}" = :{column}' for column in _COLUMNS)
        await writing.connection.execute(
            text(f"UPDATE mcpservers_registry SET {values}, server_embedding = :embedding WHERE id = :id"),
            {**registry_server_columns(server), "embedding": to_bytes(embedding)},
        )
        await self._index(writing, server.id, embedding)
        await record(writing, [change])

    async def reclaim(self, writing: Writing, servers: Sequence[RegistryServer], *, cause: str) -> None:
        """Store what the catalog names for servers whose own row has another identity (C7)."""
        if servers:
            await writing.connection.execute(
                text(
                    "UPDATE mcpservers_registry SET claim = :claim, claim_identity = :claim_identity, "
                    "updated_at = :at WHERE id = :id"
                ),
                [{"id": row.id, "at": writing.at, **claim_columns(row.claim)} for row in servers],
            )
            await record(
                writing,
                [
                    Logged("registry", row.id, row.name, "retagged", cause, f"shares {row.claimed.raw} with another")
                    for row in servers
                ],
            )

    async def remove(self, writing: Writing, servers: Sequence[RegistryServer], *, cause: str) -> None:
        """Delete servers. Their tools and their links must be gone before: the schema refuses otherwise (L4)."""
        if servers:
            await index_of(writing.connection).remove_servers(
                writing.connection, Side.REGISTRY, [server.id for server in servers]
            )
            await writing.connection.execute(
                text("DELETE FROM mcpservers_registry WHERE id = :id"), [{"id": server.id} for server in servers]
            )
            await record(
                writing,
                [Logged("registry", row.id, row.name, "removed", cause, row.identity.raw) for row in servers],
            )

    async def _index(self, writing: Writing, server_id: str, embedding: Vector | None) -> None:
        if embedding is None:
            await index_of(writing.connection).remove_servers(writing.connection, Side.REGISTRY, [server_id])
        else:
            await index_of(writing.connection).put_servers(writing.connection, Side.REGISTRY, [(server_id, embedding)])

    async def claims(self, connection: AsyncConnection) -> list[CatalogEntry]:
        """The entries that share an identity with others, as the catalog gives them (C4)."""
        rows = await connection.execute(text("SELECT entry FROM registry_duplicates ORDER BY remote, identity, name"))
        return [model_from_json(CatalogEntry, row.entry, "the claims to shared identities") for row in rows]

    async def set_claims(self, writing: Writing, claims: Collection[CatalogEntry]) -> None:
        """Replace what is recorded of entries that share an identity."""
        await writing.connection.execute(text("DELETE FROM registry_duplicates"))
        rows = [
            {
                "remote": columns["remote"],
                "identity": columns["identity"],
                "raw": entry.identity.raw,
                "name": entry.name,
                "entry": entry.model_dump_json(),
            }
            for entry in claims
            for columns in (identity_columns(entry.identity),)
        ]
        if rows:
            await writing.connection.execute(
                text(
                    "INSERT INTO registry_duplicates (remote, identity, name, raw, entry) "
                    "VALUES (:remote, :identity, :name, :raw, :entry)"
                ),
                rows,
            )
        await record(writing, [Logged("registry", "", "", "duplicates", "", f"{len(claims)} entries share identities")])

    async def aliases(self, connection: AsyncConnection) -> list[Alias]:
        """What registry servers were before the catalog renamed or moved them."""
        rows = await connection.execute(text("SELECT * FROM registry_aliases ORDER BY registry_server_id, until, name"))
        return [
            Alias(
                registry_server_id=row.registry_server_id,
                name=row.name,
                identity=Identity(kind=kind_of(row.remote), canonical=row.identity, raw=row.raw),
                until=row.until,
            )
            for row in rows
        ]

    async def add_alias(self, writing: Writing, alias: Alias) -> None:
        """Remember what a registry server was until now; known ones get the later date."""
        columns = identity_columns(alias.identity)
        row = {
            "id": alias.registry_server_id,
            "remote": columns["remote"],
            "identity": columns["identity"],
            "name": alias.name,
            "raw": alias.identity.raw,
            "until": writing.at,
        }
        known = await writing.connection.execute(
            text(
                "UPDATE registry_aliases SET until = :until WHERE registry_server_id = :id AND remote = :remote "
                "AND identity = :identity AND name = :name"
            ),
            row,
        )
        if known.rowcount == 0:
            await writing.connection.execute(
                text(
                    "INSERT INTO registry_aliases (registry_server_id, remote, identity, name, raw, until) "
                    "VALUES (:id, :remote, :identity, :name, :raw, :until)"
                ),
                row,
            )

    async def resolve(self, writing: Writing, identity: Identity, name: str) -> None:
        """Store a person's choice among the entries that claim an identity (M3)."""
        columns = identity_columns(identity)
        choice = {"remote": columns["remote"], "identity": columns["identity"], "name": name, "at": writing.at}
        await writing.connection.execute(
            text("DELETE FROM registry_resolutions WHERE remote = :remote AND identity = :identity"), choice
        )
        await writing.connection.execute(
            text(
                "INSERT INTO registry_resolutions (remote, identity, name, resolved_at) "
                "VALUES (:remote, :identity, :name, :at)"
            ),
            choice,
        )
        await record(writing, [Logged("registry", "", name, "resolved", "by-hand", identity.raw)])

    async def resolutions(self, connection: AsyncConnection) -> dict[IdentityKey, str]:
        """The names that a person chose, by identity. They outlive the duplicate: it may come back (M3)."""
        rows = await connection.execute(text("SELECT remote, identity, name FROM registry_resolutions"))
        return {(kind_of(row.remote), row.identity): row.name for row in rows}
