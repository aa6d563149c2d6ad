"""Workloads: ``mcpservers_workload`` and the vector table of those that have an embedding of their own."""

from collections.abc import Collection, Sequence

from sqlalchemy import bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

from mcp_optimizer.db.dialects import index_of
from mcp_optimizer.db.logs.change_log import Logged, Writing, record
from mcp_optimizer.db.rows import IN_CHUNK, to_bytes, to_vector, workload_columns, workload_from
from mcp_optimizer.db.search_index import Side
from mcp_optimizer.domain.models import Workload
from mcp_optimizer.domain.vectors import Vector

_COLUMNS = (
    "name", "url", "package", "identity", "identity_problem", "remote", "endpoint", "transport", "proxy_mode", "status",
    "status_reason", "registry_server_id", "registry_server_name", "relation_cause", "relation_changed_at",
    "description", "group", "virtual_mcp", "recorded_registry_server", "image_label", "tools_digest", "updated_at",
)  # fmt: skip


class WorkloadServerOps:
    """Reads and writes workloads."""

    async def all(self, connection: AsyncConnection) -> list[Workload]:
        """Every workload, by name."""
        rows = await connection.execute(text("SELECT * FROM mcpservers_workload ORDER BY name"))
        return [workload_from(row) for row in rows]

    async def named(self, connection: AsyncConnection, names: Collection[str]) -> list[Workload]:
        """The workloads of these names, by name; names that have no row are left out."""
        results: list[Workload] = []
        target = sorted(names)
        statement = text("SELECT * FROM mcpservers_workload WHERE name IN :names ORDER BY name").bindparams(
            bindparam("names", expanding=True)
        )
        for start in range(0, len(target), IN_CHUNK):
            rows = await connection.execute(statement, {"names": target[start : start + IN_CHUNK]})
            results += [workload_from(row) for row in rows]
        return results

    async def embedding(self, connection: AsyncConnection, workload_id: str) -> Vector | None:
        """A workload's own embedding; None when it is linked."""
        rows = await connection.execute(
            text("SELECT server_embedding FROM mcpservers_workload WHERE id = :id"), {"id": workload_id}
        )
        return to_vector(rows.scalar_one_or_none())

    async def add(
        self, writing: Writing, workload: Workload, embedding: Vector | None, *, changes: Sequence[Logged]
    ) -> None:
        """Insert a workload."""
        names = ", ".join(f'"{column}"' for column in ("id", "created_at", *_COLUMNS))
        values = ", ".join(f":{column}" for column in ("id", "created_at", *_COLUMNS))
        await writing.connection.execute(
            text(f"INSERT INTO mcpservers_workload ({names}, server_embedding) VALUES ({values}, :embedding)"),
            {**workload_columns(workload), "embedding": to_bytes(embedding)},
        )
        await self._index(writing, workload.id, embedding)
        await record(writing, changes)

    async def update(
        self, writing: Writing, workload: Workload, embedding: Vector | None, *, changes: Sequence[Logged]
    ) -> None:
        """Update a workload's row in place."""
        values = ", ".join(f'"{column}" = :{column}' for column in _COLUMNS)
        await writing.connection.execute(
            text(f"UPDATE mcpservers_workload SET {values}, server_embedding = :embedding WHERE id = :id"),
            {**workload_columns(workload), "embedding": to_bytes(embedding)},
        )
        await self._index(writing, workload.id, embedding)
        await record(writing, changes)

    async def remove(self, writing: Writing, workloads: Sequence[Workload], *, cause: str) -> None:
        """Delete workloads; their tools must be gone before, or they would stay in the search tables."""
        if workloads:
            await index_of(writing.connection).remove_servers(
                writing.connection, Side.WORKLOAD, [row.id for row in workloads]
            )
            await writing.connection.execute(
                text("DELETE FROM mcpservers_workload WHERE id = :id"), [{"id": row.id} for row in workloads]
            )
            await record(
                writing,
                [
                    Logged("workload", row.id, row.name, "removed", cause, row.identity.raw if row.identity else "")
                    for row in workloads
                ],
            )

    async def _index(self, writing: Writing, workload_id: str, embedding: Vector | None) -> None:
        if embedding is None:
            await index_of(writing.connection).remove_servers(writing.connection, Side.WORKLOAD, [workload_id])
        else:
            await index_of(writing.connection).put_servers(
                writing.connection, Side.WORKLOAD, [(workload_id, embedding)]
            )
