"""One server.json, in every version of its schema, made catalog entries: one for each image and each remote. Pure.

Versions differ in the spelling of names (snake_case until 2025-09-16), in where a package says its registry and name
(``registry_name`` and ``name`` in the seed of May 2025), and in whether an image's registry and tag stand apart from
its name (until 2025-10-11).
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from mcp_optimizer.domain.models import CatalogEntry, IdentityKey, ItemProblem, Kind
from mcp_optimizer.sources.json_values import (
    first_text,
    kind_of,
    list_of,
    object_of,
    reason_of,
    text_of,
    texts_of,
    wrong_types,
)
from mcp_optimizer.sources.registry.image_names import image_name
from mcp_optimizer.sources.registry.place_names import identity_or_problem
from mcp_optimizer.sources.registry.server_versions import ServerRecord, is_no_entry, status_of
from mcp_optimizer.sources.tool_definitions import tool_definitions

_PUBLISHER: Final = "io.modelcontextprotocol.registry/publisher-provided"
_TOOLHIVE: Final = "io.github.stacklok"
_IMAGE_TYPES: Final = frozenset({"oci", "docker", "docker-hub", "dockerhub", "ghcr", "container", "image"})
_TYPES: Final = _IMAGE_TYPES | {"npm", "pypi", "nuget", "mcpb", "dxt", "cargo", "crates", "gem", "go", "maven", "brew"}
_STREAMABLE: Final = frozenset({"streamable", "streamable_http", "streamablehttp", "http"})
_CONTAINER_RUNTIMES: Final = frozenset({"docker", "podman", "nerdctl"})


def server_entries(record: ServerRecord) -> Iterator[CatalogEntry | ItemProblem]:
    """The entries of one server.json, or why there are none (C5).

    Of places with one identity the first given counts, so its transport does.
    """
    server, name = record.server, record.name
    yield from wrong_types(name, server, texts=("description", "title"), lists=("packages", "remotes"))
    places = list(_places(server))
    seen: set[IdentityKey] = set()
    for place in places:
        result = _entry(record, place)
        if isinstance(result, ItemProblem):
            yield result
        elif result is not None and result.identity.key not in seen:
            seen.add(result.identity.key)
            yield result
    if not places:
        yield ItemProblem(name=name, reason=_why_nothing(server))
    for section, kind in (("packages", None), ("remotes", Kind.REMOTE)):
        for number, value in enumerate(list_of(server.get(section)), 1):
            if not isinstance(value, Mapping):
                reason = f"{section[:-1]} {number} is {kind_of(value)}, not an object"
                yield ItemProblem(name=name, reason=reason, kind=kind)


def transport_name(given: str) -> str:
    """A transport as the present schema spells it."""
    return "streamable-http" if given.lower() in _STREAMABLE else given


class _Place(NamedTuple):
    """Where a server is available. ``key`` is what ToolHive files its extras under."""

    kind: Kind
    raw: str
    key: str
    transport: str


def _places(server: Mapping[str, Any]) -> Iterator[_Place]:
    """Every package that is an image, and every remote."""
    for package in map(object_of, list_of(server.get("packages"))):
        if _is_image(package):
            identifier = first_text(package, "identifier", "name")
            raw = image_name(
                identifier,
                base_url=first_text(package, "registryBaseUrl", "registry_base_url"),
                version=text_of(package.get("version")),
            )
            yield _Place(Kind.CONTAINER, raw, identifier, _transport(package))
    for remote in list_of(server.get("remotes")):
        if isinstance(remote, Mapping):
            url = text_of(remote.get("url"))
            yield _Place(Kind.REMOTE, url, url, text_of(remote.get("type")) or _transport(remote))


def _transport(holder: Mapping[str, Any]) -> str:
    transport = holder.get("transport")
    return text_of(object_of(transport).get("type")) or first_text(holder, "transport", "transport_type")


def _is_image(package: Mapping[str, Any]) -> bool:
    package_type = _package_type(package)
    if package_type in _TYPES:
        return package_type in _IMAGE_TYPES
    return first_text(package, "runtimeHint", "runtime_hint").lower() in _CONTAINER_RUNTIMES


def _package_type(package: Mapping[str, Any]) -> str:
    """Where the package comes from. The seed files have the package's own name where its registry should stand."""
    fields = ("registryType", "registry_type", "registry", "registry_name", "registryName")
    given = [text for field in fields if (text := text_of(package.get(field)).lower())]
    return next((text for text in given if text in _TYPES), given[0] if given else "")


def _entry(record: ServerRecord, place: _Place) -> CatalogEntry | ItemProblem | None:
    """The entry; None where ToolHive's extras say that it is none any more."""
    server, name = record.server, record.name
    if not place.raw:
        what = "a remote has no URL" if place.kind is Kind.REMOTE else "a package has no image"
        return ItemProblem(name=name, reason=what, kind=place.kind)
    identity = identity_or_problem(name, place.kind, place.raw)
    if isinstance(identity, ItemProblem):
        return identity
    extras = _extras(server, (place.key, place.raw))
    status = status_of(extras)
    if is_no_entry(status):
        return None
    return CatalogEntry(
        name=name,
        identity=identity,
        transport=transport_name(place.transport or text_of(extras.get("transport"))),
        description=text_of(server.get("description")),
        title=text_of(server.get("title")),
        tags=texts_of(extras.get("tags")),
        tier=text_of(extras.get("tier")),
        repository=text_of(object_of(server.get("repository")).get("url")) or text_of(server.get("repository")),
        status=record.status or status,
        tools=tool_definitions(extras.get("tool_definitions"), extras.get("tools")),
    )


def _extras(server: Mapping[str, Any], keys: tuple[str, ...]) -> Mapping[str, Any]:
    """What ToolHive adds for one package or remote."""
    by_identifier = object_of(object_of(object_of(server.get("_meta")).get(_PUBLISHER)).get(_TOOLHIVE))
    return next((object_of(by_identifier[key]) for key in keys if key in by_identifier), {})


def _why_nothing(server: Mapping[str, Any]) -> str:
    types = sorted({_package_type(object_of(package)) or "no type" for package in list_of(server.get("packages"))})
    if types:
        return reason_of(f"no image and no URL: packages of type {', '.join(types)} can't be run as containers")
    return "no image and no URL"
