"""An HTTP client for MCP that reads no answer without end and remembers how the last one failed."""

import json
import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import anyio
import httpx2

from mcp_optimizer.sources.documents import why_failed
from mcp_optimizer.sources.json_values import object_of
from mcp_optimizer.sources.resolving import CheckedTransport, RefusedAddressError, Resolve, resolve

_MAX_BYTES: Final = 64 * 1024 * 1024
_AUTHENTICATION: Final = frozenset({401, 403, 407})
_UNKNOWN_HERE: Final = frozenset({400, 404, 405, 406, 415, 501})


@dataclass
class Exchange:
    """One request of which is kept how it went, apart from all others on the same connection."""

    bytes_read: int = 0
    status: int | None = None
    """Of an answer that refuses the request."""
    failure: str | None = None
    """Why the request could not be sent, or its answer not be read, in words."""
    unsent: bool = False
    """No connection came about: the server has not seen the request."""
    begun: bool = False
    """Whether it was handed to the network at all."""
    failed: anyio.Event = field(default_factory=anyio.Event)
    settled: anyio.Event = field(default_factory=anyio.Event)
    """Set once it is known how the request itself was taken: the first line of its answer, or its failure."""


class Answers:
    """What the answers of one MCP server amounted to: bytes read so far, and the first failure.

    The SDK turns a failed answer into errors that no longer say what happened, so it is kept here.
    """

    def __init__(self, max_bytes: int = _MAX_BYTES) -> None:
        self.max_bytes = max_bytes
        self.exchanges: dict[int, Exchange] = {}
        """Requests that are watched by themselves, by their JSON-RPC id."""
        self.forget()

    def forget(self) -> None:
        """Start again, for another attempt at the same server."""
        self.bytes_read = 0
        self.status: int | None = None
        self.failure: str | None = None

    @property
    def unknown_here(self) -> bool:
        """Whether the server answered that it does not know this transport at this URL."""
        return self.status in _UNKNOWN_HERE

    @property
    def reason(self) -> str | None:
        """The first failure in words."""
        if self.status in _AUTHENTICATION:
            return f"needs authentication (HTTP {self.status})"
        return self.failure or (f"answered HTTP {self.status}" if self.status else None)


def bounded_client(
    answers: Answers,
    endpoint: str,
    *,
    headers: Mapping[str, str] | None = None,
    auth: httpx2.Auth | None = None,
    resolve: Resolve = resolve,
) -> httpx2.AsyncClient:
    """A client for ``endpoint`` whose answers together stay within ``answers.max_bytes``.

    Only addresses that may be are connected to (see ``domain.addresses``), and only this endpoint's origin. It has no
    time-outs of its own: a stream may be silent for long, and the caller bounds the whole.
    """
    # Loading the certificates of the world takes longer than a whole listing on loopback; without TLS none is needed.
    verify = True if endpoint.lower().startswith("https") else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    checked = CheckedTransport(httpx2.AsyncHTTPTransport(verify=verify, trust_env=False), resolve)
    transport = _BoundedTransport(answers, checked)
    return httpx2.AsyncClient(transport=transport, headers=headers, auth=auth, timeout=None, trust_env=False)


class _BoundedTransport(httpx2.AsyncBaseTransport):
    def __init__(self, answers: Answers, inner: httpx2.AsyncBaseTransport) -> None:
        self._answers = answers
        self._inner = inner

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        # A compressed body may unpack to any size; what is counted here is what travels.
        request.headers["accept-encoding"] = "identity"
        exchange = self._watched(request)
        try:
            response = await self._inner.handle_async_request(request)
        except httpx2.TransportError as error:
            self._fail(error, exchange)
            raise
        finally:
            if exchange is not None:
                exchange.settled.set()
        if request.method != "DELETE" and response.status_code >= 400 and not self._optional(request):
            self._refused(response.status_code, exchange)
        stream: Any = response.stream
        response.stream = _CountedStream(stream, self._answers, exchange)
        return response

    def _watched(self, request: httpx2.Request) -> Exchange | None:
        """The exchange that the request belongs to, by the id in its body."""
        if request.method != "POST" or not self._answers.exchanges:
            return None
        identifier = object_of(json.loads(request.content)).get("id")
        exchange = self._answers.exchanges.get(identifier) if isinstance(identifier, int) else None
        if exchange is not None:
            exchange.begun = True
        return exchange

    def _refused(self, status: int, exchange: Exchange | None) -> None:
        if exchange is None:
            self._answers.status = self._answers.status or status
        else:
            exchange.status = status
            exchange.failed.set()

    @staticmethod
    def _optional(request: httpx2.Request) -> bool:
        """A server need not offer the stream of notifications that GET opens once the handshake is done."""
        return request.method == "GET" and bool({"mcp-session-id", "mcp-protocol-version"} & set(request.headers))

    def _fail(self, error: Exception, exchange: Exchange | None) -> None:
        reason = str(error) if isinstance(error, RefusedAddressError) else why_failed(error, 0)
        if exchange is None:
            self._answers.failure = self._answers.failure or reason
        else:
            exchange.failure = exchange.failure or reason
            exchange.unsent = isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout)
            exchange.failed.set()

    async def aclose(self) -> None:
        await self._inner.aclose()


class _CountedStream(httpx2.AsyncByteStream):
    def __init__(self, inner: httpx2.AsyncByteStream, answers: Answers, exchange: Exchange | None) -> None:
        self._inner = inner
        self._answers = answers
        self._counted: Answers | Exchange = answers if exchange is None else exchange

    async def __aiter__(self) -> AsyncIterator[bytes]:
        counted = self._counted
        try:
            async for chunk in self._inner:
                counted.bytes_read += len(chunk)
                if counted.bytes_read > self._answers.max_bytes:
                    counted.failure = f"sent more than {self._answers.max_bytes:,} bytes"
                    raise httpx2.ReadError(counted.failure)
                yield chunk
        except httpx2.TransportError as error:
            counted.failure = counted.failure or why_failed(error, 0)
            raise

    async def aclose(self) -> None:
        await self._inner.aclose()
