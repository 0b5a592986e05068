"""What clients do about units that did not last, and about partners they contract themselves."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from flatbed.tenants.kit.ids import decode
from tests.candidates.factory import site
from tests.faults import acts
from tests.faults.acts import CLOSING_DUE, MANY, Builder, Stage
from tests.faults.repeated import PATIENT, PAUSE, Act, ActError, surely
from tests.qualifications.factory import CALENDAR, Qualified
from tests.qualifications.guarantee.claims import FOUND, PROOF, contracted
from tests.qualifications.stock import stock

ROOM: Final = 9


async def withdrawals(stage: Stage, number: int) -> list[Act]:
    """The ISV takes a dispute back."""
    found = []
    for one in await stage.qualified(number):
        await one.disputed()
        found.append(
            Act(
                "withdrawal",
                stage.site.isv.client,
                f"{one.path}/dispute/withdrawal",
                None,
                "SELECT count(*) FROM usage_decision u JOIN qualification q"
                " ON q.entry_id = u.entry_id JOIN dispute d ON d.qualification_id = q.id"
                " AND d.status = 'withdrawn' WHERE q.id = $1 AND u.decision = 'withdrawn'",
                (one.uuid,),
                where="/v1/qualifications/{id}",
                same=("accept_by", "qualified_at"),
            )
        )
    return found


async def signings(stage: Stage, number: int) -> list[Act]:
    """The partner signs: the hunter moves him, and his unit is accepted."""
    found = []
    for one in await stage.qualified(number):
        today = stage.site.now().astimezone(CALENDAR.zone).date().isoformat()
        agreement = {"kind": "agreement", "plan_number": 1, "signed_on": today}
        await surely(stage.site.hunter, f"{one.worked.path}/evidence", agreement)
        found.append(
            Act(
                "signing",
                stage.site.hunter,
                f"{one.worked.path}/transitions",
                {"to": "contracted"},
                "SELECT count(*) FROM transition t JOIN qualification q"
                " ON q.candidate_id = t.candidate_id WHERE t.candidate_id = $1"
                " AND t.to_stage = 'contracted' AND q.accepted_basis = 'signing'",
                (one.worked.uuid,),
                where=f"{one.worked.path}/transitions",
                same=("from_stage", "to_stage", "at"),
                version=await one.worked.version(),
            )
        )
    return found


async def claims(stage: Stage, number: int) -> list[Act]:
    """A lead confirms that a partner has withdrawn."""
    small = await _small(stage)
    return [await _claim(small, one) for one in await _accepted(small, number)]


async def replacements(stage: Stage, number: int) -> list[Act]:
    """The hunter submits a candidate of a campaign that owes a replacement: it costs nothing."""
    small = await _small(stage)
    for one in await _accepted(small, number):
        await _done(await _claim(small, one))
    return [
        Act(
            "replacement",
            small.site.hunter,
            f"{one.path}/qualifications",
            {},
            "SELECT count(*) FROM usage_entry e JOIN qualification q ON q.id = e.source_id"
            " JOIN guarantee_case g ON g.replacement_id = q.id AND g.entry_id = e.replaces_id"
            " WHERE q.candidate_id = $1 AND e.amount = 0",
            (one.uuid,),
            where=f"{one.path}/qualifications",
            same=("qualified_at", "generation", "replaces_id"),
        )
        for one in await stock(small.site, number)
    ]


async def credits_(stage: Stage, number: int) -> list[Act]:
    """Time passes over the end of the time for a replacement of a unit that is paid."""
    # An ISV of its own: its first month is closed at once, whatever another's books wait for.
    fresh = Stage(await site(stage.site.world, quantity=MANY))
    fresh.site.ahead = stage.site.ahead
    units = await _accepted(fresh, number)
    await fresh.until(CLOSING_DUE)
    await _done(stage.clock())
    for one in units:
        await _done(await _claim(fresh, one))
    return [stage.clock(days=95) for _ in range(number)]


async def rides(stage: Stage, number: int) -> list[Act]:
    """A lead confirms that the ISV has contracted a company itself: this bills."""
    found = []
    for worked in await stock(stage.site, number):
        answer = await contracted(worked)
        assert answer.is_success, answer.text
        ride = answer.json()["id"]
        found.append(
            Act(
                "free_ride",
                stage.site.lead,
                f"/v1/free-rides/{ride}/decision",
                FOUND,
                "SELECT count(*) FROM usage_entry e JOIN free_ride f"
                " ON f.qualification_id = e.source_id WHERE f.id = $1 AND f.status = 'confirmed'",
                (decode("ride", ride),),
                where="/v1/free-rides/{id}",
                same=("status", "decided_at", "qualification_id"),
            )
        )
    return found


async def _small(stage: Stage) -> Stage:
    """A campaign of its own: what is owed there is not given by what others do."""
    return Stage(replace(stage.site, campaign=await stage.running(ROOM)))


async def _accepted(stage: Stage, number: int) -> list[Qualified]:
    made = await stage.qualified(number)
    for one in made:
        await surely(stage.site.isv.client, f"{one.path}/acceptance")
    return made


async def _done(act: Act) -> None:
    """What an act needs, again while the server is busy."""
    for _ in range(PATIENT):
        if await act.attempt():
            return
        await asyncio.sleep(PAUSE)
    raise ActError(f"{act.what}: {act.last}")


async def _claim(stage: Stage, one: Qualified) -> Act:
    accepted_at = (await one.read())["accepted_at"]
    body = {"withdrew_at": accepted_at, "reason": "He left.", "evidence": [PROOF]}
    made = await surely(stage.site.isv.client, f"{one.path}/guarantee-cases", body)
    return Act(
        "claim",
        stage.site.lead,
        f"/v1/guarantee-cases/{made['id']}/decision",
        FOUND,
        "SELECT count(*) FROM (SELECT action, object_id FROM audit_entry UNION ALL"
        " SELECT action, object_id FROM audit_pending) a"
        " WHERE action = 'guarantee_case.opened' AND object_id = $1",
        (made["id"],),
        where="/v1/guarantee-cases/{id}",
        same=("decided_at", "day", "percent", "replace_by"),
    )


BUILDERS: Final[Mapping[str, Builder]] = MappingProxyType(
    {
        **acts.BUILDERS,
        "withdrawal": withdrawals,
        "signing": signings,
        "claim": claims,
        "replacement": replacements,
        "guarantee_credit": credits_,
        "free_ride": rides,
    }
)
"""The acts by name, all of them."""
