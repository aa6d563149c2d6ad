"""Vectors for texts, by FastEmbed, in small length-sorted batches (E1)."""

import asyncio
import functools
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, Self

import numpy as np

from mcp_optimizer.config import OFFLINE_MODEL, Settings, cache_directory
from mcp_optimizer.domain.vectors import Vector
from mcp_optimizer.embeddings.executors import ModelExecutors
from mcp_optimizer.embeddings.offline_model import DIMENSION, OFFLINE_MODELS, prepare_offline_model
from mcp_optimizer.errors import EmbeddingError, ModelUnavailableError

if TYPE_CHECKING:
    from fastembed import TextEmbedding

_LONG: Final = 400
"""Characters of what counts as one long text."""
_SHORTEST: Final = 50
"""Characters that a text counts at least: a batch has at most eight times its nominal size."""


def open_embedder(settings: Settings, *, single_threaded: bool = False) -> "FastEmbedder":
    """The embedder that the settings name. The model is loaded when it is first needed.

    ``single_threaded``: single texts are embedded in the thread that asks, which then waits.
    """
    return FastEmbedder(
        settings.embedding_model_name,
        cache_directory=settings.cache_dir or cache_directory(),
        threads=settings.embedding_threads,
        batch_size=settings.embedding_batch_size,
        single_threaded=single_threaded,
    )


def name_to_fastembed(offline_model: str) -> str:
    """What FastEmbed knows an offline model by, once it is loaded."""
    return f"mcp-optimizer/{offline_model.rsplit('/', maxsplit=1)[-1]}"


class _Pace(NamedTuple):
    """How a model is run so that its cores are busy."""

    threads: int | None
    """Threads of one run; None leaves it to the runtime."""
    at_once: int
    """Batches under way at the same time, each in a thread of its own."""
    together: bool
    """Whether the texts of a batch go through the model in one run, or one by one."""

    @classmethod
    def of(cls, model: str, threads: int | None) -> Self:
        """The integer model quantizes all activations of a run on one scale: a text that runs alone has the same vector
        whatever else is embedded. That costs nothing, as no text is padded, when each core has a run of its own."""
        if model == OFFLINE_MODEL:
            return cls(threads=1, at_once=threads or os.process_cpu_count() or 1, together=False)
        return cls(threads=threads, at_once=1, together=True)


class FastEmbedder:
    """FastEmbed's models, and the offline ones beside them."""

    def __init__(
        self,
        model: str,
        *,
        cache_directory: Path,
        threads: int | None = None,
        batch_size: int = 8,
        single_threaded: bool = False,
    ) -> None:
        self._model = model
        self._cache_directory = cache_directory
        self._pace = _Pace.of(model, threads)
        self._batch_size = batch_size
        self._single_threaded = single_threaded
        self._threads = ModelExecutors(at_once=self._pace.at_once)
        self._loaded: TextEmbedding | None = None
        self._lock = threading.Lock()

    @property
    def model(self) -> str:
        """The name the store remembers."""
        return self._model

    async def dimension(self) -> int:
        """Length of every vector, without loading the model where FastEmbed knows it."""
        if self._model in OFFLINE_MODELS:
            return DIMENSION
        return await asyncio.to_thread(self._known_dimension)

    async def embed(self, texts: Sequence[str], on_progress: Callable[[int], None] | None = None) -> list[Vector]:
        """One unit vector a text, in the order given. A single text goes before many."""
        if len(texts) == 1:
            if self._single_threaded:
                result = self._embed_batch(list(texts))
            else:
                result = await self._threads.soon(lambda: self._embed_batch(list(texts)))
            if on_progress is not None:
                on_progress(1)
            return result
        vectors: dict[int, Vector] = {}
        batches = _batches(texts, self._batch_size)

        async def embed_batches() -> None:
            for batch in batches:
                result = await self._threads.aside(functools.partial(self._embed_batch, [texts[at] for at in batch]))
                vectors.update(zip(batch, result, strict=True))
                if on_progress is not None:
                    on_progress(len(vectors))

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self._pace.at_once):
                    group.create_task(embed_batches())
        except* EmbeddingError as failed:
            raise _first(failed) from None
        return [vectors[place] for place in range(len(texts))]

    def _embed_batch(self, texts: list[str]) -> list[Vector]:
        with self._lock:
            model = self._load()
        try:
            result = list(model.embed(texts, batch_size=len(texts) if self._pace.together else 1))
        except Exception as error:  # the runtime raises types of its own, undocumented ones among them
            raise EmbeddingError(f"the model {self._model} failed: {type(error).__name__}: {error}") from error
        return [_unit(np.asarray(vector, dtype=np.float32)) for vector in result]

    def _load(self) -> "TextEmbedding":
        if self._loaded is None:
            try:
                self._loaded = self._open()
            except EmbeddingError as error:
                raise ModelUnavailableError(error.message, remedy=error.remedy) from error
            except Exception as error:  # FastEmbed lets hub, network and runtime errors of many types through
                raise ModelUnavailableError(
                    f"can't load the embedding model {self._model}: {type(error).__name__}",
                    remedy=f"FastEmbed may need a network for it; {OFFLINE_MODEL} needs none",
                ) from error
        return self._loaded

    def _open(self) -> "TextEmbedding":
        from fastembed import TextEmbedding  # noqa: PLC0415 (a second of imports that the first screen does not need)
        from fastembed.common.model_description import ModelSource, PoolingType  # noqa: PLC0415

        from mcp_optimizer.embeddings.fastembed_log import join_the_log  # noqa: PLC0415

        join_the_log()
        if self._model not in OFFLINE_MODELS:
            cache = self._cache_directory / "fastembed"
            return TextEmbedding(self._model, cache_dir=str(cache), threads=self._pace.threads)
        directory = prepare_offline_model(self._cache_directory, self._model)
        name = name_to_fastembed(self._model)
        if name not in {str(entry["model"]) for entry in TextEmbedding.list_supported_models()}:
            TextEmbedding.add_custom_model(
                model=name,
                pooling=PoolingType.MEAN,
                normalization=True,
                sources=ModelSource(hf=name),
                dim=DIMENSION,
                model_file="model.onnx",
            )
        return TextEmbedding(name, specific_model_path=str(directory), threads=self._pace.threads)

    def _known_dimension(self) -> int:
        from fastembed import TextEmbedding  # noqa: PLC0415

        for entry in TextEmbedding.list_supported_models():
            if str(entry["model"]).lower() == self._model.lower():
                return int(entry["dim"])
        raise EmbeddingError(
            f"FastEmbed knows no model named {self._model}", remedy=f"name one it supports, or {OFFLINE_MODEL}"
        )


def _first(group: BaseExceptionGroup) -> BaseException:
    """One of the errors of ``group``: they are of one kind, and one is enough to tell."""
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error


def _batches(texts: Sequence[str], size: int) -> Iterator[list[int]]:
    """Places in ``texts``, sorted by length, in batches of ``size`` long texts or of more short ones.

    A batch is padded to its longest text, so texts of like length belong together; and what a batch costs is its
    padded length, so short texts go in greater numbers.
    """
    order = sorted(range(len(texts)), key=lambda place: (len(texts[place]), place))
    batch: list[int] = []
    for place in order:
        padded = max(len(texts[place]), _SHORTEST)
        if batch and (len(batch) + 1) * padded > size * _LONG:
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch


def _unit(vector: Vector) -> Vector:
    """``vector`` at length 1. A vector of zeros or with NaN can't be searched for and is an error."""
    length = float(np.linalg.norm(vector))
    if not np.isfinite(length) or length == 0.0:
        raise EmbeddingError("the model gave a vector without a direction")
    return vector / np.float32(length)
