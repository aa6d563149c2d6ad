"""Catalog documents in every format at hand, made :class:`Catalog` values (C5, C6, C8). Pure.

ToolHive's: ``servers`` (containers) and ``remote_servers``, maps or lists, and ``groups`` that hold the same two. The
official registry's: a list of server.json objects, bare or wrapped, under ``servers`` or ``data.servers``, or one of
them alone. Docker's: a map ``registry``, its list form, or one server file. What an item is, the item itself tells.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from mcp_optimizer.domain.models import Catalog, CatalogEntry, ItemProblem, Kind
from mcp_optimizer.errors import SourceError
from mcp_optimizer.sources.json_values import kind_of, object_of, reason_of, text_of, texts_of, wrong_types
from mcp_optimizer.sources.registry.catalog_parts import Part, Section, parts_of
from mcp_optimizer.sources.registry.docker_catalog import docker_entry, is_docker_entry, listed_entry
from mcp_optimizer.sources.registry.paging import sign_of_more
from mcp_optimizer.sources.registry.place_names import identity_or_problem
from mcp_optimizer.sources.registry.server_json import server_entries
from mcp_optimizer.sources.registry.server_versions import (
    ServerRecord,
    current_records,
    is_no_entry,
    server_record,
    status_of,
)
from mcp_optimizer.sources.tool_definitions import tool_definitions


class _Entry(NamedTuple):
    """An entry, and when its catalog says that it was changed last."""

    entry: CatalogEntry
    updated_at: str = ""


class _Missing(NamedTuple):
    """Something whose content is unknown: the catalog is not whole (C6)."""

    problem: ItemProblem


type _Finding = _Entry | ItemProblem | _Missing


def parse_catalog(document: object, *, source: str) -> Catalog:
    """The catalog that ``document`` (anything ``json.loads`` gives) holds.

    Entries that can't be used are in ``skipped``, each with its name and the reason (C5). A document that is a part,
    a section of the wrong type, an item that is no object or has no name make the catalog incomplete, so that it
    deletes nothing (C6). What is no catalog at all raises :class:`SourceError`.
    """
    try:
        parts = parts_of(document)
        findings = list(_findings(parts.sections))
        sign = sign_of_more(parts.wrappers, parts.held) or parts.missing_containers()
    except RecursionError:
        raise SourceError("the catalog is nested too deeply to be read") from None
    if sign:
        findings.append(_Missing(ItemProblem(name="the catalog", reason=f"is not whole: {sign}")))
    return _catalog(findings, source=source)


def _findings(sections: Sequence[Section]) -> Iterator[_Finding]:
    records: list[ServerRecord] = []
    for section in sections:
        if section.problem:
            yield _Missing(ItemProblem(name=section.where, reason=section.problem, kind=section.kind))
        for part in section.parts:
            record = _record(part)
            if record is not None:
                records.append(record)
            else:
                yield from _findings_of(part)
    for record in current_records(records):
        for result in server_entries(record):
            yield _Entry(result, record.updated_at) if isinstance(result, CatalogEntry) else result


def _record(part: Part) -> ServerRecord | None:
    """The part as a server.json that has a name, where it is one."""
    if not isinstance(part.value, Mapping):
        return None
    server = part.value.get("server")
    is_wrapped = isinstance(server, Mapping)
    holder = server if is_wrapped else part.value
    is_server_json = is_wrapped or part.kind is None or "packages" in holder or "remotes" in holder
    if not is_server_json or _is_simple(holder) or "snapshot" in part.value:
        return None
    record = server_record(part.value)
    record = record if record.name else record._replace(name=part.name)
    return record if record.name else None


def _is_simple(holder: Mapping[str, Any]) -> bool:
    """Whether an item says itself where it is, as ToolHive's and Docker's do, and not in packages and remotes."""
    if "packages" in holder or "remotes" in holder:
        return False
    return "image" in holder or "url" in holder or is_docker_entry(holder)


def _findings_of(part: Part) -> Iterator[_Finding]:
    """What comes of a part that is no server.json."""
    value, name = part.value, part.name
    if not isinstance(value, Mapping):
        reason = f"expected an object, got {kind_of(value)}"
        yield _Missing(ItemProblem(name=name or part.where, reason=reason, kind=part.kind))
        return
    if "snapshot" in value or text_of(value.get("type")) in {"image", "registry"}:
        name, value = listed_entry(value)
    server = value.get("server")
    entry = server if isinstance(server, Mapping) else value
    name = name or text_of(entry.get("name"))
    if not name:
        yield _Missing(ItemProblem(name=part.where, reason="the entry has no name", kind=part.kind))
    elif part.docker or is_docker_entry(entry):
        yield from map(_as_finding, docker_entry(name, entry, group=part.group))
    else:
        yield from _legacy_entry(name, entry, kind=part.kind, group=part.group)


def _as_finding(found: CatalogEntry | ItemProblem) -> _Finding:
    return _Entry(found) if isinstance(found, CatalogEntry) else found


def _legacy_entry(name: str, entry: Mapping[str, Any], *, kind: Kind | None, group: str) -> Iterator[_Finding]:
    """An entry of ToolHive's own format. In a list its fields tell its kind."""
    if kind is None:
        kind = Kind.REMOTE if "url" in entry and not text_of(entry.get("image")) else Kind.CONTAINER
    field, what = ("url", "URL") if kind is Kind.REMOTE else ("image", "image")
    given = entry.get(field)
    raw = text_of(given)
    if not raw:
        wrong = f": it is {kind_of(given)}" if given is not None and not isinstance(given, str) else ""
        yield ItemProblem(name=name, reason=f"no {what} as `{field}`{wrong}", kind=kind)
        return
    status = status_of(entry)
    if is_no_entry(status):
        return
    identity = identity_or_problem(name, kind, raw)
    if isinstance(identity, ItemProblem):
        yield identity
        return
    for problem in wrong_types(
        name,
        entry,
        texts=("transport", "description", "title", "tier", "repository_url", "status"),
        lists=("tags", "tools", "tool_definitions"),
    ):
        yield problem.model_copy(update={"kind": kind, "identity": identity})
    yield _Entry(
        CatalogEntry(
            name=name,
            identity=identity,
            transport=text_of(entry.get("transport")),
            description=text_of(entry.get("description")),
            title=text_of(entry.get("title")),
            tags=texts_of(entry.get("tags")),
            tier=text_of(entry.get("tier")),
            repository=text_of(entry.get("repository_url")),
            group=group,
            status=status,
            tools=tool_definitions(entry.get("tool_definitions"), entry.get("tools")),
        ),
        text_of(object_of(entry.get("metadata")).get("last_updated")),
    )


def _catalog(findings: Sequence[_Finding], *, source: str) -> Catalog:
    """Entries and problems apart. Of entries with one name and one identity one counts, in any order the same (C4)."""
    same: dict[tuple[str, Kind, str], list[_Entry]] = {}
    skipped: list[ItemProblem] = []
    for result in findings:
        match result:
            case _Entry():
                same.setdefault((result.entry.name, *result.entry.identity.key), []).append(result)
            case _Missing():
                skipped.append(result.problem)
            case _:
                skipped.append(result)
    entries: list[CatalogEntry] = []
    for several in same.values():
        entry = several[0].entry if len(several) == 1 else _newest(several)
        entries.append(entry)
        if len(several) > 1:
            identity = entry.identity
            reason = reason_of(f"stands {len(several)} times with {identity.raw}; one of them counts")
            skipped.append(ItemProblem(name=entry.name, reason=reason, kind=identity.kind, identity=identity))
    complete = not any(isinstance(result, _Missing) for result in findings)
    return Catalog(source=source, entries=tuple(entries), skipped=tuple(skipped), complete=complete)


def _newest(several: Sequence[_Entry]) -> CatalogEntry:
    newest = max(result.updated_at for result in several)
    candidates = [result.entry for result in several if result.updated_at == newest]
    return min(candidates, key=lambda entry: entry.model_dump_json())
