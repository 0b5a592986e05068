"""Signed webhooks: at least once, in no order, and as late or as often as a test wants."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from json import dumps
from random import Random
from typing import Final

import httpx

from flatbed.billing.gateway.fake.account import Account
from flatbed.billing.gateway.fake.store import Obj
from flatbed.billing.gateway.rules.signature import sign

Send = Callable[[bytes, str], Awaitable[int]]
"""Delivers a body with its signature and returns the status, 0 for none."""
GIVEN_UP_S: Final = 3 * 86_400
LONGEST_PAUSE_S: Final = 3_600
_KIND: Final = "_delivery"
_PERCENT: Final = 100


@dataclass(slots=True)
class Mischief:
    """What happens to deliveries; all of it by the account's seed.

    Args:
        held: nothing is delivered until this is lifted.
        shuffled: those that are due go out in any order.
        doubled_percent: how many are sent twice.
        delay_s: seconds between an event and its first delivery, by the account's clock.
        skew_s: seconds that signatures are ahead of the system's time.
    """

    held: bool = False
    shuffled: bool = False
    doubled_percent: int = 0
    delay_s: int = 0
    skew_s: int = 0


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where webhooks go.

    Args:
        send: how a body gets there.
        secret: the signing secret.
        types: the events subscribed to; none: all.
    """

    send: Send
    secret: str
    types: frozenset[str] = frozenset()


class Webhooks:
    """What is still to be delivered to the endpoint.

    Args:
        account: whose events.
        endpoint: where they go; None: nowhere, and nothing is kept.
    """

    def __init__(self, account: Account, endpoint: Endpoint | None = None) -> None:
        self._account = account
        self._endpoint = endpoint
        self._random = Random(account.seed)  # noqa: S311 - disorder that a seed repeats, no secret
        self.mischief = Mischief()
        self.refused = 0
        """How often what was sent met no acceptance."""
        account.heard.append(self._queue)

    @property
    def waiting(self) -> int:
        """How many deliveries there are still to make."""
        return self._account.store.count(_KIND)

    def _queue(self, event: Obj) -> None:
        if self._endpoint is None:
            return
        if self._endpoint.types and event["type"] not in self._endpoint.types:
            return
        now = self._account.now()
        due = {"event": event["id"], "at": now, "due": now + self.mischief.delay_s, "tries": 0}
        self._account.store.put(_KIND, event["id"], due)

    async def deliver(self, *, at_once: bool = False) -> int:
        """Send everything that is due, once; what is not accepted is due again later.

        Args:
            at_once: also what is not due yet.

        Returns:
            How many were accepted.
        """
        if self._endpoint is None or self.mischief.held:
            return 0
        now, store = self._account.now(), self._account.store
        due = [d["event"] for d in store.oldest_first(_KIND) if at_once or d["due"] <= now]
        if self.mischief.shuffled:
            self._random.shuffle(due)
        accepted = 0
        for event in due:
            is_accepted = await self._send(self._endpoint, event)
            if self._random.randrange(_PERCENT) < self.mischief.doubled_percent:
                is_accepted = await self._send(self._endpoint, event)
            accepted += is_accepted
            self._settle(event, is_accepted=is_accepted)
        store.flush()
        return accepted

    async def _send(self, endpoint: Endpoint, event: str) -> bool:
        body = self._account.find("event", event)
        payload = dumps(body, separators=(",", ":")).encode()
        at = int(self._account.wall().timestamp()) + self.mischief.skew_s
        status = await endpoint.send(payload, sign(payload, endpoint.secret, at))
        is_accepted = status // 100 == 2  # noqa: PLR2004 - the class of success
        self.refused += not is_accepted
        return is_accepted

    def _settle(self, event: str, *, is_accepted: bool) -> None:
        held = self._account.store.get(_KIND, event)
        now = self._account.now()
        if held is None:
            return
        if is_accepted or held["at"] + GIVEN_UP_S <= now:
            self._account.store.remove(_KIND, event)
            return
        pause = min(1 << held["tries"], LONGEST_PAUSE_S)
        again = {**held, "tries": held["tries"] + 1, "due": now + pause}
        self._account.store.put(_KIND, event, again)


def poster(client: httpx.AsyncClient, url: str) -> Send:
    """Deliver over HTTP."""

    async def post(payload: bytes, signature: str) -> int:
        headers = {"Stripe-Signature": signature, "Content-Type": "application/json"}
        try:
            answer = await client.post(url, content=payload, headers=headers)
        except httpx.TransportError:
            return 0
        return answer.status_code

    return post
