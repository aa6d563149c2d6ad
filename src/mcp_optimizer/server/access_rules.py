"""From where the server may be asked, and where it may be bound: decided here, held by the guard. Pure."""

import ipaddress
import re
from collections.abc import Sequence
from typing import Final, NamedTuple
from urllib.parse import urlsplit

LOOPBACK_HOSTS: Final = ("127.0.0.1", "localhost", "[::1]")
"""Hosts that always may be asked for: a page of another site can't send these, and whoever probes the server does."""

_HOST: Final = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::([0-9]{0,5}))?", re.ASCII)
_MAX_PORT: Final = 65535
_CORS_HEADERS: Final = frozenset({"accept", "authorization", "content-type", "last-event-id", "x-request-id"})
"""Headers that a page may send, beside those of MCP itself."""
_MCP_HEADER: Final = re.compile(r"mcp-[a-z0-9-]{1,60}")
_CORS_MAX_AGE_SECONDS: Final = 600


class HostPort(NamedTuple):
    """A host and the port, which may be missing. The name of an IPv6 address has its brackets."""

    name: str
    port: str


def is_loopback(host: str) -> bool:
    """Whether an address to bind to is reached from this machine only."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def bind_refusal(host: str, *, has_token: bool, allowed_hosts: Sequence[str]) -> str | None:
    """Why the server is not bound to ``host``; None when it may be. Beyond loopback both protections are needed."""
    if is_loopback(host):
        return None
    missing = [
        *([] if has_token else ["a token (mcp_token or mcp_tokens)"]),
        *([] if allowed_hosts else ["the names it is reached by (allowed_hosts)"]),
    ]
    if not missing:
        return None
    return f"{host} is not a loopback address: others could call every tool; that needs {' and '.join(missing)}"


def parse_host(host: str) -> HostPort | None:
    """The parts of a Host header; None where it is not a host and a port, as RFC 3986 has them, and nothing else."""
    parts = _HOST.fullmatch(host.lower())
    if parts is None or int(parts[2] or 0) > _MAX_PORT:
        return None
    if parts[1].startswith("["):
        try:
            ipaddress.IPv6Address(parts[1][1:-1])
        except ValueError:
            return None
    return HostPort(parts[1], parts[2] or "")


def host_allowed(host: str | None, allowed: Sequence[str]) -> bool:
    """Whether a Host header names this server: loopback on any port, or one of ``allowed`` (``name`` or ``name:port``).

    A page that has its own name resolve to this machine sends its own name here, and is refused.
    """
    request = parse_host(host or "")
    if request is None:
        return False
    return request.name in LOOPBACK_HOSTS or any(
        known is not None and known.name == request.name and known.port in {"", request.port}
        for known in map(parse_host, allowed)
    )


def origin_allowed(origin: str | None, hosts: Sequence[str], origins: Sequence[str]) -> bool:
    """Whether an Origin header is of a page that may ask: none at all, one of ``origins``, or of an allowed host."""
    if origin is None or is_listed_origin(origin, origins):
        return True
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    whole = origin.lower() == f"{parts.scheme}://{parts.netloc}".lower()
    return whole and parts.scheme in {"http", "https"} and host_allowed(parts.netloc, hosts)


def is_listed_origin(origin: str | None, origins: Sequence[str]) -> bool:
    """Whether an Origin is one of those that pages may read answers from."""
    return origin is not None and any(origin.lower() == one.lower().rstrip("/") for one in origins)


def preflight_headers(requested: str) -> dict[str, str]:
    """What a page's browser is told that it may send. ``requested``: the headers that it asks for."""
    request = {name.strip().lower() for name in requested.split(",")}
    allowed = sorted(name for name in request if name in _CORS_HEADERS or _MCP_HEADER.fullmatch(name))
    return {
        "access-control-allow-methods": "GET, POST, DELETE",
        "access-control-allow-headers": ", ".join(allowed or sorted(_CORS_HEADERS)),
        "access-control-max-age": str(_CORS_MAX_AGE_SECONDS),
    }


def cors_headers(origin: str) -> dict[str, str]:
    """What lets a page of a listed origin read an answer, an error too."""
    return {
        "access-control-allow-origin": origin,
        "access-control-expose-headers": "Mcp-Session-Id, Mcp-Protocol-Version, WWW-Authenticate, X-Request-Id",
    }
