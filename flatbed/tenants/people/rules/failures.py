"""How many failures are too many, and who is counted as one. Pure.

Ten a minute for an account (or a client) from one network. Nobody is locked out by name alone:
whoever wants to lock a person out would have to sit in his network. Codes of a second factor are
few, and who tries them knows the password already: of these there are ten a minute from anywhere.
"""

import math
from datetime import datetime, timedelta
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final

MOST: Final = 10
WINDOW: Final = timedelta(minutes=1)
IPV4_PREFIX: Final = 24
IPV6_PREFIX: Final = 56
"""What one customer of a provider has at most; in less than that he changes address at will."""
NOWHERE: Final = "-"


class Subject(StrEnum):
    """What is counted."""

    ACCOUNT = "account"
    CODE = "code"
    RESET = "reset"
    CLIENT = "client"


def prefix_of(address: IPv4Address | IPv6Address | None) -> str:
    """The network that the caller is counted with; all without an address are one."""
    if address is None:
        return NOWHERE
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if isinstance(address, IPv4Address):
        return str(IPv4Network((int(address), IPV4_PREFIX), strict=False))
    return str(IPv6Network((int(address), IPV6_PREFIX), strict=False))


def message_of(subject: Subject, name: str, prefix: str) -> bytes:
    """What the key of a count is the HMAC of: another subject, name or network gives another."""
    # Neither of the first two holds a NUL, so nobody's name can be taken for a part of them.
    return "\0".join((subject, prefix, name.strip().casefold())).encode("utf-8", "surrogatepass")


def is_over(began_at: datetime, now: datetime) -> bool:
    """Whether the window has ended. One that lies ahead was begun by a clock that was wrong."""
    return began_at <= now - WINDOW or began_at > now + WINDOW


def wait_seconds(began_at: datetime, count: int, now: datetime) -> int | None:
    """How long to wait until the next try, in whole seconds; None: it may be made now."""
    if count < MOST or is_over(began_at, now):
        return None
    return max(1, math.ceil((began_at + WINDOW - now).total_seconds()))
