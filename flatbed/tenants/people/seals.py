"""What a browser keeps for us: sealed for one use, of one person, good for a while."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from cryptography.fernet import InvalidToken

from flatbed.tenants.kit.crypto import Keyring

LONGEST: Final = 500
_ID: Final = 16


@dataclass(frozen=True, slots=True)
class Sealed:
    """Whose it is, and what it says."""

    user_id: UUID
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Seal:
    """What is sealed: ``use`` keys it, so that none opens another's; ``good_for`` whole seconds."""

    use: str
    good_for: timedelta

    def put(self, keyring: Keyring, user_id: UUID, content: bytes, now: datetime) -> str:
        """The text that the browser keeps."""
        box = keyring.box(self.use)
        return box.encrypt_at_time(user_id.bytes + content, int(now.timestamp())).decode()

    def opened(self, keyring: Keyring, text: str, now: datetime) -> Sealed | None:
        """What was sealed; None: the text is none of ours, of another use, or too old."""
        if len(text) > LONGEST or not text.isascii():
            return None
        try:
            found = keyring.box(self.use).decrypt_at_time(
                text.encode(), int(self.good_for.total_seconds()), int(now.timestamp())
            )
        except InvalidToken:
            return None
        return Sealed(UUID(bytes=found[:_ID]), found[_ID:])
