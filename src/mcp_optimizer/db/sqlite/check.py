"""Proof that an SQLite file is sound: its pages, its foreign keys, its full-text indexes (S3)."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from mcp_optimizer.db.search_index import IndexedTool, IntegrityFinding, Side, Stored
from mcp_optimizer.db.search_tables import ToolWords, all_tables, server_table, text_table, vector_table
from mcp_optimizer.db.sqlite.driver import in_its_thread
from mcp_optimizer.db.sqlite.vector_index import owner_token, search_key

TEXTS: Final = "texts"
"""The finding that what follows can be read at all."""
_TEXT_TYPES: Final = (b"TEXT", b"VARCHAR")
_REINDEX = "run `mcp-optimizer db reindex`"


async def facts(connection: AsyncConnection) -> list[IntegrityFinding]:
    """Whether the file's pages are sound, and its foreign keys hold.

    ``connection``: one that has not searched. Others keep parts of the full-text index in memory, and would report
    them as wrong.
    """
    words = (await connection.execute(text("PRAGMA quick_check"))).scalars()
    # A full-text index that is not sound is no reason for a backup: its own check reports it, and it is rebuilt.
    wrong = [line for line in words if line != "ok" and not any(table in line for table in all_tables())]
    detail = "; ".join(wrong[:5]) or "sound"
    unreadable = await in_its_thread(connection, _unreadable_texts)
    orphans = len((await connection.execute(text("PRAGMA foreign_key_check"))).all())
    return [
        IntegrityFinding("file", detail, "restore a backup" if wrong else None),
        IntegrityFinding(
            TEXTS,
            "; ".join(unreadable[:5]) or "can be read",
            "restore a backup, or delete what is named and ingest again" if unreadable else None,
        ),
        IntegrityFinding(
            "foreign keys",
            f"{orphans} rows point nowhere" if orphans else "no row points nowhere",
            "ingest again" if orphans else None,
        ),
    ]


def _unreadable_texts(bare: Any) -> list[str]:
    """Columns of texts that hold something else, or bytes that are not UTF-8; how often, and in which row first."""
    before, bare.text_factory = bare.text_factory, bytes
    try:
        tables = bare.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'").fetchall()
        names = [name.decode() for name, sql in tables if sql and not sql.upper().startswith(b"CREATE VIRTUAL")]
        return [problem for name in sorted(names) for problem in _unreadable_columns(bare, name)]
    finally:
        bare.text_factory = before


def _unreadable_columns(bare: Any, table: str) -> list[str]:
    columns = [
        row[1].decode() for row in bare.execute(f'PRAGMA table_info("{table}")') if row[2].upper() in _TEXT_TYPES
    ]
    problems: list[str] = []
    for column in columns:
        rows = bare.execute(f'SELECT rowid, typeof("{column}"), "{column}" FROM "{table}" WHERE "{column}" IS NOT NULL')
        wrong = [row for row, kind, value in rows if kind != b"text" or not _is_utf8(value)]
        if wrong:
            problems.append(f"{len(wrong)} of {table}.{column} (row {wrong[0]})")
    return problems


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


async def text_fact(connection: AsyncConnection, side: Side, tools: Sequence[IndexedTool]) -> IntegrityFinding:
    """Whether the full-text index agrees with its own texts, which have been compared with ``tools`` already."""
    table = text_table(side)
    try:
        await connection.execute(text(f"INSERT INTO {table} ({table}) VALUES ('integrity-check')"))
    except Exception as error:  # noqa: BLE001 (a corrupt index shows itself in any database error)
        return IntegrityFinding(f"{table} index", str(error).splitlines()[0], _REINDEX)
    return IntegrityFinding(f"{table} index", "sound")


async def indexed_servers(connection: AsyncConnection, side: Side) -> list[Stored]:
    """Id and vector of every server that is indexed."""
    rows = await connection.execute(text(f"SELECT key, id, embedding FROM {server_table(side)}"))
    return [(_proven(row.key, row.id), row.embedding) for row in rows]


async def indexed_tools(connection: AsyncConnection, side: Side) -> list[Stored]:
    """Id, server's id and vector of every tool that is indexed."""
    rows = await connection.execute(text(f"SELECT key, id, server_id, embedding FROM {vector_table(side)}"))
    return [(_proven(row.key, row.id), row.server_id, row.embedding) for row in rows]


async def indexed_words(connection: AsyncConnection, side: Side) -> list[Stored]:
    """What full text holds of every tool that is indexed, as :class:`ToolWords`."""
    columns = ", ".join(ToolWords._fields)
    rows = await connection.execute(text(f"SELECT rowid, owner, {columns} FROM {text_table(side)}"))
    results: list[Stored] = []
    for key, owner, identifier, server_id, *words in rows:
        owned = server_id if owner == owner_token(server_id or "") else f"{server_id} as {owner}"
        results.append((_proven(key, identifier), owned, *words))
    return results


def _proven(key: int, identifier: str) -> str:
    """The id, where the row stands under the key that belongs to it."""
    try:
        return identifier if key == search_key(identifier) else f"{identifier} under {key}"
    except (ValueError, TypeError, AttributeError):
        return f"{identifier} under {key}"
