"""Image references from the parts that older server.json files give, joined as the registries' clients do. Pure."""

import re
from typing import Final

from mcp_optimizer.sources.registry.place_names import plain_image

_DOCKER_HUB: Final = frozenset(
    {
        "docker.io",
        "www.docker.io",
        "index.docker.io",
        "registry.docker.io",
        "registry-1.docker.io",
        "hub.docker.com",
        "registry.hub.docker.com",
        "cloud.docker.com",
        "docker.com",
        "www.docker.com",
    }
)
"""Hosts by which people name Docker Hub: whatever the path, images there have no host of their own in their name."""
_API_PATH: Final = re.compile(r"/v[12](?=/|$)")
_DIGEST: Final = re.compile(r"[A-Za-z0-9+._-]+:[0-9a-fA-F]{32,}")


def image_name(identifier: str, *, base_url: str = "", version: str = "") -> str:
    """The image reference of a package: its registry, name and tag or digest in one.

    What the identifier says itself counts more than what stands beside it. The hash of a file (``fileSha256``) is no
    digest of an image and no part of it.
    """
    image = plain_image(identifier).strip("/")
    if not image:
        return ""
    base = _base(base_url)
    if base and not _has_host(image):
        path = base.partition("/")[2]
        prefix = base.partition("/")[0] if path and f"{image}/".startswith(f"{path}/") else base
        image = f"{prefix}/{image}"
    return image if not version or _has_version(image) else f"{image}{_suffix(version)}"


def _base(url: str) -> str:
    """Host, port and path that a registry's images start with; empty for Docker Hub."""
    address = url.rpartition("://")[2].partition("?")[0].partition("#")[0]
    host, slash, path = address.partition("/")
    host = host.rpartition("@")[2].lower()
    if host.partition(":")[0] in _DOCKER_HUB:
        return ""
    return f"{host}{_API_PATH.sub('', slash + path)}".strip("/")


def _has_host(image: str) -> bool:
    """As Docker tells: what stands before the first slash is a host if it has a dot or a port, or is localhost."""
    first, slash, _ = image.partition("/")
    return bool(slash) and ("." in first or ":" in first or first.lower() == "localhost")


def _has_version(image: str) -> bool:
    return "@" in image or ":" in image.rpartition("/")[2]


def _suffix(version: str) -> str:
    if version.startswith(("@", ":")):
        return version
    return f"@{version}" if _DIGEST.fullmatch(version) else f":{version}"
