"""What happens when no replacement came in time: the ISV gets its share of the money back."""

from datetime import timedelta
from typing import Any, Final

from flatbed.app.campaigns.orders.progress import note_acceptance
from flatbed.app.candidates.records.service import candidate_to_write
from flatbed.app.qualifications.guarantee import repository
from flatbed.app.qualifications.guarantee.cases import REMEDY, tell
from flatbed.app.qualifications.guarantee.models import GuaranteeCase
from flatbed.app.qualifications.rules.cases import CaseState, Cause
from flatbed.billing.facade import NotBilledError, RecordedUsage, UsageStateError, credit_usage
from flatbed.tenants.kit import deadlines
from flatbed.tenants.kit.database.kernel_tables import Deadline
from flatbed.tenants.kit.database.session import TenantSession
from flatbed.tenants.kit.failpoints import Failpoint, failpoint
from flatbed.tenants.kit.ids import encode
from flatbed.tenants.organizations.service import organization_of

REASON: Final = "guarantee"
AGAIN: Final = timedelta(days=1)
"""After which a unit that stands on no statement yet is looked at again."""


async def remedy(session: TenantSession, deadline: Deadline) -> None:
    """Credit the share that was frozen with the day of the withdrawal, or end with nothing.

    The campaign counts the partner again: it is paid for, as far as it is not given back.
    """
    await candidate_to_write(session, deadline.candidate_id)
    case = await repository.lock(session, deadline.subject_id)
    if case is None or case.replace_by is None or session.now() < case.replace_by:
        return
    if case.status not in {CaseState.OPEN.value, CaseState.DUE.value}:
        return
    if case.cause == Cause.DISPUTE.value or case.percent is None:
        await _end(session, case, CaseState.LAPSED)
        return
    is_new = case.status == CaseState.OPEN.value
    zone = (await organization_of(session)).zone
    try:
        credit = await credit_usage(
            session, case.paid_entry_id, percent=case.percent, reason=REASON, zone=zone
        )
    except NotBilledError:
        await _wait(session, case, is_new=is_new)
    except UsageStateError:
        # Written off: it was never paid.
        await _end(session, case, CaseState.LAPSED)
    else:
        await _give_back(session, case, credit)
    if is_new:
        await note_acceptance(session, case.campaign_id)


async def _give_back(
    session: TenantSession, case: GuaranteeCase, credit: RecordedUsage | None
) -> None:
    if credit is None:
        await _end(session, case, CaseState.LAPSED)
        return
    failpoint(Failpoint.REMEDY_CREDITED)
    case.credit_entry_id, case.credited_amount = credit.entry_id, -credit.amount
    figures: dict[str, Any] = {
        "percent": case.percent,
        "amount": case.credited_amount,
        "currency": credit.currency,
        "entry_id": encode("use", credit.entry_id),
    }
    await _end(session, case, CaseState.CREDITED, figures)


async def _wait(session: TenantSession, case: GuaranteeCase, *, is_new: bool) -> None:
    if is_new:
        case.status = CaseState.DUE.value
        await tell(session, case, "due")
    await deadlines.schedule(
        session,
        candidate_id=case.candidate_id,
        kind=REMEDY,
        subject_id=case.id,
        due_at=session.now() + AGAIN,
    )


async def _end(
    session: TenantSession,
    case: GuaranteeCase,
    state: CaseState,
    figures: dict[str, Any] | None = None,
) -> None:
    case.status = state.value
    case.ended_at = session.now()
    await tell(session, case, state.value, figures)
