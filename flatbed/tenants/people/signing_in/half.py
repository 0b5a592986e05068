"""A person between his password and his second factor: a sealed cookie for five minutes.

It signs nobody in. It says who typed the right password, and is worth nothing once the password
was changed.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from flatbed.tenants.kit.crypto import Keyring
from flatbed.tenants.people.models import UserAccount
from flatbed.tenants.people.seals import Seal

COOKIE: Final = "__Host-flatbed-half"
SEAL: Final = Seal("half-signed-in", timedelta(minutes=5))
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Half:
    """Who typed which password: that of ``password_at``."""

    user_id: UUID
    password_at: datetime

    def is_of(self, account: UserAccount) -> bool:
        """Whether the account is active, and its password still that one."""
        return account.active and account.password_at == self.password_at


def sealed(keyring: Keyring, account: UserAccount, now: datetime) -> str:
    """The cookie of a person whose password was right."""
    moment = (account.password_at - _EPOCH) // timedelta(microseconds=1)
    return SEAL.put(keyring, account.id, moment.to_bytes(8), now)


def opened(keyring: Keyring, cookie: str | None, now: datetime) -> Half | None:
    """Whose cookie it is, None where it is none of ours or too old."""
    found = None if cookie is None else SEAL.opened(keyring, cookie, now)
    if found is None:
        return None
    moment = _EPOCH + timedelta(microseconds=int.from_bytes(found.content))
    return Half(found.user_id, moment)
