"""Proof that everything of an older database has arrived: looked at before any of it is dropped."""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from mcp_optimizer.db.logs import quarantine
from mcp_optimizer.db.logs.quarantine import Quarantined
from mcp_optimizer.db.sqlite.driver import in_its_thread
from mcp_optimizer.domain.models import Kind
from mcp_optimizer.domain.upgrade_report import OldTableCount
from mcp_optimizer.errors import StoreError
from mcp_optimizer.legacy import OldDatabase, read_old
from mcp_optimizer.legacy.tables import ASIDE
from mcp_optimizer.operations.change_set import ChangeSet


class Keys(NamedTuple):
    """What is counted and compared: a number of rows and a checksum of their keys, by what they are."""

    registry_servers: tuple[int, str]
    workloads: tuple[int, str]
    registry_tools: tuple[int, str]
    workload_tools: tuple[int, str]
    quarantined: tuple[int, str]


def keys_of_change_set(change_set: ChangeSet, refused: Sequence[Quarantined]) -> Keys:
    """The keys that should be stored."""
    servers = [item.server for item in change_set.registry]
    workloads = [write.change.after for write in change_set.workloads]
    return Keys(
        _summed((row.id, row.name, row.identity.kind is Kind.REMOTE, row.identity.canonical) for row in servers),
        _summed(
            (
                row.id,
                row.name,
                row.kind is Kind.REMOTE,
                row.identity.canonical if row.identity else "",
                row.registry_server_id,
            )
            for row in workloads
        ),
        _summed((tool.id, tool.server_id, tool.name) for item in change_set.registry for tool in item.tools.tools),
        _summed((tool.id, tool.server_id, tool.name) for write in change_set.workloads for tool in write.tools.tools),
        _summed((row.origin, row.origin_id, row.reason, row.content) for row in refused),
    )


async def stored_keys(connection: AsyncConnection) -> Keys:
    """The keys that are stored."""

    async def rows(query: str) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in await connection.execute(text(query))]

    servers = await rows("SELECT id, name, remote, identity FROM mcpservers_registry")
    workloads = await rows("SELECT id, name, remote, identity, registry_server_id FROM mcpservers_workload")
    cached = await quarantine.all_rows(connection)
    return Keys(
        _summed((identifier, name, bool(remote), where) for identifier, name, remote, where in servers),
        _summed((identifier, name, bool(remote), where, to) for identifier, name, remote, where, to in workloads),
        _summed(await rows("SELECT id, server_id, name FROM tools_registry")),
        _summed(await rows("SELECT id, server_id, name FROM tools_workload")),
        _summed((row.origin, row.origin_id, row.reason, row.content) for row in cached),
    )


async def compare(
    connection: AsyncConnection, old: OldDatabase, expected: Keys, counts: Sequence[OldTableCount]
) -> None:
    """Raise StoreError unless every old row is accounted for, and everything that should be stored is."""
    for count in counts:
        if count.rows != count.placed + count.shared + count.quarantined:
            raise StoreError(f"not every row of {count.table} is accounted for; the database is as it was")
    result = await stored_keys(connection)
    for what, target, stored in zip(Keys._fields, expected, result, strict=True):
        if target != stored:
            words = what.replace("_", " ")
            raise StoreError(f"{stored[0]} {words} were stored, {target[0]} should be; the database is as it was")
    again = await in_its_thread(connection, lambda bare: read_old(bare, old.shape, ASIDE))
    if again.fingerprint != old.fingerprint:
        raise StoreError("the old tables are not what they were; the database is as it was")


def _summed(keys: Iterable[tuple[Any, ...]]) -> tuple[int, str]:
    ordered = sorted(map(repr, keys))
    return len(ordered), hashlib.sha256("\n".join(ordered).encode("utf-8", "surrogatepass")).hexdigest()
