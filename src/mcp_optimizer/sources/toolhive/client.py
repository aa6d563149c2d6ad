"""Requests to ToolHive's API: one GET at a time, JSON out, every failure a :class:`SourceError`."""

import asyncio
import json
import ssl
from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import quote

import httpx2

from mcp_optimizer.errors import SourceError
from mcp_optimizer.sources.documents import HttpStatusError, fetch_bytes
from mcp_optimizer.sources.json_values import label_of, object_of, parse_json, reason_of, text_of
from mcp_optimizer.text import redact_url

_REMEDIES: Final = {
    "registry_auth_required": "sign in to the registry with `thv registry login`",
    "registry_unavailable": "ToolHive can't reach its registry; check its configuration and try again",
    "registry_legacy_format": "convert ToolHive's registry file with `thv registry convert --in FILE --in-place`, "
    "or give ToolHive a URL that serves the upstream format",
}
_SERVER_REMEDY: Final = "see ToolHive's own log, and restart it"
_MAX_SMALL_RESPONSE_BYTES: Final = 64 * 1024
_CONNECTIONS: Final = 64


@dataclass(frozen=True)
class ToolHiveAddress:
    """Where a ToolHive API answers: a base URL without a trailing slash, or a socket."""

    base_url: str
    socket: str | None = None
    version: str = ""

    @property
    def label(self) -> str:
        """The address in words that may be shown and stored."""
        return f"unix://{label_of(self.socket)}" if self.socket else redact_url(self.base_url)


class ToolHiveClient:
    """One ToolHive API. Use it as an async context manager. ``seconds`` bounds each request, from start to end."""

    def __init__(self, address: ToolHiveAddress, *, seconds: float, max_bytes: int) -> None:
        self.address = address
        self._seconds = seconds
        self._max_bytes = max_bytes
        self._http = _http_client(address)

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._http.aclose()

    async def get_json(self, path: str, *, max_bytes: int | None = None) -> object:
        """The JSON at ``path``. Raises :class:`SourceError`, :class:`HttpStatusError` for a failing status."""
        label = f"ToolHive {self.address.label}{label_of(path)}"
        try:
            data = await fetch_bytes(
                self._http, path, label=label, max_bytes=max_bytes or self._max_bytes, seconds=self._seconds
            )
        except HttpStatusError as error:
            code, words = _explained(error.body)
            error.remedy = _REMEDIES.get(code) or (_SERVER_REMEDY if error.status >= 500 else None)
            error.message += f": {words}" if words else ""
            raise
        if len(data) <= _MAX_SMALL_RESPONSE_BYTES:
            return parse_json(data, label=label)
        return await asyncio.to_thread(parse_json, data, label=label)

    async def start_from_registry(self, server: str, *, name: str, seconds: float) -> None:
        """Have ToolHive run a server of its registry as workload ``name``.

        Raises :class:`HttpStatusError`: 404 where its registry has no such server, 409 where there is such a workload.
        """
        label = f"ToolHive {self.address.label}"
        request = {"name": name, "registry": "default", "server": server}
        await fetch_bytes(
            self._http,
            "/api/v1beta/workloads",
            label=label,
            max_bytes=_MAX_SMALL_RESPONSE_BYTES,
            seconds=seconds,
            body=request,
        )

    async def status(self, name: str) -> str:
        """The status of a workload. Raises :class:`SourceError`."""
        return text_of(object_of(await self.get_json(workload_path(name, "status"))).get("status")) or "unknown"

    async def healthy(self) -> bool:
        """Whether ``/health`` answers that all is well."""
        try:
            await fetch_bytes(
                self._http, "/health", label="", max_bytes=_MAX_SMALL_RESPONSE_BYTES, seconds=self._seconds
            )
        except SourceError:
            return False
        return True

    async def version(self) -> str | None:
        """The version it gives, None when this is no ToolHive."""
        try:
            answer = await self.get_json("/api/v1beta/version", max_bytes=_MAX_SMALL_RESPONSE_BYTES)
        except SourceError:
            return None
        return text_of(object_of(answer).get("version")) or None


def workload_path(name: str, part: str = "") -> str:
    """The path of one workload's details, or of a ``part`` of it such as ``export``."""
    path = f"/api/v1beta/workloads/{quote(name, safe='')}"
    return f"{path}/{part}" if part else path


def _http_client(address: ToolHiveAddress) -> httpx2.AsyncClient:
    # Loading certificates takes 20 ms and more; a scan of ports on loopback needs none. Proxies are not for loopback.
    verify = True if address.base_url.startswith("https") else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    limits = httpx2.Limits(max_connections=_CONNECTIONS)
    transport = httpx2.AsyncHTTPTransport(uds=address.socket, verify=verify, limits=limits, trust_env=False)
    return httpx2.AsyncClient(base_url=address.base_url, transport=transport, timeout=None, trust_env=False)


def _explained(body: bytes) -> tuple[str, str]:
    """The error code in a failing answer, and ToolHive's own words; it sends some as text, without a code."""
    try:
        answer = object_of(json.loads(body))
    except (ValueError, RecursionError):
        return "", reason_of(body.decode("utf-8", "replace").strip().partition("\n")[0])
    return text_of(answer.get("code")), reason_of(text_of(answer.get("message")) or text_of(answer.get("error")))
