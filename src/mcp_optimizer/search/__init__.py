"""Finding tools: hybrid search, why it finds what it does, and which server to install."""

from mcp_optimizer.search.hybrid import Search

__all__ = ["Search"]
