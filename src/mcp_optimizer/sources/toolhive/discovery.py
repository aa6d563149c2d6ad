"""Finding ToolHive's API: a configured URL, its state file, the default port, a scan of ports."""

import asyncio
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx2

from mcp_optimizer.config import Settings
from mcp_optimizer.errors import SourceError
from mcp_optimizer.sources.documents import is_url, read_file
from mcp_optimizer.sources.json_values import label_of, object_of, parse_json, text_of
from mcp_optimizer.sources.toolhive.client import ToolHiveAddress, ToolHiveClient
from mcp_optimizer.text import redact_url

_DEFAULT_PORT: Final = 8080
_PROBE_SECONDS: Final = 1.0
_CONCURRENCY: Final = 64
_MAX_SMALL_RESPONSE_BYTES: Final = 64 * 1024


def default_state_home() -> Path:
    """Where programs keep their state, ``$XDG_STATE_HOME`` or what stands for it."""
    given = os.environ.get("XDG_STATE_HOME", "")
    return Path(given) if given else Path.home() / ".local" / "state"


async def discover(settings: Settings, *, state_home: Path) -> ToolHiveAddress:
    """The ToolHive to use. Raises :class:`SourceError` that says where it was looked for.

    A configured URL is the only place looked at. Otherwise in order: the configured port, the state file, believed
    only if its server is healthy, the default port, the scan; of several found by the scan, the highest version.
    """
    if settings.toolhive_url is not None:
        return await _configured(settings.toolhive_url, settings)
    if settings.toolhive_port is not None and (result := await _probe_port(settings, settings.toolhive_port)):
        return result
    if result := await _from_state_file(state_home / "toolhive" / "server" / "server.json", settings):
        return result
    if result := await _probe_port(settings, _DEFAULT_PORT):
        return result
    ports = range(settings.toolhive_start_port_scan, settings.toolhive_end_port_scan + 1)
    if result := await _scan(settings, ports):
        return result
    scanned = f" and ports {ports.start} to {ports.stop - 1}" if ports else ""
    first = f"port {settings.toolhive_port}, " if settings.toolhive_port else ""
    raise SourceError(
        f"no ToolHive answers on {label_of(settings.toolhive_host)}: "
        f"looked at {first}its state file, port {_DEFAULT_PORT}{scanned}",
        remedy="start it with `thv serve`, or name its URL with MCP_OPTIMIZER_TOOLHIVE_URL",
    )


async def probe(address: ToolHiveAddress, *, seconds: float) -> ToolHiveAddress | None:
    """``address`` with the version that answers there; None when no ToolHive does."""
    async with ToolHiveClient(address, seconds=seconds, max_bytes=_MAX_SMALL_RESPONSE_BYTES) as client:
        version = await client.version()
    return None if version is None else ToolHiveAddress(address.base_url, address.socket, version)


def address_of(url: str) -> ToolHiveAddress:
    """The address that an http(s) or ``unix://`` URL names. Raises :class:`SourceError`."""
    if url.lower().startswith("unix://"):
        return ToolHiveAddress("http://localhost", socket=url[len("unix://") :])
    try:
        usable = is_url(url) and bool(urlsplit(url).hostname) and bool(httpx2.URL(url).host)
    except (ValueError, httpx2.InvalidURL):
        usable = False
    if not usable:
        raise SourceError(f"not a URL of ToolHive: {redact_url(url)}", remedy="expected http://HOST:PORT")
    return ToolHiveAddress(url.rstrip("/"))


def version_order(version: str) -> tuple[tuple[int, ...], bool, str]:
    """What versions are compared by: numbers, then a release before its pre-releases."""
    release, dash, _ = version.partition("-")
    numbers = tuple(int(number[:9]) for number in re.findall(r"\d+", release)[:4])
    return numbers, not dash, version


async def _configured(url: str, settings: Settings) -> ToolHiveAddress:
    address = address_of(url)
    if result := await probe(address, seconds=settings.toolhive_timeout):
        return result
    raise SourceError(
        f"no ToolHive answers at {address.label}", remedy="check MCP_OPTIMIZER_TOOLHIVE_URL, or unset it to discover"
    )


async def _probe_port(settings: Settings, port: int) -> ToolHiveAddress | None:
    host = f"[{settings.toolhive_host}]" if ":" in settings.toolhive_host else settings.toolhive_host
    return await probe(ToolHiveAddress(f"http://{host}:{port}"), seconds=min(_PROBE_SECONDS, settings.toolhive_timeout))


async def _from_state_file(path: Path, settings: Settings) -> ToolHiveAddress | None:
    try:
        document = parse_json(await asyncio.to_thread(read_file, str(path), _MAX_SMALL_RESPONSE_BYTES), label=str(path))
        address = address_of(text_of(object_of(document).get("url")))
    except SourceError:
        return None
    seconds = min(_PROBE_SECONDS, settings.toolhive_timeout)
    async with ToolHiveClient(address, seconds=seconds, max_bytes=_MAX_SMALL_RESPONSE_BYTES) as client:
        healthy = await client.healthy()
    return await probe(address, seconds=seconds) if healthy else None


async def _scan(settings: Settings, ports: Iterable[int]) -> ToolHiveAddress | None:
    gate = asyncio.Semaphore(_CONCURRENCY)

    async def look(port: int) -> ToolHiveAddress | None:
        async with gate:
            return await _probe_port(settings, port)

    results = [address for address in await asyncio.gather(*map(look, ports)) if address is not None]
    return max(results, key=lambda address: version_order(address.version), default=None)
