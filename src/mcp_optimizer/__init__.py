"""mcp-optimizer: which MCP servers are in the catalog, which run, and what inherits from what."""

from importlib.metadata import version

__version__ = version("mcp-optimizer")
