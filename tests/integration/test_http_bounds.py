"""What a connection may send before a body is bounded, whatever it says of itself."""

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest

from mcp_optimizer.config import Settings
from mcp_optimizer.server.http import MOST_HEAD
from tests.conftest import OpenService
from tests.support.serving import served

pytestmark = pytest.mark.sqlite

_HEAD = b"POST /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\n"


@pytest.fixture
async def url(open_service: OpenService, settings: Settings) -> AsyncIterator[str]:
    service = await open_service(settings.model_copy(update={"startup_polling_delay": 3600.0, "mcp_port": 0}))
    async with served(service) as (url, _):
        yield url


async def said(url: str, *parts: bytes) -> bytes:
    """What the server says to these bytes, up to where it closes the connection."""
    where = urlsplit(url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    try:
        async with asyncio.timeout(10):
            try:
                for part in parts:
                    writer.write(part)
                    await writer.drain()
                    await asyncio.sleep(0)
            except ConnectionError:
                pass  # it has closed; what it said can still be read
            try:
                return await reader.read()
            except ConnectionError:
                return b""
    finally:
        writer.close()


async def test_an_ordinary_request_is_answered(url: str) -> None:
    assert (await said(url, b"GET /health HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n")).startswith(
        b"HTTP/1.1 200 OK"
    )


@pytest.mark.parametrize(
    "parts",
    [
        [_HEAD, *[b"x-header: %b\r\n" % (b"v" * 1000)] * (2 * MOST_HEAD // 1000)],
        [_HEAD, b"x-header: ", *[b"v" * 1000] * (2 * MOST_HEAD // 1000)],
        [b"GET /", *[b"a" * 1000] * (2 * MOST_HEAD // 1000)],
        [_HEAD, b"transfer-encoding: chunked\r\n\r\n0\r\nx-trailer: ", *[b"v" * 1000] * (2 * MOST_HEAD // 1000)],
    ],
    ids=["many headers", "an endless header", "an endless path", "an endless trailer"],
)
async def test_a_head_that_does_not_end_is_refused(url: str, parts: list[bytes]) -> None:
    answer = await said(url, *parts)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 4")
    assert (await said(url, b"GET /health HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n")).endswith(
        b'{"status":"ok"}'
    )


async def test_what_is_no_http_is_refused(url: str) -> None:
    assert (await said(url, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n")).startswith(b"HTTP/1.1 400")
