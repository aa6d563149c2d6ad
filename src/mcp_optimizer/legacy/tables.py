"""Taking a predecessor's tables out of the way, and dropping them at the end. Inside a transaction of the caller's."""

from typing import Any, Final

from mcp_optimizer.legacy.shapes import TABLES, VERSION_TABLE, Shape

ASIDE: Final = "older_program_"
"""Stands before the names of the old tables while their content is being taken over."""


def set_aside(bare: Any, shape: Shape) -> None:
    """Give the old core tables other names; drop their indexes and triggers, and the search tables made from them."""
    cached = TABLES[shape]
    present = {row[0] for row in bare.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    for table in (*cached.search, VERSION_TABLE):
        if table in present:
            bare.execute(f'DROP TABLE "{table}"')
    marks = ", ".join("?" for _ in cached.core)
    rows = bare.execute(
        "SELECT type, name FROM sqlite_master WHERE type IN ('index', 'trigger') AND sql IS NOT NULL "
        f"AND tbl_name IN ({marks})",
        cached.core,
    )
    for kind, name in rows.fetchall():
        bare.execute(f'DROP {kind} "' + name.replace('"', '""') + '"')
    for table in cached.core:
        if table in present:
            bare.execute(f'ALTER TABLE "{table}" RENAME TO "{ASIDE}{table}"')


def drop_old(bare: Any, shape: Shape) -> None:
    """Drop the old core tables; each before those it refers to."""
    for table in TABLES[shape].core:
        bare.execute(f'DROP TABLE IF EXISTS "{ASIDE}{table}"')
