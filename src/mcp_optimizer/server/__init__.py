"""The MCP server: what agents see of the same data."""
