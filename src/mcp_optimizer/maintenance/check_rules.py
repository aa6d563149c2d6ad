"""Proof that the rows of the core tables keep the rules, whatever the engine: identities, relations, embeddings."""

from typing import Final

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from mcp_optimizer.db.logs import quarantine
from mcp_optimizer.db.rows import kind_of
from mcp_optimizer.domain.identity import IdentityError, identity_of
from mcp_optimizer.domain.reports import CheckFinding

_SERVERS = ("mcpservers_registry", "mcpservers_workload")
_INGEST = "ingest again"
_RELATIONS = {
    "of the other kind than their entry": "SELECT w.name FROM mcpservers_workload w "
    "JOIN mcpservers_registry r ON r.id = w.registry_server_id WHERE r.remote <> w.remote",
    "linked, though it is not known what they are": "SELECT name FROM mcpservers_workload "
    "WHERE identity_problem IS NOT NULL AND registry_server_id IS NOT NULL",
    "unidentified, yet with a URL or an image": "SELECT name FROM mcpservers_workload "
    "WHERE identity_problem IS NOT NULL AND (url IS NOT NULL OR package IS NOT NULL OR identity <> '')",
    "claiming for themselves what they are already": "SELECT name FROM mcpservers_registry "
    "WHERE claim_identity = identity OR (claim IS NULL) <> (claim_identity IS NULL)",
    "linked, yet with a description or an embedding of their own": "SELECT name FROM mcpservers_workload "
    "WHERE registry_server_id IS NOT NULL AND (description IS NOT NULL OR server_embedding IS NOT NULL)",
    "linked without a context name": "SELECT name FROM mcpservers_workload "
    "WHERE registry_server_id IS NOT NULL AND registry_server_name IS NULL",
    "autonomous without a description": "SELECT name FROM mcpservers_workload "
    "WHERE registry_server_id IS NULL AND description IS NULL",
    "autonomous, yet with a context name of an entry": "SELECT name FROM mcpservers_workload "
    "WHERE registry_server_id IS NULL AND registry_server_name IS NOT NULL",
}


_JSON: Final = (
    ("mcpservers_registry", "name", "tags"),
    ("tools_registry", "name", "details"),
    ("tools_workload", "name", "details"),
    ("ingestion_problems", "name", "details"),
    ("ingestion_runs", "started_at", "report"),
    ("registry_duplicates", "name", "entry"),
    ("accepted_definitions", "tool", "details"),
    ("invisible_characters", "tool_id", "found"),
    ("running_servers", "address", "polls"),
    ("tool_queries", "at", "record"),
)
"""Columns that hold JSON: the table, the column that names a row, and the column."""


_LISTS: Final = frozenset({"tags", "found", "polls"})
"""Those of them that hold a list; the others hold an object."""


def is_json(value: str | bytes, kind: type) -> bool:
    """Whether a stored text is JSON of a kind."""
    try:
        return isinstance(orjson.loads(value), kind)
    except ValueError:
        return False


async def stored_json(connection: AsyncConnection) -> CheckFinding:
    """Every stored JSON text can be read."""
    wrong: list[str] = []
    for table, name, column in _JSON:
        statement = text(f"SELECT {name}, {column} FROM {table} WHERE {column} IS NOT NULL AND {column} <> ''")
        async with connection.stream(statement) as rows:
            async for label, value in rows:
                if not is_json(value, list if column in _LISTS else dict):
                    wrong.append(f"{label} in {table}")
    return CheckFinding(
        name="stored JSON",
        ok=not wrong,
        detail=_named(wrong, "damaged texts") if wrong else "can be read",
        remedy="restore a backup, or delete what is named and ingest again" if wrong else None,
    )


async def rule_findings(connection: AsyncConnection) -> list[CheckFinding]:
    """What the rules say of identities and relations, and how many rows wait in quarantine."""
    return [await _identities(connection), await _invariants(connection), await _quarantine(connection)]


async def _identities(connection: AsyncConnection) -> CheckFinding:
    """What is compared is what the given spelling comes to (I2), by kind (S2), and no two rows are one (S2)."""
    wrong: list[str] = []
    for table in _SERVERS:
        seen: set[tuple[bool, str]] = set()
        columns = "name, remote, url, package, identity"
        where = "" if table == "mcpservers_registry" else " WHERE identity_problem IS NULL"
        for row in await connection.execute(text(f"SELECT {columns} FROM {table}{where}")):
            raw, other = (row.url, row.package) if row.remote else (row.package, row.url)
            key = (bool(row.remote), row.identity)
            twice = table == "mcpservers_registry" and key in seen
            seen.add(key)
            if raw is None or other is not None or twice or not _is_canonical(row.remote, raw, row.identity):
                wrong.append(row.name)
    return _finding("identities", wrong, "with an identity that is not that of their URL or image")


def _is_canonical(remote: object, raw: str, stored: str) -> bool:
    try:
        return identity_of(kind_of(remote), raw).canonical == stored
    except IdentityError:
        return False


async def _invariants(connection: AsyncConnection) -> CheckFinding:
    """A workload is linked to an entry of its kind and inherits from it, or it is autonomous and has its own."""
    for words, query in _RELATIONS.items():
        names = list((await connection.execute(text(query))).scalars())
        if names:
            return _finding("linked or autonomous", names, words)
    return _finding("linked or autonomous", [], "")


async def _quarantine(connection: AsyncConnection) -> CheckFinding:
    """Rows of an older database without a place are no damage; they wait for a person."""
    cached = await quarantine.count(connection)
    detail = f"{cached} rows of an older database have no place: `db quarantine` shows them" if cached else "empty"
    return CheckFinding(name="quarantine", ok=True, detail=detail)


def _finding(name: str, wrong: list[str], words: str) -> CheckFinding:
    detail = _named(wrong, words) if wrong else "hold"
    return CheckFinding(name=name, ok=not wrong, detail=detail, remedy=_INGEST if wrong else None)


def _named(wrong: list[str], words: str) -> str:
    return f"{len(wrong)} {words}: {', '.join(wrong[:3])}{' …' if len(wrong) > 3 else ''}"
