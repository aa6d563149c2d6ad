"""Workloads whose identity is not known, and what the catalog names for rows that stand for their links alone."""

import sqlalchemy as sa
from alembic import op

from mcp_optimizer.db.sqlite.schema import replace_check
from mcp_optimizer.domain.identity import is_image_id

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

_KIND = "(remote AND url IS NOT NULL AND package IS NULL) OR (NOT remote AND package IS NOT NULL AND url IS NULL)"
_KIND_IF_KNOWN = (
    f"(identity_problem IS NULL AND ({_KIND})) OR (identity_problem IS NOT NULL AND url IS NULL "
    "AND package IS NULL AND identity = '' AND registry_server_id IS NULL)"
)
_REASON = "the container engine listed the id of an image, which does not say which image it is of"


def upgrade() -> None:
    """Add the columns, let workloads be unidentified, and find those that are: an image id is no image."""
    op.add_column("mcpservers_registry", sa.Column("claim", _TEXT))
    op.add_column("mcpservers_registry", sa.Column("claim_identity", _TEXT))
    op.add_column("mcpservers_workload", sa.Column("identity_problem", _TEXT))
    if op.get_bind().dialect.name == "sqlite":
        replace_check(op.get_bind(), "mcpservers_workload", _KIND, _KIND_IF_KNOWN)
    else:
        op.drop_constraint("workload_kind", "mcpservers_workload", type_="check")
        op.create_check_constraint("workload_kind", "mcpservers_workload", sa.text(_KIND_IF_KNOWN))
    _forget_image_ids()


def _forget_image_ids() -> None:
    """The next ingestion tells what these are, and matches them as if they were new. One linked by hand stays."""
    connection = op.get_bind()
    rows = connection.execute(
        sa.text("SELECT id, package FROM mcpservers_workload WHERE package IS NOT NULL AND registry_server_id IS NULL")
    )
    ids = [{"id": row.id, "reason": _REASON} for row in rows if is_image_id(row.package)]
    if ids:
        connection.execute(
            sa.text(
                "UPDATE mcpservers_workload SET package = NULL, identity = '', identity_problem = :reason, "
                "relation_cause = 'unidentified' WHERE id = :id"
            ),
            ids,
        )
