"""Who may ask the server, and where it may be bound: decided here, held by the guard. Pure."""

import hmac
import ipaddress
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

LOOPBACK_HOSTS: Final = ("127.0.0.1", "localhost", "[::1]")
"""Hosts that always may be asked for: a page of another site can't send these, and whoever probes the server does."""


def is_loopback(host: str) -> bool:
    """Whether an address to bind to is reached from this machine only."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def why_not_bound(host: str, *, token: str | None, allowed_hosts: Sequence[str]) -> str | None:
    """Why the server is not bound to ``host``; None when it may be. Beyond loopback both protections are needed."""
    if is_loopback(host):
        return None
    missing = [
        *(["a token (mcp_token)"] if not (token or "").strip() else []),
        *(["the names it is reached by (allowed_hosts)"] if not allowed_hosts else []),
    ]
    if not missing:
        return None
    return f"{host} is not a loopback address: others could call every tool; that needs {' and '.join(missing)}"


def host_allowed(host: str | None, allowed: Sequence[str]) -> bool:
    """Whether a Host header names this server: loopback on any port, or one of ``allowed`` (``name`` or ``name:port``).

    A page that has its own name resolve to this machine sends its own name here, and is refused.
    """
    if not host:
        return False
    name, port = _parted(host.lower())
    return name in LOOPBACK_HOSTS or any((name, port) == _parted(one.lower(), port) for one in allowed)


def origin_allowed(origin: str | None, hosts: Sequence[str], origins: Sequence[str]) -> bool:
    """Whether an Origin header is of a page that may ask: none at all, one of ``origins``, or of an allowed host."""
    if origin is None:
        return True
    if any(origin.lower() == one.lower().rstrip("/") for one in origins):
        return True
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and host_allowed(parts.netloc, hosts)


def token_matches(authorization: str | None, token: str) -> bool:
    """Whether an Authorization header carries the token. Takes as long for a wrong one as for the right one."""
    scheme, _, given = (authorization or "").partition(" ")
    same = hmac.compare_digest(given.strip().encode("utf-8", "surrogatepass"), token.encode())
    return same and scheme.lower() == "bearer"


def _parted(host: str, port: str = "") -> tuple[str, str]:
    """A host's name and port, ``port`` where none is given. The name of an IPv6 address has its brackets."""
    if host.startswith("["):
        name, bracket, rest = host.partition("]")
        return name + bracket, rest.removeprefix(":") or port
    name, _, given = host.partition(":")
    return name, given or port
