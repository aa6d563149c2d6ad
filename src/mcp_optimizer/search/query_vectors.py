"""The vectors of queries: agents ask the same again and again, and embedding is the dearest part of a search."""

from collections import OrderedDict
from typing import Final

import structlog

from mcp_optimizer.domain.vectors import Embedder, Vector
from mcp_optimizer.errors import EmbeddingError
from mcp_optimizer.text import redact_message

_MAX_EMBEDDED: Final = 2000
"""Characters of a query that are embedded; more would be cut by the model anyway."""
_KEPT: Final = 1000
"""Queries whose vectors are kept: 1.5 kB each, and their texts."""

log = structlog.get_logger(__name__)


class QueryVectors:
    """An embedder for queries, which remembers the last of them."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._kept: OrderedDict[tuple[str, str], Vector] = OrderedDict()

    async def of(self, text: str) -> Vector | None:
        """The query's vector; None when the model is not to be had: words still find what they find."""
        key = self._embedder.model, text[:_MAX_EMBEDDED]
        result = self._kept.get(key)
        if result is not None:
            self._kept.move_to_end(key)
            return result
        try:
            (value,) = await self._embedder.embed([key[1]])
        except EmbeddingError as error:
            log.warning("searching by words only", error=redact_message(str(error)))
            return None
        self._kept[key] = value
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return value
