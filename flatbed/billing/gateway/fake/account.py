"""One Stripe account in its sandbox: its objects, its clock, its ids and its events."""

import hashlib
import secrets
import string
from collections.abc import Callable
from copy import deepcopy
from datetime import datetime
from typing import Any, Final

from flatbed.billing.gateway.fake.refusals import missing
from flatbed.billing.gateway.fake.store import Obj, Store
from flatbed.tenants.kit.clock import system_now

ALPHABET: Final = string.digits + string.ascii_letters
TOKEN: Final = 24
_META, _THE = "_meta", "account"

PREFIXES: Final = {
    "billing_portal.session": "bps",
    "checkout.session": "cs_test",
    "credit_note": "cn",
    "credit_note_line_item": "cnli",
    "customer": "cus",
    "dispute": "du",
    "event": "evt",
    "invoice": "in",
    "invoice_payment": "inpay",
    "line_item": "il",
    "payment_intent": "pi",
    "payment_method": "pm",
    "charge": "ch",
    "refund": "re",
    "request": "req",
    "setup_intent": "seti",
    "tax_id": "txi",
    "tax_rate": "txr",
}


class Account:
    """The state; every operation on it is synchronous and so takes effect as a whole.

    Args:
        store: its objects.
        public_url: where its pages are.
        seed: what ids are made from; equal seeds give equal ids.
        wall: the system's time.
    """

    def __init__(
        self,
        store: Store,
        public_url: str = "https://stripe.test",
        seed: str | None = None,
        wall: Callable[[], datetime] = system_now,
    ) -> None:
        self.store = store
        self.public_url = public_url
        self.wall = wall
        self._meta: Obj = store.get(_META, _THE) or {
            "seed": seed or secrets.token_hex(16),
            "made": 0,
            "offset": 0,
            "number": 0,
        }
        self.request: Obj | None = None
        """What is being answered, for the events that it causes."""
        self.heard: list[Callable[[Obj], None]] = []
        """Who is told of each event."""

    @property
    def seed(self) -> str:
        """What ids and chance are made from."""
        return str(self._meta["seed"])

    def now(self) -> int:
        """The account's time, in seconds since 1970."""
        return int(self.wall().timestamp()) + int(self._meta["offset"])

    def advance(self, seconds: int) -> None:
        """Move the account's clock."""
        self._meta["offset"] += seconds
        self._keep()

    def mint(self, kind: str) -> str:
        """A new id, such as ``in_1Qx…``."""
        self._meta["made"] += 1
        self._keep()
        source = hashlib.sha256(f"{self.seed}/{self._meta['made']}".encode()).digest()
        number = int.from_bytes(source, "big")
        token = ""
        for _ in range(TOKEN):
            number, digit = divmod(number, len(ALPHABET))
            token += ALPHABET[digit]
        return f"{PREFIXES[kind]}_{token}"

    def next_number(self) -> str:
        """The number of an invoice that was given none."""
        self._meta["number"] += 1
        self._keep()
        return f"FAKE-{self._meta['number']:04d}"

    def new(self, kind: str, **members: Any) -> Obj:  # noqa: ANN401 - JSON of any kind
        """A new object, kept, with what all objects have."""
        obj = {
            "id": self.mint(kind),
            "object": kind,
            "created": self.now(),
            "livemode": False,
            **members,
        }
        self.save(obj)
        return obj

    def save(self, obj: Obj) -> None:
        """Keep an object that was changed."""
        self.store.put(obj["object"], obj["id"], obj)

    def find(self, kind: str, given: str, param: str = "id") -> Obj:
        """An object by its id, or the refusal that names the parameter."""
        found = self.store.get(kind, given)
        if found is None:
            raise missing(kind, given, param)
        return found

    def emit(self, kind: str, concerned: Obj) -> None:
        """Something happened to an object: its state of now is in the event for good."""
        event = self.new(
            "event",
            type=kind,
            api_version=None,
            data={"object": deepcopy(concerned)},
            pending_webhooks=1,
            request=self.request or {"id": None, "idempotency_key": None},
        )
        for told in self.heard:
            told(event)

    def _keep(self) -> None:
        self.store.put(_META, _THE, self._meta)
