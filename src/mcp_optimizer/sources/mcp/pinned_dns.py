"""Connecting to the very address that was checked: a name is resolved once, and no second answer can differ."""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import httpx2

from mcp_optimizer.domain.addresses import why_refused

type Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""The IP addresses of a host, in the order in which they are to be tried. Raises OSError."""

_MAX_ADDRESSES_TRIED: Final = 4
"""Addresses of one host that are tried."""


class RefusedAddressError(httpx2.ConnectError):
    """The host stands for an address that is never connected to. Nothing was sent."""


async def resolve(host: str, port: int) -> Sequence[str]:
    """The system's answer. It also reads hosts as C does: ``2852039166`` and ``0251.0376.0251.0376`` are addresses."""
    result = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[4][0]) for address in result))


async def checked_addresses(host: str, port: int, resolve: Resolve = resolve) -> Sequence[str]:
    """The addresses of a host. Raises RefusedAddressError where one may not be connected to, OSError for no host."""
    given = host.strip("[]")
    try:
        addresses: Sequence[str] = [str(ipaddress.ip_address(given.partition("%")[0]))]
    except ValueError:
        addresses = await resolve(given, port)
    for address in addresses:
        reason = why_refused(address)
        if reason is not None:
            raise RefusedAddressError(f"its address {address} {reason}, to which nothing is sent")
    return addresses


class PinnedDnsTransport(httpx2.AsyncBaseTransport):
    """Sends requests of one origin to its checked addresses, with its name in the Host header and for TLS.

    The origin is that of the first request; another one is refused, as is a host of which any address is. The name is
    resolved for the first request and then never again, for as long as the transport lives.
    """

    def __init__(self, inner: httpx2.AsyncBaseTransport, resolve: Resolve = resolve) -> None:
        self._inner = inner
        self._resolve = resolve
        self._origin: tuple[str, str, int | None] | None = None
        self._addresses: asyncio.Task[Sequence[str]] | None = None

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Raises RefusedAddressError, and ConnectError when no address answers."""
        origin = (request.url.scheme, request.url.host, request.url.port)
        if self._origin not in {None, origin}:
            raise RefusedAddressError("named another host, which is not followed", request=request)
        self._origin = origin
        addresses = await self._checked(request)
        for place, address in enumerate(addresses):
            try:
                return await self._inner.handle_async_request(_aimed(request, address))
            except (httpx2.ConnectError, httpx2.ConnectTimeout):
                if place == len(addresses) - 1:
                    raise
        raise httpx2.ConnectError("has no address", request=request)

    async def _checked(self, request: httpx2.Request) -> Sequence[str]:
        if self._addresses is None:
            self._addresses = asyncio.create_task(self._look_up(request.url.host, request.url.port or 0))
        try:
            return await asyncio.shield(self._addresses)
        except OSError as error:
            raise httpx2.ConnectError(f"its host is not known: {error.strerror or error}", request=request) from None

    async def _look_up(self, host: str, port: int) -> Sequence[str]:
        return (await checked_addresses(host, port, self._resolve))[:_MAX_ADDRESSES_TRIED]

    async def aclose(self) -> None:
        """Close what it sends through."""
        if self._addresses is not None and not self._addresses.done():
            self._addresses.cancel()
        await self._inner.aclose()


def _aimed(request: httpx2.Request, address: str) -> httpx2.Request:
    """The request, sent to this address. Its Host header was made from the URL when the request was."""
    extensions = {**request.extensions, "sni_hostname": request.url.host}
    url = request.url.copy_with(host=address)
    return httpx2.Request(request.method, url, headers=request.headers, stream=request.stream, extensions=extensions)
