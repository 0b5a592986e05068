"""After the story: its month is closed and paid, a partner withdraws, and all books are compared.

Nothing is taken for granted: what does not hold ends the demo.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from flatbed.app.demo import books
from flatbed.app.demo.books import Billed, agree
from flatbed.app.demo.cast import Cast, Isv, Staff, only
from flatbed.app.demo.client import JSON, DemoError
from flatbed.app.demo.seed import isv_of
from flatbed.app.demo.settlement import Unit, money
from flatbed.app.demo.story import Played
from flatbed.app.demo.teller import Teller
from flatbed.app.demo.till import Till
from flatbed.app.demo.waiting import soon
from flatbed.tenants.access.principal import Role

MOMENT: Final = timedelta(seconds=1)
WHOLE: Final = 100
SHARES: Final = ((30, 100), (60, 50), (90, 25))
"""As the guarantee promises: up to which day, how many percent are given back."""
WITHDRAWAL: Final = "He stays with his old vendor and says so in writing."


@dataclass
class Settled:
    """What the closing, the guarantee case and the comparison came to."""

    month: Billed
    credit: Billed
    case: JSON
    everything: list[Billed]
    reports: list[tuple[Isv, JSON]]

    def objects(self) -> JSON:
        """For ``var/demo.json``."""
        return {
            "invoice": self.month.invoice["number"],
            "gross": self.month.invoice["gross"],
            "paid": self.month.collection["amount_paid"],
            "stripe_total": self.month.theirs and self.month.theirs["total"],
            "evidence_opened": sum(len(one.lines) for one in self.everything),
            "guarantee_case": self.case["id"],
            "credit_note": self.credit.invoice["number"],
            "credited": self.credit.invoice["gross"],
            "stripe_credited": self.credit.theirs and self.credit.theirs["total"],
            "invoices": sum(one.invoice["kind"] == "invoice" for one in self.everything),
            "findings": sum(report["open_findings"] for _, report in self.reports),
        }


async def close_month(
    cast: Cast, teller: Teller, played: Played, organization: str, till: Till | None
) -> Billed:
    """Close the month of the story's units, and see that its invoice stands and is paid.

    Args:
        cast: the realm's people.
        teller: who tells it.
        played: the story with the preview of its statement.
        organization: the story's ISV.
        till: the fake Stripe; without one nobody collects here.

    Raises:
        DemoError: the statement is not its preview, or something beside it is not the same.
    """
    isv, preview = isv_of(cast, organization), played.preview
    periods = await isv.client.pages("/v1/periods")
    period = next(one for one in periods if one["id"] == preview["period_id"])
    await cast.until(datetime.fromisoformat(period["closes_at"]) + MOMENT)
    statement = await books.statement_of(isv.client, period["id"])
    (draft,) = preview["statements"]
    for name in ("units", "charges", "credits", "total", "held_units"):
        agree(f"{name} of the preview", statement[name], draft[name])
    total = money(statement["total"], statement["currency"])
    month = preview["starts_at"][:7]
    teller.say(f"{isv.name}: {month} is closed as it was previewed, {total} net")
    lines = await books.lines_of(isv.client, statement)
    (invoice,) = statement["invoices"]
    found = await books.billed(isv, invoice, lines, till)
    size = await books.document_of(isv, invoice)
    teller.say(f"invoice {invoice['number']}, PDF with EN 16931 data, {size // 1024} kB")
    if till is None:
        teller.say("[yellow]not compared with the fake Stripe: none is known here[/yellow]")
        return found
    return await books.paid(found, till)


async def withdraw(
    cast: Cast, teller: Teller, unit: Unit, month: Billed, till: Till | None
) -> tuple[JSON, Billed]:
    """The partner of a billed unit withdraws, nobody replaces him, and his share goes back.

    Args:
        cast: the realm's people.
        teller: who tells it.
        unit: accepted and on the month's invoice.
        month: that invoice.
        till: the fake Stripe.

    Raises:
        DemoError: the share, its tax or the credit note at the fake Stripe is not right.
    """
    isv, path = month.isv, f"/v1/qualifications/{unit.qualification}"
    line = next(one for one in month.lines if one["qualification_id"] == unit.qualification)
    case = await _confirmed(cast, isv, path)
    teller.say(
        f"{unit.letter} withdraws on day {case['day']} of its guarantee; the ISV reports it, an "
        f"uninvolved lead confirms: {case['percent']} % unless a partner replaces it in 90 days"
    )
    share = next(percent for last, percent in SHARES if case["day"] <= last)
    agree("the share that is given back", case["percent"], share)
    await cast.until(datetime.fromisoformat(case["replace_by"]) + MOMENT)
    case_path = f"/v1/guarantee-cases/{case['id']}"

    async def credited() -> JSON | None:
        found = await isv.client.get(case_path)
        return found if found["status"] == "credited" else None

    case = await soon(credited, "the credit of the guarantee case")
    agree("what is given back", case["credited_amount"], line["amount"] * share // WHOLE)
    statement = await _next_statement(cast, isv, case["ended_at"])
    lines = await books.lines_of(isv.client, statement)
    (note,) = statement["invoices"]
    agree("what is corrected", note["corrects_id"], month.invoice["id"])
    agree("net of the credit note", note["net"], case["credited_amount"])
    made = await books.billed(isv, note, lines, till)
    given = money(note["gross"], note["currency"])
    teller.say(f"no replacement came: credit note {note['number']}, {given} with tax")
    return case, made


async def everything(cast: Cast, till: Till | None) -> list[Billed]:
    """Every invoice and credit note of every ISV, its evidence opened; what is open is paid."""
    found: list[Billed] = []
    for isv in cast.isvs:
        for statement in await isv.client.pages("/v1/statements"):
            whole = await isv.client.get(f"/v1/statements/{statement['id']}")
            lines = await books.lines_of(isv.client, whole)
            for invoice in whole["invoices"]:
                one = await books.billed(isv, invoice, lines, till)
                found.append(one if till is None else await books.paid(one, till))
    return found


async def reports(cast: Cast, billed: list[Billed]) -> list[tuple[Isv, JSON]]:
    """Each ISV's reconciliation, as it reads it.

    Raises:
        DemoError: it has a finding, or has not seen every invoice.
    """
    made: list[tuple[Isv, JSON]] = []
    for isv in cast.isvs:
        number = sum(one.isv is isv for one in billed)

        async def agreed(isv: Isv = isv, number: int = number) -> JSON | None:
            report = await isv.client.get("/v1/reconciliation")
            # Who was never billed has nothing to compare, and perhaps never was.
            whole = report["invoices"] == number and (report["ran_at"] or not number)
            return report if whole and not report["open_findings"] else None

        try:
            made.append((isv, await soon(agreed, f"the books of {isv.name}")))
        except DemoError:
            findings = await isv.client.pages("/v1/reconciliation/findings?open=true")
            named = ", ".join(f"{one['kind']} {one['subject']}" for one in findings)
            raise DemoError(
                f"the books of {isv.name} were not compared to their end; open: {named or 'none'}"
            ) from None
    return made


async def _confirmed(cast: Cast, isv: Isv, path: str) -> JSON:
    """A report of the ISV just now, which a lead without a hand in it has confirmed."""
    body = {
        "withdrew_at": (await cast.now()).isoformat(),
        "reason": WITHDRAWAL,
        "evidence": [{"kind": "document", "description": "The partner's letter."}],
    }
    case = await isv.client.post(f"{path}/guarantee-cases", body)
    uninvolved: Staff = only(cast.of(Role.LEAD)[1:], "second lead")
    verdict = {"decision": "confirmed", "reason": "I have read the letter."}
    decision = f"/v1/guarantee-cases/{case['id']}/decision"
    return await uninvolved.client.at(isv.id).post(decision, verdict)


async def _next_statement(cast: Cast, isv: Isv, moment: str) -> JSON:
    """The statement of the month that an instant lies in, once that is closed."""
    at = datetime.fromisoformat(moment)

    async def opened() -> JSON | None:
        periods = await isv.client.pages("/v1/periods")
        return next(
            (
                one
                for one in periods
                if datetime.fromisoformat(one["starts_at"])
                <= at
                < datetime.fromisoformat(one["ends_at"])
            ),
            None,
        )

    period = await soon(opened, "the month of the credit")
    closes_at = datetime.fromisoformat(period["closes_at"])
    if closes_at >= await cast.now():
        await cast.until(closes_at + MOMENT)
    return await books.statement_of(isv.client, period["id"])
