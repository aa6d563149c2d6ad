"""What the schema needs on PostgreSQL beside the tables that are the same everywhere (S5)."""

from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

STEMS: Final = "mcp_optimizer_stems"
CONFIGURATION: Final = "mcp_optimizer"
"""The text search configuration: English stems, no stop words."""

_UNIQUE: Final = {
    "mcpservers_registry": ("registry_identity", ("remote",), ("identity",)),
    "mcpservers_workload": ("mcpservers_workload_name_key", (), ("name",)),
    "tools_registry": ("tools_registry_name", ("server_id",), ("name",)),
    "tools_workload": ("tools_workload_name", ("server_id",), ("name",)),
    "registry_duplicates": ("registry_duplicates_pkey", ("remote",), ("identity", "name")),
    "registry_aliases": ("registry_aliases_pkey", ("registry_server_id", "remote"), ("identity", "name")),
    "registry_resolutions": ("registry_resolutions_pkey", ("remote",), ("identity",)),
}
"""Constraints by table, with their short columns and those that hold text of any length."""
_HASHED: Final = {
    "registry_name": "mcpservers_registry (name)",
    "tools_registry_any_name": "tools_registry (LOWER(name))",
    "tools_workload_any_name": "tools_workload (LOWER(name))",
    "changes_entity": "change_log (name)",
}
"""Indexes over text of any length that only have to find what is equal."""


def any_length_statements() -> list[str]:
    """Make names and identities of any length unique, and found: an ordinary index takes some 2,700 bytes a row."""
    statements: list[str] = []
    for table, (name, short, long) in _UNIQUE.items():
        columns = ", ".join([*short, *(f"md5({column})" for column in long)])
        statements += [
            f"ALTER TABLE {table} DROP CONSTRAINT {name}",
            f"CREATE UNIQUE INDEX {name} ON {table} ({columns})",
        ]
    for name, (table, _, column) in {n: t.partition(" ") for n, t in _HASHED.items()}.items():
        statements += [f"DROP INDEX {name}", f"CREATE INDEX {name} ON {table} USING hash {column}"]
    statements += ["DROP INDEX problems_open", "CREATE INDEX problems_open ON ingestion_problems (closed_at)"]
    return statements


def words_statements() -> list[str]:
    """Make the text search configuration."""
    kinds = "asciiword, word, numword, asciihword, hword, numhword, hword_asciipart, hword_part, hword_numpart"
    return [
        f"CREATE TEXT SEARCH DICTIONARY {STEMS} (TEMPLATE = pg_catalog.snowball, LANGUAGE = english)",
        f"CREATE TEXT SEARCH CONFIGURATION {CONFIGURATION} (COPY = pg_catalog.simple)",
        f"ALTER TEXT SEARCH CONFIGURATION {CONFIGURATION} ALTER MAPPING FOR {kinds} WITH {STEMS}",
    ]


async def continue_numbers(connection: AsyncConnection) -> None:
    """Let rows that number themselves go on after the highest number, whoever gave that."""
    rows = await connection.execute(
        text(
            "SELECT table_name, column_name, pg_get_serial_sequence(quote_ident(table_name), column_name) AS numbers "
            "FROM information_schema.columns WHERE table_schema = current_schema() "
            "AND pg_get_serial_sequence(quote_ident(table_name), column_name) IS NOT NULL"
        )
    )
    for row in rows.all():
        await connection.execute(
            text(f"SELECT setval(:numbers, COALESCE(MAX({row.column_name}), 0) + 1, false) FROM {row.table_name}"),
            {"numbers": row.numbers},
        )
