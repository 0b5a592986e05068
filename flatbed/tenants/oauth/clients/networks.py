"""The networks that a client may call from."""

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Final

from flatbed.tenants.kit.edge.addresses import Address

MOST_NETWORKS: Final = 32
_MAPPED: Final = IPv6Network("::ffff:0:0/96")
"""IPv4 addresses written as IPv6: a caller is never seen under one."""


def canonical(text: str) -> str:
    """The one spelling of a network; an address alone is the network of that address.

    Raises:
        ValueError: it is no network, has bits behind its prefix, or holds no caller's address.
    """
    try:
        network = ip_network(text)
    except ValueError:
        raise ValueError("Not a network such as 192.0.2.0/24 or 2001:db8::/32.") from None
    if "%" in text:
        raise ValueError("A network has no zone.")
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        raise ValueError("Write an IPv4 network as one.")
    return str(network)


def canonical_list(texts: Iterable[str]) -> list[str]:
    """Each network once, in its one spelling."""
    return sorted({canonical(text) for text in texts})


def admits(networks: Iterable[str], address: Address | None) -> bool:
    """Whether a client of these networks may call from there; without any, from everywhere."""
    allowed = [_network(text) for text in networks]
    return not allowed or (address is not None and any(address in network for network in allowed))


@lru_cache(maxsize=4096)
def _network(text: str) -> IPv4Network | IPv6Network:
    return ip_network(text)
