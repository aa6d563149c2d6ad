"""Finding tools: hybrid search, why it finds what it does, and which server to install."""

from mcp_optimizer.search.hybrid import Search
from mcp_optimizer.search.learned import FixedOrder
from mcp_optimizer.search.learning import Learning
from mcp_optimizer.search.saved import check_saved
from mcp_optimizer.search.servers import search_servers
from mcp_optimizer.search.why_not import why_not

__all__ = ["FixedOrder", "Learning", "Search", "check_saved", "search_servers", "why_not"]
