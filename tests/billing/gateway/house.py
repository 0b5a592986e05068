"""A gateway with what stands at its other end: the fake in process, on a port, or a sandbox."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import httpx
import uvicorn
from pydantic import SecretStr

from flatbed.billing.gateway.calls import Machinery
from flatbed.billing.gateway.client import StripeGateway
from flatbed.billing.gateway.fake.app import KEY, FakeStripe
from flatbed.billing.gateway.fake.server import configured, serve
from flatbed.billing.gateway.fake.transport import InProcess
from flatbed.billing.gateway.fake.validation import stripe_document
from flatbed.billing.gateway.settings import STRIPE, StripeSettings
from flatbed.billing.gateway.views import Body, CustomerView, InvoiceView, Json
from flatbed.tenants.kit.ids import uuid7

IN_PROCESS = "https://stripe.test"
SECRET = "whsec_of_a_test_endpoint"  # pragma: allowlist secret - nobody else's


def least(below: int) -> int:
    """Chance that always rolls the least."""
    assert below > 0
    return 0


class Time:
    """A monotonic clock that only sleeping moves, and chance that always rolls the same."""

    def __init__(self) -> None:
        self.ms = 0
        self.slept: list[int] = []

    async def sleep_ms(self, milliseconds: int) -> None:
        self.slept.append(milliseconds)
        self.ms += milliseconds
        await asyncio.sleep(0)

    @property
    def machinery(self) -> Machinery:
        return Machinery(now_ms=lambda: self.ms, sleep_ms=self.sleep_ms, roll=least)


@dataclass
class Place:
    """Where a test's requests go. ``fake`` is None at a real sandbox."""

    gateway: StripeGateway
    raw: httpx.AsyncClient
    fake: FakeStripe | None
    time: Time = field(default_factory=Time)

    @property
    def the_fake(self) -> FakeStripe:
        assert self.fake is not None
        return self.fake

    async def ask(
        self, method: str, path: str, form: dict[str, str] | None = None, key: str | None = None
    ) -> httpx.Response:
        """A request past our client, as another program of the account would send it."""
        headers = {} if key is None else {"Idempotency-Key": key}
        if method == "GET":
            return await self.raw.get(path, params=form, headers=headers)
        return await self.raw.request(method, path, data=form or {}, headers=headers)


def settings(base_url: str = IN_PROCESS, key: str = KEY, **more: Any) -> StripeSettings:
    return StripeSettings(
        key=SecretStr(key), base_url=base_url, webhook_secret=SecretStr(SECRET), **more
    )


def fake_stripe(**more: Any) -> FakeStripe:
    return FakeStripe(**{"validator": stripe_document(), "seed": "a test's", **more})


@asynccontextmanager
async def in_process(fake: FakeStripe | None = None, **more: Any) -> AsyncIterator[Place]:
    stripe, time = fake or fake_stripe(), Time()
    gateway = StripeGateway(settings(**more), InProcess(stripe), time.machinery)
    raw = httpx.AsyncClient(
        transport=InProcess(stripe),
        base_url=IN_PROCESS,
        headers={"Authorization": f"Bearer {KEY}"},
    )
    async with raw:
        yield Place(gateway, raw, stripe, time)
    await gateway.close()
    stripe.close()


@asynccontextmanager
async def on_a_port(fake: FakeStripe | None = None) -> AsyncIterator[Place]:
    stripe, time = fake or fake_stripe(), Time()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        base = f"http://127.0.0.1:{listener.getsockname()[1]}"
        server = uvicorn.Server(configured(stripe))
        serving = asyncio.create_task(serve(stripe, listener, server))
        gateway = StripeGateway(settings(base), machinery=time.machinery)
        async with httpx.AsyncClient(
            base_url=base, headers={"Authorization": f"Bearer {KEY}"}
        ) as raw:
            yield Place(gateway, raw, stripe, time)
        await gateway.close()
        server.should_exit = True
        with suppress(asyncio.CancelledError):
            await serving


@asynccontextmanager
async def sandbox(key: str) -> AsyncIterator[Place]:
    gateway = StripeGateway(settings(STRIPE, key))
    headers = {
        "Authorization": f"Bearer {key}",
        "Stripe-Version": settings().api_version,
    }
    async with httpx.AsyncClient(base_url=STRIPE, headers=headers, timeout=30) as raw:
        yield Place(gateway, raw, None)
    await gateway.close()


def fresh(prefix: str = "k") -> str:
    """A key or name that was never used, at the sandbox either."""
    return f"{prefix}-{uuid7().hex}"


def number() -> str:
    return f"T-{uuid7().hex[-20:]}"


async def a_customer(place: Place, **more: Json) -> CustomerView:
    body: Body = {"name": "Contract GmbH", "metadata": {"tenant_id": fresh("org")}, **more}
    return await place.gateway.create_customer(body, fresh())


def draft_body(customer: str, **more: Json) -> dict[str, Json]:
    return {
        "customer": customer,
        "currency": "eur",
        "auto_advance": False,
        "collection_method": "send_invoice",
        "days_until_due": 14,
        "pending_invoice_items_behavior": "exclude",
        "metadata": {"statement_id": fresh("stmt")},
        **more,
    }


def line(entry: str, amount: int, tax: int = 0, percentage: str = "19.0") -> dict[str, Json]:
    taxes: list[Json] = [
        {
            "amount": tax,
            "taxable_amount": amount,
            "taxability_reason": "standard_rated" if tax else "reverse_charge",
            "tax_rate_data": {
                "display_name": "USt.",
                "inclusive": False,
                "percentage": percentage if tax else "0",
            },
        }
    ]
    return {
        "amount": amount,
        "description": f"Qualified partner {entry}",
        "metadata": {"entry_id": entry},
        "tax_amounts": taxes,
    }


async def a_draft(place: Place, *lines: dict[str, Json], **more: Json) -> InvoiceView:
    """A draft of a customer of its own, with these lines."""
    customer = more.pop("customer", None) or (await a_customer(place)).id
    made = await place.gateway.create_invoice(draft_body(str(customer), **more), fresh())
    if lines:
        made = await place.gateway.add_lines(made.id, {"lines": list(lines)}, fresh())
    return made


async def an_open(place: Place, *lines: dict[str, Json], **more: Json) -> InvoiceView:
    """A finalized invoice; of 100.00 and 19.00 tax unless lines are given."""
    made = await a_draft(place, *(lines or (line("use_1", 10_000, 1_900),)), **more)
    return await place.gateway.finalize_invoice(made.id, {"auto_advance": False}, fresh())


async def paid_out_of_band(place: Place, invoice: str) -> None:
    done = await place.ask("POST", f"/v1/invoices/{invoice}/pay", {"paid_out_of_band": "true"})
    assert done.status_code == 200, done.text
