"""Reading a predecessor's database, every row of it, whatever is in it. Nothing here writes."""

import asyncio
import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from mcp_optimizer.db.sqlite.driver import connect_to_read
from mcp_optimizer.legacy.shapes import TABLES, VERSION_TABLE, Shape, shape_of

_EMBEDDINGS: Final = frozenset({"server_embedding", "details_embedding"})
"""Not read: they name no model, so they are rebuilt."""


class OldRow(NamedTuple):
    """A row as it was: its table, its id as text, its columns without embeddings."""

    table: str
    id: str
    columns: Mapping[str, Any]


class OldDatabase(NamedTuple):
    """Everything a predecessor's database says. ``fingerprint`` is another as soon as any of it is."""

    shape: Shape
    revision: str | None
    servers: tuple[OldRow, ...]
    tools: tuple[OldRow, ...]
    fingerprint: str

    def count(self, table: str) -> int:
        """How many rows a table has."""
        return sum(row.table == table for row in (*self.servers, *self.tools))


def old_shape(bare: Any) -> Shape | None:
    """The shape of the database behind a bare connection; None when no predecessor made it."""
    rows = bare.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL %'")
    return shape_of({name: set(_columns(bare, name)) for (name,) in rows.fetchall()})


async def read_file(path: Path) -> OldDatabase | None:
    """The predecessor's database in a file, which is opened to be read only; None when no predecessor made it."""

    def work() -> OldDatabase | None:
        bare = connect_to_read(path)
        try:
            bare.execute("BEGIN")
            shape = old_shape(bare)
            return None if shape is None else read_old(bare, shape)
        finally:
            bare.close()

    return await asyncio.to_thread(work)


def read_old(bare: Any, shape: Shape, prefix: str = "") -> OldDatabase:
    """Every row, in an order that does not change. ``prefix``: what stands before the names of the core tables."""
    factory = bare.text_factory
    bare.text_factory = _decoded  # text that is no UTF-8 is no reason to lose a row
    try:
        rows = [row for table in sorted(TABLES[shape].core) for row in _rows(bare, table, prefix)]
        revision = _revision(bare)
    finally:
        bare.text_factory = factory
    digest = hashlib.sha256(repr([(row.table, row.id, sorted(row.columns.items())) for row in rows]).encode())
    return OldDatabase(
        shape=shape,
        revision=revision,
        servers=tuple(row for row in rows if row.table.startswith("mcpserver")),
        tools=tuple(row for row in rows if row.table.startswith("tool")),
        fingerprint=digest.hexdigest(),
    )


def _rows(bare: Any, table: str, prefix: str) -> Iterator[OldRow]:
    names = [name for name in _columns(bare, prefix + table) if name not in _EMBEDDINGS]
    if not names:  # an old version without this table
        return
    chosen = ", ".join('"' + name.replace('"', '""') + '"' for name in names)
    rows = bare.execute(f'SELECT rowid, {chosen} FROM "{prefix}{table}" ORDER BY rowid')
    for rowid, *values in rows:
        columns = dict(zip(names, values, strict=True))
        identifier = columns.get("id")
        yield OldRow(table, f"rowid {rowid}" if identifier is None else str(identifier), columns)


def _columns(bare: Any, table: str) -> list[str]:
    return [row[0] for row in bare.execute("SELECT name FROM pragma_table_info(?)", (table,))]


def _revision(bare: Any) -> str | None:
    if not _columns(bare, VERSION_TABLE):
        return None
    result = bare.execute(f"SELECT version_num FROM {VERSION_TABLE}").fetchone()
    return result[0] if result else None


def _decoded(stored: bytes) -> str:
    return stored.decode("utf-8", "replace")
