"""TLS to a checked address: the certificate is held against the host's name, the connection goes to the address."""

import asyncio
import datetime
import ipaddress
import ssl
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from mcp_optimizer.sources.bounded_http import bounded_client
from mcp_optimizer.sources.mcp.pinned_dns import PinnedDnsTransport

HOST = "tools.example"


def certificate(directory: Path, host: str) -> Path:
    """A self-signed certificate for ``host``, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = directory / f"{host}.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + signed.public_bytes(serialization.Encoding.PEM))
    return path


class Network:
    """A TLS server on 127.0.0.2, and a name server that calls it so, once."""

    def __init__(self) -> None:
        self.answers: list[Sequence[str]] = [["127.0.0.2"], ["169.254.169.254"]]
        self.asked: list[str] = []
        self.connected_to: set[str] = set()
        self.names: set[str | None] = set()
        self.port = 0

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        """Another answer each time."""
        self.asked.append(host)
        return self.answers.pop(0)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Note where the connection came in."""
        self.connected_to.add(writer.get_extra_info("sockname")[0])
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi")
        await writer.drain()
        writer.close()


@asynccontextmanager
async def network(pem: Path) -> AsyncGenerator[Network]:
    """The server shows the certificate in ``pem``."""
    made = Network()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    context.sni_callback = lambda _, name, __: made.names.add(name)
    server = await asyncio.start_server(made.answer, "127.0.0.2", 0, ssl=context)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()


def client(made: Network, trusted: Path) -> httpx2.AsyncClient:
    """A client that trusts one certificate."""
    context = ssl.create_default_context(cafile=str(trusted))
    inner = httpx2.AsyncHTTPTransport(verify=context, trust_env=False)
    return httpx2.AsyncClient(transport=PinnedDnsTransport(inner, made.resolve))


async def test_the_checked_address_is_connected_to_and_the_certificate_is_of_the_name(tmp_path: Path) -> None:
    pem = certificate(tmp_path, HOST)
    async with network(pem) as made, client(made, pem) as http:
        for _ in range(2):
            assert (await http.get(f"https://{HOST}:{made.port}/mcp")).text == "hi"
    assert made.asked == [HOST], "resolved once: a second answer could be another address"
    assert made.connected_to == {"127.0.0.2"}
    assert made.names == {HOST}
    assert not ipaddress.ip_address(made.answers[0][0]).is_loopback


async def test_a_certificate_of_another_name_is_refused(tmp_path: Path) -> None:
    pem = certificate(tmp_path, "elsewhere.example")
    async with network(pem) as made, client(made, pem) as http:
        with pytest.raises(httpx2.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            await http.get(f"https://{HOST}:{made.port}/mcp")
    assert made.connected_to == set(), "nothing was sent"


async def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    pem = certificate(tmp_path, HOST)
    async with network(pem) as made:
        endpoint = f"https://{HOST}:{made.port}/mcp"
        async with bounded_client(endpoint, resolve=made.resolve) as http:
            with pytest.raises(httpx2.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
                await http.get(endpoint)
    assert made.connected_to == set()
