"""One custom resource of ToolHive's operator made an :class:`ObservedWorkload`. Pure.

Of a resource only the fields named here are read: environment, headers and references to secrets never leave this
module, as they never enter it (S7). Both versions of the API are understood at once: where they spell a field
differently, either spelling counts.
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from mcp_optimizer.domain.models import Identity, Kind, ObservedWorkload
from mcp_optimizer.domain.status_text import without_age
from mcp_optimizer.sources.json_values import kind_of, list_of, object_of, reason_of, text_of
from mcp_optimizer.sources.registry.place_names import identity_or_reason
from mcp_optimizer.sources.toolhive.workload_items import endpoint_of

API_GROUP: Final = "toolhive.stacklok.dev"

_STATUSES: Final = {
    "Ready": "running",
    "Running": "running",
    "Valid": "running",
    "Degraded": "running",
    "Pending": "starting",
    "Failed": "error",
    "Terminating": "removing",
    "Stopped": "stopped",
}
"""Phases in the words that ToolHive's API has for a status; any other is stored as given (L8)."""
_UNREMARKABLE: Final = frozenset({"Ready", "Running", "Valid"})
_HTTP_TRANSPORTS: Final = frozenset({"sse", "streamable-http"})
_DEFAULT_PROXY_PORT: Final = 8080
_VIRTUAL_PORT: Final = 4483
_MAX_PORT: Final = 65535
_DNS_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")


class ResourceKind(StrEnum):
    """The kinds that are workloads. Where two of one namespace share a name, the kind that comes first here has it."""

    SERVER = "MCPServer"
    REMOTE_PROXY = "MCPRemoteProxy"
    ENTRY = "MCPServerEntry"
    VIRTUAL = "VirtualMCPServer"

    @property
    def plural(self) -> str:
        """What the API server calls a list of them, in paths and permissions."""
        return _PLURALS[self]


_PLURALS: Final = {
    ResourceKind.SERVER: "mcpservers",
    ResourceKind.REMOTE_PROXY: "mcpremoteproxies",
    ResourceKind.ENTRY: "mcpserverentries",
    ResourceKind.VIRTUAL: "virtualmcpservers",
}


def resource_key(resource: object, *, namespace: str) -> str:
    """``NAMESPACE/NAME``; empty when it lacks one of them. ``namespace`` is the one that was listed, if it was one."""
    metadata = object_of(object_of(resource).get("metadata"))
    name = text_of(metadata.get("name"))
    place = text_of(metadata.get("namespace")) or namespace
    return f"{place}/{name}" if place and name else ""


def observed_resource(resource: Mapping[str, Any], kind: ResourceKind, *, key: str, name: str) -> ObservedWorkload:
    """The workload ``name`` that a resource describes. ``key`` is its :func:`resource_key`.

    A :class:`ResourceKind.SERVER` is its image, a proxy and an entry the remote URL, a virtual server, which has
    neither, the address of its own service (I1). Fields of the wrong type read as absent.
    """
    spec = object_of(resource.get("spec"))
    status = object_of(resource.get("status"))
    address = _address(spec, status, kind, key)
    identity, problem = _identity(spec, kind, address)
    transport, proxy_mode = _transports(spec, kind)
    phase = text_of(status.get("phase"))
    leaving = bool(object_of(resource.get("metadata")).get("deletionTimestamp"))
    return ObservedWorkload(
        name=name,
        identity=identity,
        identity_problem=problem,
        unidentified_kind=Kind.CONTAINER if kind is ResourceKind.SERVER else Kind.REMOTE,
        endpoint=endpoint_of(_with_path(address, _path(spec, kind, proxy_mode))),
        transport=transport,
        proxy_mode=proxy_mode,
        status="removing" if leaving else _STATUSES.get(phase, phase) or "unknown",
        status_reason=None if phase in _UNREMARKABLE and not leaving else _reason(status),
        group=_group(spec),
        virtual_mcp=kind is ResourceKind.VIRTUAL,
    )


def _identity(spec: Mapping[str, Any], kind: ResourceKind, address: str) -> tuple[Identity | None, str | None]:
    """The identity, or why there is none."""
    if kind is ResourceKind.SERVER:
        given, of, what = spec.get("image"), Kind.CONTAINER, "image"
    elif kind is ResourceKind.VIRTUAL:
        given, of, what = address, Kind.REMOTE, "address"
    else:
        given, of, what = _remote_url(spec), Kind.REMOTE, "remote URL"
    raw = text_of(given)
    if not raw:
        absent = given is None or isinstance(given, str)
        return None, f"no {what} is named" if absent else f"the {what} is {kind_of(given)}, not a text"
    return identity_or_reason(of, raw)


def _remote_url(spec: Mapping[str, Any]) -> object:
    return spec.get("remoteUrl") or spec.get("remoteURL")


def _address(spec: Mapping[str, Any], status: Mapping[str, Any], kind: ResourceKind, key: str) -> str:
    """Where it is reached: as its status says, else at the service that the operator makes for it."""
    if kind is ResourceKind.ENTRY:
        return text_of(_remote_url(spec))
    text = text_of(status.get("url"))
    namespace, _, name = key.partition("/")
    if text or not (_DNS_NAME.fullmatch(namespace) and _DNS_NAME.fullmatch(name)):
        return text
    service, port = {
        ResourceKind.SERVER: (f"mcp-{name}-proxy", _port(spec)),
        ResourceKind.REMOTE_PROXY: (f"mcp-{name}-remote-proxy", _port(spec)),
        ResourceKind.VIRTUAL: (f"vmcp-{name}", _VIRTUAL_PORT),
    }[kind]
    return f"http://{service}.{namespace}.svc.cluster.local:{port}"


def _port(spec: Mapping[str, Any]) -> int:
    """The port of the proxy; older resources call it ``port``."""
    for given in (spec.get("proxyPort"), spec.get("port")):
        if isinstance(given, int) and not isinstance(given, bool) and 1 <= given <= _MAX_PORT:
            return given
    return _DEFAULT_PROXY_PORT


def _path(spec: Mapping[str, Any], kind: ResourceKind, proxy_mode: str) -> str:
    """The path to add to an address that has none: a proxy keeps that of the remote server."""
    if kind is ResourceKind.ENTRY:
        return ""
    if kind is ResourceKind.REMOTE_PROXY:
        try:
            return urlsplit(text_of(_remote_url(spec))).path
        except ValueError:
            return ""
    return "/sse" if proxy_mode == "sse" else "/mcp"


def _with_path(address: str, path: str) -> str:
    try:
        parts = urlsplit(address)
    except ValueError:
        return ""
    return address if parts.path.strip("/") or not path else urlunsplit(parts._replace(path=path))


def _transports(spec: Mapping[str, Any], kind: ResourceKind) -> tuple[str, str]:
    """The transport of the server, and the one that its proxy speaks.

    The API server fills in a ``proxyMode`` for every server, but it means something for stdio alone.
    """
    if kind is ResourceKind.VIRTUAL:
        return "streamable-http", "streamable-http"
    transport = text_of(spec.get("transport")) or ("stdio" if kind is ResourceKind.SERVER else "streamable-http")
    if transport in _HTTP_TRANSPORTS:
        return transport, transport
    return transport, text_of(spec.get("proxyMode"))


def _group(spec: Mapping[str, Any]) -> str:
    """The group's name: versions have given it as a text or as an object, and a virtual server's in its ``config``."""
    for holder in (spec, object_of(spec.get("config"))):
        for field in ("groupRef", "group"):
            given = holder.get(field)
            name = text_of(given) or text_of(object_of(given).get("name"))
            if name:
                return name
    return ""


def _reason(status: Mapping[str, Any]) -> str | None:
    """Why it is not as it should be: the message of its status, else of the first condition that does not hold."""
    failing = (item for item in map(object_of, list_of(status.get("conditions"))) if item.get("status") == "False")
    text = (text_of(item.get("message")) or text_of(item.get("reason")) for item in failing)
    message = text_of(status.get("message")) or next(filter(None, text), "")
    message = without_age(message)
    return reason_of(message) if message else None
