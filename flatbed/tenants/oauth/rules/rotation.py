"""How signing keys turn: next → active → retired. Which one must be made, sign or go, and when.

Instants are system time: keys belong to the deployment, not to a realm.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

NEXT: Final = "next"
ACTIVE: Final = "active"
RETIRED: Final = "retired"

PUBLISHED: Final = timedelta(hours=24)
"""How long a key is published before it signs: whoever keeps our keys must have it by then."""
LIFETIME: Final = timedelta(minutes=10)
"""Of an access token."""
SKEW: Final = timedelta(seconds=60)
"""By how much the clocks of two machines may differ."""
MAX_AGE: Final = timedelta(seconds=300)
"""How long ``/oauth/jwks`` may be kept by whoever asked."""
STALE: Final = timedelta(seconds=300)
"""After which a process reads the keys anew."""
SIGNS_FOR: Final = STALE + SKEW
"""A process that could not read them anew for so long signs no more: its key may be retired."""
OVERLAP: Final = LIFETIME + SKEW + MAX_AGE + STALE
"""How long a retired key is published and verifies.

Its last token is signed ``SIGNS_FOR`` after it retired, and lives for ``LIFETIME``.
"""


class Wish(StrEnum):
    """Who asks for a rotation."""

    SCHEDULE = "schedule"  # only when the active key is old enough
    ON_DEMAND = "on demand"  # whenever the next key was published for long enough
    AT_ONCE = "at once"  # whatever was published


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A key without its material."""

    kid: str
    state: str
    created_at: datetime
    activated_at: datetime | None = None
    retired_at: datetime | None = None
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done, in this order: revoke, retire, promote, make."""

    revoke: frozenset[str] = frozenset()
    retire: str | None = None
    promote: str | None = None
    make: tuple[str, ...] = ()
    """States of the keys to make."""

    @property
    def rotates(self) -> bool:
        """Another key signs afterwards."""
        return self.retire is not None


def plan(
    keys: Sequence[KeyRecord],
    now: datetime,
    wish: Wish,
    *,
    period: timedelta,
    revoke: Collection[str] = (),
) -> Plan:
    """What is to be done with these keys now.

    There is a next key at any time. An active key that is revoked is replaced at once, by a next
    key however young: nothing else can sign. Without an active key nothing is done, since the
    program makes the first one when it starts.

    Args:
        keys: all of them, or those that are not retired.
        now: the instant.
        wish: who asks.
        period: how long a key signs by schedule.
        revoke: kids of the keys to take away.
    """
    active = find(keys, ACTIVE)
    if active is None:
        return Plan()
    revoked = frozenset(k.kid for k in keys if k.kid in revoke and k.revoked_at is None)
    following = find(keys, NEXT)
    if following is not None and following.kid in revoked:
        following = None
    if active.kid in revoked or _turns(active, following, now, wish, period):
        if following is None:
            return Plan(revoked, active.kid, make=(ACTIVE, NEXT))
        return Plan(revoked, active.kid, following.kid, (NEXT,))
    return Plan(revoked, make=() if following else (NEXT,))


def _turns(
    active: KeyRecord, following: KeyRecord | None, now: datetime, wish: Wish, period: timedelta
) -> bool:
    if wish is Wish.AT_ONCE:
        return True
    if following is None or now < promotable_from(following):
        return False
    since = active.activated_at or active.created_at
    return wish is Wish.ON_DEMAND or now >= since + period


def promotable_from(key: KeyRecord) -> datetime:
    """From when a next key may sign."""
    return key.created_at + PUBLISHED


def is_published(key: KeyRecord, now: datetime) -> bool:
    """Whether the key is shown and verifies: until the last token that it signed has expired."""
    if key.revoked_at is not None:
        return False
    if key.state != RETIRED:
        return True
    return key.retired_at is not None and now < key.retired_at + OVERLAP


def find(keys: Sequence[KeyRecord], state: str) -> KeyRecord | None:
    """The one key in the state, of which there is one at most."""
    return next((key for key in keys if key.state == state), None)
