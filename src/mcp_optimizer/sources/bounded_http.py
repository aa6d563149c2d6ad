"""HTTP to one MCP server: its checked addresses and its origin only, no encoding asked for, every failure in words."""

import json
import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import httpx2

from mcp_optimizer.sources.documents import why_failed
from mcp_optimizer.sources.http_bodies import IDENTITY, BodyError
from mcp_optimizer.sources.mcp.failures import BROKEN_OFF, McpServerError
from mcp_optimizer.sources.mcp.messages import MessageError
from mcp_optimizer.sources.mcp.pinned_dns import PinnedDnsTransport, RefusedAddressError, Resolve, resolve
from mcp_optimizer.text import redact_url

_REDIRECTS: Final = frozenset({301, 302, 307, 308})
_MAX_REDIRECTS: Final = 5
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1", "[::1]"})
_PORTS: Final = {"http": 80, "https": 443}
_LIMITS: Final = httpx2.Limits(max_connections=256, max_keepalive_connections=8)


def bounded_client(endpoint: str, *, resolve: Resolve = resolve) -> httpx2.AsyncClient:
    """A client for ``endpoint``'s origin, whose addresses are checked (see ``domain.addresses``).

    It has no time-outs of its own: a stream may be silent for long, and the caller bounds the whole.
    """
    # Loading the certificates of the world takes longer than a whole listing on loopback; without TLS none is needed.
    verify = True if endpoint.lower().startswith("https") else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    inner = httpx2.AsyncHTTPTransport(verify=verify, trust_env=False, limits=_LIMITS)
    transport = PinnedDnsTransport(inner, resolve)
    return httpx2.AsyncClient(transport=transport, timeout=None, trust_env=False, follow_redirects=False)


def within_origin(url: httpx2.URL, base: httpx2.URL) -> httpx2.URL | None:
    """``url`` at the origin of ``base``, whose loopback names count as one; None where it is another's."""
    if url.scheme != base.scheme or _port(url) != _port(base) or url.userinfo:
        return None
    if url.host != base.host and not {url.host, base.host} <= _LOOPBACK:
        return None
    return url.copy_with(host=base.host)


def _port(url: httpx2.URL) -> int | None:
    return url.port or _PORTS.get(url.scheme)


class HttpEndpoint:
    """The URL of an MCP server and the client to ask it. Redirects within its origin move it, POST stays POST."""

    def __init__(self, endpoint: str, *, resolve: Resolve = resolve) -> None:
        try:
            self.url = httpx2.URL(endpoint)
        except httpx2.InvalidURL as error:
            raise McpServerError(why_failed(error, 0), executed=False) from None
        self._client = bounded_client(endpoint, resolve=resolve)

    @asynccontextmanager
    async def send(
        self, method: str, headers: Mapping[str, str], message: object = None, *, url: httpx2.URL | None = None
    ) -> AsyncGenerator[httpx2.Response]:
        """The response to a request, its body not read yet. What fails, also while it is read, is a McpServerError."""
        content = None if message is None else json.dumps(message).encode()
        response = await self._response(method, url or self.url, headers, content, moves=url is None)
        try:
            yield response
        except BodyError as error:
            raise McpServerError(str(error)) from None
        except MessageError as error:
            raise McpServerError(str(error), other_transport=True) from None
        except (httpx2.HTTPError, httpx2.StreamError, OSError) as error:
            raise McpServerError(why_failed(error, 0)) from None
        finally:
            with suppress(httpx2.HTTPError, OSError, RuntimeError):
                await response.aclose()

    async def _response(
        self, method: str, url: httpx2.URL, headers: Mapping[str, str], content: bytes | None, *, moves: bool
    ) -> httpx2.Response:
        query = {**headers, "accept-encoding": IDENTITY}
        for _ in range(_MAX_REDIRECTS + 1):
            request = self._client.build_request(method, url, headers=query, content=content)
            response = await self._sent(request)
            location = response.headers.get("location")
            if not response.has_redirect_location or location is None:
                return response
            await response.aclose()
            url = self._target(response.status_code, url, location)
            if moves:
                self.url = url
        raise McpServerError("redirects too often", executed=False)

    async def _sent(self, request: httpx2.Request) -> httpx2.Response:
        try:
            return await self._client.send(request, stream=True)
        except RefusedAddressError as error:
            raise McpServerError(str(error), executed=False) from None
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.UnsupportedProtocol) as error:
            raise McpServerError(why_failed(error, 0), executed=False) from None
        except httpx2.LocalProtocolError as error:
            raise McpServerError(f"can't be asked: {error}", executed=False) from None
        except (httpx2.HTTPError, OSError) as error:
            raise McpServerError(why_failed(error, 0)) from None
        except RuntimeError:  # the client was closed meanwhile
            raise McpServerError(BROKEN_OFF, executed=False) from None

    @staticmethod
    def _target(status: int, url: httpx2.URL, location: str) -> httpx2.URL:
        """Where a redirect leads. Raises McpServerError when it is not followed."""
        try:
            target = url.join(location)
        except (httpx2.InvalidURL, ValueError):
            raise McpServerError("redirects to what is no URL, which is not followed", executed=False) from None
        inside = within_origin(target, url)
        if inside is None or status not in _REDIRECTS:
            raise McpServerError(
                f"redirects (HTTP {status}) to {redact_url(str(target))}, which is not followed", executed=False
            )
        return inside.copy_with(fragment=None)

    async def close(self) -> None:
        """Close its connections."""
        with suppress(Exception):
            await self._client.aclose()


def is_stream(response: Any) -> bool:
    """Whether a response is a stream of events."""
    return response.headers.get("content-type", "").partition(";")[0].strip().lower() == "text/event-stream"
