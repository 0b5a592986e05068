"""The deadlines of a qualification and of its dispute: set, moved and stopped."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from flatbed.app.qualifications.models import Dispute, Qualification
from flatbed.app.qualifications.rules.terms import REMINDER_DAYS, AcceptanceTerm, Calendar
from flatbed.tenants.kit import deadlines
from flatbed.tenants.kit.database.session import TenantReadSession, TenantSession
from flatbed.tenants.organizations.service import organization_of

ACCEPTANCE: Final = "qualification.acceptance"
ANSWER: Final = "dispute.answer"
DECISION: Final = "dispute.decision"
REMINDERS: Final[Mapping[str, int]] = MappingProxyType(
    {f"qualification.reminder_{day}": day for day in REMINDER_DAYS}
)
"""The kinds of the reminders, with the day of the term of each."""


async def calendar_of(session: TenantReadSession) -> Calendar:
    """The ISV's business days."""
    tenant = await organization_of(session)
    return Calendar(tenant.country, tenant.zone)


async def start_acceptance(
    session: TenantSession, qualification: Qualification, term: AcceptanceTerm
) -> None:
    """Let the ISV's term run: reminders, and silence at its end."""
    whose, subject = qualification.candidate_id, qualification.id
    for kind, day in REMINDERS.items():
        if day in term.reminders:
            due_at = term.reminders[day]
            await deadlines.schedule(
                session, candidate_id=whose, kind=kind, subject_id=subject, due_at=due_at
            )
    await deadlines.schedule(
        session, candidate_id=whose, kind=ACCEPTANCE, subject_id=subject, due_at=term.accept_by
    )


async def stop_acceptance(session: TenantSession, qualification: Qualification) -> None:
    """Nothing is accepted by silence any more, and nobody is reminded."""
    for kind in (*REMINDERS, ACCEPTANCE):
        await deadlines.cancel(
            session,
            candidate_id=qualification.candidate_id,
            kind=kind,
            subject_id=qualification.id,
        )


async def expect_answer(session: TenantSession, dispute: Dispute) -> None:
    """Without an answer in time the unit is voided."""
    await deadlines.schedule(
        session,
        candidate_id=dispute.candidate_id,
        kind=ANSWER,
        subject_id=dispute.id,
        due_at=dispute.answer_by,
    )


async def expect_decision(session: TenantSession, dispute: Dispute) -> None:
    """From ``decide_by`` on compliance decides."""
    await stop_case(session, dispute)
    if dispute.decide_by is not None:
        await deadlines.schedule(
            session,
            candidate_id=dispute.candidate_id,
            kind=DECISION,
            subject_id=dispute.id,
            due_at=dispute.decide_by,
        )


async def stop_case(session: TenantSession, dispute: Dispute) -> None:
    """The dispute waits for nothing any more."""
    for kind in (ANSWER, DECISION):
        await deadlines.cancel(
            session, candidate_id=dispute.candidate_id, kind=kind, subject_id=dispute.id
        )
