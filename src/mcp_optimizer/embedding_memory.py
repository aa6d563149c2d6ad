"""Embeddings that are made once and remembered: a text is embedded once per model, ever (E2)."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field

from sqlalchemy import bindparam, text

from mcp_optimizer.db.engine import Database
from mcp_optimizer.db.rows import to_bytes, to_vector
from mcp_optimizer.domain.tool_text import text_hash
from mcp_optimizer.embeddings import Embedder, Vector
from mcp_optimizer.errors import EmbeddingError, ModelUnavailableError

_LOOKUP_CHUNK = 500
_EMBED_CHUNK = 256
"""Texts embedded between two writes: what a killed process loses at most."""


@dataclass
class Embedded:
    """Vectors by text; texts that could not be embedded, with the reason; how many were embedded just now."""

    vectors: dict[str, Vector] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    fresh: int = 0


class EmbeddingMemory:
    """An embedder that looks into the store first, and stores what it makes."""

    def __init__(self, database: Database, embedder: Embedder) -> None:
        self._database = database
        self._embedder = embedder

    @property
    def model(self) -> str:
        """The model's name, part of every text's hash."""
        return self._embedder.model

    async def recall(self, texts: Collection[str]) -> dict[str, Vector]:
        """The vectors that are remembered, by text."""
        by_hash = {text_hash(self.model, item): item for item in texts}
        found: dict[str, Vector] = {}
        hashes = list(by_hash)
        statement = text("SELECT text_hash, embedding FROM embedding_cache WHERE text_hash IN :hashes").bindparams(
            bindparam("hashes", expanding=True)
        )
        async with self._database.reading() as connection:
            for start in range(0, len(hashes), _LOOKUP_CHUNK):
                rows = await connection.execute(statement, {"hashes": hashes[start : start + _LOOKUP_CHUNK]})
                for row in rows:
                    vector = to_vector(row.embedding)
                    if vector is not None:
                        found[by_hash[row.text_hash]] = vector
        return found

    async def embed(self, texts: Iterable[str], on_progress: Callable[[int, int], None] | None = None) -> Embedded:
        """A vector for each text, made only where none is remembered. ``on_progress`` gets (done, total) of the new."""
        wanted = list(dict.fromkeys(texts))
        result = Embedded(vectors=await self.recall(wanted))
        missing = sorted((item for item in wanted if item not in result.vectors), key=len)
        for start in range(0, len(missing), _EMBED_CHUNK):
            chunk = missing[start : start + _EMBED_CHUNK]

            def report(done: int, start: int = start) -> None:
                if on_progress is not None:
                    on_progress(start + done, len(missing))

            made = await self._embed_chunk(chunk, result.failed, report)
            result.vectors.update(made)
            result.fresh += len(made)
            await self._remember(made)
        return result

    async def _embed_chunk(
        self, chunk: list[str], failed: dict[str, str], report: Callable[[int], None]
    ) -> dict[str, Vector]:
        """Vectors of ``chunk``; a text that can't be embedded is told from the others by trying each alone (L7)."""
        try:
            return dict(zip(chunk, await self._embedder.embed(chunk, report), strict=True))
        except ModelUnavailableError as error:
            failed.update(dict.fromkeys(chunk, str(error)))
            return {}
        except EmbeddingError:
            made: dict[str, Vector] = {}
            for item in chunk:
                try:
                    made[item] = (await self._embedder.embed([item]))[0]
                except EmbeddingError as error:
                    failed[item] = str(error)
            return made

    async def _remember(self, made: dict[str, Vector]) -> None:
        if made:
            async with self._database.writing() as connection:
                await connection.execute(
                    text(
                        "INSERT INTO embedding_cache (text_hash, embedding) VALUES (:hash, :embedding) "
                        "ON CONFLICT (text_hash) DO NOTHING"
                    ),
                    [
                        {"hash": text_hash(self.model, item), "embedding": to_bytes(vector)}
                        for item, vector in made.items()
                    ],
                )
