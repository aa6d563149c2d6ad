"""Keeps vectors at hand: loaded once, in step with the database, released when nobody searches.

What has changed is read from the change log, inside the transaction of the search, so that a change made by another
process is in the next search. The first search of a program scans the database: one search is quicker that way.
"""

import asyncio
from contextlib import aclosing
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from mcp_optimizer.db import search_reads
from mcp_optimizer.db.database import Database
from mcp_optimizer.db.search_index import Side
from mcp_optimizer.errors import OptimizerError
from mcp_optimizer.search.vector_matrix import VectorMatrix, no_vectors
from mcp_optimizer.text import redact_message

_IDLE_SECONDS: Final = 600.0
"""Seconds without a search after which the memory is given back."""
_MAX_SERVERS: Final = 64
"""Where more servers have changed, everything is loaded again, aside."""

log = structlog.get_logger(__name__)


class VectorCache:
    """The vectors of both sides, where they fit into ``memory`` bytes together."""

    def __init__(self, database: Database, *, memory: int, idle: float = _IDLE_SECONDS) -> None:
        self._database = database
        self._memory = memory
        self._idle = idle
        self._held: dict[Side, VectorMatrix] = {}
        self._asked: set[Side] = set()
        self._too_big: dict[Side, int] = {}
        self._loading: dict[Side, asyncio.Task[None]] = {}
        self._updating = asyncio.Lock()
        self._timer: asyncio.TimerHandle | None = None
        self._closing = False

    @property
    def bytes(self) -> int:
        """Memory in use."""
        return sum(held.bytes for held in self._held.values())

    async def close(self) -> None:
        """Give back the memory, and stop loading."""
        if self._timer is not None:
            self._timer.cancel()
        self._closing = True  # loading looks at it between two batches
        await asyncio.gather(*self._loading.values(), return_exceptions=True)
        self._closing = False
        self._release()

    def _release(self) -> None:
        self._held.clear()
        self._asked.clear()

    async def current(self, connection: AsyncConnection, side: Side, sequence: int, model: str) -> VectorMatrix | None:
        """The vectors as ``connection``'s transaction sees them; None when they are not at hand (yet)."""
        if self._memory == 0:
            return None
        self._keep_awake()
        async with self._updating:
            held = self._held.get(side)
            if held is not None and (held.model != model or held.sequence < sequence):
                held = await self._brought_up_to(connection, side, held, sequence, model)
        if held is None:
            self._load_if_asked_again(side, sequence)
            return None
        return held if held.sequence == sequence else None

    async def load(self, side: Side) -> None:
        """Load one side now. Does nothing where there is no room for it."""
        async with self._database.reading() as connection:
            version = await search_reads.version(connection)
            count = await search_reads.tool_count(connection, side)
            others = sum(held.bytes for other, held in self._held.items() if other is not side)
            if others + count * version.dimension * 4 > self._memory:
                self._too_big[side] = version.sequence
                self._held.pop(side, None)
                return
            result = no_vectors(version.sequence, version.model, version.dimension, count)
            async with aclosing(search_reads.all_vectors(connection, side, version.dimension)) as batches:
                async for rows in batches:
                    result = result.changed(version.sequence, (), rows)
                    if self._closing:
                        return
        held = self._held.get(side)
        if held is None or held.sequence <= result.sequence:
            self._held[side] = result

    async def _brought_up_to(
        self, connection: AsyncConnection, side: Side, held: VectorMatrix, sequence: int, model: str
    ) -> VectorMatrix | None:
        changed = None
        if held.model == model:
            changed = await search_reads.changed_servers(connection, side, held.sequence, _MAX_SERVERS)
        if changed is None:
            self._held.pop(side, None)
            return None
        rows = await search_reads.vectors_of(connection, side, changed, held.matrix.shape[1])
        result = held.changed(sequence, changed, rows)
        self._held[side] = result
        return result

    def _load_if_asked_again(self, side: Side, sequence: int) -> None:
        if side not in self._asked:
            self._asked.add(side)
            return
        if self._closing or side in self._loading or self._too_big.get(side) == sequence:
            return
        task = asyncio.create_task(self._load_aside(side), name=f"load {side} vectors")
        self._loading[side] = task
        task.add_done_callback(lambda _: self._loading.pop(side, None))

    async def _load_aside(self, side: Side) -> None:
        try:
            await self.load(side)
        except OptimizerError as error:
            log.warning("searching the database itself", error=redact_message(str(error)))

    def _keep_awake(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(self._idle, self._release)
