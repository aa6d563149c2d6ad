"""Proof that the store is sound: search tables agree with core tables, row by row (S3); core tables keep the rules."""

from collections.abc import Awaitable, Iterable

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from mcp_optimizer.db.dialects import index_of, soundness_of
from mcp_optimizer.db.rows import from_json, to_vector
from mcp_optimizer.db.search_index import IndexedTool, IntegrityFinding, Side, Stored, server_words
from mcp_optimizer.db.search_tables import server_table, text_table, tool_words, vector_table
from mcp_optimizer.db.store import Store
from mcp_optimizer.domain.models import ToolDefinition
from mcp_optimizer.domain.reports import CheckFinding, CheckReport
from mcp_optimizer.maintenance.check_rules import rule_findings, stored_json
from mcp_optimizer.maintenance.embedding_damage import is_sound

_REINDEX = "run `mcp-optimizer db reindex`"
_INGEST = "ingest again"
_BATCH = 1000


async def check(store: Store) -> CheckReport:
    """Look at everything; what is wrong comes with its remedy. Changes nothing."""
    async with store.database.aside() as connection:
        findings = [_finding(facts) for facts in await soundness_of(connection).facts(connection)]
    if any(finding.name == "texts" and not finding.ok for finding in findings):
        return CheckReport(findings=tuple(findings))  # what follows reads them
    async with store.database.reading() as connection:
        damaged = await stored_json(connection)
        if not damaged.ok:  # what follows reads it
            return CheckReport(findings=(*findings, damaged))
        findings += [damaged, await _rules(connection)]
        findings += await rule_findings(connection)
        dimension = (await connection.execute(text("SELECT dimension FROM embedding_model"))).scalar_one()
        for side in Side:
            findings += [
                await _index(server_table(side), _server_vectors(connection, side)),
                await _index(vector_table(side), _tool_vectors(connection, side)),
                await _tool_texts(connection, side),
                await _embeddings(connection, side, dimension),
            ]
    async with store.database.writing() as connection:
        findings += [
            _finding(await soundness_of(connection).text_fact(connection, side, await _indexed_tools(connection, side)))
            for side in Side
        ]
    return CheckReport(findings=tuple(findings))


async def _index(table: str, finding: Awaitable[CheckFinding]) -> CheckFinding:
    """What a look at a search table finds; one that can't be read is a finding, too."""
    try:
        return await finding
    except DBAPIError as error:
        return CheckFinding(name=table, ok=False, detail=f"can't be read: {error.orig}", remedy=_REINDEX)


async def reindex(store: Store) -> int:
    """Rebuild the six search tables from the core tables, in one transaction; the number of rows indexed."""
    async with store.database.writing() as connection:
        dimension = (await connection.execute(text("SELECT dimension FROM embedding_model"))).scalar_one()
        return await reindex_within(connection, dimension)


async def reindex_within(connection: AsyncConnection, dimension: int) -> int:
    """Like :func:`reindex`, inside a transaction of the caller's, for vectors of ``dimension``."""
    await index_of(connection).recreate(connection, dimension)
    indexed = 0
    for side in Side:
        rows = await connection.execute(text(f"SELECT id, server_embedding FROM {side.servers}"))
        servers = [(row.id, to_vector(row.server_embedding)) for row in rows]
        embedded = [(key, vector) for key, vector in servers if vector is not None]
        await index_of(connection).put_servers(connection, side, embedded)
        tools = await _indexed_tools(connection, side)
        for start in range(0, len(tools), _BATCH):
            await index_of(connection).insert_tools(connection, side, tools[start : start + _BATCH])
        indexed += len(embedded) + len(tools)
    await index_of(connection).finish(connection)
    return indexed


async def _indexed_tools(connection: AsyncConnection, side: Side) -> list[IndexedTool]:
    """Every tool as its search tables should hold it."""
    context = "s.registry_server_name" if side is Side.WORKLOAD else "NULL"
    rows = await connection.execute(
        text(
            f"SELECT t.id, t.server_id, t.name, t.details, t.details_embedding, s.name AS server, "
            f"{context} AS context FROM {side.tools} t JOIN {side.servers} s ON s.id = t.server_id"
        )
    )
    return [
        IndexedTool(
            row.id,
            row.server_id,
            server_words(row.server, row.context or row.server),
            ToolDefinition(name=row.name, details=from_json(dict, row.details, f"the tool {row.name}")),
            to_vector(row.details_embedding),
        )
        for row in rows
    ]


def _finding(facts: IntegrityFinding) -> CheckFinding:
    return CheckFinding(name=facts.name, ok=facts.remedy is None, detail=facts.detail, remedy=facts.remedy)


async def _rules(connection: AsyncConnection) -> CheckFinding:
    """Linked workloads carry their entry's present name as context (L6, C2)."""
    result = (
        await connection.execute(
            text(
                "SELECT w.name FROM mcpservers_workload w JOIN mcpservers_registry r ON r.id = w.registry_server_id "
                "WHERE r.name <> w.registry_server_name"
            )
        )
    ).scalars()
    wrong = list(result)
    detail = f"{len(wrong)} workloads with another context name than their entry's" if wrong else "hold"
    return CheckFinding(name="relations", ok=not wrong, detail=detail, remedy=_INGEST if wrong else None)


async def _server_vectors(connection: AsyncConnection, side: Side) -> CheckFinding:
    expected = await connection.execute(
        text(f"SELECT id, server_embedding FROM {side.servers} WHERE server_embedding IS NOT NULL")
    )
    return _same(
        server_table(side),
        map(tuple, expected),
        await soundness_of(connection).indexed_servers(connection, side),
    )


async def _tool_vectors(connection: AsyncConnection, side: Side) -> CheckFinding:
    expected = await connection.execute(
        text(f"SELECT id, server_id, details_embedding FROM {side.tools} WHERE details_embedding IS NOT NULL")
    )
    return _same(
        vector_table(side), map(tuple, expected), await soundness_of(connection).indexed_tools(connection, side)
    )


async def _tool_texts(connection: AsyncConnection, side: Side) -> CheckFinding:
    expected = [tuple(tool_words(tool)) for tool in await _indexed_tools(connection, side)]
    return _same(text_table(side), expected, await soundness_of(connection).indexed_words(connection, side))


async def _embeddings(connection: AsyncConnection, side: Side, dimension: int) -> CheckFinding:
    """Embeddings have the model's size and no NaN."""
    wrong = 0
    for table, column in ((side.servers, "server_embedding"), (side.tools, "details_embedding")):
        for row in await connection.execute(text(f"SELECT {column} AS v FROM {table} WHERE {column} IS NOT NULL")):
            wrong += not is_sound(row.v, dimension)
    detail = f"{wrong} of the wrong size or with NaN" if wrong else f"{dimension} finite numbers each"
    return CheckFinding(
        name=f"{side} embeddings",
        ok=not wrong,
        detail=detail,
        remedy=f"{_REINDEX}: it re-embeds these" if wrong else None,
    )


def _same(table: str, expected: Iterable[Stored], actual: Iterable[Stored]) -> CheckFinding:
    """Compare what a search table should hold with what it holds."""
    target, result = list(expected), list(actual)
    missing, extra = set(target) - set(result), set(result) - set(target)
    if not missing and not extra and len(target) == len(result):
        return CheckFinding(name=table, ok=True, detail=f"{len(result)} rows, as in the core tables")
    detail = f"{len(missing)} rows missing or other, {len(extra)} too many; {len(target)} expected, {len(result)} found"
    return CheckFinding(name=table, ok=False, detail=detail, remedy=_REINDEX)
