"""What a test or a demo does to the fake beside its API: Stripe's dashboard, bank and bad days.

The same verbs are served at ``POST /_fake/<verb>`` with JSON, to who bears the secret key.
"""

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any, Final

from flatbed.billing.gateway.fake import events, invoices, payments, setups
from flatbed.billing.gateway.fake.api import Api
from flatbed.billing.gateway.fake.faults import Fault, FaultKind
from flatbed.billing.gateway.fake.refusals import ApiError
from flatbed.billing.gateway.fake.store import Obj
from flatbed.billing.gateway.fake.webhooks import Mischief, Webhooks


class Control:
    """The other side of the fake."""

    def __init__(self, api: Api, webhooks: Webhooks) -> None:
        self._api = api
        self._account = api.account
        self.webhooks = webhooks

    def complete_setup(self, session: str, method: str = setups.GOOD) -> Obj:
        """The customer gives a payment method on the Checkout page."""
        return self._whole(lambda: setups.complete(self._account, session, method))

    def pay(self, invoice: str, *, out_of_band: bool = False) -> Obj:
        """The customer pays what remains; out of band: by transfer to our bank."""
        return self._change(
            invoice,
            lambda held: payments.settle(
                self._account, held, None if out_of_band else self._account.mint("payment_intent")
            ),
        )

    def fail_payment(self, invoice: str) -> Obj:
        """An attempt to charge the invoice fails."""
        return self._change(invoice, lambda held: payments.fail(self._account, held))

    def refund(self, invoice: str, amount: int) -> Obj:
        """We give money back in the dashboard, without a credit note."""
        return self._whole(lambda: payments.refund(self._account, invoice, amount))

    def dispute(self, invoice: str) -> Obj:
        """The customer's bank disputes the payment."""
        return self._whole(lambda: payments.dispute(self._account, invoice))

    def close_dispute(self, dispute: str, status: str) -> Obj:
        """The bank decides: won or lost."""
        return self._whole(lambda: payments.close_dispute(self._account, dispute, status))

    def advance(self, seconds: int) -> Obj:
        """Move the clock, and do what is due by then."""

        def move() -> Obj:
            self._account.advance(seconds)
            events.tick(self._account)
            return {"now": self._account.now()}

        return self._whole(move)

    def fault(self, fault: Fault) -> None:
        """Let something go wrong with the next requests that fit."""
        self._api.faults.plan(fault)

    def clear_faults(self) -> Obj:
        """Let nothing planned go wrong any more."""
        self._api.faults.clear()
        return self.status()

    def mischief(self, mischief: Mischief) -> None:
        """Let deliveries go astray from now on."""
        self.webhooks.mischief = mischief

    def status(self) -> Obj:
        """What a test asserts on: requests, findings, faults met, deliveries to make."""
        return {
            "now": self._account.now(),
            "requests": len(self._api.requests),
            "findings": [{"at": at, **asdict(finding)} for at, finding in self._api.findings],
            "faults_met": self._api.faults.happened,
            "deliveries_waiting": self.webhooks.waiting,
            "deliveries_refused": self.webhooks.refused,
        }

    def _change(self, invoice: str, change: Callable[[Obj], None]) -> Obj:
        def work() -> Obj:
            change(self._account.find("invoice", invoice))
            return invoices.view(self._account, self._account.find("invoice", invoice))

        return self._whole(work)

    def _whole(self, work: Callable[[], Obj]) -> Obj:
        """Do it as a whole or not at all."""
        self._account.store.flush()
        try:
            done = work()
        except ApiError:
            self._account.store.take_back()
            raise
        self._account.store.flush()
        return done

    async def perform(self, verb: str, given: Obj) -> Obj:
        """A verb by name, with its arguments as JSON.

        Raises:
            ApiError: there is no such verb, or it does not take these arguments.
        """
        work = VERBS.get(verb)
        if work is None:
            raise ApiError(404, f"No such verb: one of {', '.join(sorted(VERBS))}")
        try:
            done = work(self, given)
        except (KeyError, TypeError, ValueError):
            raise ApiError(400, f"{verb} does not take these arguments") from None
        return await done if isinstance(done, Awaitable) else done

    async def deliver(self, *, at_once: bool = False) -> Obj:
        """Send the webhooks that are due."""
        return {"accepted": await self.webhooks.deliver(at_once=at_once)}


def _fault(control: Control, given: Obj) -> Obj:
    control.fault(Fault(**{**given, "kind": FaultKind(given["kind"])}))
    return {}


def _mischief(control: Control, given: Obj) -> Obj:
    control.mischief(Mischief(**given))
    return {}


VERBS: Final[dict[str, Callable[[Control, Any], Obj | Awaitable[Obj]]]] = {
    "advance": lambda control, given: control.advance(**given),
    "clear_faults": lambda control, given: control.clear_faults(**given),
    "close_dispute": lambda control, given: control.close_dispute(**given),
    "complete_setup": lambda control, given: control.complete_setup(**given),
    "deliver": lambda control, given: control.deliver(**given),
    "dispute": lambda control, given: control.dispute(**given),
    "fail_payment": lambda control, given: control.fail_payment(**given),
    "fault": _fault,
    "mischief": _mischief,
    "pay": lambda control, given: control.pay(**given),
    "refund": lambda control, given: control.refund(**given),
    "status": lambda control, given: control.status(**given),
}
