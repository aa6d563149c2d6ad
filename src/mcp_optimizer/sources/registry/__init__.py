"""Catalogs of MCP servers: documents, pages, server.json."""
