"""An index of the words of names, on PostgreSQL; that of SQLite knows where a word stands."""

from alembic import op

from mcp_optimizer.db.postgres.full_text import names_index
from mcp_optimizer.db.search_index import Side

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make it where it is missing: the search tables are always made as the program knows them."""
    if op.get_bind().dialect.name == "postgresql":
        for side in Side:
            op.execute(names_index(side))
