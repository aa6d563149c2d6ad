"""An HTTP client for MCP that reads no answer without end and remembers how the last one failed."""

import ssl
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import httpx2

from mcp_optimizer.sources.documents import why_failed

_MAX_BYTES: Final = 64 * 1024 * 1024
_AUTHENTICATION: Final = frozenset({401, 403, 407})
_UNKNOWN_HERE: Final = frozenset({400, 404, 405, 406, 415, 501})


class Answers:
    """What the answers of one MCP server amounted to: bytes read so far, and the first failure.

    The SDK turns a failed answer into errors that no longer say what happened, so it is kept here.
    """

    def __init__(self, max_bytes: int = _MAX_BYTES) -> None:
        self.max_bytes = max_bytes
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
    answers: Answers, endpoint: str, *, headers: Mapping[str, str] | None = None, auth: httpx2.Auth | None = None
) -> httpx2.AsyncClient:
    """A client for ``endpoint`` whose answers together stay within ``answers.max_bytes``.

    It has no time-outs of its own: a stream may be silent for long, and the caller bounds the whole.
    """
    # Loading the certificates of the world takes longer than a whole listing on loopback; without TLS none is needed.
    verify = True if endpoint.lower().startswith("https") else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    transport = _BoundedTransport(answers, httpx2.AsyncHTTPTransport(verify=verify, trust_env=False))
    return httpx2.AsyncClient(transport=transport, headers=headers, auth=auth, timeout=None, trust_env=False)


class _BoundedTransport(httpx2.AsyncBaseTransport):
    def __init__(self, answers: Answers, inner: httpx2.AsyncBaseTransport) -> None:
        self._answers = answers
        self._inner = inner

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        # A compressed body may unpack to any size; what is counted here is what travels.
        request.headers["accept-encoding"] = "identity"
        try:
            response = await self._inner.handle_async_request(request)
        except httpx2.TransportError as error:
            self._fail(error)
            raise
        if request.method != "DELETE" and response.status_code >= 400 and not self._optional(request):
            self._answers.status = self._answers.status or response.status_code
        stream: Any = response.stream
        response.stream = _CountedStream(stream, self._answers)
        return response

    @staticmethod
    def _optional(request: httpx2.Request) -> bool:
        """A server need not offer the stream of notifications that GET opens once the handshake is done."""
        return request.method == "GET" and bool({"mcp-session-id", "mcp-protocol-version"} & set(request.headers))

    def _fail(self, error: Exception) -> None:
        self._answers.failure = self._answers.failure or why_failed(error, 0)

    async def aclose(self) -> None:
        await self._inner.aclose()


class _CountedStream(httpx2.AsyncByteStream):
    def __init__(self, inner: httpx2.AsyncByteStream, answers: Answers) -> None:
        self._inner = inner
        self._answers = answers

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._inner:
                self._answers.bytes_read += len(chunk)
                if self._answers.bytes_read > self._answers.max_bytes:
                    self._answers.failure = f"sent more than {self._answers.max_bytes:,} bytes"
                    raise httpx2.ReadError(self._answers.failure)
                yield chunk
        except httpx2.TransportError as error:
            self._answers.failure = self._answers.failure or why_failed(error, 0)
            raise

    async def aclose(self) -> None:
        await self._inner.aclose()
