"""What a connection may send before a body is bounded, whatever it says of itself."""

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest
from structlog.testing import capture_logs

from mcp_optimizer.config import Settings
from mcp_optimizer.server.transport.http import MAX_HEAD_BYTES, ConnectionLimits
from mcp_optimizer.service import DataService
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
        [_HEAD, *[b"x-header: %b\r\n" % (b"v" * 1000)] * (2 * MAX_HEAD_BYTES // 1000)],
        [_HEAD, b"x-header: ", *[b"v" * 1000] * (2 * MAX_HEAD_BYTES // 1000)],
        [b"GET /", *[b"a" * 1000] * (2 * MAX_HEAD_BYTES // 1000)],
        [_HEAD, b"transfer-encoding: chunked\r\n\r\n0\r\nx-trailer: ", *[b"v" * 1000] * (2 * MAX_HEAD_BYTES // 1000)],
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


# Time, and connections

_SHORT = ConnectionLimits(connections=20, reserve=4, head_seconds=0.4, body_seconds=0.4)
_PATIENT = ConnectionLimits(connections=20, reserve=4, head_seconds=60, body_seconds=60)
_HEALTH = b"GET /health HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n"
_BODY = b"content-type: application/json\r\ncontent-length: 100\r\n\r\n"


@pytest.fixture
async def quiet_service(open_service: OpenService, settings: Settings) -> DataService:
    return await open_service(settings.model_copy(update={"startup_polling_delay": 3600.0, "mcp_port": 0}))


@pytest.mark.parametrize(
    "parts",
    [
        [], [b"G"], [_HEAD], [_HEAD, b"x: y\r\n"], [_HEAD + _BODY], [_HEAD + _BODY, b"{"],
        [_HEALTH.replace(b"close", b"keep-alive"), b"GET"],
    ],
    ids=["nothing", "a letter", "a head", "a longer head", "no body", "half a body", "half of a second request"],
)  # fmt: skip
async def test_a_request_that_does_not_end_is_ended(quiet_service: DataService, parts: list[bytes]) -> None:
    async with served(quiet_service, limits=_SHORT) as (url, _):
        assert b"HTTP/1.1 408" in await said(url, *parts)


async def test_a_slow_sender_gains_no_time(quiet_service: DataService) -> None:
    async with served(quiet_service, limits=_SHORT) as (url, _):
        where = urlsplit(url)
        reader, writer = await asyncio.open_connection(where.hostname, where.port)
        writer.write(_HEAD)
        async with asyncio.timeout(10):
            while not reader.at_eof():
                try:
                    writer.write(b"x: y\r\n")
                    await writer.drain()
                    await asyncio.wait_for(reader.read(1000), 0.05)
                except TimeoutError:
                    continue
                except ConnectionError:
                    break
        writer.close()


async def test_unfinished_requests_shut_nobody_out(quiet_service: DataService) -> None:
    async with served(quiet_service, limits=_PATIENT) as (url, _):
        where = urlsplit(url)
        writers = []
        for _ in range(120):
            _, writer = await asyncio.open_connection(where.hostname, where.port)
            writer.write(_HEAD)
            writers.append(writer)
        for _ in range(3):
            assert (await said(url, _HEALTH)).endswith(b'{"status":"ok"}')
            post = b"POST /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\ncontent-type: application/json\r\n"
            assert (await said(url, post + b"content-length: 1\r\n\r\n7")).startswith(b"HTTP/1.1 400")
        for writer in writers:
            writer.close()


async def test_where_all_work_health_is_told_still(quiet_service: DataService) -> None:
    async with served(quiet_service, limits=_PATIENT) as (url, _):
        where = urlsplit(url)
        writers = []
        for _ in range(20):  # a body that is still to come is a request under way
            _, writer = await asyncio.open_connection(where.hostname, where.port)
            writer.write(_HEAD + _BODY)
            writers.append(writer)
        await asyncio.sleep(0.2)
        assert (await said(url, _HEALTH)).endswith(b'{"status":"ok"}')
        assert (await said(url, _HEALTH.replace(b"/health", b"/metrics"))).startswith(b"HTTP/1.1 503")
        for writer in writers:
            writer.close()
        await asyncio.sleep(0.2)
        assert (await said(url, _HEALTH.replace(b"/health", b"/metrics"))).startswith(b"HTTP/1.1 200")


async def test_a_client_that_leaves_is_no_error(quiet_service: DataService, caplog: pytest.LogCaptureFixture) -> None:
    async with served(quiet_service, limits=_PATIENT) as (url, _):
        where = urlsplit(url)
        with capture_logs() as logged:
            for parts in ([_HEAD], [_HEAD + _BODY], [_HEAD + _BODY + b"{"], [_HEALTH], [b""]):
                _, writer = await asyncio.open_connection(where.hostname, where.port)
                writer.writelines(parts)
                await writer.drain()
                writer.close()
            await asyncio.sleep(0.3)
    assert [line for line in logged if line["log_level"] in {"warning", "error", "critical"}] == []
    assert [record.getMessage() for record in caplog.records if record.levelname in {"WARNING", "ERROR"}] == []


async def test_the_line_of_a_refused_request_is_short(quiet_service: DataService) -> None:
    async with served(quiet_service) as (url, _):
        with capture_logs() as logged:
            for host in (b"evil.example", b"127.0.0.1"):
                path = b"/" + b"a%1b[2J" * 5000
                await said(url, b"GET %b HTTP/1.1\r\nhost: %b\r\nconnection: close\r\n\r\n" % (path, host))
    assert [line["event"] for line in logged] == ["request refused", "request failed"]
    for line in logged:
        assert len(str(line)) < 1000
        assert line["path"].isprintable()
