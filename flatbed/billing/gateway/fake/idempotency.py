"""Idempotency keys by Stripe's rules.

The first answer under a key is kept once its operation has begun, a 500 too, and is replayed to
the same request; another request under the key is refused, one at the same time conflicts. A
request that failed its validation or conflicted has kept nothing. Keys are pruned after 24 hours.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from flatbed.billing.gateway.fake.account import Account
from flatbed.billing.gateway.fake.refusals import ApiError
from flatbed.billing.gateway.fake.store import Obj
from flatbed.tenants.kit.canonical import digest

KEPT_S: Final = 86_400
LONGEST: Final = 255
_KIND: Final = "_key"


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent back. ``keeps``: whether it stands under the key from now on."""

    status: int
    body: Obj
    keeps: bool = True


class Keys:
    """The keys of an account."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._running: set[str] = set()

    @contextmanager
    def running(self, key: str) -> Iterator[None]:
        """The key is in use for the block.

        Raises:
            ApiError: another request has it now, or it is too long.
        """
        if len(key) > LONGEST:
            raise ApiError(400, f"Idempotency keys have up to {LONGEST} characters")
        if key in self._running:
            raise ApiError(
                409,
                "There is currently another in-progress request using this Idempotency Key.",
                code="idempotency_key_in_use",
            )
        self._running.add(key)
        try:
            yield
        finally:
            self._running.discard(key)

    def replay(self, key: str, method: str, path: str, params: Obj) -> Answer | None:
        """The answer that the key stands for.

        Raises:
            ApiError: it stands for another request.
        """
        held = self._account.store.get(_KIND, key)
        if held is None:
            return None
        if held["at"] + KEPT_S <= self._account.now():
            self._account.store.remove(_KIND, key)
            return None
        if held["request"] != digest([method, path, params]):
            raise ApiError(
                400,
                "Keys for idempotent requests can only be used with the same parameters and the "
                "same endpoint they were first used with.",
                kind="idempotency_error",
            )
        return Answer(held["status"], held["body"])

    def keep(self, key: str, method: str, path: str, params: Obj, answer: Answer) -> None:
        """Let the key stand for this answer."""
        held = {
            "request": digest([method, path, params]),
            "status": answer.status,
            "body": answer.body,
            "at": self._account.now(),
        }
        self._account.store.put(_KIND, key, held)
