"""Running servers, the queries they answered, and tool definitions that are not what they were when first seen."""

import json

import sqlalchemy as sa
from alembic import op

from mcp_optimizer.domain.tools.definitions import found_json, invisible_in

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables, and look through the tools that are stored already."""
    op.create_table(
        "running_servers",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("pid", sa.Integer, nullable=False),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("transport", sa.Text, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("started_at", sa.Text, nullable=False),
        sa.Column("heartbeat_at", sa.Text, nullable=False),
        sa.Column("polls", sa.Text, nullable=False, server_default="[]"),
    )
    op.create_table(
        "tool_queries",
        sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("at", sa.Text, nullable=False),
        sa.Column("record", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "accepted_definitions",
        sa.Column("workload", sa.Text, primary_key=True),
        sa.Column("tool", sa.Text, primary_key=True),
        sa.Column("details", sa.Text, nullable=False),
        sa.Column("noted_at", sa.Text, nullable=False),
    )
    op.create_table(
        "invisible_characters",
        sa.Column("tool_id", sa.Text, sa.ForeignKey("tools_workload.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("found", sa.Text, nullable=False),
    )
    _look_through_tools()


def _look_through_tools() -> None:
    connection = op.get_bind()
    rows = connection.execute(sa.text("SELECT id, details FROM tools_workload"))
    found = [
        {"id": row.id, "found": found_json(seen)} for row in rows if (seen := invisible_in(json.loads(row.details)))
    ]
    if found:
        connection.execute(sa.text("INSERT INTO invisible_characters (tool_id, found) VALUES (:id, :found)"), found)
