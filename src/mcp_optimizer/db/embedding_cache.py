"""Embeddings that are made once and remembered: a text is embedded once per model, ever (E2)."""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Row, bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

from mcp_optimizer.db.database import Database
from mcp_optimizer.db.rows import IN_CHUNK, to_bytes, to_vector
from mcp_optimizer.domain.tools.text import parts_of, text_hash
from mcp_optimizer.domain.vectors import Embedder, Vector, mean_vector
from mcp_optimizer.errors import EmbeddingError, ModelUnavailableError

_EMBED_CHUNK = 256
"""Texts embedded between two writes: what a killed process loses at most."""


@dataclass
class Embedded:
    """Texts that could not be embedded, with the reason; how many were embedded just now.

    The vectors are in the memory, not here: a whole catalog's would take more room than all else.
    """

    failed: dict[str, str] = field(default_factory=dict)
    fresh: int = 0


class EmbeddingCache:
    """An embedder that looks into the store first, and stores what it makes."""

    def __init__(self, database: Database, embedder: Embedder) -> None:
        self._database = database
        self._embedder = embedder

    @property
    def model(self) -> str:
        """The model's name, part of every text's hash."""
        return self._embedder.model

    async def recall(self, texts: Iterable[str]) -> dict[str, Vector]:
        """The vectors that are remembered, by text."""
        results: dict[str, Vector] = {}
        async for item, row in self._rows(texts, "text_hash, embedding"):
            vector = to_vector(row.embedding)
            if vector is not None:
                results[item] = vector
        return results

    async def missing(self, texts: Iterable[str]) -> list[str]:
        """The texts whose vectors are not remembered, each once."""
        target = dict.fromkeys(texts)
        async for item, row in self._rows(list(target), "text_hash, LENGTH(embedding) AS bytes"):
            if row.bytes % 4 == 0:
                del target[item]
        return list(target)

    async def _rows(self, texts: Iterable[str], columns: str) -> AsyncIterator[tuple[str, Row[Any]]]:
        """What is stored for each text that is remembered."""
        by_hash = {text_hash(self.model, item): item for item in texts}
        hashes = list(by_hash)
        statement = text(f"SELECT {columns} FROM embedding_cache WHERE text_hash IN :hashes").bindparams(
            bindparam("hashes", expanding=True)
        )
        async with self._database.reading() as connection:
            for start in range(0, len(hashes), IN_CHUNK):
                for row in await connection.execute(statement, {"hashes": hashes[start : start + IN_CHUNK]}):
                    yield by_hash[row.text_hash], row

    async def embed(self, texts: Iterable[str], on_progress: Callable[[int, int], None] | None = None) -> Embedded:
        """See that the memory holds a vector for each text. ``on_progress`` gets (done, total) of the new."""
        result = Embedded()
        missing = sorted(await self.missing(texts), key=len)
        for start in range(0, len(missing), _EMBED_CHUNK):
            chunk = missing[start : start + _EMBED_CHUNK]

            def report(done: int, start: int = start) -> None:
                if on_progress is not None:
                    on_progress(start + done, len(missing))

            value = await self._embed_chunk(chunk, result.failed, report)
            result.fresh += len(value)
            await self._remember(value)
        return result

    async def _embed_chunk(
        self, chunk: list[str], failed: dict[str, str], report: Callable[[int], None]
    ) -> dict[str, Vector]:
        """Vectors of ``chunk``; a text that can't be embedded is told from the others by trying each alone (L7)."""
        try:
            return dict(zip(chunk, await embed_texts(self._embedder, chunk, report), strict=True))
        except ModelUnavailableError as error:
            failed.update(dict.fromkeys(chunk, str(error)))
            return {}
        except EmbeddingError:
            result: dict[str, Vector] = {}
            for item in chunk:
                try:
                    result[item] = (await embed_texts(self._embedder, [item]))[0]
                except EmbeddingError as error:
                    failed[item] = str(error)
            return result

    async def _remember(self, made: dict[str, Vector]) -> None:
        if made:
            async with self._database.writing() as connection:
                await remember(connection, self.model, made)


class UnstoredEmbeddingCache(EmbeddingCache):
    """A memory for a database that has no place for one yet: what is made is kept at hand, to be stored later."""

    def __init__(self, database: Database, embedder: Embedder) -> None:
        super().__init__(database, embedder)
        self.made: dict[str, Vector] = {}

    async def recall(self, texts: Iterable[str]) -> dict[str, Vector]:
        """What has been made so far, by text."""
        return {item: self.made[item] for item in texts if item in self.made}

    async def missing(self, texts: Iterable[str]) -> list[str]:
        """What has not been made yet, each once."""
        return [item for item in dict.fromkeys(texts) if item not in self.made]

    async def _remember(self, made: dict[str, Vector]) -> None:
        self.made |= made


async def embed_texts(
    embedder: Embedder, texts: Sequence[str], report: Callable[[int], None] | None = None
) -> list[Vector]:
    """A vector for each text: the mean of its parts', each part embedded once. ``report`` gets the texts done."""
    parts = [parts_of(item) for item in texts]
    each = list(dict.fromkeys(part for several in parts for part in several))

    def done(number: int) -> None:
        if report is not None:
            report(number * len(texts) // len(each))

    vectors = dict(zip(each, await embedder.embed(each, done), strict=True))
    return [_joined([vectors[part] for part in several]) for several in parts]


def _joined(parts: Sequence[Vector]) -> Vector:
    """The vector of a text from those of its parts; of two that cancel out the first."""
    mean = mean_vector(parts) if len(parts) > 1 else None
    return parts[0] if mean is None else mean


async def remember(connection: AsyncConnection, model: str, made: Mapping[str, Vector]) -> None:
    """Store the vectors of texts, inside a transaction of the caller's."""
    if made:
        await connection.execute(
            text(
                "INSERT INTO embedding_cache (text_hash, embedding) VALUES (:hash, :embedding) "
                "ON CONFLICT (text_hash) DO UPDATE SET embedding = excluded.embedding"
            ),
            [{"hash": text_hash(model, item), "embedding": to_bytes(vector)} for item, vector in made.items()],
        )
