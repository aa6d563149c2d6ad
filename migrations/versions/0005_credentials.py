"""The key that credentials in URLs are hashed with; and what earlier revisions stored of credentials is taken out."""

import secrets
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from alembic import op

from mcp_optimizer.domain.identity import IdentityError, remote_identity
from mcp_optimizer.domain.sealing import Sealer
from mcp_optimizer.redaction import redact_text, redact_url

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_TEXTS = (
    ("mcpservers_registry", ("id",), ("repository", "description")),
    ("mcpservers_workload", ("id",), ("status_reason",)),
    ("change_log", ("sequence",), ("detail",)),
    ("ingestion_problems", ("id",), ("reason",)),
    ("ingestion_runs", ("id",), ("source", "error")),
)


def upgrade() -> None:
    """Make the key, and seal and redact what is stored."""
    op.create_table(
        "credential_key",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("key", sa.Text, nullable=False),
    )
    key = secrets.token_bytes(32)
    op.execute(sa.text("INSERT INTO credential_key (id, key) VALUES (1, :key)").bindparams(key=key.hex()))
    sealer = Sealer(key)
    for table in ("mcpservers_registry", "mcpservers_workload"):
        for row in _rows(table, "id", "url", "identity"):
            if row["url"]:
                _change(table, row, ("id",), _sealed(sealer, row))
    for row in _rows("mcpservers_workload", "id", "endpoint"):
        if row["endpoint"]:
            _change("mcpservers_workload", row, ("id",), {"endpoint": sealer.url(row["endpoint"])})
    for table, keys, columns in _TEXTS:
        for row in _rows(table, *keys, *columns):
            _change(table, row, keys, {name: _redacted(name, row[name]) for name in columns})


def _rows(table: str, *columns: str) -> list[Mapping[str, Any]]:
    names = ", ".join(f'"{column}"' for column in columns)
    rows = op.get_bind().execute(sa.text(f'SELECT {names} FROM "{table}"'))  # noqa: S608 - names of ours
    return [row._mapping for row in rows.all()]


def _sealed(sealer: Sealer, row: Mapping[str, Any]) -> dict[str, Any]:
    try:
        identity = sealer.identity(remote_identity(row["url"]))
    except IdentityError:
        return {}
    return {"url": identity.raw, "identity": identity.canonical}


def _redacted(name: str, text: str | None) -> str | None:
    if not text:
        return text
    return redact_text(redact_url(text)) if name == "repository" else redact_text(text)


def _change(table: str, row: Mapping[str, Any], keys: tuple[str, ...], values: Mapping[str, Any]) -> None:
    changed = {name: value for name, value in values.items() if value != row[name]}
    if changed:
        sets = ", ".join(f'"{name}" = :{name}' for name in changed)
        where = " AND ".join(f'"{name}" = :{name}' for name in keys)
        parameters = changed | {name: row[name] for name in keys}
        statement = f'UPDATE "{table}" SET {sets} WHERE {where}'  # noqa: S608 - names of ours
        op.get_bind().execute(sa.text(statement), parameters)
