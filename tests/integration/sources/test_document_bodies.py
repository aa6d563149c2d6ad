"""Documents from servers that compress without being asked: bounded by what they unpack to (B)."""

import gzip
from collections.abc import Callable

import httpx2
import pytest

from mcp_optimizer.errors import SourceError
from mcp_optimizer.sources.documents import fetch_bytes
from tests.support.odd_server import OddServer, Reply

_BOMB = gzip.compress(b"x" * 50_000_000)
_CASES: dict[str, tuple[bytes, str, str]] = {
    "bomb": (_BOMB, "gzip", "is larger than 1,000,000 bytes"),
    "chain": (gzip.compress(gzip.compress(b"x")), "gzip, gzip", "not asked for: gzip, gzip"),
    "br": (b"x", "br", "in an encoding that was not asked for: br"),
    "zstd": (b"x", "zstd", "in an encoding that was not asked for: zstd"),
    "cut": (gzip.compress(b"x" * 100)[:-5], "gzip", "can't be decompressed"),
}


async def fetch(reply: Callable[[], Reply]) -> bytes:
    server = OddServer(lambda _: reply())
    async with server.running() as url, httpx2.AsyncClient() as client:
        return await fetch_bytes(client, url, label="it", max_bytes=1_000_000, seconds=10)


@pytest.mark.parametrize("name", _CASES)
async def test_what_is_not_unpacked_is_a_reason(name: str) -> None:
    body, encoding, reason = _CASES[name]
    with pytest.raises(SourceError, match=reason):
        await fetch(lambda: Reply(body, headers={"Content-Encoding": encoding}))


async def test_one_gzip_is_unpacked() -> None:
    body = gzip.compress(b'{"servers":{}}')
    assert await fetch(lambda: Reply(body, headers={"Content-Encoding": "gzip"})) == b'{"servers":{}}'
