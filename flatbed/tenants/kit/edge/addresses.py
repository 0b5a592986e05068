"""From which address a request comes, as far as it can be believed."""

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address

from starlette.requests import Request

Address = IPv4Address | IPv6Address


def caller_address(request: Request) -> Address | None:
    """The address of the one who called, None where there is none (a Unix socket, a bad header).

    It is the connection's peer. Where that is one of ``FLATBED_TRUSTED_PROXIES``, uvicorn has put
    in its place the last address of ``X-Forwarded-For`` that is not one of them; from anybody
    else the header means nothing.
    """
    return None if request.client is None else address_of(request.client.host)


@lru_cache(maxsize=1024)
def address_of(text: str) -> Address | None:
    """The address; an IPv4 address that came over an IPv6 socket is the IPv4 address that it is."""
    try:
        found = ip_address(text)
    except ValueError:
        return None
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        return found.ipv4_mapped
    return found
