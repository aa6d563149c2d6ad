"""Where in a document its entries are: sections, and the parts in them, in every format at hand. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from mcp_optimizer.domain.models import Kind
from mcp_optimizer.errors import SourceError
from mcp_optimizer.sources.json_values import kind_of, label_of, list_of, members, object_of, text_of

_EXPECTED: Final = (
    "expected an object with `servers`, `remote_servers` or `groups` (ToolHive), with a list `servers` or "
    "`data.servers` (MCP registry), with a map `registry` (Docker), or a single server.json"
)
_MAPS: Final = (("servers", Kind.CONTAINER), ("remote_servers", Kind.REMOTE))
_TOOLHIVE_ANSWER: Final = ("server_count", "source", "type", "last_updated")
_SECTIONS: Final = ("servers", "remote_servers", "groups")
_SINGLE: Final = ("packages", "remotes", "image", "url", "remote", "about", "version", "version_detail", "websiteUrl")
"""What a document that has a name has too when it is one server."""


class Part(NamedTuple):
    """One item of a section. ``kind`` None: the item itself tells. ``name`` is empty where it is in the item."""

    value: object
    where: str
    name: str = ""
    kind: Kind | None = None
    group: str = ""
    docker: bool = False


class Section(NamedTuple):
    """The parts of one list or map, or why it could not be read."""

    where: str
    kind: Kind | None = None
    parts: Sequence[Part] = ()
    problem: str = ""


@dataclass(frozen=True)
class Parts:
    """The sections of a document, and the objects around them, which may say that there is more."""

    sections: Sequence[Section]
    wrappers: Sequence[Mapping[str, Any]] = ()

    @property
    def held(self) -> int:
        """How many items there are."""
        return sum(len(section.parts) for section in self.sections)

    def missing_containers(self) -> str:
        """What ToolHive's ``server_count`` says of missing ones: it counts the containers, or all."""
        counts = [count for wrapper in self.wrappers if isinstance(count := wrapper.get("server_count"), int)]
        containers = sum(part.kind is not Kind.REMOTE for section in self.sections for part in section.parts)
        if not counts or counts[0] <= containers or counts[0] == self.held:
            return ""
        return f"it says {counts[0]:,} servers (`server_count`) and holds {containers:,}"


def parts_of(document: object) -> Parts:
    """The parts of a document. Raises :class:`SourceError` when it is no catalog."""
    if isinstance(document, list) and any(isinstance(item, Mapping) for item in document):
        return Parts([_section(document, where="servers", kind=None)])
    if not isinstance(document, Mapping):
        raise SourceError(f"not a catalog: {_EXPECTED}, got {kind_of(document)}")
    if isinstance(document.get("server"), Mapping) and not _has_sections(document):
        return Parts([Section("server", parts=[Part(document, "server")])])
    for wrapper in ("registry", "data", "catalog"):
        inner = document.get(wrapper)
        if _has_sections(document) or not isinstance(inner, Mapping | list):
            continue
        if isinstance(inner, list) or (isinstance(inner, Mapping) and _has_sections(inner)):
            result = parts_of(inner)
            return Parts(result.sections, (document, *result.wrappers))
        if wrapper == "registry" and _is_docker(inner, document):
            return Parts([_section(inner, where=wrapper, kind=None, docker=True)], (document,))
    if not _has_sections(document):
        if text_of(document.get("name")) and any(field in document for field in _SINGLE):
            return Parts([Section("server", parts=[Part(document, "the server")])])
        keys = ", ".join(label_of(str(key)) for key in list(document)[:5]) or "nothing"
        raise SourceError(f"not a catalog: {_EXPECTED}, got an object with {keys}")
    if not any(isinstance(document[name], Mapping | list | None) for name in _SECTIONS if name in document):
        raise SourceError(f"not a catalog: {_EXPECTED}, got {kind_of(document.get('servers'))} as `servers`")
    return Parts(list(_sections(document)), (document,))


def listed_items(document: object) -> list[Any] | None:
    """The items of a document that is a list of servers, whatever is around it; None where it is none."""
    while isinstance(document, Mapping):
        if "servers" in document:
            document = document["servers"]
            return [] if document is None else document if isinstance(document, list) else None
        document = next((document[name] for name in ("registry", "data") if document.get(name) is not None), None)
    return document if isinstance(document, list) else None


def _has_sections(holder: Mapping[str, Any]) -> bool:
    return any(section in holder for section in _SECTIONS)


def _is_docker(registry: Mapping[str, Any], document: Mapping[str, Any]) -> bool:
    """Whether a map ``registry`` holds servers, or is the empty one of a catalog that has a name."""
    if not registry:
        return bool(text_of(document.get("name"))) and not any(key in document for key in _TOOLHIVE_ANSWER)
    return any(isinstance(entry, Mapping) for entry in registry.values())


def _sections(document: Mapping[str, Any]) -> Iterator[Section]:
    yield from _maps(document, group="")
    groups = document.get("groups")
    if groups is None:
        return
    if isinstance(groups, Mapping):
        groups = [{"name": name, **object_of(group)} for name, group in members(groups) if isinstance(group, Mapping)]
        if len(groups) != len(object_of(document["groups"])):
            groups = None
    if not isinstance(groups, list):
        yield Section("groups", problem=f"expected a list of groups, got {kind_of(document['groups'])}")
    for place, group in enumerate(list_of(groups)):
        name = text_of(object_of(group).get("name"))
        where = name or f"groups[{place}]"
        if isinstance(group, Mapping):
            yield from _maps(group, group=name, where=f"{where}: ")
        else:
            yield Section(where, problem=f"expected a group, got {kind_of(group)}")


def _maps(holder: Mapping[str, Any], *, group: str, where: str = "") -> Iterator[Section]:
    for name, kind in _MAPS:
        if holder.get(name) is not None:
            yield _section(holder[name], where=f"{where}{name}", kind=kind, group=group)


def _section(value: object, *, where: str, kind: Kind | None, group: str = "", docker: bool = False) -> Section:
    """The parts of a list or a map of servers by name. In a list called ``servers`` the items tell their kind."""
    if isinstance(value, list):
        of = None if kind is Kind.CONTAINER else kind
        parts = [Part(item, f"{where}[{place}]", kind=of, group=group) for place, item in enumerate(value)]
        return Section(where, of, parts)
    if isinstance(value, Mapping):
        parts = [Part(item, "(no name)", text_of(name), kind, group, docker) for name, item in members(value)]
        return Section(where, kind, parts)
    return Section(where, kind, problem=f"expected an object or a list of servers, got {kind_of(value)}")
