"""What becomes of the partners who qualify in the seed, one act a span of days."""

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

from flatbed.app.demo.cast import Staff
from flatbed.app.demo.client import JSON, DemoError
from flatbed.app.demo.work import Case

Life = AsyncIterator[str]
"""Each step is an act, told in a word; the clock moves on between two of them."""
Now = Callable[[], datetime]
"""The realm's present time."""
Fate = Callable[[Case, Staff, Now], Life]

REPORT: Final = "The first customer of ours has signed for it; the order is attached."
OBJECTION: Final[JSON] = {
    "criterion": "qualified.hands_off",
    "statement": "Our own people had called this partner in the week that is counted.",
    "evidence": [{"kind": "document", "description": "The call list of that week."}],
}


async def submit(case: Case) -> str:
    """Submit the candidate; the qualification's path.

    Raises:
        DemoError: a gate does not open.
    """
    made = await case.hunter.post(f"{case.path}/qualifications", {})
    if "dossier_hash" not in made:
        raise DemoError(f"{case.id} was not qualified but waits")
    await case.catch_up()
    return f"/v1/qualifications/{made['id']}"


async def accepted(case: Case, other: Staff, now: Now) -> Life:
    """The ISV takes the unit."""
    del other, now
    path = await submit(case)
    yield "qualified"
    await case.isv.client.post(f"{path}/acceptance")
    yield "accepted"


async def contracted(case: Case, other: Staff, now: Now) -> Life:
    """The ISV takes the unit, and the two sign."""
    async for act in accepted(case, other, now):
        yield act
    yesterday = (now() - timedelta(days=1)).date().isoformat()
    await case.evidence("agreement", plan_number=1, signed_on=yesterday)
    await case.advance("contracted")
    yield "contracted"


async def activated(case: Case, other: Staff, now: Now) -> Life:
    """The partner does business by himself once it is signed."""
    async for act in contracted(case, other, now):
        yield act
    at = now()
    touch = await case.touch(0, "P2", by=case.isv.integration, at=at, text=REPORT)
    await case.evidence(
        "business_action", touchpoint_id=touch, occurred_at=at.isoformat(), description=REPORT
    )
    await case.advance("activated")
    yield "activated"


async def taken_back(case: Case, other: Staff, now: Now) -> Life:
    """The ISV disputes, takes it back and accepts."""
    del other, now
    path = await submit(case)
    yield "qualified"
    await case.isv.client.post(f"{path}/disputes", OBJECTION)
    yield "disputed"
    await case.isv.client.post(f"{path}/dispute/withdrawal")
    await case.isv.client.post(f"{path}/acceptance")
    yield "accepted"


async def upheld(case: Case, other: Staff, now: Now) -> Life:
    """The ISV disputes, and a lead who had no hand in it finds that the unit stands."""
    del now
    path = await submit(case)
    yield "qualified"
    await case.isv.client.post(f"{path}/disputes", OBJECTION)
    yield "disputed"
    await case.lead.post(f"{path}/answer", {"statement": "No call of that week reached him."})
    verdict = {"decision": "confirmed", "reason": "The calls on the list were never answered."}
    await other.client.at(case.isv.id).post(f"{path}/decision", verdict)
    yield "confirmed"


FATES: Final[Sequence[Fate]] = (
    contracted,
    taken_back,
    activated,
    accepted,
    upheld,
    accepted,
    contracted,
    activated,
)
"""Of the first self-driven candidate of each running campaign, in the order of the campaigns."""
