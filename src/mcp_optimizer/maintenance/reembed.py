"""Another embedding model: everything is re-embedded, then vectors, search tables and the model change at once (E3).

The old vectors serve searches until the last, short transaction. What has been embedded is remembered under the new
model's name, so that a run that was killed goes on where it was.
"""

from itertools import batched

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from mcp_optimizer.clock import Runtime
from mcp_optimizer.db.embedding_cache import EmbeddingCache
from mcp_optimizer.db.logs.change_log import Logged, Writing, last_change, record
from mcp_optimizer.db.rows import IN_CHUNK, from_json, to_bytes
from mcp_optimizer.db.store import Store
from mcp_optimizer.domain.models import StoredTool
from mcp_optimizer.domain.progress import ProgressCallback
from mcp_optimizer.domain.tools.text import server_text, text_hash, tool_text
from mcp_optimizer.domain.vectors import Embedder, mean_vector
from mcp_optimizer.errors import EmbeddingError
from mcp_optimizer.maintenance.check import reindex_within
from mcp_optimizer.operations.change_set_writer import ConflictError, retry_on_conflict


class _Texts:
    """Every text that is embedded, by the id of what it stands for."""

    def __init__(self) -> None:
        self.sequence = 0
        self.servers: dict[str, str] = {}
        self.own: dict[str, tuple[list[str], str]] = {}
        """Autonomous workloads: ids of their tools, and the text that stands for one without tools."""
        self.tools: dict[str, dict[str, str]] = {"tools_registry": {}, "tools_workload": {}}

    def all(self) -> list[str]:
        """The texts, each once."""
        result = dict.fromkeys(self.servers.values())
        for tools in self.tools.values():
            result |= dict.fromkeys(tools.values())
        result |= dict.fromkeys(bare for tools, bare in self.own.values() if not tools)
        return list(result)


class Reembedder:
    """Brings a store to the model of ``embedder``."""

    def __init__(self, store: Store, embedder: Embedder, runtime: Runtime) -> None:
        self._store = store
        self._embedder = embedder
        self._memory = EmbeddingCache(store.database, embedder)
        self._runtime = runtime

    async def run(self, on_progress: ProgressCallback | None = None) -> int:
        """Embed everything with the model; the number of texts that were embedded just now (others were remembered).

        Raises EmbeddingError, and changes nothing, when a text can't be embedded.
        """
        fresh = 0

        async def attempt() -> None:
            nonlocal fresh
            async with self._store.database.reading() as connection:
                texts = await self._texts(connection)
            embedded = await self._memory.embed(texts.all(), on_progress)
            fresh += embedded.fresh
            if embedded.failed:
                reason = next(iter(embedded.failed.values()))
                raise EmbeddingError(f"{len(embedded.failed)} texts can't be embedded: {reason}; nothing was changed")
            await self._apply(texts)

        await retry_on_conflict(self._store.database, attempt)
        return fresh

    async def _texts(self, connection: AsyncConnection) -> _Texts:
        texts = _Texts()
        texts.sequence = await last_change(connection)
        registry = {row.id: row for row in await self._store.registry_servers.all(connection)}
        workloads = {row.id: row for row in await self._store.workloads.all(connection)}
        for row in registry.values():
            texts.servers[row.id] = server_text(
                name=row.name, title=row.title, description=row.description, tags=row.tags
            )
        texts.own = {
            row.id: ([], server_text(name=row.name, title="", description="", tags=()))
            for row in workloads.values()
            if not row.linked
        }
        contexts = {row.id: row.name for row in registry.values()}
        contexts |= {row.id: row.context_name for row in workloads.values()}
        for table, result in texts.tools.items():
            for row in await connection.execute(text(f"SELECT id, server_id, name, details FROM {table}")):
                tool = StoredTool(
                    id=row.id,
                    server_id=row.server_id,
                    name=row.name,
                    details=from_json(dict, row.details, f"the tool {row.name}"),
                )
                result[tool.id] = tool_text(contexts[tool.server_id], tool.definition)
                if tool.server_id in texts.own:
                    texts.own[tool.server_id][0].append(tool.id)
        return texts

    async def _apply(self, texts: _Texts) -> None:
        """Write everything in one transaction. Raises ConflictError when the store is not what it was."""
        dimension = await self._embedder.dimension()
        async with self._store.database.writing() as connection:
            if await last_change(connection) != texts.sequence:
                raise ConflictError
            for table, tools in texts.tools.items():
                await self._update(connection, table, "details_embedding", tools)
            await self._update(connection, "mcpservers_registry", "server_embedding", texts.servers)
            of_tools = texts.tools["tools_workload"]
            for key, (tools, bare) in texts.own.items():
                vectors = await self._memory.recall([of_tools[tool] for tool in tools] or [bare])
                vector = mean_vector([vectors[of_tools[tool]] for tool in tools] or [vectors[bare]])
                await connection.execute(
                    text("UPDATE mcpservers_workload SET server_embedding = :vector WHERE id = :id"),
                    {"id": key, "vector": to_bytes(vector)},
                )
            await connection.execute(
                text("UPDATE embedding_model SET name = :name, dimension = :dimension"),
                {"name": self._embedder.model, "dimension": dimension},
            )
            await reindex_within(connection, dimension)
            writing = Writing(connection, self._runtime.timestamp())
            await record(writing, [Logged("model", "", self._embedder.model, "re-embedded", "db reembed")])

    async def _update(self, connection: AsyncConnection, table: str, column: str, texts: dict[str, str]) -> None:
        """Set the embedding and the hash of each row to those of its text."""
        statement = text(f"UPDATE {table} SET {column} = :vector, text_hash = :hash WHERE id = :id")
        for some in batched(texts.items(), IN_CHUNK, strict=False):
            vectors = await self._memory.recall(words for _, words in some)
            await connection.execute(
                statement,
                [
                    {"id": key, "vector": to_bytes(vectors[words]), "hash": text_hash(self._embedder.model, words)}
                    for key, words in some
                ],
            )
