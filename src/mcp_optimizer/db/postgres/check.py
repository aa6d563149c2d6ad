"""Proof that a PostgreSQL database is sound: its indexes, its foreign keys, its documents of words (S3)."""

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from mcp_optimizer.db.postgres.driver import from_wire
from mcp_optimizer.db.postgres.full_text import DOCUMENT, document_words
from mcp_optimizer.db.postgres.schema import CONFIGURATION
from mcp_optimizer.db.search_index import IndexedTool, IntegrityFinding, Side, Stored
from mcp_optimizer.db.search_tables import ToolWords, server_table, text_table, tool_words, vector_table

_REINDEX = "run `mcp-optimizer db reindex`"
_BATCH = 500


async def facts(connection: AsyncConnection) -> list[IntegrityFinding]:
    """Whether every index can be used, and every foreign key holds."""
    broken = list(
        (
            await connection.execute(
                text(
                    "SELECT CAST(indexrelid AS regclass) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid "
                    "WHERE c.relnamespace = CAST(current_schema() AS regnamespace) AND NOT (indisvalid AND indisready)"
                )
            )
        ).scalars()
    )
    orphans = await _orphans(connection)
    return [
        IntegrityFinding(
            "indexes",
            f"not usable: {', '.join(map(str, broken))}" if broken else "all can be used",
            "run REINDEX on them" if broken else None,
        ),
        IntegrityFinding(
            "foreign keys",
            f"{orphans} rows point nowhere" if orphans else "no row points nowhere",
            "ingest again" if orphans else None,
        ),
    ]


async def _orphans(connection: AsyncConnection) -> int:
    """Rows that point nowhere: the server refuses them, but one that was told not to look may have let them in."""
    keys = await connection.execute(
        text(
            "SELECT CAST(c.conrelid AS regclass) AS child, a.attname AS pointer, "
            "CAST(c.confrelid AS regclass) AS parent, p.attname AS target FROM pg_constraint c "
            "JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1] "
            "JOIN pg_attribute p ON p.attrelid = c.confrelid AND p.attnum = c.confkey[1] "
            "WHERE c.contype = 'f' AND c.connamespace = CAST(current_schema() AS regnamespace)"
        )
    )
    result = 0
    for key in keys:
        counted = await connection.execute(
            text(
                f'SELECT COUNT(*) FROM {key.child} c WHERE c."{key.pointer}" IS NOT NULL '
                f'AND NOT EXISTS (SELECT FROM {key.parent} p WHERE p."{key.target}" = c."{key.pointer}")'
            )
        )
        result += counted.scalar_one()
    return result


async def text_fact(connection: AsyncConnection, side: Side, tools: Sequence[IndexedTool]) -> IntegrityFinding:
    """Whether the words of every tool's document are those of its texts."""
    table = text_table(side)
    wrong = 0
    for start in range(0, len(tools), _BATCH):
        rows = [(tool.id, document_words(tool_words(tool))) for tool in tools[start : start + _BATCH]]
        lists = {"ids": [identifier for identifier, _ in rows], "configuration": CONFIGURATION}
        lists |= {name: [words[name] for _, words in rows] for name in rows[0][1]}
        result = DOCUMENT
        for name in rows[0][1]:
            result = result.replace(f":{name}", f"given.{name}")
        arrays = ", ".join(f"CAST(:{name} AS text[])" for name in ("ids", *rows[0][1]))
        counted = await connection.execute(
            text(
                f"SELECT COUNT(*) FROM unnest({arrays}) AS given(id, {', '.join(rows[0][1])}) "
                f"JOIN {table} t ON t.id = given.id WHERE t.document <> ({result})"
            ),
            lists,
        )
        wrong += counted.scalar_one()
    if wrong:
        return IntegrityFinding(f"{table} index", f"{wrong} tools with other words than their texts have", _REINDEX)
    return IntegrityFinding(f"{table} index", "sound")


async def indexed_servers(connection: AsyncConnection, side: Side) -> list[Stored]:
    """Id and vector of every server that is indexed."""
    rows = await connection.execute(text(f"SELECT id, vector_send(embedding) AS v FROM {server_table(side)}"))
    return [(row.id, from_wire(row.v)) for row in rows]


async def indexed_tools(connection: AsyncConnection, side: Side) -> list[Stored]:
    """Id, server's id and vector of every tool that is indexed."""
    rows = await connection.execute(
        text(f"SELECT id, server_id, vector_send(embedding) AS v FROM {vector_table(side)}")
    )
    return [(row.id, row.server_id, from_wire(row.v)) for row in rows]


async def indexed_words(connection: AsyncConnection, side: Side) -> list[Stored]:
    """What full text holds of every tool that is indexed, as ``ToolWords``."""
    rows = await connection.execute(text(f"SELECT {', '.join(ToolWords._fields)} FROM {text_table(side)}"))
    return [tuple(row) for row in rows]
