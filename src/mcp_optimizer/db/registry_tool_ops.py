"""Tools of registry servers: ``tools_registry`` and its two search tables."""

from mcp_optimizer.db.search_index import Side
from mcp_optimizer.db.tool_ops import ToolOps


class RegistryToolOps(ToolOps):
    """The tools that the catalog names. What happens to them never touches a workload's tools (L6)."""

    side = Side.REGISTRY
    table = "tools_registry"
