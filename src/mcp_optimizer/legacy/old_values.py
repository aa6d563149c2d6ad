"""Single values of a predecessor's rows, read without trusting them: columns may be missing, or hold anything."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from mcp_optimizer.db.logs.quarantine import Quarantined
from mcp_optimizer.domain.identity import IdentityError, identity_of, remote_identity
from mcp_optimizer.domain.models import Identity, Kind, ToolDefinition
from mcp_optimizer.legacy import OldRow, Shape
from mcp_optimizer.redaction import redact_json, redact_text
from mcp_optimizer.sources.json_values import clean_json, label_of, reason_of, text_of
from mcp_optimizer.sources.tool_definitions import tool_definition
from mcp_optimizer.text import redact_url, to_storable

_TRUE: Final = frozenset({"1", "true", "t", "yes", "1.0"})
_FALSE: Final = frozenset({"0", "false", "f", "no", "0.0"})
_PLACES: Final = frozenset({"url", "package", "workload_identifier"})
_TOOL_NAMES: Final = ("name", "tool_name")


class ToolError(Exception):
    """A row holds no tool; the message says why."""


def flag(value: object) -> bool | None:
    """A truth value, however it was written; None where there is none."""
    text = str(value).strip().lower()
    return True if text in _TRUE else False if text in _FALSE else None


def identity_in(row: OldRow, shape: Shape) -> Identity:
    """The identity that a row's columns give. Raises IdentityError, saying why there is none.

    Workloads of the split shape name it in ``workload_identifier``; their ``url`` is that of ToolHive's proxy, never
    their identity. In the unified shape ``package`` of a remote one may hold its URL, or a mere name beside ``url``.
    """
    columns = row.columns
    named = text_of(columns.get("workload_identifier")) or text_of(columns.get("package"))
    url = "" if row.table == "mcpservers_workload" else text_of(columns.get("url"))
    remote = flag(columns.get("remote"))
    if remote is None:
        remote = "://" in named or (not named and bool(url))
    if not remote:
        if not named:
            raise IdentityError("no image is named")
        return identity_of(Kind.CONTAINER, named)
    candidates = [named, url] if shape is Shape.UNIFIED or row.table == "mcpservers_workload" else [url, named]
    given = [text for text in candidates if text]
    if not given:
        raise IdentityError("the remote server's own URL is not known")
    for text in given[:-1]:
        try:
            return remote_identity(text)
        except IdentityError:
            continue
    return remote_identity(given[-1])


def tool_in(row: OldRow) -> ToolDefinition:
    """The tool of a row. Raises ToolError, saying why there is none."""
    stored = row.columns.get("details")
    if isinstance(stored, bytes):
        stored = stored.decode("utf-8", "replace")
    if not isinstance(stored, str):
        raise ToolError("it has no details")
    try:
        details = json.loads(stored)
    except (ValueError, RecursionError):
        raise ToolError("its details are no JSON") from None
    if not isinstance(details, dict):
        raise ToolError("its details are no JSON object")
    if "meta" in details and "_meta" not in details:  # the older program wrote members under the names of its own
        details["_meta"] = details.pop("meta")
    for column in _TOOL_NAMES:
        if not text_of(details.get("name")):
            details["name"] = row.columns.get(column)
    result = tool_definition(details)
    if result is None:
        raise ToolError("it has no name")
    return result


def as_catalogs_say(tool: ToolDefinition) -> ToolDefinition:
    """A tool of a catalog: where it gives the name alone, without the empty schema that the predecessor added."""
    bare = set(tool.details) <= {"name", "inputSchema"} and not tool.details.get("inputSchema")
    return ToolDefinition(name=tool.name, details={"name": tool.name}) if bare else tool


def kept_id(row: OldRow) -> str | None:
    """The row's id, where it is a random UUID, as ids are here (S1); None: it gets another."""
    try:
        result = UUID(row.id)
    except ValueError:
        return None
    return str(result) if result.version == 4 else None


def created_at(row: OldRow) -> str | None:
    """When the row was made, as times are stored here; None where it does not say."""
    value = row.columns.get("created_at")
    try:
        result = datetime.fromisoformat(str(value).strip())
    except ValueError:
        return None
    aware = result if result.tzinfo else result.replace(tzinfo=UTC)
    try:
        return aware.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    except OverflowError:
        return None


def quarantined(row: OldRow, reason: object) -> Quarantined:
    """A row that has no place: its columns as they were, but for what may be secret in its URLs (S7)."""
    content = {name: _kept(name, value) for name, value in row.columns.items()}
    name = text_of(row.columns.get("name")) or _name_in_details(row.columns)
    return Quarantined(
        origin=row.table,
        origin_id=to_storable(row.id),
        name=label_of(name),
        reason=reason_of(reason),
        content=json.dumps(content, ensure_ascii=False, sort_keys=True),
    )


def _kept(name: str, value: Any) -> Any:
    if isinstance(value, bytes):
        try:
            return redact_text(to_storable(value.decode()))
        except UnicodeDecodeError:
            return f"hex {value.hex()}"
    if isinstance(value, str):
        return redact_url(value) if name in _PLACES else redact_text(to_storable(value))
    return redact_json(clean_json(value))


def _name_in_details(columns: Mapping[str, Any]) -> str:
    try:
        details = json.loads(columns.get("details") or "")
    except (ValueError, TypeError, RecursionError):
        return ""
    return text_of(details.get("name")) if isinstance(details, dict) else ""
