"""Changes of an SQLite schema that it has no statement for."""

from sqlalchemy import Connection, text

from mcp_optimizer.errors import StoreError


def replace_check(connection: Connection, table: str, before: str, after: str) -> None:
    """Put the condition ``after`` where a constraint of ``table`` has ``before``. Raises StoreError when none has.

    To make the table again would delete what refers to it. A constraint is nothing but text in the schema, so its text
    is replaced, as SQLite's documentation of ALTER TABLE says for changes that touch no stored row.
    """
    connection.exec_driver_sql("PRAGMA writable_schema = ON")
    changed = connection.execute(
        text(
            "UPDATE sqlite_master SET sql = replace(sql, :before, :after) "
            "WHERE type = 'table' AND name = :name AND instr(sql, :before) > 0"
        ),
        {"name": table, "before": f"CHECK ({before})", "after": f"CHECK ({after})"},
    )
    if changed.rowcount != 1:
        raise StoreError(f"{table} has not the constraint that is to be changed", remedy="restore a backup")
    version = connection.exec_driver_sql("PRAGMA schema_version").scalar_one()
    connection.exec_driver_sql(f"PRAGMA schema_version = {version + 1}")
    connection.exec_driver_sql("PRAGMA writable_schema = RESET")
