"""Tools of workloads: ``tools_workload`` and its two search tables."""

from mcp_optimizer.db.search_index import Side
from mcp_optimizer.db.tool_ops import ToolOps


class WorkloadToolOps(ToolOps):
    """The tools that running servers listed, last time they answered (L8)."""

    side = Side.WORKLOAD
    table = "tools_workload"
