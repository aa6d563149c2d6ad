"""How a Kubernetes API server is reached: its URL, the token that it wants, and whose certificate it must have."""

import ipaddress
import os
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx2

from mcp_optimizer.config import Settings
from mcp_optimizer.errors import SourceError
from mcp_optimizer.sources.documents import is_url, read_file
from mcp_optimizer.sources.json_values import label_of, reason_of
from mcp_optimizer.text import redact_url

_MAX_SMALL_RESPONSE_BYTES: Final = 64 * 1024


def api_server_url(settings: Settings, environment: Mapping[str, str] = os.environ) -> str:
    """The API server's URL without a trailing slash: as set, else that of the cluster this runs in.

    Raises :class:`SourceError`.
    """
    given = settings.k8s_api_server_url
    if given:
        try:
            usable = is_url(given) and bool(httpx2.URL(given).host) and bool(urlsplit(given).hostname)
        except (ValueError, httpx2.InvalidURL):
            usable = False
        if not usable:
            raise SourceError(
                f"not a URL of a Kubernetes API server: {redact_url(given)}", remedy="expected https://HOST:PORT"
            )
        return given.rstrip("/")
    host = environment.get("KUBERNETES_SERVICE_HOST", "")
    if not host:
        raise SourceError(
            "this is not a pod of a cluster, and no Kubernetes API server is named",
            remedy="name one with MCP_OPTIMIZER_K8S_API_SERVER_URL, such as that of `kubectl proxy`",
        )
    port = environment.get("KUBERNETES_SERVICE_PORT_HTTPS") or environment.get("KUBERNETES_SERVICE_PORT") or "443"
    return f"https://{f'[{host}]' if ':' in host else host}:{port}"


def read_token(settings: Settings, url: str) -> str:
    """The token for the API server at ``url``; empty where there is no file and none was named: `kubectl proxy` needs
    none. Raises :class:`SourceError`, also where it would go over a network in clear text (S7).
    """
    path = settings.k8s_token_file
    if not _there(path, named="k8s_token_file" in settings.model_fields_set):
        return ""
    token = read_file(str(path), _MAX_SMALL_RESPONSE_BYTES).decode("latin-1").strip()
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise SourceError(f"{label_of(str(path))} does not hold a token")
    if urlsplit(url).scheme.lower() == "http" and not _is_loopback(urlsplit(url).hostname or ""):
        raise SourceError(
            f"the token is not sent to {redact_url(url)} in clear text",
            remedy="name an https URL, or one on loopback such as that of `kubectl proxy`",
        )
    return token


def verification(settings: Settings, url: str) -> ssl.SSLContext | bool:
    """What the certificate of the API server is checked against: the cluster's certificates, else the system's.

    Raises :class:`SourceError`. Loading the certificates of the world takes a while, and without TLS none is needed.
    """
    if not url.lower().startswith("https"):
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    path = settings.k8s_ca_file
    if not _there(path, named="k8s_ca_file" in settings.model_fields_set):
        return True
    try:
        return ssl.create_default_context(cafile=str(path))
    except (ssl.SSLError, OSError) as error:
        raise SourceError(f"{label_of(str(path))} does not hold certificates: {reason_of(error)}") from None


def _there(path: Path, *, named: bool) -> bool:
    """Whether the file is to be read; one that was named by hand must be there, and reading it says so."""
    return named or path.exists()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
