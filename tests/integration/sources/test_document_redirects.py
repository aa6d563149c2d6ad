"""Redirects of documents are followed, each only to an address that may be connected to (B)."""

import pytest

from mcp_optimizer.config import Settings
from mcp_optimizer.errors import SourceError
from mcp_optimizer.sources.documents import download
from tests.support.odd_server import OddServer, Reply

DOCUMENT = b'{"servers": {}}'


@pytest.mark.parametrize(
    "target", ["http://169.254.169.254/latest/", "http://[fe80::1]/", "http://0.0.0.0:1/", "http://2852039166/"]
)
async def test_a_redirect_to_an_address_of_no_document_is_refused(target: str) -> None:
    server = OddServer(lambda _: Reply(status=302, headers={"Location": target}))
    async with server.running() as url:
        with pytest.raises(SourceError, match="to which nothing is sent"):
            await download(url, Settings())


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_to_a_document_is_followed(status: int) -> None:
    async with OddServer(lambda _: Reply(DOCUMENT)).running() as there:
        server = OddServer(lambda _: Reply(status=status, headers={"Location": there}))
        async with server.running() as url:
            assert await download(url, Settings()) == DOCUMENT
