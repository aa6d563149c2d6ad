"""Between rows of the core tables and the values of the domain.

The schema holds what the values demand, so values are made from rows without being validated again: planning and
showing read thousands.
"""

import functools
import json
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from pydantic import ValidationError
from sqlalchemy import Row, TextClause, bindparam, text

from mcp_optimizer.domain.models import Evidence, Identity, Kind, RegistryServer, StoredTool, Value, Workload
from mcp_optimizer.domain.vectors import Vector
from mcp_optimizer.errors import StoreError

IN_CHUNK: Final = 500
"""How many values one statement asks for; engines bound how many a statement may have."""

SHORT_READ: Final = "mcp_optimizer_short_read"
"""The execution option of a statement that finds a few rows by an index; an engine may use it, or not."""

DAMAGED_REMEDY: Final = (
    "run `mcp-optimizer db check`, which names what is damaged; then restore a backup, or delete and ingest again"
)

type Parameters = dict[str, Any]


@functools.cache
def short(statement: str, *lists: str) -> TextClause:
    """A statement that finds a few rows by an index and is asked again and again, ready made; each is kept, so there
    may be few. ``lists`` names the parameters that are lists."""
    clause = text(statement).bindparams(*(bindparam(name, expanding=True) for name in lists))
    return clause.execution_options(**{SHORT_READ: True})


def from_json[T: (dict[str, Any], list[Any])](kind: type[T], text: str | None, where: str) -> T:
    """The object or list of a stored JSON text. Raises StoreError, naming ``where``, for one that is damaged."""
    try:
        value = json.loads(text or "")
    except (ValueError, TypeError, RecursionError):
        raise damaged(where) from None
    if not isinstance(value, kind):
        raise damaged(where)
    return value


def model_from_json[T: Value](model: type[T], text: str | None, where: str) -> T:
    """A stored value of the domain. Raises StoreError, naming ``where``, for one that is damaged."""
    try:
        return model.model_validate_json(text or "")
    except ValidationError:
        raise damaged(where) from None


def damaged(where: str) -> StoreError:
    """The error of a stored value that can't be read."""
    return StoreError(f"the database holds damaged JSON in {where}", remedy=DAMAGED_REMEDY)


def to_json(value: object) -> str:
    """Compact JSON, characters as they are."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def to_bytes(vector: Vector | None) -> bytes | None:
    """A vector as little-endian 32-bit floats."""
    return None if vector is None else vector.astype("<f4").tobytes()


def to_vector(stored: bytes | None) -> Vector | None:
    """A stored vector; None where there is none, or where the bytes can't be one."""
    return None if stored is None or len(stored) % 4 else np.frombuffer(stored, dtype="<f4")


def claim_columns(claim: Identity | None) -> Parameters:
    """What the catalog names where a row has another identity, as given and as compared; null where it has that one."""
    return {"claim": claim.raw if claim else None, "claim_identity": claim.canonical if claim else None}


def identity_columns(identity: Identity) -> Parameters:
    """Exactly one of url and package is set, by kind (S2); ``identity`` is what is compared (I2)."""
    remote = identity.kind is Kind.REMOTE
    return {
        "remote": remote,
        "url": identity.raw if remote else None,
        "package": None if remote else identity.raw,
        "identity": identity.canonical,
    }


def kind_of(remote: object) -> Kind:
    """The kind a ``remote`` column says."""
    return Kind.REMOTE if remote else Kind.CONTAINER


def _identity(row: Mapping[str, Any]) -> Identity:
    return Identity.trusted(kind=kind_of(row["remote"]), canonical=row["identity"], raw=row["url"] or row["package"])


_REGISTRY_FIELDS = (
    "id", "name", "transport", "description", "title", "tier", "repository", "group",
    "status", "text_hash", "tools_digest", "created_at", "updated_at",
)  # fmt: skip

_WORKLOAD_FIELDS = (
    "id", "name", "identity_problem", "endpoint", "transport", "proxy_mode", "status", "status_reason",
    "registry_server_id", "registry_server_name", "relation_cause", "relation_changed_at", "description",
    "group", "tools_digest",
    "created_at", "updated_at",
)  # fmt: skip


def registry_server_from(row: Row[Any]) -> RegistryServer:
    """The registry server of a row."""
    columns = row._mapping
    fields = {field: columns[field] for field in _REGISTRY_FIELDS}
    identity, claim = _identity(columns), None
    if columns["claim"] is not None:
        claim = Identity.trusted(kind=identity.kind, canonical=columns["claim_identity"], raw=columns["claim"])
    tags = tuple(from_json(list, columns["tags"], f"the tags of {columns['name']}"))
    return RegistryServer.trusted(identity=identity, claim=claim, tags=tags, **fields)


def registry_server_columns(server: RegistryServer) -> Parameters:
    """The columns of a registry server, its embedding apart."""
    fields = {field: getattr(server, field) for field in _REGISTRY_FIELDS}
    return {
        **fields,
        **identity_columns(server.identity),
        **claim_columns(server.claim),
        "tags": to_json(list(server.tags)),
    }


def workload_from(row: Row[Any]) -> Workload:
    """The workload of a row."""
    columns = row._mapping
    fields = {field: columns[field] for field in _WORKLOAD_FIELDS}
    evidence = Evidence.trusted(
        recorded_registry_server=columns["recorded_registry_server"], image_label=columns["image_label"]
    )
    unidentified = columns["identity_problem"] is not None
    return Workload.trusted(
        identity=None if unidentified else _identity(columns),
        unidentified_kind=kind_of(columns["remote"]) if unidentified else Kind.CONTAINER,
        evidence=evidence,
        virtual_mcp=bool(columns["virtual_mcp"]),
        **fields,
    )


def workload_columns(workload: Workload) -> Parameters:
    """The columns of a workload, its embedding apart."""
    fields = {field: getattr(workload, field) for field in _WORKLOAD_FIELDS}
    unidentified = {"remote": workload.kind is Kind.REMOTE, "url": None, "package": None, "identity": ""}
    return {
        **fields,
        **(identity_columns(workload.identity) if workload.identity else unidentified),
        **workload.evidence.model_dump(),
        "virtual_mcp": workload.virtual_mcp,
    }


def tool_from(row: Row[Any]) -> StoredTool:
    """The tool of a row, without its embedding."""
    columns = row._mapping
    return StoredTool.trusted(
        id=columns["id"],
        server_id=columns["server_id"],
        name=columns["name"],
        details=from_json(dict, columns["details"], f"the tool {columns['name']}"),
        text_hash=columns["text_hash"],
        token_count=columns["token_count"],
    )
