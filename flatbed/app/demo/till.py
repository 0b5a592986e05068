"""The fake Stripe as its dashboard and its pages show it: the other side of every invoice."""

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

import httpx

from flatbed.app.demo.client import JSON, DemoError, request
from flatbed.app.demo.waiting import soon

OK: Final = 200
SEE_OTHER: Final = 303
PAGE: Final = 100


@dataclass(frozen=True)
class Till:
    """An account at the fake Stripe, asked without any code of ours between."""

    http: httpx.AsyncClient
    key: str = field(repr=False)

    async def get(self, path: str) -> JSON:
        """One object, or a page of a list.

        Raises:
            DemoError: it is not there.
        """
        headers = {"Authorization": f"Bearer {self.key}"}
        answer = await request(self.http, "GET", path, headers=headers)
        if answer.status_code != OK:
            raise DemoError(f"the fake Stripe answered {answer.status_code} to GET {path}")
        found: JSON = answer.json()
        return found

    async def ready(self) -> None:
        """Wait until it answers."""

        async def answered() -> int | None:
            with suppress(httpx.HTTPError):
                return (await self.http.get("/")).status_code
            return None

        await soon(answered, "the fake Stripe")

    async def press(self, url: str) -> None:
        """Press the one button of a hosted page: leave a card, or pay.

        Raises:
            DemoError: the page does not do it.
        """
        answer = await request(self.http, "POST", urlsplit(url).path)
        if answer.status_code != SEE_OTHER:
            raise DemoError(f"the page {url} answered {answer.status_code}")

    async def customer_of_setup(self, url: str) -> JSON:
        """The customer for whom a Checkout page was made."""
        session = urlsplit(url).path.rpartition("/")[2]
        found = await self.get(f"/v1/checkout/sessions/{session}")
        return await self.get(f"/v1/customers/{found['customer']}")

    async def invoice(self, number: str) -> JSON:
        """The invoice of a number, with all its lines.

        Raises:
            DemoError: there is none.
        """
        after = ""
        while True:
            page = await self.get(f"/v1/invoices?limit={PAGE}{after}")
            for one in page["data"]:
                if one["number"] == number:
                    lines = await self.get(f"/v1/invoices/{one['id']}/lines?limit={PAGE}")
                    return {**one, "lines": lines["data"]}
            if not page["has_more"]:
                raise DemoError(f"the fake Stripe has no invoice {number}")
            after = f"&starting_after={page['data'][-1]['id']}"

    async def credit_note(self, invoice: str, memo: str) -> JSON:
        """The credit note of an invoice that bears our number as its memo.

        Raises:
            DemoError: there is none.
        """
        page = await self.get(f"/v1/credit_notes?invoice={invoice}&limit={PAGE}")
        for one in page["data"]:
            if one["memo"] == memo:
                found: JSON = one
                return found
        raise DemoError(f"the fake Stripe has no credit note {memo}")
