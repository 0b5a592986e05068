"""What hunter and lead record when a candidate has come so far, and the move that follows."""

from flatbed.app.demo import lines
from flatbed.app.demo.behaviours import Beat, Step, Via
from flatbed.app.demo.work import LEAST_FACTS, Case

PLAN_FIELDS = {
    "revenue_target": 60_000_000,
    "resources": "two consultants and one seller",
    "investment": 4_000_000,
}


async def log(case: Case, beat: Beat, number: int, *, back: float = 0) -> str:
    """Log a touch of a script by whoever knows of it; its id.

    Args:
        case: the candidate.
        beat: the touch.
        number: how many of its class went before; varies the words.
        back: hours before the day's hour at which it happened.
    """
    ours = beat.cls in {"push", "answer"}
    by = case.isv.integration if beat.via is Via.SYSTEM else case.hunter
    words = lines.ours if ours else None
    return await case.touch(
        beat.day,
        beat.cls,
        by=by,
        at=case.calendar.day(beat.day - back / 24),
        channel="post" if beat.cls == "push" else "email",
        text=words(beat.cls, number, case.company) if words else lines.theirs(beat.cls, number),
    )


async def targeted(
    case: Case, day: float, *, thorough: bool = True, people: int = 2, facts: int = LEAST_FACTS
) -> None:
    """Research until the candidate may be written to; thorough: its credit too."""
    await case.research(day, people=people, facts=facts)
    await case.judge_all(thorough=thorough)
    await case.advance("profiled")
    await case.argue(lines.ARGUMENT)
    await case.advance("targeted")


async def record(
    case: Case,
    step: Step,
    day: int,
    *,
    delivered_on: int | None = None,
    met_on: int | None = None,
) -> None:
    """What a stage's gate asks for.

    Args:
        case: the candidate.
        step: the stage.
        day: of the touch that shows it.
        delivered_on: of the message that reached its reader; none if the partner wrote first.
        met_on: of the meeting, by default the touch's.
    """
    touch = case.touches[day]
    chief = case.contacts["chief"]
    match step:
        case Step.ENGAGED:
            if delivered_on is not None:
                await case.delivered(delivered_on)
        case Step.DISCOVERING:
            await case.evidence(
                "interest_statement",
                touchpoint_id=touch,
                contact_id=chief,
                statement=lines.INTEREST,
            )
        case Step.EXECUTIVE_ALIGNED:
            await case.evidence(
                "meeting_held",
                occurred_at=case.calendar.day(met_on or day).isoformat(),
                partner_attendees=list(case.contacts.values()),
            )
        case Step.DECISION_IN_PRINCIPLE:
            await case.evidence(
                "decision_statement",
                touchpoint_id=touch,
                contact_id=chief,
                role="managing director",
                statement=lines.DECISION,
            )
            await case.judge("commitment", "Two people and a date were named unasked.", value=900)
        case Step.BUSINESS_PLANNING:
            start = {"start_date": case.calendar.date(day + 60)}
            number = await case.plan(day, {**PLAN_FIELDS, **start})
            await case.evidence("plan_version", plan_number=number)
