"""Snapshots: all that is stored, in one file that another person's program opens to the same explanations.

Nothing secret can be in it, as nothing secret is stored (S7). Tools come with their definitions, so opening it asks no
server; relations come with their cause, so a link made by hand or by an earlier catalog is the same over there.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mcp_optimizer.db.rows import model_from_json
from mcp_optimizer.db.store import Store, StoredState
from mcp_optimizer.domain.models import (
    CatalogEntry,
    Identity,
    Kind,
    ObservedWorkload,
    RegistryServer,
    Relation,
    StoredTool,
    Workload,
)
from mcp_optimizer.domain.reports import SnapshotReport
from mcp_optimizer.errors import OptimizerError
from mcp_optimizer.files import write_text
from mcp_optimizer.sources.snapshots import SNAPSHOT_FORMAT

type _Tools = Mapping[str, Sequence[StoredTool]]


async def export_snapshot(store: Store, path: Path) -> SnapshotReport:
    """Write the snapshot to ``path``, whole or not at all, readable by its owner only. Raises OptimizerError."""
    async with store.database.reading() as connection:
        state = await store.state(connection)
        registry_tools = await store.registry_tools.of_servers(connection, [row.id for row in state.registry])
        workload_tools = await store.workload_tools.of_servers(connection, [row.id for row in state.workloads])
    document = snapshot_document(state, registry_tools, workload_tools)
    try:
        write_text(path, json.dumps(document, ensure_ascii=False, indent=1))
    except OSError as error:
        raise OptimizerError(f"can't write {path}: {error.strerror}", remedy="name another file") from error
    return SnapshotReport(
        file=str(path),
        registry_servers=len(state.registry),
        workloads=len(document["workloads"]),
        tools=sum(map(len, registry_tools.values())) + sum(map(len, workload_tools.values())),
    )


def snapshot_document(state: StoredState, registry_tools: _Tools, workload_tools: _Tools) -> dict[str, Any]:
    """The snapshot as JSON. Entries that share an identity all stand in it, as they do in the catalog (C4)."""
    shared = {entry.identity.key for entry in state.claims}
    entries = [
        _entry_of(row, registry_tools.get(row.id, ()))
        for row in state.registry
        if row.claim is None and row.identity.key not in shared
    ]
    rows = {row.id: row for row in state.registry}
    rejected = [
        model_from_json(ObservedWorkload, problem.details, f"the problem of {problem.name}")
        for problem in state.problems
        if problem.problem == Relation.REJECTED and problem.details
    ]
    stored = {row.name for row in state.workloads}
    return {
        "format": SNAPSHOT_FORMAT,
        "registry": _registry([*entries, *state.claims]),
        "resolutions": [
            {"kind": kind, "identity": canonical, "name": name}
            for (kind, canonical), name in sorted(state.resolutions.items())
        ],
        "aliases": [
            {**_identity(alias.identity), "name": alias.name, "of": _identity(rows[alias.registry_server_id].identity)}
            for alias in state.aliases
        ],
        "workloads": [
            *(_workload(row, rows, workload_tools.get(row.id, ())) for row in state.workloads),
            *(_observed(observed) for observed in rejected if observed.name not in stored),
        ],
    }


def _entry_of(row: RegistryServer, tools: Sequence[StoredTool]) -> CatalogEntry:
    fields = ("name", "identity", "transport", "description", "title", "tags", "tier", "repository", "group", "status")
    definitions = tuple(tool.definition for tool in tools)
    return CatalogEntry(**{field: getattr(row, field) for field in fields}, tools=definitions)


def _registry(entries: Iterable[CatalogEntry]) -> dict[str, Any]:
    """A registry document. Several entries of one name and kind go into groups, each of which has maps of its own."""
    groups: list[dict[str, Any]] = []
    for entry in sorted(entries, key=lambda entry: (entry.group, entry.name, entry.identity.canonical)):
        section = "remote_servers" if entry.identity.kind is Kind.REMOTE else "servers"
        group = next((g for g in groups if g["name"] == entry.group and entry.name not in g[section]), None)
        if group is None:
            group = dict[str, Any](name=entry.group, servers={}, remote_servers={})
            groups.append(group)
        group[section][entry.name] = _legacy(entry)
    return {"servers": {}, "remote_servers": {}, "groups": groups}


def _legacy(entry: CatalogEntry) -> dict[str, Any]:
    return {
        "url" if entry.identity.kind is Kind.REMOTE else "image": entry.identity.raw,
        "transport": entry.transport,
        "description": entry.description,
        "title": entry.title,
        "tags": list(entry.tags),
        "tier": entry.tier,
        "repository_url": entry.repository,
        **({"status": entry.status} if entry.status else {}),
        "tools": [tool.name for tool in entry.tools],
        "tool_definitions": [tool.details for tool in entry.tools],
    }


def _identity(identity: Identity) -> dict[str, str]:
    return {"kind": identity.kind, "identity": identity.raw}


def _workload(row: Workload, servers: Mapping[str, RegistryServer], tools: Sequence[StoredTool]) -> dict[str, Any]:
    server = servers.get(row.registry_server_id or "")
    relation: dict[str, str] = {"cause": row.relation_cause, "since": row.relation_changed_at}
    if server is not None:
        relation |= _identity(server.identity)
    return {
        **_fields(row, row.kind),
        "relation": relation,
        "tool_definitions": [tool.details for tool in tools],
    }


def _observed(observed: ObservedWorkload) -> dict[str, Any]:
    """A rejected workload that has no row."""
    fields = _fields(observed, observed.identity.kind if observed.identity else observed.kind)
    return {**fields, "tool_definitions": [tool.details for tool in observed.tools or ()]}


def _fields(item: Workload | ObservedWorkload, kind: Kind) -> dict[str, Any]:
    remote = kind is Kind.REMOTE
    raw = item.identity.raw if item.identity else ""
    return {
        "name": item.name,
        "package": "remote" if remote else raw,
        "remote": remote,
        **({"remote_url": raw} if remote else {}),
        **({} if raw else {"identity_problem": item.identity_problem or ""}),
        "url": item.endpoint or "",
        "transport_type": item.transport,
        "proxy_mode": item.proxy_mode,
        "status": item.status,
        "status_context": item.status_reason or "",
        "status_reason": item.status_reason or "",
        "group": item.group,
        "virtual_mcp": item.virtual_mcp,
        "labels": {"io.modelcontextprotocol.server.name": item.evidence.image_label or ""},
        "registry_server_name": item.evidence.recorded_registry_server or "",
    }
