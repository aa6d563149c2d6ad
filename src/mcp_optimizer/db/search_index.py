"""What the search tables are to the rest of the program, whatever the engine: meaning and words of both sides (S3, S5).

Each engine keeps one :class:`SearchIndex`; ``engines.index_of`` finds the one of a connection.
"""

from collections.abc import Collection, Sequence
from contextlib import AbstractAsyncContextManager
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from mcp_optimizer.domain.models import ToolDefinition
from mcp_optimizer.domain.vectors import Vector

type Stored = tuple[Any, ...]
"""A row, for comparing."""


class Side(StrEnum):
    """Which half of the store: the catalog, or what runs."""

    REGISTRY = "registry"
    WORKLOAD = "workload"

    @property
    def servers(self) -> str:
        """The core table of its servers."""
        return f"mcpservers_{self}"

    @property
    def tools(self) -> str:
        """The core table of its tools."""
        return f"tools_{self}"


class IndexedTool(NamedTuple):
    """A tool as the search tables hold it. ``embedding`` is None for one that is not embedded."""

    id: str
    server_id: str
    server_name: str
    tool: ToolDefinition
    embedding: Vector | None


class Near(NamedTuple):
    """A tool near a vector: its id, its server's, and the cosine distance, 0 to 2."""

    id: str
    server_id: str
    distance: float


class WordMatch(NamedTuple):
    """A tool that holds words of a query: its score (higher is better; of one engine only), and the texts searched.

    ``fields``: name, server, description, parameters.
    """

    id: str
    server_id: str
    score: float
    fields: dict[str, str]


class IntegrityFinding(NamedTuple):
    """Something an engine found out about its own soundness. ``remedy`` is None where nothing is wrong."""

    name: str
    detail: str
    remedy: str | None = None


class SearchIndex(Protocol):
    """The six search tables of an engine. All of it happens inside the connection's transaction."""

    def create_statements(self, dimension: int) -> list[str]:
        """The statements that make the six tables for vectors of ``dimension`` (E4), where the core tables are."""
        ...

    async def recreate(self, connection: AsyncConnection, dimension: int) -> None:
        """Drop the six tables and rebuild them, empty, for vectors of ``dimension``.

        They are whole after :meth:`finish`.
        """

    async def finish(self, connection: AsyncConnection) -> None:
        """Do what is quicker done once, when the tables have been filled again."""

    def filling(self, connection: AsyncConnection, side: Side, count: int) -> AbstractAsyncContextManager[None]:
        """A block that inserts ``count`` tools: an engine may do at its end what is quicker done once."""
        ...

    async def continue_numbers(self, connection: AsyncConnection) -> None:
        """Let rows that number themselves go on after the highest number, whoever gave that."""

    async def put_servers(self, connection: AsyncConnection, side: Side, servers: Sequence[tuple[str, Vector]]) -> None:
        """Index servers by id and embedding, in place of what is indexed for them."""

    async def remove_servers(self, connection: AsyncConnection, side: Side, ids: Collection[str]) -> None:
        """Take servers out of the index; ids that are not in it don't matter."""

    async def put_tools(self, connection: AsyncConnection, side: Side, tools: Sequence[IndexedTool]) -> None:
        """Index tools, in place of what is indexed for them."""

    async def insert_tools(self, connection: AsyncConnection, side: Side, tools: Sequence[IndexedTool]) -> None:
        """Index tools that are not in the index yet."""

    async def remove_tools(self, connection: AsyncConnection, side: Side, ids: Collection[str]) -> None:
        """Take tools out of the index; ids that are not in it don't matter."""

    async def nearest_tools(
        self, connection: AsyncConnection, side: Side, vector: Vector, *, limit: int, servers: Collection[str] | None
    ) -> list[Near]:
        """The ``limit`` tools nearest to ``vector``, nearest first; only those of ``servers``, unless None (Q1)."""
        ...

    async def nearest_servers(
        self, connection: AsyncConnection, side: Side, vector: Vector, *, limit: int
    ) -> list[tuple[str, float]]:
        """The ``limit`` servers nearest to ``vector`` by their own embedding, with their distances, nearest first."""
        ...

    async def matching_tools(
        self,
        connection: AsyncConnection,
        side: Side,
        terms: Sequence[str],
        *,
        limit: int,
        servers: Collection[str] | None,
    ) -> list[WordMatch]:
        """The ``limit`` tools that hold most of ``terms``, best first; only those of ``servers``, unless None (Q1).

        ``terms`` are words of a query in lower case, or pairs of characters; any text is a safe term (Q2).
        """
        ...


class IntegrityChecks(Protocol):
    """What an engine can prove of itself, and what its search tables hold, for comparing."""

    async def facts(self, connection: AsyncConnection) -> list[IntegrityFinding]:
        """Whether the database itself is sound. ``connection`` is one that has not searched."""
        ...

    async def text_fact(
        self, connection: AsyncConnection, side: Side, tools: Sequence[IndexedTool]
    ) -> IntegrityFinding:
        """Whether the full-text index holds the words of ``tools`` (all there are). In a transaction that may write."""
        ...

    async def indexed_servers(self, connection: AsyncConnection, side: Side) -> list[Stored]:
        """Id and vector (bytes) of every server that is indexed."""
        ...

    async def indexed_tools(self, connection: AsyncConnection, side: Side) -> list[Stored]:
        """Id, server's id and vector (bytes) of every tool that is indexed."""
        ...

    async def indexed_words(self, connection: AsyncConnection, side: Side) -> list[Stored]:
        """What full text holds of every tool that is indexed, in the order of ``ToolWords``."""
        ...


def server_words(name: str, context_name: str) -> str:
    """What full text knows of a tool's server: its name, and the registry server's where that is another."""
    return name if name == context_name else f"{name} {context_name}"
