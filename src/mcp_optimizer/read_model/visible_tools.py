"""What a caller would find now: the running workloads that it sees, and a mark that differs when their tools do."""

from mcp_optimizer.db import search_reads
from mcp_optimizer.db.search_index import Side
from mcp_optimizer.db.search_reads import ServerRow, ToolsMark
from mcp_optimizer.db.store import Store
from mcp_optimizer.domain.models import is_running
from mcp_optimizer.domain.serving.agent_visibility import AgentVisibility

type VisibleTools = frozenset[tuple[str, ToolsMark]]
"""The names of workloads, each with the mark of its tools."""


async def running_names(store: Store, visibility: AgentVisibility) -> list[str]:
    """The names of the running workloads that are seen, sorted."""
    async with store.database.reading() as connection:
        rows = await search_reads.server_rows(connection, Side.WORKLOAD)
    return sorted(row.name for row in _running(rows, visibility))


async def visible_tools(store: Store, exposures: list[AgentVisibility]) -> list[VisibleTools]:
    """What each of these exposures lets through, of one state of the store."""
    async with store.database.reading() as connection:
        rows = await search_reads.server_rows(connection, Side.WORKLOAD)
        marks = await search_reads.tools_marks(connection, Side.WORKLOAD)
    return [
        frozenset((row.name, marks[row.id]) for row in _running(rows, visibility) if row.id in marks)
        for visibility in exposures
    ]


def _running(rows: list[ServerRow], visibility: AgentVisibility) -> list[ServerRow]:
    return [row for row in visibility.exposed(rows) if is_running(row.status or "")]
