"""The second factor: its secret, and how a person's device gets it."""

import secrets
from typing import Final
from uuid import UUID

import segno
from cryptography.fernet import InvalidToken
from pyotp import TOTP, random_base32

from flatbed.tenants.kit.crypto import Keyring
from flatbed.tenants.people.rules.recovery import BYTES, read, written
from flatbed.tenants.people.rules.totp import DIGITS, SECONDS, accepted_step

ISSUER: Final = "Flatbed"
BOX: Final = "totp"
RECOVERY: Final = "recovery-code"
RECOVERY_CODES: Final = 10


class TotpUnreadableError(RuntimeError):
    """A stored secret cannot be opened: another FLATBED_SECRET_KEY, or another person's box."""


def new_secret() -> str:
    """160 random bits in base 32."""
    return random_base32(32)


def sealed(keyring: Keyring, user_id: UUID, secret: str) -> bytes:
    """What to store of a secret: encrypted, and good for this person alone."""
    return keyring.box(BOX).encrypt(user_id.bytes + secret.encode())


def opened(keyring: Keyring, user_id: UUID, box: bytes) -> str:
    """The secret of a person.

    Raises:
        TotpUnreadableError: it is another's box, or was made with another key.
    """
    try:
        content = keyring.box(BOX).decrypt(box)
    except InvalidToken:
        raise TotpUnreadableError from None
    owner, secret = content[:16], content[16:]
    if owner != user_id.bytes:
        raise TotpUnreadableError
    return secret.decode()


def provisioning_uri(secret: str, email: str) -> str:
    """The ``otpauth:`` address that a device reads. It holds the secret."""
    otp = TOTP(secret, digits=DIGITS, interval=SECONDS)
    return otp.provisioning_uri(name=email, issuer_name=ISSUER)


def qr_code(uri: str) -> str:
    """The address as inline SVG, black on white whatever the page's colours.

    No script, style, link or ``data:`` is in it: a strict policy lets it pass. Safe as HTML.
    """
    return segno.make_qr(uri, error="m").svg_inline(
        border=4, omitsize=True, dark="#000", light="#fff", svgclass=None, lineclass=None
    )


def new_recovery_codes() -> list[str]:
    """Ten codes, as they are shown: once."""
    return [written(secrets.token_bytes(BYTES)) for _ in range(RECOVERY_CODES)]


def recovery_digest(keyring: Keyring, user_id: UUID, typed: str) -> bytes | None:
    """What is stored of a person's code (HMAC), from what he typed; None: it is no code.

    Each is good once: the store marks it as used, where it is not, in one statement.
    """
    code = read(typed)
    return None if code is None else keyring.mac(RECOVERY, user_id.bytes + code)


__all__ = [
    "TotpUnreadableError",
    "accepted_step",
    "new_recovery_codes",
    "new_secret",
    "opened",
    "provisioning_uri",
    "qr_code",
    "recovery_digest",
    "sealed",
]
