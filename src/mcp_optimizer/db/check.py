"""Proof that the store is sound: search tables agree with core tables, row by row (S3); core tables keep the rules."""

import json
from collections.abc import Iterable
from typing import Any

import numpy as np
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from mcp_optimizer.db import sqlite_search
from mcp_optimizer.db.rows import to_vector
from mcp_optimizer.db.sqlite_search import IndexedTool, Side, search_key
from mcp_optimizer.db.store import Store
from mcp_optimizer.domain.models import ToolDefinition
from mcp_optimizer.domain.reports import CheckFinding, CheckReport

_REINDEX = "run `mcp-optimizer db reindex`"
_INGEST = "ingest again"
_SERVERS = {Side.REGISTRY: "mcpservers_registry", Side.WORKLOAD: "mcpservers_workload"}
_TOOLS = {Side.REGISTRY: "tools_registry", Side.WORKLOAD: "tools_workload"}
_BATCH = 1000


async def check(store: Store) -> CheckReport:
    """Look at everything; what is wrong comes with its remedy. Reads only, but for the full-text tables' own check."""
    findings: list[CheckFinding] = []
    async with store.database.aside() as connection:
        # A connection that has searched keeps parts of the full-text index in memory, and would report them as wrong.
        findings.append(await _integrity(connection))
    async with store.database.reading() as connection:
        findings.append(await _foreign_keys(connection))
        findings.append(await _rules(connection))
        dimension = (await connection.execute(text("SELECT dimension FROM embedding_model"))).scalar_one()
        for side in Side:
            findings += [
                await _server_vectors(connection, side),
                await _tool_vectors(connection, side),
                await _tool_texts(connection, side),
                await _embeddings(connection, side, dimension),
            ]
    async with store.database.writing() as connection:
        findings += [await _full_text(connection, side) for side in Side]
    return CheckReport(findings=tuple(findings))


async def reindex(store: Store) -> int:
    """Make the six search tables anew from the core tables, in one transaction; the number of rows indexed."""
    async with store.database.writing() as connection:
        dimension = (await connection.execute(text("SELECT dimension FROM embedding_model"))).scalar_one()
        return await reindex_within(connection, dimension)


async def reindex_within(connection: AsyncConnection, dimension: int) -> int:
    """Like :func:`reindex`, inside a transaction of the caller's, for vectors of ``dimension``."""
    await sqlite_search.recreate(connection, dimension)
    indexed = 0
    for side in Side:
        rows = await connection.execute(text(f"SELECT id, server_embedding FROM {_SERVERS[side]}"))
        servers = [(row.id, to_vector(row.server_embedding)) for row in rows]
        embedded = [(key, vector) for key, vector in servers if vector is not None]
        await sqlite_search.put_servers(connection, side, embedded)
        tools = await _indexed_tools(connection, side)
        for start in range(0, len(tools), _BATCH):
            await sqlite_search.insert_tools(connection, side, tools[start : start + _BATCH])
        indexed += len(embedded) + len(tools)
    return indexed


async def _indexed_tools(connection: AsyncConnection, side: Side) -> list[IndexedTool]:
    """Every tool as its search tables should hold it."""
    context = "s.registry_server_name" if side is Side.WORKLOAD else "NULL"
    rows = await connection.execute(
        text(
            f"SELECT t.id, t.server_id, t.name, t.details, t.details_embedding, s.name AS server, "
            f"{context} AS context FROM {_TOOLS[side]} t JOIN {_SERVERS[side]} s ON s.id = t.server_id"
        )
    )
    return [
        IndexedTool(
            row.id,
            row.server_id,
            sqlite_search.server_words(row.server, row.context or row.server),
            ToolDefinition(name=row.name, details=json.loads(row.details)),
            to_vector(row.details_embedding),
        )
        for row in rows
    ]


async def _integrity(connection: AsyncConnection) -> CheckFinding:
    said = (await connection.execute(text("PRAGMA quick_check"))).scalars()
    # A full-text index that is not sound is no reason for a backup: its own check reports it, and it is made anew.
    wrong = [line for line in said if line != "ok" and not any(table in line for table in sqlite_search.all_tables())]
    detail = "; ".join(wrong[:5]) or "sound"
    return CheckFinding(name="file", ok=not wrong, detail=detail, remedy="restore a backup" if wrong else None)


async def _foreign_keys(connection: AsyncConnection) -> CheckFinding:
    found = (await connection.execute(text("PRAGMA foreign_key_check"))).all()
    detail = "no row points nowhere" if not found else f"{len(found)} rows point nowhere"
    return CheckFinding(name="foreign keys", ok=not found, detail=detail, remedy=_INGEST if found else None)


async def _rules(connection: AsyncConnection) -> CheckFinding:
    """Linked workloads carry their entry's present name as context (L6, C2)."""
    found = (
        await connection.execute(
            text(
                "SELECT w.name FROM mcpservers_workload w JOIN mcpservers_registry r ON r.id = w.registry_server_id "
                "WHERE r.name <> w.registry_server_name"
            )
        )
    ).scalars()
    wrong = list(found)
    detail = f"{len(wrong)} workloads with another context name than their entry's" if wrong else "hold"
    return CheckFinding(name="relations", ok=not wrong, detail=detail, remedy=_INGEST if wrong else None)


async def _server_vectors(connection: AsyncConnection, side: Side) -> CheckFinding:
    table = sqlite_search.server_table(side)
    expected = await connection.execute(
        text(f"SELECT id, server_embedding FROM {_SERVERS[side]} WHERE server_embedding IS NOT NULL")
    )
    return _same(
        table,
        [(search_key(row.id), row.id, row.server_embedding) for row in expected],
        await connection.execute(text(f"SELECT key, id, embedding FROM {table}")),
    )


async def _tool_vectors(connection: AsyncConnection, side: Side) -> CheckFinding:
    table = sqlite_search.vector_table(side)
    expected = await connection.execute(
        text(f"SELECT id, server_id, details_embedding FROM {_TOOLS[side]} WHERE details_embedding IS NOT NULL")
    )
    return _same(
        table,
        [(search_key(row.id), row.id, row.server_id, row.details_embedding) for row in expected],
        await connection.execute(text(f"SELECT key, id, server_id, embedding FROM {table}")),
    )


async def _tool_texts(connection: AsyncConnection, side: Side) -> CheckFinding:
    table = sqlite_search.text_table(side)
    columns = ("key", "id", "server_id", "name", "words", "description", "parameters", "server", "segments", "owner")
    expected = [
        tuple(sqlite_search.text_row(tool)[column] for column in columns)
        for tool in await _indexed_tools(connection, side)
    ]
    return _same(
        table, expected, await connection.execute(text(f"SELECT rowid, {', '.join(columns[1:])} FROM {table}"))
    )


async def _embeddings(connection: AsyncConnection, side: Side, dimension: int) -> CheckFinding:
    """Embeddings have the model's size and no NaN."""
    wrong = 0
    for table, column in ((_SERVERS[side], "server_embedding"), (_TOOLS[side], "details_embedding")):
        for row in await connection.execute(text(f"SELECT {column} AS v FROM {table} WHERE {column} IS NOT NULL")):
            sound = len(row.v) == 4 * dimension and bool(np.isfinite(np.frombuffer(row.v, dtype="<f4")).all())
            wrong += not sound
    detail = f"{wrong} of the wrong size or with NaN" if wrong else f"{dimension} finite numbers each"
    return CheckFinding(
        name=f"{side} embeddings",
        ok=not wrong,
        detail=detail,
        remedy=f"delete the servers concerned and {_INGEST}" if wrong else None,
    )


async def _full_text(connection: AsyncConnection, side: Side) -> CheckFinding:
    table = sqlite_search.text_table(side)
    try:
        await connection.execute(text(f"INSERT INTO {table} ({table}) VALUES ('integrity-check')"))
    except Exception as error:  # noqa: BLE001 (a corrupt index shows itself in any database error)
        return CheckFinding(name=f"{table} index", ok=False, detail=str(error).splitlines()[0], remedy=_REINDEX)
    return CheckFinding(name=f"{table} index", ok=True, detail="sound")


def _same(table: str, expected: Iterable[tuple[Any, ...]], actual: Iterable[Any]) -> CheckFinding:
    """Compare what a search table should hold with what it holds."""
    wanted, found = list(expected), [tuple(row) for row in actual]
    missing, extra = set(wanted) - set(found), set(found) - set(wanted)
    if not missing and not extra and len(wanted) == len(found):
        return CheckFinding(name=table, ok=True, detail=f"{len(found)} rows, as in the core tables")
    detail = f"{len(missing)} rows missing or other, {len(extra)} too many; {len(wanted)} expected, {len(found)} found"
    return CheckFinding(name=table, ok=False, detail=detail, remedy=_REINDEX)
