"""What the API takes and gives for qualifications and disputes."""

from datetime import date, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from flatbed.app.ids import (
    CampaignId,
    CandidateId,
    DisputeId,
    QualificationId,
    ReviewId,
    TouchpointId,
)
from flatbed.app.qualifications.guarantee.schemas import GuaranteeCaseRead, GuaranteeRead
from flatbed.app.qualifications.rules.already_known import ALREADY_KNOWN, Direction
from flatbed.app.qualifications.rules.states import Basis, CaseStatus, Origin, Status, Verdict
from flatbed.billing.ids import UsageEntryId
from flatbed.tenants.kit.cursors import Page
from flatbed.tenants.kit.ids import OrganizationId
from flatbed.tenants.kit.schemas import ExternalRef, Input, Metadata, Output, Text

EvidenceWord = Literal["document", "touchpoint", "already_known_proof"]
CardKind = Literal["dispute", "review", "guarantee", "free_ride"]


class QualificationCreate(Input):
    """A submission: the candidate's own records are the evidence."""

    external_ref: ExternalRef | None = None
    metadata: Metadata = Field(default_factory=dict)


class KnownContactInput(Input):
    """A contact between the ISV and the company, on a date in the ISV's time zone."""

    on: date
    direction: Direction


class DisputeEvidence(Input):
    """One piece of evidence of a dispute or its answer."""

    kind: EvidenceWord
    description: Text
    touchpoint_id: Annotated[
        TouchpointId | None,
        Field(description="The candidate's touch that kind `touchpoint` means."),
    ] = None
    contacts: Annotated[
        list[KnownContactInput],
        Field(max_length=200, description="The contacts of an `already_known_proof`."),
    ] = Field(default_factory=list)

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        if (self.kind == "touchpoint") != (self.touchpoint_id is not None):
            raise ValueError("touchpoint_id comes with kind touchpoint, and with no other.")
        if (self.kind == "already_known_proof") != bool(self.contacts):
            raise ValueError("contacts come with kind already_known_proof, and with no other.")
        return self


class DisputeCreate(Input):
    """An objection to a qualification: it names a criterion and brings evidence."""

    criterion: Annotated[
        str,
        Field(
            min_length=1,
            max_length=80,
            examples=["qualified.hands_off"],
            description=f"A criterion of the frozen rubric, or `{ALREADY_KNOWN}`; of a free ride"
            " also one of its own criteria.",
        ),
    ]
    statement: Text
    evidence: Annotated[list[DisputeEvidence], Field(min_length=1, max_length=20)]
    fraud: Annotated[
        bool,
        Field(description="Fraud may be brought beside an earlier dispute, and after acceptance."),
    ] = False


class DisputeAnswer(Input):
    """What the agency answers."""

    statement: Text
    evidence: Annotated[list[DisputeEvidence], Field(max_length=20)] = Field(default_factory=list)


class DecisionCreate(Input):
    """The decision of a dispute that was answered, or of a review."""

    decision: Annotated[
        Verdict,
        Field(
            description="`replaced` voids the unit of a dispute, and the campaign's next one takes"
            " its place at the frozen price."
        ),
    ]
    reason: Text


class KnownContactRead(Output):
    """A contact between the ISV and the company."""

    on: date
    direction: Direction


class EvidenceRead(Output):
    """One piece of evidence of a dispute or its answer."""

    kind: EvidenceWord
    description: str
    touchpoint_id: TouchpointId | None
    contacts: list[KnownContactRead]


class AnswerRead(Output):
    """What the agency answered."""

    statement: str
    evidence: list[EvidenceRead]


class DisputeRead(Output):
    """A dispute with its clocks, its answer and its decision."""

    id: DisputeId
    qualification_id: QualificationId
    criterion: str
    fraud: bool
    statement: str
    evidence: list[EvidenceRead]
    status: CaseStatus
    opened_by: str
    opened_at: datetime
    answer_by: Annotated[datetime, Field(description="Unanswered by then, the unit is voided.")]
    answer: AnswerRead | None
    answered_by: str | None
    answered_at: datetime | None
    decide_by: Annotated[
        datetime | None, Field(description="Until then an uninvolved lead, then compliance.")
    ]
    decision: Verdict | None
    decision_reason: str | None
    decided_by: str | None
    decided_at: datetime | None
    withdrawn_by: str | None
    withdrawn_at: datetime | None


class ReviewRead(Output):
    """A review: a push said later to have been left out. While it is open, silence waits."""

    id: ReviewId
    qualification_id: QualificationId
    touchpoint_id: TouchpointId
    reason: str
    status: CaseStatus
    opened_at: datetime
    decision_reason: str | None
    decided_by: str | None
    decided_at: datetime | None


class QualificationRead(Output):
    """A qualification without its dossier.

    A hunter sees null for `unit_price` and `replaces_id`.
    """

    id: QualificationId
    candidate_id: CandidateId
    campaign_id: CampaignId
    entry_id: UsageEntryId
    generation: Annotated[int, Field(description="1 at first, one more after each void.")]
    origin: Annotated[
        Origin,
        Field(
            description="`free_ride`: the ISV contracted the company elsewhere; it passed no gates"
            " and carries no guarantee."
        ),
    ]
    replaces_id: Annotated[
        QualificationId | None,
        Field(description="The unit that this one makes good; `unit_price` is 0 if that is paid."),
    ]
    status: Status
    unit_price: Annotated[int | None, Field(description="Minor units, frozen at order.")]
    currency: str
    dossier_hash: Annotated[
        str, Field(description="SHA-256 of the dossier's canonical JSON, in the usage entry too.")
    ]
    qualified_at: datetime
    accept_by: Annotated[datetime, Field(description="Silence until then accepts (exclusive).")]
    accepted_at: datetime | None
    accepted_by: str | None
    accepted_basis: Basis | None
    voided_at: datetime | None
    void_reason: Annotated[
        str | None,
        Field(description="`dispute`, `fraud`, `unanswered`, `review` or `replaced`."),
    ]
    disputes: list[DisputeRead]
    reviews: list[ReviewRead]
    external_ref: str | None
    metadata: Metadata
    created_at: datetime
    updated_at: datetime


class QualificationDetail(QualificationRead):
    """A qualification with the evidence dossier that was frozen at submission."""

    guarantee: Annotated[
        GuaranteeRead | None, Field(description="Null unless it is accepted and guaranteed.")
    ]
    guarantee_case: Annotated[
        GuaranteeCaseRead | None,
        Field(description="The newest: a reported withdrawal, or a dispute decided `replaced`."),
    ]
    dossier: Annotated[
        dict[str, Any],
        Field(
            description="Scores are decimal texts. Keys sorted, without white space, in UTF-8,"
            " its SHA-256 is `dossier_hash`."
        ),
    ]


class QualificationPage(Page):
    """A page of qualifications, by last change."""

    data: list[QualificationRead]


class DisputeCardRead(Output):
    """What the agency's list shows of what waits for a lead, over all ISVs.

    Disputes, reviews, and reports of withdrawals (`guarantee`) and of free rides.
    """

    kind: CardKind
    id: Annotated[str, Field(description="The id of the dispute, review, case or free ride.")]
    organization_id: OrganizationId
    qualification_id: Annotated[
        QualificationId | None, Field(description="Null for a free ride that is not confirmed.")
    ]
    candidate_id: CandidateId
    state: CaseStatus
    criterion: str | None
    due_at: Annotated[
        datetime, Field(description="Of the answer or the decision; else when it was opened.")
    ]
    updated_at: datetime


class DisputePage(Page):
    """A page of disputes, reviews and reports, the earliest due first."""

    data: list[DisputeCardRead]
