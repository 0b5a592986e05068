"""Keys derived from the one secret of the deployment, and what is made with them.

Each use has a key of its own (HKDF-SHA256 with the use as ``info``): a leaked cursor key opens no
client secret.
"""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from functools import lru_cache

from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

MINIMUM_BYTES = 32


class WeakSecretError(ValueError):
    """The deployment's secret is shorter than 32 bytes."""


class Keyring:
    """All keys of this deployment.

    Args:
        secret: ``FLATBED_SECRET_KEY``, at least 32 bytes, never logged.
    """

    def __init__(self, secret: bytes) -> None:
        if len(secret) < MINIMUM_BYTES:
            raise WeakSecretError
        self._secret = secret

    def key(self, use: str) -> bytes:
        """32 bytes for one use."""
        return _derive(self._secret, use)

    def mac(self, use: str, message: bytes) -> bytes:
        """HMAC-SHA256 under the use's key."""
        return hmac.new(self.key(use), message, hashlib.sha256).digest()

    def box(self, use: str) -> Fernet:
        """Authenticated encryption for values at rest."""
        return Fernet(urlsafe_b64encode(self.key(use)))


def same(left: bytes, right: bytes) -> bool:
    """Equality in constant time."""
    return hmac.compare_digest(left, right)


@lru_cache(maxsize=64)
def _derive(secret: bytes, use: str) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=f"flatbed:{use}".encode()).derive(secret)
