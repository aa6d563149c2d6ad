"""What the catalog says of an entry's life: deprecated ones are shown as such."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Add the column; what is stored counts as active until the next ingestion says otherwise."""
    op.add_column("mcpservers_registry", sa.Column("status", _TEXT, nullable=False, server_default=""))
