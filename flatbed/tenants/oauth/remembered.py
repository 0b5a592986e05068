"""Clients that have just proved who they are by their secret: asked again at once, no database is.

Nobody tells this process of a revocation, so nothing is remembered for longer than that may take:
a client, owner or secret that is no longer good gets its last token :data:`SECONDS` later, in
every process, and what a token may do is asked of the database on every request anyway. A refusal
is never remembered, nor an assertion, which is good for one request.
"""

import json
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from flatbed.tenants.kit.crypto import Keyring
from flatbed.tenants.oauth.clients.standing import Standing
from flatbed.tenants.oauth.forms import Form, SecretProof

SECONDS: Final = 1.0
MOST: Final = 4_096
USE: Final = "remembered-client"


class RememberedClients:
    """This process's memory; no secret stands in it, only the HMAC of one.

    Args:
        keyring: of the deployment.
        monotonic: seconds that never go back.
        most: as many clients at once; the one that asked longest ago goes first.
    """

    def __init__(
        self,
        keyring: Keyring,
        monotonic: Callable[[], float] = time.monotonic,
        most: int = MOST,
    ) -> None:
        self._keyring = keyring
        self._monotonic = monotonic
        self._most = most
        self._found: OrderedDict[bytes, tuple[float, Standing]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._found)

    def now(self) -> float:
        """To be read before the database is asked for what is then remembered."""
        return self._monotonic()

    def recall(self, form: Form) -> Standing | None:
        """The client that proved itself by the same secret, from the same address, just now."""
        if not isinstance(form.proof, SecretProof):
            return None
        key = self._key(form.proof, form)
        found = self._found.get(key)
        if found is None:
            return None
        asked_at, standing = found
        if self._monotonic() - asked_at >= SECONDS:
            del self._found[key]
            return None
        self._found.move_to_end(key)
        return standing

    def remember(self, form: Form, standing: Standing, asked_at: float) -> None:
        """Remember a proof by secret that was good.

        Args:
            form: the request with the proof.
            standing: whose it was.
            asked_at: :meth:`now` before the database was asked: a revocation that came since
                was not seen.
        """
        if not isinstance(form.proof, SecretProof):
            return
        key = self._key(form.proof, form)
        self._found[key] = (asked_at, standing)
        self._found.move_to_end(key)
        if len(self._found) > self._most:
            self._found.popitem(last=False)

    def _key(self, proof: SecretProof, form: Form) -> bytes:
        # The address belongs to it, for a client may be held to some; as JSON, so that no end of
        # an id can be the beginning of a secret.
        address = None if form.address is None else str(form.address)
        said = json.dumps([proof.client_id, proof.secret, address])
        return self._keyring.mac(USE, said.encode())
