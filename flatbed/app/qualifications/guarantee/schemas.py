"""What the API gives for guarantees and their cases."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from flatbed.app.candidates.records.fields import Actor
from flatbed.app.ids import CampaignId, CandidateId, GuaranteeCaseId, QualificationId
from flatbed.app.qualifications.evidence import ProofRead
from flatbed.app.qualifications.rules.cases import CaseState, Cause
from flatbed.app.qualifications.rules.guarantee import GuaranteeState
from flatbed.billing.ids import UsageEntryId
from flatbed.tenants.kit.cursors import Page
from flatbed.tenants.kit.schemas import Output


class GuaranteeCaseRead(Output):
    """A unit that is to be made good, and how it was."""

    id: GuaranteeCaseId
    qualification_id: QualificationId
    candidate_id: CandidateId
    campaign_id: CampaignId
    cause: Annotated[
        Cause,
        Field(
            description="`withdrawal`: the partner left an accepted unit. `dispute`: it was voided"
            " by the decision `replaced`; nothing is paid, and nothing is given back."
        ),
    ]
    status: CaseState
    withdrew_at: Annotated[datetime | None, Field(description="Of a withdrawal.")]
    reason: str | None
    evidence: list[ProofRead]
    reported_by: Actor
    reported_at: datetime
    decided_by: Actor
    decided_at: datetime | None
    decision_reason: str | None
    day: Annotated[int | None, Field(description="Of the guarantee, frozen at confirmation.")]
    percent: Annotated[
        int | None, Field(description="Given back of what was billed if nothing replaces it.")
    ]
    replace_by: Annotated[
        datetime | None,
        Field(description="The campaign's next unit until then is the replacement (exclusive)."),
    ]
    replacement_id: QualificationId | None
    credit_entry_id: UsageEntryId | None
    credited_amount: Annotated[int | None, Field(description="Minor units of `currency`.")]
    currency: str
    ended_at: datetime | None
    created_at: datetime
    updated_at: datetime


class GuaranteeCasePage(Page):
    """A page of guarantee cases, by last change."""

    data: list[GuaranteeCaseRead]


class StopRead(Output):
    """A time in which the clock stood still."""

    start: datetime
    end: Annotated[datetime | None, Field(description="Null while it stands still.")]


class GuaranteeRead(Output):
    """The guarantee of an accepted unit: 90 days from acceptance, as long as its clock runs."""

    state: Annotated[
        GuaranteeState,
        Field(
            description="`stopped`: a partner's request waits for the ISV for more than two"
            " business days; `ended`: the ISV changed its programme terms."
        ),
    ]
    since: datetime
    until: Annotated[
        datetime | None, Field(description="Exclusive; null while the clock stands still.")
    ]
    day: Annotated[int | None, Field(description="1 to 90; null when it is over.")]
    percent: Annotated[
        int | None, Field(description="What a withdrawal now would give back if unreplaced.")
    ]
    stopped_seconds: Annotated[int, Field(description="How long the clock has stood still.")]
    stops: list[StopRead]
    terms_changed_at: datetime | None
