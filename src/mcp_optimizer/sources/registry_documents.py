"""Catalog documents in both formats, made :class:`Catalog` values (C5). Pure.

Legacy: maps ``servers`` (containers) and ``remote_servers``, and ``groups`` that hold the same two maps. Upstream: a
list of server.json objects, under ``data.servers``, as a bare ``servers``, or wrapped as the official API pages them.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from mcp_optimizer.domain.identity import IdentityError, identity_of
from mcp_optimizer.domain.models import Catalog, CatalogEntry, ItemProblem, Kind
from mcp_optimizer.errors import SourceError
from mcp_optimizer.sources.json_values import (
    kind_of,
    label_of,
    list_of,
    members,
    object_of,
    reason_of,
    text_of,
    texts_of,
)
from mcp_optimizer.sources.server_json import server_entries
from mcp_optimizer.sources.tool_definitions import tool_definitions

type Found = CatalogEntry | ItemProblem

_EXPECTED = (
    "expected an object with `servers`, `remote_servers` or `groups` (legacy format), "
    "or with `data.servers` or a list `servers` (upstream format)"
)
_SECTIONS = ("servers", "remote_servers", "groups")
_LEGACY_MAPS = (("servers", Kind.CONTAINER, "image"), ("remote_servers", Kind.REMOTE, "url"))


def parse_catalog(document: object, *, source: str) -> Catalog:
    """The catalog that ``document`` (anything ``json.loads`` gives) holds.

    Entries that can't be used are in ``skipped``, each with its name and the reason (C5). A section of the wrong type
    makes the catalog incomplete, so that it deletes nothing (C6). What is no catalog at all raises
    :class:`SourceError`.
    """
    try:
        return _catalog(list(_found(_unwrapped(document))), source=source)
    except RecursionError:
        raise SourceError("the catalog is nested too deeply to be read") from None


def _unwrapped(document: object) -> Mapping[str, Any]:
    """The document itself, also out of the answer of ToolHive's API and of the upstream ``data``."""
    if not isinstance(document, Mapping):
        raise SourceError(f"not a catalog: {_EXPECTED}, got {kind_of(document)}")
    for wrapper in ("registry", "data"):
        inner = document.get(wrapper)
        if isinstance(inner, Mapping) and not any(section in document for section in _SECTIONS):
            document = inner
    if not any(section in document for section in _SECTIONS):
        keys = ", ".join(label_of(str(key)) for key in list(document)[:5]) or "nothing"
        raise SourceError(f"not a catalog: {_EXPECTED}, got an object with {keys}")
    if not any(
        isinstance(document.get(section), Mapping | list | None) for section in _SECTIONS if section in document
    ):
        raise SourceError(f"not a catalog: {_EXPECTED}, got {kind_of(document.get('servers'))} as `servers`")
    return document


def _found(document: Mapping[str, Any]) -> Iterator[Found]:
    if isinstance(document.get("servers"), list):
        for place, item in enumerate(document["servers"]):
            yield from server_entries(item, unnamed=f"servers[{place}]")
        document = {section: document[section] for section in _SECTIONS if section in document and section != "servers"}
    yield from _legacy_maps(document, group="")
    groups = document.get("groups")
    if groups is not None and not isinstance(groups, list):
        yield _Unreadable(name="groups", reason=f"expected a list of groups, got {kind_of(groups)}")
    for place, group in enumerate(list_of(groups)):
        name = text_of(object_of(group).get("name"))
        where = name or f"groups[{place}]"
        if isinstance(group, Mapping):
            yield from _legacy_maps(group, group=name, where=f"{where}: ")
        else:
            yield _Unreadable(name=where, reason=f"expected a group, got {kind_of(group)}")


class _Unreadable(ItemProblem):
    """A whole section that can't be read: what it would have named is unknown."""


def _legacy_maps(holder: Mapping[str, Any], *, group: str, where: str = "") -> Iterator[Found]:
    for section, kind, field in _LEGACY_MAPS:
        servers = holder.get(section)
        if isinstance(servers, Mapping):
            for name, entry in members(servers):
                yield _legacy_entry(text_of(name), entry, kind=kind, identity_field=field, group=group)
        elif servers is not None:
            reason = f"expected an object of servers by name, got {kind_of(servers)}"
            yield _Unreadable(name=f"{where}{section}", reason=reason)


def _legacy_entry(name: str, entry: object, *, kind: Kind, identity_field: str, group: str) -> Found:
    if not name:
        return ItemProblem(name="(no name)", reason="the entry has no name")
    if not isinstance(entry, Mapping):
        return ItemProblem(name=name, reason=f"expected an object, got {kind_of(entry)}")
    raw = text_of(entry.get(identity_field))
    if not raw:
        return ItemProblem(name=name, reason=f"no {'URL' if kind is Kind.REMOTE else 'image'} as `{identity_field}`")
    try:
        identity = identity_of(kind, raw)
    except IdentityError as error:
        return ItemProblem(name=name, reason=reason_of(error))
    return CatalogEntry(
        name=name,
        identity=identity,
        transport=text_of(entry.get("transport")),
        description=text_of(entry.get("description")),
        title=text_of(entry.get("title")),
        tags=texts_of(entry.get("tags")),
        tier=text_of(entry.get("tier")),
        repository=text_of(entry.get("repository_url")),
        group=group,
        tools=tool_definitions(entry.get("tool_definitions"), entry.get("tools")),
    )


def _catalog(found: list[Found], *, source: str) -> Catalog:
    """Entries and problems apart. Of entries with one name and one identity one counts, in any order the same (C4)."""
    entries: dict[tuple[str, Kind, str], list[CatalogEntry]] = {}
    skipped = [item for item in found if isinstance(item, ItemProblem)]
    for entry in found:
        if isinstance(entry, CatalogEntry):
            entries.setdefault((entry.name, *entry.identity.key), []).append(entry)
    kept: list[CatalogEntry] = []
    for same in entries.values():
        if len(same) > 1:
            same.sort(key=lambda entry: entry.model_dump_json())
            reason = f"stands {len(same)} times with {same[0].identity.raw}; one of them counts"
            skipped.append(ItemProblem(name=same[0].name, reason=reason_of(reason)))
        kept.append(same[0])
    return Catalog(
        source=source,
        entries=tuple(kept),
        skipped=tuple(ItemProblem(name=item.name, reason=item.reason) for item in skipped),
        complete=not any(isinstance(item, _Unreadable) for item in found),
    )
