"""The order that was learned from use, at hand for every search (Q6)."""

from typing import Final, Protocol

import numpy as np
from sqlalchemy.ext.asyncio import AsyncConnection

from mcp_optimizer.db import learning_ops
from mcp_optimizer.db.learning_ops import LearnedOrder
from mcp_optimizer.db.search_reads import StoreVersion
from mcp_optimizer.domain.search.offers import ToolName
from mcp_optimizer.domain.vectors import Vector
from mcp_optimizer.domain.views import SearchHit

_SUCH_QUESTIONS: Final = 0.5
"""Past queries of at least this cosine are such questions."""


class OrderSource(Protocol):
    """Where a search has the order from that was learned."""

    async def current(self, connection: AsyncConnection, version: StoreVersion) -> LearnedOrder | None:
        """The order of the store as the connection's transaction sees it; None: the plain one."""


class FixedOrder:
    """One order, or the plain one, whatever is stored: for trying."""

    def __init__(self, order: LearnedOrder | None) -> None:
        self._order = order

    async def current(self, connection: AsyncConnection, version: StoreVersion) -> LearnedOrder | None:
        """That order."""
        return self._order


class StoredOrder:
    """The stored order, read when it is another than the last one."""

    def __init__(self) -> None:
        self._kept: tuple[str | None, LearnedOrder | None] = (None, None)

    async def current(self, connection: AsyncConnection, version: StoreVersion) -> LearnedOrder | None:
        """The order of the store's model; one of another size than its vectors is none."""
        if self._kept[0] != version.learned:
            order = None if version.learned is None else await learning_ops.learned_order(connection, version.model)
            if order is not None and len(order.matrix) != version.dimension:
                order = None
            self._kept = (version.learned, order)
        return self._kept[1]


def calls_after(order: LearnedOrder, vector: Vector) -> dict[ToolName, int]:
    """By tool: in how many sessions it was called after questions like that of ``vector``."""
    results: dict[ToolName, int] = {}
    for row in np.flatnonzero(order.examples @ vector >= _SUCH_QUESTIONS):
        tool, count = order.example_tools[int(row)]
        results[tool] = results.get(tool, 0) + count
    return results


def with_plain_ranks(
    hits: list[SearchHit], ids: list[str], plain: list[str], calls: dict[ToolName, int]
) -> list[SearchHit]:
    """The hits with their places without what was learned. ``ids``, ``plain``: tools in either order."""
    places = {tool: place for place, tool in enumerate(plain, start=1)}
    return [
        hit.model_copy(
            update={
                "learned_rank": rank,
                "plain_rank": places.get(tool),
                "learned_calls": calls.get((hit.server, hit.tool), 0),
            }
        )
        for rank, (tool, hit) in enumerate(zip(ids, hits, strict=True), start=1)
    ]
