"""What both kinds of tools have in common: their table and their place in the search tables are kept in step (S3)."""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

from mcp_optimizer.db.dialects import index_of
from mcp_optimizer.db.logs.change_log import Writing
from mcp_optimizer.db.rows import IN_CHUNK, short, to_bytes, to_json, to_vector, tool_from
from mcp_optimizer.db.search_index import IndexedTool, Side
from mcp_optimizer.domain.models import StoredTool
from mcp_optimizer.domain.vectors import Vector

_READ = "id, server_id, name, details, text_hash, token_count"
"""The columns of a tool without its embedding."""


class EmbeddedTool(NamedTuple):
    """A tool to be written, with its embedding (None: it could not be embedded, L7)."""

    tool: StoredTool
    embedding: Vector | None


class ToolOps:
    """Reads and writes one of the two tool tables."""

    side: Side
    table: str

    async def of_server(self, connection: AsyncConnection, server_id: str) -> list[StoredTool]:
        """A server's tools, by name."""
        return (await self.of_servers(connection, [server_id])).get(server_id, [])

    async def of_servers(self, connection: AsyncConnection, ids: Collection[str]) -> dict[str, list[StoredTool]]:
        """The tools of several servers, each list by name."""
        results: dict[str, list[StoredTool]] = {}
        target = sorted(ids)
        statement = text(f"SELECT * FROM {self.table} WHERE server_id IN :ids ORDER BY server_id, name").bindparams(
            bindparam("ids", expanding=True)
        )
        for start in range(0, len(target), IN_CHUNK):
            for row in await connection.execute(statement, {"ids": target[start : start + IN_CHUNK]}):
                results.setdefault(row.server_id, []).append(tool_from(row))
        return results

    async def names_of_server(self, connection: AsyncConnection, server_id: str) -> list[str]:
        """The names of a server's tools, sorted."""
        statement = text(f"SELECT name FROM {self.table} WHERE server_id = :id ORDER BY name")
        return list((await connection.execute(statement, {"id": server_id})).scalars())

    async def number_of_servers(self, connection: AsyncConnection, ids: Collection[str]) -> int:
        """How many tools these servers have together."""
        counts = await self.counts(connection)
        return sum(counts[identifier][0] for identifier in ids if identifier in counts)

    async def embeddings_of(self, connection: AsyncConnection, server_id: str) -> dict[str, Vector]:
        """The embeddings of a server's tools, by tool id."""
        rows = await connection.execute(
            text(f"SELECT id, details_embedding FROM {self.table} WHERE server_id = :id"), {"id": server_id}
        )
        vectors = {row.id: to_vector(row.details_embedding) for row in rows}
        return {identifier: vector for identifier, vector in vectors.items() if vector is not None}

    async def named(self, connection: AsyncConnection, names: Collection[str]) -> list[tuple[str, str]]:
        """Ids of the tools with one of these names, upper and lower case (ASCII) alike, each with its server's id."""
        statement = short(f"SELECT id, server_id FROM {self.table} WHERE LOWER(name) IN :names ORDER BY id", "names")
        rows = await connection.execute(statement, {"names": sorted(map(_lower, names))})
        return [(row.id, row.server_id) for row in rows]

    async def counts(self, connection: AsyncConnection) -> dict[str, tuple[int, int]]:
        """Number of tools and sum of their tokens, by server."""
        rows = await connection.execute(
            text(f"SELECT server_id, COUNT(*) AS n, SUM(token_count) AS tokens FROM {self.table} GROUP BY server_id")
        )
        return {row.server_id: (row.n, int(row.tokens or 0)) for row in rows}

    async def add(self, writing: Writing, server_name: str, tools: Sequence[EmbeddedTool]) -> None:
        """Insert tools that have no row yet."""
        if tools:
            await writing.connection.execute(
                text(
                    f"INSERT INTO {self.table} (id, server_id, name, details, details_embedding, text_hash, "
                    "token_count, created_at, updated_at) VALUES (:id, :server_id, :name, :details, :embedding, "
                    ":text_hash, :token_count, :at, :at)"
                ),
                [_columns(item, writing.at) for item in tools],
            )
            await index_of(writing.connection).insert_tools(writing.connection, self.side, _indexed(server_name, tools))

    async def update(self, writing: Writing, server_name: str, tools: Sequence[EmbeddedTool]) -> None:
        """Update rows by id: definition, embedding, tokens."""
        if tools:
            await writing.connection.execute(
                text(
                    f"UPDATE {self.table} SET details = :details, details_embedding = :embedding, "
                    "text_hash = :text_hash, token_count = :token_count, updated_at = :at WHERE id = :id"
                ),
                [_columns(item, writing.at) for item in tools],
            )
            await index_of(writing.connection).put_tools(writing.connection, self.side, _indexed(server_name, tools))

    async def remove(self, writing: Writing, ids: Collection[str]) -> None:
        """Delete tools by id."""
        if ids:
            await index_of(writing.connection).remove_tools(writing.connection, self.side, ids)
            await writing.connection.execute(
                text(f"DELETE FROM {self.table} WHERE id = :id"), [{"id": identifier} for identifier in ids]
            )

    async def ids_of_servers(self, connection: AsyncConnection, server_ids: Collection[str]) -> list[str]:
        """Ids of every tool of these servers, read without the tools themselves."""
        results: list[str] = []
        target = sorted(server_ids)
        statement = text(f"SELECT id FROM {self.table} WHERE server_id IN :ids").bindparams(
            bindparam("ids", expanding=True)
        )
        for start in range(0, len(target), IN_CHUNK):
            results += (await connection.execute(statement, {"ids": target[start : start + IN_CHUNK]})).scalars()
        return results

    async def remove_of_servers(self, writing: Writing, server_ids: Collection[str]) -> None:
        """Delete every tool of these servers."""
        await self.remove(writing, await self.ids_of_servers(writing.connection, server_ids))

    async def by_ids(self, connection: AsyncConnection, ids: Collection[str]) -> Mapping[str, StoredTool]:
        """Tools by id; ids that have no row are left out."""
        results: dict[str, StoredTool] = {}
        target = list(ids)
        statement = short(f"SELECT {_READ} FROM {self.table} WHERE id IN :ids", "ids")
        for start in range(0, len(target), IN_CHUNK):
            rows = await connection.execute(statement, {"ids": target[start : start + IN_CHUNK]})
            results.update((row.id, tool_from(row)) for row in rows)
        return results


def _lower(name: str) -> str:
    """A name as SQL's ``LOWER`` has it on every engine."""
    return "".join(letter.lower() if letter.isascii() else letter for letter in name)


def _columns(item: EmbeddedTool, at: str) -> dict[str, object]:
    tool = item.tool
    return {
        "id": tool.id,
        "server_id": tool.server_id,
        "name": tool.name,
        "details": to_json(tool.details),
        "embedding": to_bytes(item.embedding),
        "text_hash": tool.text_hash,
        "token_count": tool.token_count,
        "at": at,
    }


def _indexed(server_name: str, tools: Sequence[EmbeddedTool]) -> list[IndexedTool]:
    return [
        IndexedTool(item.tool.id, item.tool.server_id, server_name, item.tool.definition, item.embedding)
        for item in tools
    ]
