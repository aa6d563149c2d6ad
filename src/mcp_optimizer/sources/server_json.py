"""One server.json of the upstream format, made catalog entries: one for each OCI package and each remote. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from mcp_optimizer.domain.identity import IdentityError, identity_of
from mcp_optimizer.domain.models import CatalogEntry, ItemProblem, Kind
from mcp_optimizer.sources.json_values import kind_of, list_of, object_of, reason_of, text_of, texts_of
from mcp_optimizer.sources.tool_definitions import tool_definitions

_OFFICIAL: Final = "io.modelcontextprotocol.registry/official"
_PUBLISHER: Final = "io.modelcontextprotocol.registry/publisher-provided"
_TOOLHIVE: Final = "io.github.stacklok"
_IMAGE_TYPES: Final = frozenset({"oci", "docker"})


def server_entries(item: object, *, unnamed: str) -> Iterator[CatalogEntry | ItemProblem]:
    """The entries of one item of a server list, or why there are none (C5).

    ``item`` is a server.json, or ``{"server": server.json, "_meta": …}`` as the official registry's API gives it. Of
    what that API lists, versions that are not the latest or were deleted are no entries. ``unnamed`` stands for the
    name where there is none.
    """
    if not isinstance(item, Mapping):
        yield ItemProblem(name=unnamed, reason=f"expected a server object, got {kind_of(item)}")
        return
    wrapped = item.get("server")
    server = wrapped if isinstance(wrapped, Mapping) else item
    if not (_is_current(item) and _is_current(server)):
        return
    name = text_of(server.get("name"))
    if not name:
        yield ItemProblem(name=unnamed, reason="the entry has no name")
        return
    found = list(_places(server))
    for place in found:
        yield _entry(server, name, place)
    if not found:
        yield ItemProblem(name=name, reason=_why_nothing(server))
    for place, value in enumerate([*list_of(server.get("packages")), *list_of(server.get("remotes"))]):
        if not isinstance(value, Mapping) and found:
            yield ItemProblem(name=name, reason=f"package or remote {place + 1} is {kind_of(value)}, not an object")


def _is_current(holder: Mapping[str, Any]) -> bool:
    official = object_of(object_of(holder.get("_meta")).get(_OFFICIAL))
    return official.get("isLatest") is not False and official.get("status") != "deleted"


class _Place(NamedTuple):
    """Where a server can be had. ``key`` is what ToolHive files its extras under."""

    kind: Kind
    raw: str
    key: str
    transport: str


def _places(server: Mapping[str, Any]) -> Iterator[_Place]:
    """Every package that is an image, and every remote."""
    for package in map(object_of, list_of(server.get("packages"))):
        if _package_type(package) in _IMAGE_TYPES:
            transport = text_of(object_of(package.get("transport")).get("type"))
            yield _Place(Kind.CONTAINER, _image(package), text_of(package.get("identifier")), transport)
    for remote in map(object_of, list_of(server.get("remotes"))):
        if remote:
            url = text_of(remote.get("url"))
            yield _Place(Kind.REMOTE, url, url, text_of(remote.get("type")))


def _package_type(package: Mapping[str, Any]) -> str:
    return text_of(package.get("registryType") or package.get("registry_type")).lower()


def _image(package: Mapping[str, Any]) -> str:
    """The image reference. Older server.json files give registry and tag apart from the identifier."""
    image = text_of(package.get("identifier"))
    if not image:
        return ""
    host = text_of(package.get("registryBaseUrl")).rpartition("://")[2].strip("/")
    if host and host != "docker.io" and "." not in image.partition("/")[0]:
        image = f"{host}/{image}"
    version = text_of(package.get("version"))
    has_tag = "@" in image or ":" in image.rpartition("/")[2]
    return image if has_tag or not version else f"{image}:{version}"


def _entry(server: Mapping[str, Any], name: str, place: _Place) -> CatalogEntry | ItemProblem:
    if not place.raw:
        what = "a remote has no URL" if place.kind is Kind.REMOTE else "a package has no image"
        return ItemProblem(name=name, reason=what)
    try:
        identity = identity_of(place.kind, place.raw)
    except IdentityError as error:
        return ItemProblem(name=name, reason=reason_of(error))
    extras = _extras(server, place.key)
    return CatalogEntry(
        name=name,
        identity=identity,
        transport=place.transport or text_of(extras.get("transport")),
        description=text_of(server.get("description")),
        title=text_of(server.get("title")),
        tags=texts_of(extras.get("tags")),
        tier=text_of(extras.get("tier")),
        repository=text_of(object_of(server.get("repository")).get("url")),
        tools=tool_definitions(extras.get("tool_definitions"), extras.get("tools")),
    )


def _extras(server: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """What ToolHive adds for one package or remote."""
    by_identifier = object_of(object_of(object_of(server.get("_meta")).get(_PUBLISHER)).get(_TOOLHIVE))
    return object_of(by_identifier.get(key))


def _why_nothing(server: Mapping[str, Any]) -> str:
    types = sorted({_package_type(object_of(package)) or "no type" for package in list_of(server.get("packages"))})
    if types:
        return reason_of(f"no image and no URL: packages of type {', '.join(types)} can't be run as containers")
    return "no image and no URL"
