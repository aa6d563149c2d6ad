"""The address that is checked is the address that is connected to."""

from collections.abc import Sequence

import httpx2
import pytest

from mcp_optimizer.sources.bounded_http import bounded_client
from mcp_optimizer.sources.mcp.pinned_dns import PinnedDnsTransport, RefusedAddressError


class Recorder(httpx2.AsyncBaseTransport):
    """Stands for the network: what would be connected to."""

    def __init__(self, dead: Sequence[str] = ()) -> None:
        self.dead = dead
        self.requests: list[httpx2.Request] = []

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        if request.url.host in self.dead:
            raise httpx2.ConnectError("refused", request=request)
        return httpx2.Response(200, request=request)


class Resolver:
    """A name server that changes its answer each time it is asked."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        return self.answers.pop(0)


def _client(network: Recorder, resolver: Resolver | None = None) -> httpx2.AsyncClient:
    transport = PinnedDnsTransport(network) if resolver is None else PinnedDnsTransport(network, resolver)
    return httpx2.AsyncClient(transport=transport)


async def test_a_name_is_resolved_once_and_keeps_its_name() -> None:
    network, resolver = Recorder(), Resolver(["192.0.2.7"], ["169.254.169.254"])
    async with _client(network, resolver) as client:
        for _ in range(3):
            response = await client.get("https://tools.example:8443/mcp?a=1")
    assert response.request.url == "https://tools.example:8443/mcp?a=1"
    assert {str(request.url) for request in network.requests} == {"https://192.0.2.7:8443/mcp?a=1"}
    assert {request.headers["host"] for request in network.requests} == {"tools.example:8443"}
    assert {request.extensions["sni_hostname"] for request in network.requests} == {"tools.example"}
    assert resolver.asked == ["tools.example"]


async def test_the_next_address_is_tried_where_one_does_not_answer() -> None:
    network = Recorder(dead=["::1"])
    async with _client(network, Resolver(["::1", "127.0.0.1"])) as client:
        await client.post("http://localhost:1234/mcp", json={})
    assert [request.url.host for request in network.requests] == ["::1", "127.0.0.1"]
    with pytest.raises(httpx2.ConnectError):
        async with _client(Recorder(dead=["127.0.0.1"]), Resolver(["127.0.0.1"])) as client:
            await client.get("http://localhost/")


@pytest.mark.parametrize(
    "answer",
    [
        ["169.254.169.254"],
        ["192.0.2.1", "169.254.169.254"],
        ["::ffff:169.254.169.254"],
        ["fd00:ec2::254"],
        ["fe80::1%eth0"],
        ["0.0.0.0"],
        ["64:ff9b::a9fe:a9fe"],
        ["nonsense"],
    ],
)
async def test_a_name_that_stands_for_a_refused_address_is_not_connected_to(answer: list[str]) -> None:
    network = Recorder()
    async with _client(network, Resolver(answer)) as client:
        with pytest.raises(RefusedAddressError, match="to which nothing is sent"):
            await client.get("http://innocent.example/mcp")
    assert network.requests == []


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "2852039166",
        "0xa9fea9fe",
        "025177524776",
        "0251.0376.0251.0376",
        "169.16689662",
        "[::ffff:169.254.169.254]",
        "[::ffff:a9fe:a9fe]",
        "[fe80::1]",
        "168.63.129.16",
        "0",
    ],
)
async def test_other_spellings_of_a_refused_address_are_refused(host: str) -> None:
    network = Recorder()
    async with _client(network) as client:
        with pytest.raises((RefusedAddressError, httpx2.InvalidURL)):
            await client.get(f"http://{host}/latest/meta-data")
    assert network.requests == []


async def test_another_origin_is_not_followed() -> None:
    network = Recorder()
    async with _client(network, Resolver(["192.0.2.7"], ["192.0.2.8"])) as client:
        await client.get("http://tools.example/mcp")
        for url in ("http://other.example/mcp", "http://tools.example:81/mcp", "http://169.254.169.254/"):
            with pytest.raises(RefusedAddressError):
                await client.get(url)
    assert len(network.requests) == 1


async def test_the_client_of_both_listing_and_calling_checks_addresses() -> None:
    async with bounded_client("http://2852039166/mcp") as client:
        with pytest.raises(RefusedAddressError, match=r"169\.254\.169\.254 is a link-local or metadata address"):
            await client.get("http://2852039166/mcp")
