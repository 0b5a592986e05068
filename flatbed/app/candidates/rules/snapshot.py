"""Everything the rules may look at for one candidate, as plain values of one moment."""

from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from enum import StrEnum
from uuid import UUID

from flatbed.app.candidates.rules.fit import Fit
from flatbed.app.candidates.rules.stages import CampaignState, EvidenceKind, Stage, Status
from flatbed.app.candidates.rules.touches import Touch


@dataclass(frozen=True, slots=True)
class Contact:
    """A person at the partner."""

    id: UUID
    c_level: bool


@dataclass(frozen=True, slots=True)
class ChannelRight:
    """A recorded right to reach a person over a channel, from `recorded_at` on."""

    contact_id: UUID
    channel: str
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class Objection:
    """A no: of a person, or of the company (`contact_id` None); on a channel, or all (None)."""

    id: UUID
    contact_id: UUID | None
    channel: str | None
    at: datetime
    resolved_at: datetime | None = None

    def stands(self, at: datetime) -> bool:
        """Whether it was open at a moment; it binds from its own second on."""
        return self.at <= at and (self.resolved_at is None or at < self.resolved_at)

    def covers(self, contact_id: UUID | None, channel: str) -> bool:
        """Whether it speaks about reaching this person over this channel."""
        return self.contact_id in {None, contact_id} and self.channel in {None, channel}


@dataclass(frozen=True, slots=True)
class Fact:
    """A sourced, dated fact; `angle` names the argument it serves, `attribute` what it says."""

    id: UUID
    source: str
    observed_on: date
    trigger_on: date | None = None
    angle: str | None = None
    attribute: str | None = None
    value: object = None
    source_kind: str = ""


@dataclass(frozen=True, slots=True)
class JudgementMade:
    """The last word of a person on a judged criterion, which the fit rests on.

    ``verdict`` of a hard criterion, ``thousandths`` of a soft one.
    """

    id: UUID
    criterion: str
    verdict: str | None
    thousandths: int | None
    source_kind: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Evidence:
    """A piece of evidence.

    The last four come from its data, where the kind has them: the partner's people at a held
    meeting, the role of who decided, the plan an agreement rests on, the facts an outreach cited.
    """

    id: UUID
    kind: EvidenceKind
    occurred_at: datetime
    statement: str | None = None
    touchpoint_id: UUID | None = None
    contact_id: UUID | None = None
    confirmed_by_lead: bool = False
    partner_attendees: frozenset[UUID] = frozenset()
    role: str | None = None
    plan_number: int | None = None
    fact_ids: frozenset[UUID] = frozenset()


class PlanName(StrEnum):
    """The fields of a joint plan."""

    REVENUE_TARGET = "revenue_target"
    RESOURCES = "resources"
    INVESTMENT = "investment"
    START_DATE = "start_date"
    PARTNER_MARGIN = "partner_margin"
    UTILISATION = "utilisation"
    RECURRING_SHARE = "recurring_share"


class Author(StrEnum):
    """Who wrote a plan field."""

    PARTNER = "partner"
    HUNTER = "hunter"
    ISV = "isv"


@dataclass(frozen=True, slots=True)
class PlanField:
    """One field of a plan. Money is an int in minor units of the campaign's currency."""

    name: PlanName
    value: str | int
    author: Author
    source_touchpoint_id: UUID | None = None

    @property
    def is_named(self) -> bool:
        """Whether it says anything: a number above zero or words."""
        return self.value > 0 if isinstance(self.value, int) else bool(self.value.strip())


@dataclass(frozen=True, slots=True)
class PlanVersion:
    """A version of the joint plan."""

    id: UUID
    number: int
    fields: tuple[PlanField, ...]


@dataclass(frozen=True, slots=True)
class Waiting:
    """A time in which the partner waited for the ISV; still waiting without an end."""

    start: datetime
    end: datetime | None = None


@dataclass(frozen=True, slots=True)
class CandidateSnapshot:
    """One candidate as the gates see it; all times aware, rows of the future are ignored.

    `holds_entry` says that its own usage entry stands unreversed; `group_billed` that another
    entry bills its company group in this programme. `open_conflicts` names what is unresolved
    (an exclusion pending consent, say). `next_touch_at` is when frequency caps next let us write;
    None where nothing holds us back.
    """

    stage: Stage
    status: Status
    campaign_state: CampaignState
    zone: tzinfo
    fit: Fit
    company_name: str
    domain: str
    source: str
    exited_at: datetime | None = None
    continue_after_fill: bool = False
    excluded: bool = False
    group_billed: bool = False
    holds_entry: bool = False
    core_argument: str = ""
    past_arguments: tuple[str, ...] = ()
    touches: tuple[Touch, ...] = ()
    contacts: tuple[Contact, ...] = ()
    rights: tuple[ChannelRight, ...] = ()
    objections: tuple[Objection, ...] = ()
    open_conflicts: tuple[str, ...] = ()
    facts: tuple[Fact, ...] = ()
    judgements: tuple[JudgementMade, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    plans: tuple[PlanVersion, ...] = ()
    waiting: tuple[Waiting, ...] = ()
    next_touch_at: datetime | None = None
