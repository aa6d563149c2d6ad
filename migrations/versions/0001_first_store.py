"""The core tables, the search tables and the support tables.

The search tables are indexes: the one function that knows their shape makes them, here and when they are rebuilt.
"""

import sqlalchemy as sa
from alembic import context, op

from mcp_optimizer.db.dialects import index_of

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_KIND = "(remote AND url IS NOT NULL AND package IS NULL) OR (NOT remote AND package IS NOT NULL AND url IS NULL)"

_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
"""Ordered by code points everywhere, whatever the language of the server."""


def upgrade() -> None:
    """Make every table of an empty database."""
    _core()
    _support()
    model: tuple[str, int] = context.config.attributes["model"]
    for statement in index_of(op.get_bind()).create_statements(model[1]):
        op.execute(statement)
    op.execute(
        sa.text("INSERT INTO embedding_model (id, name, dimension) VALUES (1, :name, :dimension)").bindparams(
            name=model[0], dimension=model[1]
        )
    )


def _text(name: str, default: str | None = "") -> sa.Column[str]:
    """A text column; ``default`` None: it may be null."""
    return sa.Column(name, _TEXT, nullable=default is None, server_default=default)


def _core() -> None:
    op.create_table(
        "mcpservers_registry",
        sa.Column("id", _TEXT, primary_key=True),
        sa.Column("name", _TEXT, nullable=False),
        _text("url", None),
        _text("package", None),
        sa.Column("identity", _TEXT, nullable=False),
        sa.Column("remote", sa.Boolean, nullable=False),
        _text("transport"),
        _text("description"),
        _text("title"),
        _text("tags", "[]"),
        _text("tier"),
        _text("repository"),
        _text("group"),
        sa.Column("server_embedding", sa.LargeBinary),
        _text("text_hash"),
        _text("tools_digest"),
        sa.Column("created_at", _TEXT, nullable=False),
        sa.Column("updated_at", _TEXT, nullable=False),
        sa.CheckConstraint(_KIND, name="registry_kind"),
        sa.UniqueConstraint("remote", "identity", name="registry_identity"),
    )
    op.create_index("registry_name", "mcpservers_registry", ["name"])
    op.create_table(
        "mcpservers_workload",
        sa.Column("id", _TEXT, primary_key=True),
        sa.Column("name", _TEXT, nullable=False, unique=True),
        _text("url", None),
        _text("package", None),
        sa.Column("identity", _TEXT, nullable=False),
        sa.Column("remote", sa.Boolean, nullable=False),
        _text("endpoint", None),
        _text("transport"),
        _text("proxy_mode"),
        sa.Column("status", _TEXT, nullable=False),
        _text("status_reason", None),
        sa.Column("registry_server_id", _TEXT, sa.ForeignKey("mcpservers_registry.id", ondelete="SET NULL")),
        _text("registry_server_name", None),
        _text("relation_cause"),
        _text("relation_changed_at"),
        _text("description", None),
        sa.Column("server_embedding", sa.LargeBinary),
        _text("group"),
        sa.Column("virtual_mcp", sa.Boolean, nullable=False, server_default=sa.false()),
        _text("recorded_registry_server", None),
        _text("image_label", None),
        _text("tools_digest"),
        sa.Column("created_at", _TEXT, nullable=False),
        sa.Column("updated_at", _TEXT, nullable=False),
        sa.CheckConstraint(_KIND, name="workload_kind"),
        sa.CheckConstraint(
            "(registry_server_id IS NULL AND description IS NOT NULL AND registry_server_name IS NULL) OR "
            "(registry_server_id IS NOT NULL AND description IS NULL AND server_embedding IS NULL "
            "AND registry_server_name IS NOT NULL)",
            name="workload_relation",
        ),
    )
    op.create_index("workload_registry_server", "mcpservers_workload", ["registry_server_id"])
    for table, servers in (("tools_registry", "mcpservers_registry"), ("tools_workload", "mcpservers_workload")):
        op.create_table(
            table,
            sa.Column("id", _TEXT, primary_key=True),
            sa.Column("server_id", _TEXT, sa.ForeignKey(f"{servers}.id", ondelete="CASCADE"), nullable=False),
            sa.Column("name", _TEXT, nullable=False),
            _text("details", "{}"),
            sa.Column("details_embedding", sa.LargeBinary),
            _text("text_hash"),
            sa.Column("token_count", sa.Integer, nullable=False, server_default="0"),
            sa.Column("created_at", _TEXT, nullable=False),
            sa.Column("updated_at", _TEXT, nullable=False),
            sa.UniqueConstraint("server_id", "name", name=f"{table}_name"),
        )
        op.create_index(f"{table}_tokens", table, ["server_id", "token_count"])
        op.create_index(f"{table}_any_name", table, [sa.text("LOWER(name)")])


def _support() -> None:
    op.create_table(
        "ingestion_runs",
        sa.Column("id", _TEXT, primary_key=True),
        sa.Column("number", sa.Integer, nullable=False, unique=True),
        sa.Column("what", _TEXT, nullable=False),
        sa.Column("source", _TEXT, nullable=False),
        sa.Column("started_at", _TEXT, nullable=False),
        sa.Column("seconds", sa.Float, nullable=False),
        sa.Column("outcome", _TEXT, nullable=False),
        _text("error", None),
        _text("report", None),
    )
    op.create_table(
        "ingestion_problems",
        sa.Column("id", _TEXT, primary_key=True),
        sa.Column("run_id", _TEXT),
        sa.Column("entity", _TEXT, nullable=False),
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("problem", _TEXT, nullable=False),
        sa.Column("reason", _TEXT, nullable=False),
        _text("details", None),
        sa.Column("since", _TEXT, nullable=False),
        _text("closed_at", None),
    )
    op.create_index("problems_open", "ingestion_problems", ["closed_at", "entity", "name"])
    op.create_table(
        "registry_duplicates",
        sa.Column("remote", sa.Boolean, primary_key=True),
        sa.Column("identity", _TEXT, primary_key=True),
        sa.Column("name", _TEXT, primary_key=True),
        sa.Column("raw", _TEXT, nullable=False),
        sa.Column("entry", _TEXT, nullable=False),
    )
    op.create_table(
        "registry_aliases",
        sa.Column(
            "registry_server_id",
            _TEXT,
            sa.ForeignKey("mcpservers_registry.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("remote", sa.Boolean, primary_key=True),
        sa.Column("identity", _TEXT, primary_key=True),
        sa.Column("name", _TEXT, primary_key=True),
        sa.Column("raw", _TEXT, nullable=False),
        sa.Column("until", _TEXT, nullable=False),
    )
    op.create_table(
        "registry_resolutions",
        sa.Column("remote", sa.Boolean, primary_key=True),
        sa.Column("identity", _TEXT, primary_key=True),
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("resolved_at", _TEXT, nullable=False),
    )
    op.create_table(
        "embedding_model",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("dimension", sa.Integer, nullable=False),
    )
    op.create_table(
        "embedding_cache",
        sa.Column("text_hash", _TEXT, primary_key=True),
        sa.Column("embedding", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "change_log",
        sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("at", _TEXT, nullable=False),
        sa.Column("entity", _TEXT, nullable=False),
        sa.Column("entity_id", _TEXT, nullable=False),
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("operation", _TEXT, nullable=False),
        _text("cause"),
        _text("detail"),
        _text("run_id", None),
        sqlite_autoincrement=True,
    )
    op.create_index("changes_entity", "change_log", ["entity", "name"])
