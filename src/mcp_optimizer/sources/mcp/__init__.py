"""MCP servers: listing and calling their tools."""
