"""What was billed, held against its evidence and against the other side's books."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from flatbed.app.demo.cast import Isv
from flatbed.app.demo.client import JSON, Client, DemoError
from flatbed.app.demo.till import Till
from flatbed.app.demo.waiting import soon
from flatbed.tenants.kit.ids import decode

OK: Final = 200


@dataclass(frozen=True)
class Billed:
    """An invoice or credit note of ours with what was found about it."""

    isv: Isv
    invoice: JSON
    lines: list[JSON]
    collection: JSON
    theirs: JSON | None
    """The invoice or credit note at the fake Stripe; None where there is none to look at."""


def agree(what: str, ours: object, theirs: object) -> None:
    """Two figures that must be one.

    Raises:
        DemoError: they are not.
    """
    if ours != theirs:
        raise DemoError(f"{what}: {ours!r} here, {theirs!r} there")


async def statement_of(reader: Client, period: str) -> JSON:
    """The statement of a period whose closing is due, once the worker has closed it."""

    async def closed() -> JSON | None:
        found = await reader.pages(f"/v1/statements?period_id={period}")
        return found[0] if found else None

    return await soon(closed, f"the statement of {period}")


async def lines_of(reader: Client, statement: JSON) -> list[JSON]:
    """The statement's lines, each with its evidence opened and compared, and computed again.

    Raises:
        DemoError: a line's evidence is not what was billed, or a sum is not its parts'.
    """
    lines = await reader.pages(f"/v1/statements/{statement['id']}/lines")
    for line in lines:
        frozen = await reader.get(line["dossier"])
        agree(f"evidence of {line['entry_id']}", line["dossier_hash"], frozen["dossier_hash"])
    agree("statement and lines", statement["total"], sum(line["amount"] for line in lines))
    again = await reader.get(f"/v1/statements/{statement['id']}/explain")
    agree(f"{statement['id']} computed again", statement["hash"], again["hash"])
    return lines


async def billed(isv: Isv, invoice: JSON, lines: list[JSON], till: Till | None) -> Billed:
    """An invoice or credit note once it is collected, compared with the fake Stripe to the cent.

    Args:
        isv: whose.
        invoice: ours.
        lines: those of its statement.
        till: the other side; None: what we are told is all that is looked at.

    Raises:
        DemoError: it is not collected, or not the same there.
    """
    is_credit = invoice["kind"] == "credit_note"
    own = [line for line in lines if (line["kind"] == "credit") == is_credit]
    sign = -1 if is_credit else 1
    agree(
        f"{invoice['number']} and its lines",
        invoice["net"],
        sign * sum(line["amount"] for line in own),
    )
    agree(f"tax of {invoice['number']}", invoice["gross"], invoice["net"] + invoice["tax"])
    collection = await _collected(isv, invoice)
    if till is None:
        return Billed(isv, invoice, own, collection, None)
    agree(f"collection of {invoice['number']}", "done", collection["state"])
    theirs = await (_credit(isv, invoice, till) if is_credit else till.invoice(invoice["number"]))
    agree(f"total of {invoice['number']}", invoice["gross"], theirs["total"])
    agree(f"net of {invoice['number']}", invoice["net"], theirs["subtotal"])
    agree(f"currency of {invoice['number']}", invoice["currency"].lower(), theirs["currency"])
    if not is_credit:
        entries = {decode("use", line["entry_id"]) for line in own}
        named = {UUID(line["metadata"]["entry_id"]) for line in theirs["lines"]}
        agree(f"units of {invoice['number']}", entries, named)
        if theirs["status"] == "draft":
            raise DemoError(f"{invoice['number']} is not finalized")
    return Billed(isv, invoice, own, collection, theirs)


async def paid(one: Billed, till: Till) -> Billed:
    """The same invoice after its ISV has paid what was open, and the webhook has told us."""
    if one.invoice["kind"] == "invoice" and one.theirs and one.theirs["status"] == "open":
        await till.press(one.theirs["hosted_invoice_url"])
    number = one.invoice["number"]

    async def told() -> JSON | None:
        found = await _read(one.isv, one.invoice)
        is_told = found is not None and found["status"] in {"paid", "issued"}
        return found if is_told else None

    collection = await soon(told, f"the payment of {number}")
    if one.invoice["kind"] == "credit_note":
        return Billed(one.isv, one.invoice, one.lines, collection, one.theirs)
    theirs = await till.invoice(number)
    agree(f"status of {number}", collection["status"], theirs["status"])
    agree(f"payment of {number}", collection["amount_paid"], theirs["amount_paid"])
    return Billed(one.isv, one.invoice, one.lines, collection, theirs)


async def document_of(isv: Isv, invoice: JSON) -> int:
    """The bytes of an invoice's PDF.

    Raises:
        DemoError: there is none.
    """
    path = f"/v1/invoices/{invoice['id']}/document?format=pdf"
    answer = await isv.client.send("GET", path)
    if answer.status_code != OK or not answer.content.startswith(b"%PDF"):
        raise DemoError(f"{invoice['number']} has no PDF: {answer.status_code}")
    return len(answer.content)


async def _credit(isv: Isv, invoice: JSON, till: Till) -> JSON:
    corrected = await isv.client.get(f"/v1/invoices/{invoice['corrects_id']}")
    there = await till.invoice(corrected["number"])
    return await till.credit_note(there["id"], invoice["number"])


async def _collected(isv: Isv, invoice: JSON) -> JSON:
    async def sent() -> JSON | None:
        found = await _read(isv, invoice)
        return None if found is None or found["state"] == "pending" else found

    return await soon(sent, f"the collection of {invoice['number']}")


async def _read(isv: Isv, invoice: JSON) -> JSON | None:
    """How it is collected; every invoice of the demo is one part."""
    found = await isv.client.get(f"/v1/invoices/{invoice['id']}/collection")
    return found["data"][0] if found["data"] else None
