"""One workload of ToolHive's list, or of a snapshot, made an :class:`ObservedWorkload`. Pure.

Of details and run configurations only what is named here is read: values of environment variables, headers and
secrets never leave this module, as they never enter it (S7).
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from mcp_optimizer.domain.identity import identity_of, is_image_id
from mcp_optimizer.domain.models import (
    Cause,
    Evidence,
    Identity,
    ItemProblem,
    Kind,
    ObservedWorkload,
    RecordedRelation,
    is_running,
)
from mcp_optimizer.domain.status_text import without_age
from mcp_optimizer.errors import SourceError
from mcp_optimizer.sources.json_values import kind_of, object_of, reason_of, text_of
from mcp_optimizer.sources.registry.place_names import identity_or_reason
from mcp_optimizer.sources.tool_definitions import tool_definitions

_IMAGE_LABEL: Final = "io.modelcontextprotocol.server.name"
_VIRTUAL: Final = frozenset({"virtualmcp", "vmcp", "virtualmcpserver"})
_NOTHING: Final[Mapping[str, Any]] = {}


class NamedItems(NamedTuple):
    """The items of a listing that can be told apart, and why the others can't be used.

    ``complete`` is false when an item has no name: what it would have named is unknown (L9).
    """

    items: tuple[Mapping[str, Any], ...]
    problems: tuple[ItemProblem, ...]
    complete: bool


def named_items(listing: object) -> NamedItems:
    """The items of a list that have a name of their own; of one name, the first counts.

    Raises :class:`SourceError` when ``listing`` is no list.
    """
    if not isinstance(listing, list):
        raise SourceError(f"not a listing of workloads: expected a list, got {kind_of(listing)}")
    named: dict[str, Mapping[str, Any]] = {}
    problems: list[ItemProblem] = []
    complete = True
    for place, item in enumerate(listing):
        name = item_name(item)
        if not name:
            reason = "it has no name" if isinstance(item, Mapping) else f"expected a workload, got {kind_of(item)}"
            problems.append(ItemProblem(name=f"workloads[{place}]", reason=reason))
            complete = False
        elif name in named:
            problems.append(ItemProblem(name=name, reason="it is listed more than once; the first counts"))
        else:
            named[name] = item
    return NamedItems(tuple(named.values()), tuple(problems), complete)


def item_name(item: object) -> str:
    """The name of a listed workload; empty when it has none."""
    return text_of(object_of(item).get("name"))


def is_remote(item: Mapping[str, Any]) -> bool:
    """Whether a listed workload is a remote one: ToolHive says so in one of two fields."""
    return item.get("remote") is True or text_of(item.get("package")) == "remote"


def observed_workload(
    item: Mapping[str, Any],
    *,
    details: Mapping[str, Any] = _NOTHING,
    export: Mapping[str, Any] = _NOTHING,
    details_problem: str = "",
) -> ObservedWorkload:
    """The workload of a listed ``item`` that has a name, with what details and run configuration add.

    Fields of unknown names are ignored, those of the wrong type read as absent; a status is stored as given (L8).
    ``details_problem`` says why there are no details.
    """
    endpoint = endpoint_of(item.get("url"))
    identity, problem = _identity(item, details, export, details_problem)
    status = text_of(item.get("status")) or "unknown"
    context = without_age(text_of(item.get("status_context")))
    reason = text_of(item.get("status_reason")) if is_running(status) else context  # the former of a snapshot's alone
    definitions = item.get("tool_definitions")
    return ObservedWorkload(
        name=item_name(item),
        identity=identity,
        identity_problem=problem,
        unidentified_kind=Kind.REMOTE if is_remote(item) else Kind.CONTAINER,
        endpoint=endpoint,
        transport=_first_text("transport_type", "transport", holders=(item, details, export)),
        proxy_mode=_first_text("proxy_mode", holders=(item, details, export)),
        status=status,
        status_reason=reason_of(reason) if reason else None,
        group=_first_text("group", holders=(item, details)),
        virtual_mcp=_is_virtual(item),
        evidence=_evidence(item, export),
        relation=_relation(item.get("relation")),
        tools=tool_definitions(definitions) if isinstance(definitions, list) else None,
    )


def _identity(
    item: Mapping[str, Any], details: Mapping[str, Any], export: Mapping[str, Any], details_problem: str
) -> tuple[Identity | None, str | None]:
    """The identity, or why there is none. A remote's is its own URL, never that of ToolHive's proxy (I1)."""
    if is_remote(item):
        kind = Kind.REMOTE
        proxy = text_of(item.get("url"))
        results = (details.get("url"), export.get("remote_url"), details.get("remote_url"), item.get("remote_url"))
        raw = next((url for url in map(text_of, results) if url and url != proxy), "")
        missing = "the remote server's own URL is not known"
    else:
        kind = Kind.CONTAINER
        given_texts = [text for holder in (item, export, details) for text in _texts(holder, "package", "image")]
        raw = next((text for text in given_texts if not is_image_id(text)), next(iter(given_texts), ""))
        given = item.get("package")
        missing = "no image is named" if isinstance(given, str | None) else f"the image is {kind_of(given)}, not a text"
    if not raw:
        missing = text_of(item.get("identity_problem")) or missing
        return None, reason_of(f"{missing}: {details_problem}" if details_problem else missing)
    return identity_or_reason(kind, raw)


def endpoint_of(url: object) -> str | None:
    """Where an MCP server answers: an http(s) URL as it is, but for its fragment; None elsewhere."""
    address = text_of(url).partition("#")[0]
    try:
        parts = urlsplit(address)
        there = parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        return None
    return address if there else None


def _evidence(item: Mapping[str, Any], export: Mapping[str, Any]) -> Evidence:
    labels = (export.get("container_labels"), item.get("labels"))
    return Evidence(
        recorded_registry_server=_first_text("registry_server_name", holders=(export, item)) or None,
        image_label=_first_text(_IMAGE_LABEL, holders=tuple(map(object_of, labels))) or None,
    )


def _relation(given: object) -> RecordedRelation | None:
    """The relation that a snapshot records; None where it records none, or none that can be read."""
    fields = object_of(given)
    cause = text_of(fields.get("cause"))
    if cause not in set(Cause):
        return None
    identity: Identity | None = None
    raw = text_of(fields.get("identity"))
    if raw:
        try:
            identity = identity_of(Kind(text_of(fields.get("kind"))), raw)
        except ValueError:
            return None
    return RecordedRelation(identity=identity, cause=Cause(cause), since=text_of(fields.get("since")))


def _is_virtual(item: Mapping[str, Any]) -> bool:
    """Whether it is a virtual MCP server, as versions of ToolHive have said in different fields."""
    if item.get("virtual_mcp") is True or item.get("virtualMCP") is True:
        return True
    kinds = (text_of(item.get(field)) for field in ("tool_type", "type", "workload_type"))
    return any("".join(filter(str.isalnum, kind.lower())) in _VIRTUAL for kind in kinds)


def _texts(holder: Mapping[str, Any], *fields: str) -> list[str]:
    return [text for field in fields if (text := text_of(holder.get(field)))]


def _first_text(*fields: str, holders: tuple[Mapping[str, Any], ...]) -> str:
    """The first field that is a non-empty text, looking through each holder in turn."""
    return next((text for holder in holders for field in fields if (text := text_of(holder.get(field)))), "")
