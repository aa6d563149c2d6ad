"""Which network addresses are never connected to, whatever a catalog or a workload names. Pure."""

import ipaddress
from typing import Final

type Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_METADATA: Final = frozenset(
    map(
        ipaddress.ip_address,
        (
            "100.100.100.200",  # Alibaba Cloud
            "168.63.129.16",  # Azure
            "192.0.0.192",  # Oracle Cloud
            "fd00:ec2::254",  # Amazon
            "fd20:ce::254",  # Google
        ),
    )
)
"""Where clouds tell a machine its credentials, beside the link-local addresses."""
_THIS_NETWORK: Final = ipaddress.ip_network("0.0.0.0/8")
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")


def why_refused(address: str) -> str | None:
    """Why an IP address is not connected to; None when it may be.

    Loopback and private addresses may be: ToolHive's proxies answer there. Anything that is no IP address is refused.
    """
    try:
        given = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return "is no IP address"
    for meant in (given, _within(given)):
        reason = _reason(meant) if meant is not None else None
        if reason is not None:
            return reason
    return None


def _within(address: Address) -> Address | None:
    """The IPv4 address that an IPv6 address stands for."""
    if not isinstance(address, ipaddress.IPv6Address):
        return None
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)


def _reason(address: Address) -> str | None:
    if address.is_unspecified or (address.version == 4 and address in _THIS_NETWORK):
        return "is no address of a server"
    if address.is_link_local or address in _METADATA:
        return "is a link-local or metadata address"
    if address.is_multicast or address == ipaddress.IPv4Address(0xFFFFFFFF):
        return "is an address of many"
    return None
