"""Candidates as the API shows them: the stored row, and the scores of this instant."""

from flatbed.app.candidates.core.schemas import (
    CandidateCompany,
    CandidateDetail,
    CandidateRead,
    ContributionRead,
    FitRead,
    MomentumRead,
    MsiRead,
    NurtureRead,
    OverCapRead,
)
from flatbed.app.candidates.models import Candidate, TenantCompany, WaitingQualification
from flatbed.app.candidates.rules.exits import ExitReason
from flatbed.app.candidates.rules.fit import Fit
from flatbed.app.candidates.rules.initiative import (
    momentum_half_life_of,
    momentum_trend,
    msi,
    push_alarm,
)
from flatbed.app.candidates.rules.situation import Situation
from flatbed.app.candidates.rules.stages import Stage, Status
from flatbed.tenants.access.principal import Principal


def read(row: Candidate, company: TenantCompany, principal: Principal) -> CandidateRead:
    """The candidate as it is stored. An ISV is not told who of the agency works it."""
    nurture = None
    if row.status == Status.NURTURE:
        nurture = NurtureRead(until=row.nurture_until, trigger=row.nurture_trigger)
    return CandidateRead(
        id=row.id,
        campaign_id=row.campaign_id,
        programme_id=row.programme_id,
        company=CandidateCompany.model_validate(company),
        source=row.source,
        stage=Stage(row.stage),
        status=Status(row.status),
        stage_entered_at=row.stage_entered_at,
        nurture=nurture,
        exit_reason=None if row.exit_reason is None else ExitReason(row.exit_reason),
        exited_at=row.exited_at,
        core_argument=row.core_argument,
        next_due_at=row.next_due_at,
        hunter_id=None if principal.role.of_isv else row.hunter_id,
        external_ref=row.external_ref,
        metadata=row.metadata_,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def detail(
    row: Candidate,
    company: TenantCompany,
    principal: Principal,
    situation: Situation,
    waiting: WaitingQualification | None = None,
) -> CandidateDetail:
    """The candidate with its scores at the situation's instant."""
    numbers, now = situation.rubric.initiative, situation.now
    interest = msi(situation.touches, now, numbers)
    return CandidateDetail(
        **dict(read(row, company, principal)),
        over_cap=None if waiting is None else _over_cap(waiting),
        msi=MsiRead(value=interest.value, partner=interest.partner, ours=interest.ours),
        momentum=_momentum(situation),
        push_alarm=push_alarm(situation.touches, now, numbers),
        fit=_fit(situation.snapshot.fit),
    )


def _over_cap(row: WaitingQualification) -> OverCapRead:
    return OverCapRead(waiting_qualification_id=row.id, since=row.created_at, until=row.expires_at)


def _momentum(situation: Situation) -> MomentumRead:
    numbers, now = situation.rubric.initiative, situation.now
    trend = momentum_trend(situation.touches, now, numbers)
    life = momentum_half_life_of(situation.touches, now, numbers)
    return MomentumRead(
        trend=None if trend is None else trend.ratio,
        label=None if trend is None else trend.label,
        half_life_days=None if life is None else life.days,
        p_silence=None if life is None else life.p_silence,
        stalled=None if life is None else life.stalled,
    )


def _fit(fit: Fit) -> FitRead:
    return FitRead(
        value=fit.value,
        low=fit.low,
        high=fit.high,
        contributions=[ContributionRead.model_validate(one) for one in fit.contributions],
        next_research=fit.next_research,
        failed=list(fit.failed),
        unknown=list(fit.unknown),
    )
