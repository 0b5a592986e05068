"""The end of the story: qualification, cap, acceptance, dispute, decision, and what is owed."""

import asyncio
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from rich.markup import escape

from flatbed.app.demo.cast import Calendar, Cast, Isv, Staff
from flatbed.app.demo.client import JSON, Client, DemoError
from flatbed.app.demo.teller import Teller
from flatbed.app.demo.work import Case

QUALIFIED_ON: Final = 36
DISPUTED_ON: Final = 37
ANSWERED_ON: Final = 38
DECIDED_ON: Final = 39
MINOR: Final = 100
WORKER_SECONDS: Final = 60
POLL_SECONDS: Final = 0.1
MOVING: Final = frozenset({"msi", "momentum", "fit", "push_alarm", "over_cap", "updated_at"})
"""What a candidate shows of this instant; everything else is stored."""


@dataclass(frozen=True)
class Parties:
    """Who takes part, and where the server answers."""

    isv: Isv
    lead: Staff
    uninvolved: Staff
    campaign: str
    base_url: str


@dataclass
class Unit:
    """A qualification of the story and what became of it."""

    letter: str
    company: str
    qualification: str
    msi: float
    """When it was submitted."""
    state: str = "pending"
    amount: int = 0
    currency: str = ""
    dossier: str = ""


def money(minor: int, currency: str) -> str:
    """An amount for people; minor units are hundredths in the demo's currencies."""
    return f"{minor // MINOR:,}.{minor % MINOR:02d} {currency}"


async def settle(
    cast: Cast,
    teller: Teller,
    parties: Parties,
    calendar: Calendar,
    cases: tuple[Case, Case, Case],
) -> tuple[list[Unit], JSON, JSON]:
    """Play it to the end; the units, the usage and the statement's preview."""
    a, b, c = cases
    isv = parties.isv.client
    unit_a = await _qualify(teller, "A", a, QUALIFIED_ON)
    unit_b = await _qualify(teller, "B", b, QUALIFIED_ON)
    reservation = await _meet_cap(teller, parties, c)

    await cast.until(calendar.day(DISPUTED_ON))
    accepted = await isv.post(f"/v1/qualifications/{unit_a.qualification}/acceptance")
    _expect(accepted, status="accepted", accepted_basis="person")
    teller.beat(DISPUTED_ON, "the ISV [green]accepts A[/green]")
    await _dispute(cast, teller, parties, calendar, unit_b)
    await _expect_stage(b, "business_planning")
    teller.beat(DECIDED_ON, "B is back in business_planning; its entry is reversed")

    unit_c = await _admitted(teller, parties, "C", c, reservation)
    waiting = await isv.get(f"/v1/qualifications/{unit_c.qualification}")
    end = datetime.fromisoformat(waiting["accept_by"])
    await cast.until(end + timedelta(seconds=1))
    silent = await isv.get(f"/v1/qualifications/{unit_c.qualification}")
    _expect(silent, status="accepted", accepted_basis="silence")
    day = (end - calendar.start) // timedelta(days=1)
    teller.beat(day, "ten business days without a word: [green]C is accepted by silence[/green]")
    campaign = await isv.get(f"/v1/campaigns/{parties.campaign}")
    _expect(campaign, status="filled", accepted_count=2)
    teller.beat(day, "the campaign has what was ordered: it is filled")

    units = [unit_a, unit_b, unit_c]
    usage = await isv.get(f"/v1/usage?campaign_id={parties.campaign}")
    preview = await isv.get("/v1/statements/preview")
    await _read_lines(parties, units, usage)
    return units, usage, preview


async def _qualify(teller: Teller, letter: str, case: Case, day: int) -> Unit:
    dry = await case.gates("qualified")
    if not dry["passed"] or dry["refusal"] is not None:
        raise DemoError(f"{letter} would not qualify: {dry['refusal']}")
    msi = await case.msi()
    path = f"{case.path}/qualifications"
    key = f"qualify-{case.id}-{day}"
    made = await case.hunter.post(path, {}, key=key)
    again = await case.hunter.post(path, {}, key=key)
    if again["id"] != made["id"]:
        raise DemoError(f"{letter} was submitted twice under one key and metered twice")
    criteria = len(dry["criteria"])
    teller.beat(
        day,
        f"[green]{letter} is qualified[/green]: {criteria} criteria passed, MSI {msi:.2f}, "
        f"one unit metered, dossier {made['dossier_hash'][:12]}…",
    )
    return Unit(letter, case.company.name, made["id"], msi)


async def _meet_cap(teller: Teller, parties: Parties, case: Case) -> str:
    """The cap of two is met: it waits, and nothing is metered. Returns the reservation's path."""
    before = await _stored(parties, case)
    made = await case.hunter.post(f"{case.path}/qualifications", {})
    _expect(made, status="waiting", reason="over_cap", caps=None)
    if await _stored(parties, case) != before:
        raise DemoError("the cap was met, and something changed")
    path = f"/v1/waiting-qualifications/{made['id']}"
    shown = await parties.isv.client.get(path)
    (cap,) = shown["caps"]
    teller.beat(
        QUALIFIED_ON,
        f"C passes too and meets the cap ({cap['cap']} {cap['limit']}): it waits,"
        f" [yellow]over_cap[/yellow], its gates frozen for 30 days; usage is as before",
    )
    return path


async def _admitted(teller: Teller, parties: Parties, letter: str, case: Case, path: str) -> Unit:
    """The void has made room: the worker admits who waits.

    Raises:
        DemoError: it does not.
    """
    end = time.monotonic() + WORKER_SECONDS
    while (found := await parties.isv.client.get(path))["status"] != "admitted":
        if time.monotonic() > end:
            raise DemoError(f"{letter} still waits, and no worker has admitted it")
        await asyncio.sleep(POLL_SECONDS)
    msi = await case.msi()
    teller.beat(DECIDED_ON, f"the void makes room: [green]{letter} is admitted[/green] and metered")
    return Unit(letter, case.company.name, found["qualification_id"], msi)


async def _stored(parties: Parties, case: Case) -> JSON:
    candidate = await case.read()
    usage = await parties.isv.client.get(f"/v1/usage?campaign_id={parties.campaign}")
    kept = {name: value for name, value in candidate.items() if name not in MOVING}
    return {"candidate": kept, "usage": usage}


async def _dispute(
    cast: Cast, teller: Teller, parties: Parties, calendar: Calendar, unit: Unit
) -> None:
    """The ISV disputes, the lead answers, a lead who had no hand in it voids."""
    path = f"/v1/qualifications/{unit.qualification}"
    body = {
        "criterion": "qualified.hands_off",
        "statement": "Our own people had called this partner in the week that is counted.",
        "evidence": [{"kind": "document", "description": "The call list of that week."}],
    }
    disputed = await parties.isv.client.post(f"{path}/disputes", body)
    _expect(disputed, status="open")
    teller.beat(DISPUTED_ON, "the ISV [yellow]disputes B[/yellow] by qualified.hands_off")

    await cast.until(calendar.day(ANSWERED_ON))
    lead, other = _at(parties, parties.lead), _at(parties, parties.uninvolved)
    await lead.post(f"{path}/answer", {"statement": "The list shows two calls that we had missed."})
    teller.beat(ANSWERED_ON, f"{parties.lead.name} answers for the agency")
    verdict = {"decision": "voided", "reason": "The calls were ours to know."}
    problem = await lead.refused(f"{path}/decision", verdict, 403, "decider-involved")
    teller.beat(ANSWERED_ON, f"{parties.lead.name} audited there and may not decide:")
    teller.refusal(problem)

    await cast.until(calendar.day(DECIDED_ON))
    decided = await other.post(f"{path}/decision", verdict)
    _expect(decided, status="voided")
    teller.beat(DECIDED_ON, f"{parties.uninvolved.name}, uninvolved, decides: [red]voided[/red]")


def _at(parties: Parties, staff: Staff) -> Client:
    return staff.client.at(parties.isv.id)


async def _expect_stage(case: Case, stage: str) -> None:
    _expect(await case.read(), stage=stage, status="active")


def _expect(found: JSON, **members: object) -> None:
    for name, value in members.items():
        if found.get(name) != value:
            raise DemoError(f"{found.get('id')}: {name} is {found.get(name)!r}, not {value!r}")


async def _read_lines(parties: Parties, units: list[Unit], usage: JSON) -> None:
    """Each unit's line of the usage, and its dossier, which must open."""
    by_id = {line["qualification_id"]: line for line in usage["data"]}
    for unit in units:
        line = by_id[unit.qualification]
        unit.state, unit.amount, unit.currency = line["state"], line["amount"], line["currency"]
        unit.dossier = parties.base_url + line["dossier"]
        frozen = await parties.isv.client.get(line["dossier"])
        if frozen["dossier_hash"] != line["dossier_hash"]:
            raise DemoError(f"the dossier of {escape(unit.company)} is not the one that was billed")
    states = sorted(unit.state for unit in units)
    if states != ["accepted", "accepted", "cancelled"]:
        raise DemoError(f"the units ended as {states}")
