"""Identity of servers (I1-I3): canonical forms of URLs and image references.

URLs follow RFC 3986 sections 6.2.2 and 6.2.3 (syntax- and scheme-based normalisation that can't change the meaning);
image references follow the grammar of the OCI distribution project with Docker's defaults for what is left out.
"""

import ipaddress
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlsplit

from mcp_optimizer.domain.models import Identity, Kind

_MAX_LENGTH: Final = 2048
_MAX_REPOSITORY: Final = 255
_MAX_PORT: Final = 65535
_DEFAULT_PORTS: Final = {"http": 80, "https": 443, "ws": 80, "wss": 443}
_UNRESERVED: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_PERCENT: Final = re.compile(r"%([0-9A-Fa-f]{2})")
_BAD_PERCENT: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_ASCII: Final = "".join(map(chr, range(0x21, 0x7F)))
_HOST: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?\.?")
_NETLOC: Final = re.compile(r"(?P<host>\[[^\[\]]*\]|[^:\[\]]*)(?::(?P<port>[0-9]*))?")
_ZONE: Final = re.compile(r"%25[a-z0-9._~-]+")

_COMPONENT: Final = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_PATH: Final = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_DIGEST: Final = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[+._-][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}")
_REGISTRY: Final = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*"
    r"|\[(?P<address>[0-9A-Fa-f:.]+)\])(?::(?P<port>[0-9]{1,5}))?"
)
_IMAGE_ID: Final = re.compile(
    r"sha(?:256:[0-9a-f]{12,64}|512:[0-9a-f]{12,128})|[0-9a-f]{64}|[0-9a-f]{12}", re.IGNORECASE
)
"""A digest or the start of one, alone or after its algorithm. Container engines show the first 12 digits of an id."""
DOCKER_HUB: Final = "docker.io"
_DOCKER_HUB_NAMES: Final = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io"})


class IdentityError(ValueError):
    """The text is no URL or image reference; the message says why (I3)."""


@dataclass(frozen=True)
class UrlParts:
    """A canonical URL in parts. ``host`` is lower case, IPv6 in brackets; ``port`` None when it is the scheme's own.

    ``userinfo`` is a credential, and stored as a keyed hash only (S7).
    """

    scheme: str
    host: str
    port: int | None
    path: str
    query: str | None
    userinfo: str | None = None

    def __str__(self) -> str:
        user = "" if self.userinfo is None else f"{self.userinfo}@"
        port = "" if self.port is None else f":{self.port}"
        query = "" if self.query is None else f"?{self.query}"
        return f"{self.scheme}://{user}{self.host}{port}{self.path}{query}"


@dataclass(frozen=True)
class ImageParts:
    """A canonical image reference in parts. At least one of ``tag`` and ``digest`` is set."""

    registry: str
    repository: str
    tag: str | None
    digest: str | None

    @property
    def full_repository(self) -> str:
        """Registry and repository: what stays the same from tag to tag."""
        return f"{self.registry}/{self.repository}"

    def __str__(self) -> str:
        tag = "" if self.tag is None else f":{self.tag}"
        digest = "" if self.digest is None else f"@{self.digest}"
        return f"{self.full_repository}{tag}{digest}"


def remote_identity(url: str) -> Identity:
    """The identity of a remote server: the whole URL, but for its fragment. Raises :class:`IdentityError`.

    A credential in it is part of it. Before it is stored, :mod:`.sealing` puts a keyed hash in its place (S7).
    """
    raw = url.strip().partition("#")[0]
    return Identity(kind=Kind.REMOTE, canonical=str(parse_url(raw)), raw=raw)


def container_identity(image: str) -> Identity:
    """The identity of a container server. Raises :class:`IdentityError`."""
    return Identity(kind=Kind.CONTAINER, canonical=str(parse_image(image)), raw=image.strip())


def identity_of(kind: Kind, raw: str) -> Identity:
    """The identity of a server of ``kind``. Raises :class:`IdentityError`."""
    return remote_identity(raw) if kind is Kind.REMOTE else container_identity(raw)


def parse_url(url: str) -> UrlParts:
    """``url`` in canonical parts: scheme, host and percent-encoding case, default port (I2). Raises IdentityError.

    Path, trailing slash, query and userinfo are kept as they are. An empty path is ``/`` (RFC 3986 6.2.3); a fragment
    is never sent to a server and so is no part of the identity.
    """
    text = _checked(url, "URL")
    try:
        parts = urlsplit(text)
    except ValueError:  # its message may quote a password
        raise IdentityError("not a URL: bad host name") from None
    scheme = parts.scheme.lower()
    if scheme not in _DEFAULT_PORTS:
        raise IdentityError("not a URL with scheme http or https")
    userinfo, _, place = parts.netloc.rpartition("@")
    host, port = _host_and_port(place)
    if _BAD_PERCENT.search(f"{userinfo}{parts.path}?{parts.query}"):
        raise IdentityError("URL holds a % that is not followed by two hexadecimal digits")
    result = UrlParts(
        scheme=scheme,
        host=host,
        port=None if port == _DEFAULT_PORTS[scheme] else port,
        path=_without_dots(normal_percent(parts.path)) or "/",
        query=normal_percent(parts.query) if "?" in text.partition("#")[0] else None,
        userinfo=normal_percent(userinfo) or None,
    )
    _check_length(str(result), "URL")
    return result


def parse_image(image: str) -> ImageParts:
    """``image`` in canonical parts, with Docker's defaults for registry, namespace and tag (I2). Raises IdentityError.

    ``localhost:5000/img``, ``img@sha256:…``, ``img:tag@sha256:…`` and ``[::1]:5000/img`` are understood (I3).
    """
    text = _checked(image, "image reference")
    if is_image_id(text):
        raise IdentityError(f"{text} is an image id, not an image reference: it does not say which image it is of")
    rest, at, digest = text.partition("@")
    if at and not _DIGEST.fullmatch(digest):
        raise IdentityError(f"not an image reference: bad digest {digest!r}")
    rest, tag = _split_tag(rest)
    if tag is not None and not _TAG.fullmatch(tag):
        raise IdentityError(f"not an image reference: bad tag {tag!r}")
    registry, repository = _split_registry(rest)
    registry = _normal_registry(registry)
    if not _PATH.fullmatch(repository):
        why = (
            "upper case in the repository" if _PATH.fullmatch(repository.lower()) else f"bad repository {repository!r}"
        )
        raise IdentityError(f"not an image reference: {why}")
    if len(registry) + 1 + len(repository) > _MAX_REPOSITORY:
        raise IdentityError(f"not an image reference: registry and repository of over {_MAX_REPOSITORY} characters")
    if tag is None and not at:
        tag = "latest"
    result = ImageParts(registry=registry, repository=repository, tag=tag, digest=digest.lower() if at else None)
    _check_length(str(result), "image reference")
    return result


def is_image_id(text: str) -> bool:
    """Whether ``text`` is the id of an image, not the name of one (I4).

    Engines list an image so whose name has gone to a newer one. Twelve digits alone, as engines shorten ids, are taken
    for one too: with a tag or a namespace they would be a name.
    """
    return _IMAGE_ID.fullmatch(text.strip()) is not None


def _checked(text: str, what: str) -> str:
    text = text.strip()
    if not text:
        raise IdentityError(f"empty {what}")
    _check_length(text, what)
    if not text.isprintable() or " " in text:
        raise IdentityError(f"{what} holds white space or characters that can't be printed")
    return text


def _check_length(text: str, what: str) -> None:
    """Checked of canonical forms too, so that what is stored can always be parsed again."""
    if len(text) > _MAX_LENGTH:
        raise IdentityError(f"{what} of {len(text)} characters; {_MAX_LENGTH} are allowed")


def _host_and_port(netloc: str) -> tuple[str, int | None]:
    match = _NETLOC.fullmatch(netloc.lower())
    if match is None:
        raise IdentityError("URL with a bad host name or port")
    if not match["host"]:
        raise IdentityError("URL without a host")
    digits = (match["port"] or "").lstrip("0") or match["port"]
    if digits and (len(digits) > len(str(_MAX_PORT)) or int(digits) > _MAX_PORT):
        raise IdentityError(f"URL with a port above {_MAX_PORT}")
    return _normal_host(match["host"]), int(digits) if digits else None


def _normal_host(host: str) -> str:
    if host.startswith("["):
        address, percent, zone = host[1:-1].partition("%25")
        if percent and not _ZONE.fullmatch(percent + zone):
            raise IdentityError("URL with a bad IPv6 zone")
        return f"[{_normal_address(address)}{percent}{zone}]"
    if not host.isascii():
        try:
            host = host.encode("idna").decode("ascii").lower()
        except UnicodeError:
            raise IdentityError("URL with a host name that can't be encoded") from None
    if not _HOST.fullmatch(host):
        raise IdentityError("URL with a bad host name")
    return host


def _normal_address(address: str) -> str:
    try:
        if "%" not in address:
            return ipaddress.IPv6Address(address).compressed
    except ValueError:
        pass
    raise IdentityError("bad IPv6 address")


def _normal_registry(registry: str) -> str:
    match = _REGISTRY.fullmatch(registry)
    if match is None or int(match["port"] or 0) > _MAX_PORT:
        raise IdentityError(f"not an image reference: bad registry {registry!r}")
    return (
        registry if match["address"] is None else registry.replace(match["address"], _normal_address(match["address"]))
    )


def normal_percent(text: str) -> str:
    """Upper-case escapes, none of an unreserved character (RFC 3986 6.2.2.1, 6.2.2.2), none missing beyond ASCII."""

    def normal(match: re.Match[str]) -> str:
        char = chr(int(match[1], 16))
        return char if char in _UNRESERVED else f"%{match[1].upper()}"

    return _PERCENT.sub(normal, quote(text, safe=_ASCII))


def _without_dots(path: str) -> str:
    """``path`` without its ``.`` and ``..`` segments (RFC 3986 5.2.4)."""
    if "/." not in path:
        return path
    segments = path.split("/")
    remaining: list[str] = []
    for segment in segments:
        if segment == "..":
            if len(remaining) > 1:
                remaining.pop()
        elif segment != ".":
            remaining.append(segment)
    if segments[-1] in {".", ".."}:
        remaining.append("")
    return "/".join(remaining)


def _split_tag(text: str) -> tuple[str, str | None]:
    """A colon starts a tag only in the last path component: in ``localhost:5000/img`` it starts a port."""
    head, colon, tail = text.rpartition(":")
    return (head, tail) if colon and "/" not in tail and not tail.endswith("]") else (text, None)


def _split_registry(text: str) -> tuple[str, str]:
    first, slash, rest = text.partition("/")
    is_registry = slash and ("." in first or ":" in first or first.lower() == "localhost")
    if not is_registry:
        return DOCKER_HUB, text if slash else f"library/{text}"
    registry = first.lower()
    if registry in _DOCKER_HUB_NAMES:
        return DOCKER_HUB, rest if "/" in rest else f"library/{rest}"
    return registry, rest
