"""How a refresh token may be used. Pure.

That of a public client is good once: each use gives the next one. A client that never got its
answer asks again, so a used token stays good for some seconds after its first use, for a few
siblings; whoever uses it later is not the one who holds the next one, and the family ends.
That of a confidential client stays the same: it is of no use without the client's own secret.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

GRACE: Final = timedelta(seconds=20)
"""From the first use; a later one does not lengthen it."""
MOST_SIBLINGS: Final = 3
"""Tokens that one is exchanged for, the first included."""
IDLE: Final = timedelta(days=30)
ABSOLUTE: Final = timedelta(days=180)
"""From the grant; no use lengthens it."""


class Verdict(StrEnum):
    """What a token that is presented is worth."""

    GOOD = "good"
    EXPIRED = "expired"
    REUSED = "reused"
    """Two parties hold it: the grant must end."""


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """What is known of a refresh token."""

    first_used_at: datetime | None
    siblings: int
    idle_until: datetime
    ends_at: datetime


def judge(token: TokenRecord, now: datetime, *, rotates: bool) -> Verdict:
    """What the token is worth now; ``rotates``: its client is public.

    A used token says that it was stolen also after its own end.
    """
    first = token.first_used_at
    if rotates and first is not None and (now - first > GRACE or token.siblings >= MOST_SIBLINGS):
        return Verdict.REUSED
    if now >= token.idle_until or now >= token.ends_at:
        return Verdict.EXPIRED
    return Verdict.GOOD


def exchanged(token: TokenRecord, now: datetime) -> TokenRecord:
    """The record of a public client's token after one more use that was good."""
    first = now if token.first_used_at is None else token.first_used_at
    return replace(token, first_used_at=first, siblings=token.siblings + 1)


def idle_until(now: datetime, ends_at: datetime) -> datetime:
    """Until when a token that is issued or used now may lie unused."""
    return min(now + IDLE, ends_at)
