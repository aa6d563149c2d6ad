"""How long the logs are kept."""

from mcp_optimizer.domain.models import Value


class Retention(Value):
    """Bounds of the logs: what is older, or beyond the newest so many rows, is forgotten (L11)."""

    max_days: int = 90
    max_changes: int = 100_000
    max_queries: int = 500
    max_runs: int = 500
