"""Which offered tool was called after a query, and what was learned from it."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make both tables."""
    op.create_table(
        "query_calls",
        sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("at", sa.Text, nullable=False),
        sa.Column("query", sa.Text, nullable=False),
        sa.Column("server", sa.Text, nullable=False),
        sa.Column("tool", sa.Text, nullable=False),
        sa.Column("session", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "learned_order",
        sa.Column("model", sa.Text, primary_key=True),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("at", sa.Text, nullable=False),
        sa.Column("last_call", sa.Integer, nullable=False),
        sa.Column("matrix", sa.LargeBinary),
        sa.Column("examples", sa.LargeBinary),
        sa.Column("example_tools", sa.Text, nullable=False, server_default="[]"),
        sa.Column("report", sa.Text, nullable=False),
    )
