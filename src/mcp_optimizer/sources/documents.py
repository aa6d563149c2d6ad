"""JSON documents from a file or a URL: bounded in size and time, every failure in words."""

import asyncio
import contextlib
import errno
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

import httpx2

from mcp_optimizer.config import Settings
from mcp_optimizer.errors import SourceError
from mcp_optimizer.sources.http_bodies import IDENTITY, BodyError, TooLargeError, body_start, read_body
from mcp_optimizer.sources.json_values import label_of, parse_json, reason_of
from mcp_optimizer.sources.mcp.pinned_dns import checked_addresses
from mcp_optimizer.sources.yaml_values import parse_yaml
from mcp_optimizer.text import redact_url

_YAML_START: Final = re.compile(rb"(?:\xef\xbb\xbf)?(?:\s*#[^\n]*\n|\s)*(?:---|[A-Za-z_$\"'][\w.$\"'-]*:\s|- )")
"""How YAML starts, and JSON does not."""
_CHUNK: Final = 1024 * 1024
_DOWNLOAD_TIMEOUT_FACTOR: Final = 12
"""A whole download may take this many times as long as one request may be silent."""


def is_url(location: str) -> bool:
    """Whether ``location`` is an http(s) URL and so no file."""
    return location.lower().startswith(("http://", "https://"))


def document_label(location: str) -> str:
    """``location`` in words that may be shown and stored (S7)."""
    return redact_url(location) if "://" in location else label_of(location)


async def read_document(location: str, settings: Settings) -> object:
    """The JSON or YAML document at a path or URL. Raises :class:`SourceError`.

    Parsing happens in a thread: a document of tens of megabytes takes seconds, in which a UI must go on.
    """
    if is_url(location):
        data = await download(location, settings)
    else:
        data = await asyncio.to_thread(read_file, location, settings.max_document_bytes)
    return await asyncio.to_thread(parse_document, data, location=location)


def parse_document(data: bytes, *, location: str) -> object:
    """The document in ``data``: JSON, or YAML where the location or the text itself says so.

    Raises :class:`SourceError`.
    """
    label = document_label(location)
    if location.partition("?")[0].lower().endswith((".yaml", ".yml")):
        return parse_yaml(data, label=label)
    try:
        return parse_json(data, label=label)
    except SourceError:
        if not _YAML_START.match(data):
            raise
        try:
            document = parse_yaml(data, label=label)
        except SourceError:
            document = None
        if isinstance(document, dict | list):
            return document
        raise


def read_file(location: str, max_bytes: int) -> bytes:
    """The bytes of the file at a path, at most ``max_bytes``; ``~`` is understood. Raises :class:`SourceError`."""
    label = label_of(location)
    path = Path(os.path.expanduser(location))  # noqa: PTH111 - unlike pathlib's, it leaves an unknown user alone
    if not path.exists() and not path.is_symlink():
        raise SourceError(f"there is no file {label}")
    if path.is_dir():
        raise SourceError(f"{label} is a directory; name a file in it")
    chunks: list[bytes] = []
    size = 0
    try:
        with path.open("rb") as file:
            while chunk := file.read(min(_CHUNK, max_bytes + 1 - size)):
                chunks.append(chunk)
                size += len(chunk)
                if size > max_bytes:
                    raise too_large(label, max_bytes)
    except PermissionError:
        raise SourceError(f"{label} can't be read: permission denied") from None
    except OSError as error:
        reason = "the name is too long" if error.errno == errno.ENAMETOOLONG else reason_of(error.strerror or error)
        raise SourceError(f"{label} can't be read: {reason}") from None
    return b"".join(chunks)


async def download(url: str, settings: Settings) -> bytes:
    """The body of an http(s) URL, at most ``max_document_bytes``; redirects are followed. Raises SourceError."""
    timeout = settings.toolhive_timeout
    label = redact_url(url)
    async with checked_client(timeout) as client:
        return await fetch_bytes(
            client, url, label=label, max_bytes=settings.max_document_bytes, seconds=timeout * _DOWNLOAD_TIMEOUT_FACTOR
        )


def checked_client(timeout: float) -> httpx2.AsyncClient:
    """A client for documents: redirects are followed, each only to an address that may be connected to."""
    return httpx2.AsyncClient(timeout=timeout, follow_redirects=True, event_hooks={"request": [_check_address]})


async def _check_address(request: httpx2.Request) -> None:
    """Raise RefusedAddressError for a host that no document is read from; an unknown one is told when connecting."""
    with contextlib.suppress(OSError):
        await checked_addresses(request.url.host, request.url.port or 0)


async def fetch_bytes(
    client: httpx2.AsyncClient,
    url: str,
    *,
    label: str,
    max_bytes: int,
    seconds: float,
    body: object = None,
    on_response: Callable[[httpx2.Response], None] | None = None,
) -> bytes:
    """The body of a successful answer to GET ``url``, read no further than ``max_bytes``, within ``seconds``.

    With a ``body`` it is posted as JSON. ``on_response`` sees status and headers of a success. Raises
    :class:`HttpStatusError` for another status than success, :class:`SourceError` for all else.
    """
    headers = {"accept-encoding": IDENTITY}
    if body is None:
        request = client.stream("GET", url, headers=headers)
    else:
        request = client.stream("POST", url, headers=headers, json=body)
    loop = asyncio.get_running_loop()
    start = loop.time()
    try:
        async with asyncio.timeout(seconds), request as response:
            if not response.is_success:
                retry_after = response.headers.get("retry-after", "")
                raise HttpStatusError(label, response.status_code, await body_start(response), retry_after)
            if on_response is not None:
                on_response(response)
            return bytes(await read_body(response, max_bytes))
    except TooLargeError:
        raise too_large(label, max_bytes) from None
    except BodyError as error:
        raise SourceError(f"{label} {error}") from None
    except (TimeoutError, httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, OSError, ValueError) as error:
        waited = seconds if isinstance(error, TimeoutError) else round(loop.time() - start, 1)
        raise SourceError(f"{label} {why_failed(error, waited)}") from None


class HttpStatusError(SourceError):
    """An answer whose status says that it failed. ``body`` is the start of the answer.

    ``retry_after`` is its header, as given: seconds, or a date.
    """

    def __init__(self, label: str, status: int, body: bytes, retry_after: str = "") -> None:
        super().__init__(f"{label} answered HTTP {status}")
        self.status = status
        self.body = body
        self.retry_after = retry_after


def too_large(label: str, max_bytes: int) -> SourceError:
    """The error for what is larger than we are ready to read."""
    return SourceError(
        f"{label} is larger than {max_bytes:,} bytes", remedy="set MCP_OPTIMIZER_MAX_DOCUMENT_BYTES to allow it"
    )


_FAILURES: Final[tuple[tuple[tuple[type[Exception], ...], str], ...]] = (
    ((httpx2.ConnectTimeout,), "did not accept a connection within {seconds:g} s"),
    ((TimeoutError, httpx2.TimeoutException), "did not answer within {seconds:g} s"),
    ((httpx2.ConnectError,), "can't be reached: {error}"),
    ((httpx2.RemoteProtocolError, httpx2.ReadError), "closed the connection before the response was complete"),
    ((httpx2.InvalidURL, httpx2.UnsupportedProtocol), "is not a URL that can be asked: {error}"),
    ((httpx2.TooManyRedirects,), "redirects too often"),
    ((httpx2.DecodingError,), "sent a body that can't be decompressed"),
    ((Exception,), "can't be read: {error}"),
)


def why_failed(error: Exception, seconds: float) -> str:
    """A failed request in words, without what may be secret: "refused the connection". ``seconds``: the wait."""
    words = str(error)
    if isinstance(error, httpx2.ConnectError) and ("refused" in words.lower() or "attempts failed" in words):
        return "refused the connection"
    reason = next(reason for types, reason in _FAILURES if isinstance(error, types))
    return reason_of(reason.format(seconds=seconds, error=words or type(error).__name__))
