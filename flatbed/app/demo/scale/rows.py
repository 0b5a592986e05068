"""The candidates of one transaction with all that belongs to them, drawn from seeded dice."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Final
from uuid import UUID

from flatbed.app.campaigns.exclusions.names import name_key
from flatbed.app.campaigns.models import Exclusion
from flatbed.app.candidates.models import (
    Candidate,
    Contact,
    Fact,
    TenantCompany,
    Touchpoint,
    Transition,
)
from flatbed.app.candidates.rules.exits import ExitReason
from flatbed.app.candidates.rules.stages import STAGES, Stage, Status
from flatbed.app.demo.fiction import FORENAMES, KINDS, PLACES, SURNAMES, domain_of
from flatbed.app.demo.scale.plan import FUNNEL, weights_of
from flatbed.app.demo.scale.repository import Rows
from flatbed.app.hunting.models import Assignment, CandidateCard
from flatbed.app.registry.models import Company, CompanyLink
from flatbed.tenants.kit.database.tables import Base
from flatbed.tenants.kit.ids import uuid7

DAY: Final = timedelta(days=1)
YEAR: Final = 400 * DAY
QUARTER: Final = 90 * DAY
WITH_HUNTER: Final = 0.85
EXITED: Final = 0.2
RESTING: Final = 0.08
REASONS: Final = (ExitReason.NO_RESPONSE, ExitReason.NOT_INTERESTED, ExitReason.HARD_FAIL)
ACTOR: Final = "system:demo"
TOUCHES: Final = (
    ("agency", "push", "email"),
    ("partner", "P1", "email"),
    ("agency", "answer", "email"),
    ("partner", "P2", "meeting"),
    ("partner", "P3", "meeting"),
)
"""Side, class and channel of a candidate's touches in their order."""


WORDS: Final = tuple(stage.value for stage in STAGES)
RANKS: Final = {stage: rank for rank, stage in enumerate(STAGES)}


@dataclass(frozen=True, slots=True)
class Campaign:
    """A running campaign, as its candidates need it."""

    id: UUID
    name: str
    programme_id: UUID


@dataclass(frozen=True, slots=True)
class Batch:
    """Which candidates to draw: so many of a tenant, whose campaigns and hunters are skewed.

    ``first`` numbers the first company of the batch within the realm; ``now`` is the realm's time.
    """

    realm_id: UUID
    tenant_id: UUID
    campaigns: Sequence[Campaign]
    hunters: Sequence[UUID]
    first: int
    size: int
    now: datetime
    dice: random.Random


@dataclass(frozen=True, slots=True)
class Unit:
    """A candidate that has qualified; the ledger makes its entry before the row is written."""

    candidate_id: UUID
    company_id: UUID
    campaign: Campaign
    qualified_at: datetime


@dataclass
class Drawn:
    """The rows of a batch by table, in the order in which they can be written.

    ``waking`` are the candidates who rest, with the instant that wakes them.
    """

    company: Rows
    candidates: Rows
    records: list[Rows]
    agency: list[Rows]
    units: list[Unit] = field(default_factory=list)
    waking: list[tuple[UUID, datetime]] = field(default_factory=list)


CANDIDATE: Final = (
    *("id", "campaign_id", "programme_id", "company_id", "stage", "status", "stage_entered_at"),
    *("nurture_until", "exit_reason", "exited_at", "next_due_at", "hunter_id", "external_ref"),
    *("created_at", "updated_at"),
)


def draw(batch: Batch) -> Drawn:
    """Draw a batch; the same dice give the same figures, ids are new each time."""
    return _Drawing(batch).drawn()


def rows_of(model: type[Base], *columns: str, **same: object) -> Rows:
    """No rows yet of the model's table: the columns that vary, and what is the same in all."""
    return Rows(model.metadata.tables[model.__tablename__], columns, same)


@cache
def _spelt(place: str, kind: str) -> tuple[str, str, str]:
    """A company's words, the same as its domain has them, and as names are compared."""
    words = f"{place} {kind}"
    return words, domain_of(words).removesuffix(".example"), name_key(words)


class _Drawing:
    def __init__(self, batch: Batch) -> None:
        self.batch, self.dice = batch, batch.dice
        realm, tenant = {"realm_id": batch.realm_id}, {"tenant_id": batch.tenant_id}
        both = {**realm, **tenant}
        plain = {"attributes": "{}", "version": 1, "industry": "IT services"}
        stamped = {"created_at": batch.now, "updated_at": batch.now}
        said = {"recorded_by": ACTOR, "provenance": "attested"}
        company = ("id", "name", "domain", "country", "employees")
        self.company = rows_of(Company, *company, **realm, **plain, **stamped, metadata="{}")
        self.link = rows_of(CompanyLink, "id", "tenant_company_id", "company_id", **both)
        self.card = rows_of(
            CandidateCard,
            *("candidate_id", "campaign_id", "campaign_name", "company_name", "stage", "status"),
            *("due_at", "updated_at", "staff_id"),
            **both,
        )
        self.assignment = rows_of(
            Assignment,
            *("id", "staff_id", "campaign_id", "candidate_id", "started_at", "ended_at"),
            **both,
            kind="candidate",
        )
        self.own = rows_of(TenantCompany, *company, "name_key", **tenant, **plain, **stamped)
        self.transition = rows_of(
            Transition,
            *("id", "candidate_id", "from_stage", "to_stage", "at"),
            **tenant,
            kind="forward",
            criteria="[]",
            actor=ACTOR,
        )
        self.contact = rows_of(
            Contact,
            *("id", "candidate_id", "name", "email", "c_level", "created_at", "updated_at"),
            **tenant,
            version=1,
        )
        self.fact = rows_of(
            Fact,
            *("id", "candidate_id", "statement", "observed_on", "recorded_at"),
            **tenant,
            source_kind="website",
            source_url="https://partner.example/",
            recorded_by=ACTOR,
            provenance="tenant",
        )
        self.touch = rows_of(
            Touchpoint,
            *("id", "candidate_id", "side", "class", "channel", "contact_id", "occurred_at"),
            *("recorded_at",),
            **tenant,
            **said,
            unrequested_ask=False,
            client_id=uuid7(),
        )
        self.exclusion = rows_of(
            Exclusion,
            *("id", "domain", "company_name", "name_key"),
            **tenant,
            **stamped,
            status="active",
            before_launch=False,
            version=1,
        )
        candidates = rows_of(Candidate, *CANDIDATE, **tenant, source="trade register", version=1)
        self.made = Drawn(
            company=self.own,
            candidates=candidates,
            records=[self.transition, self.contact, self.fact, self.touch, self.exclusion],
            agency=[self.company, self.link, self.card, self.assignment],
        )

    def drawn(self) -> Drawn:
        batch, dice, size = self.batch, self.dice, self.batch.size
        stages = dice.choices(list(FUNNEL), list(FUNNEL.values()), k=size)
        of = dice.choices(batch.campaigns, weights_of(len(batch.campaigns)), k=size)
        hunters = dice.choices(batch.hunters, weights_of(len(batch.hunters)), k=size)
        for n in range(size):
            self._candidate(batch.first + n, stages[n], of[n], hunters[n])
        return self.made

    def _candidate(self, number: int, stage: Stage, campaign: Campaign, hunter: UUID) -> None:
        dice, now = self.dice, self.batch.now
        id_, company_id = uuid7(), uuid7()
        registry_id, company_name = self._companies(number, company_id)
        age = DAY + dice.random() * YEAR
        created = now - age
        # The ledger's months are few, as in a realm that is a quarter old.
        entered = now - dice.random() * min(age, QUARTER)
        status = self._status(stage)
        until = due = exited = reason = None
        if status is Status.NURTURE:
            until = now + DAY + dice.random() * QUARTER
            self.made.waking.append((id_, until))
        elif status is Status.EXITED:
            exited, reason = entered, dice.choice(REASONS).value
        elif dice.random() < 0.7:  # noqa: PLR2004 - the others wait for no date
            due = now + DAY * (dice.random() * 35 - 5)
        worked_by = hunter if dice.random() < WITH_HUNTER else None
        reference = f"crm-{number}" if number % 3 == 0 else None
        self.made.candidates.add(
            *(id_, campaign.id, campaign.programme_id, company_id, stage.value, status.value),
            *(entered, until, reason, exited, due, worked_by, reference, created, entered),
        )
        if stage.needs_entry:
            self.made.units.append(Unit(id_, registry_id, campaign, entered))
        live = self._assignment(id_, campaign, worked_by, created, exited)
        self.card.add(
            *(id_, campaign.id, campaign.name, company_name, stage.value, status.value, due),
            *(entered, live),
        )
        self._history(id_, number, stage, created, entered)

    def _companies(self, number: int, company_id: UUID) -> tuple[UUID, str]:
        """The company in the registry and as the tenant has it; its id there, and its name."""
        place = PLACES[number % len(PLACES)]
        words, domain, key = _spelt(place, KINDS[number // len(PLACES) % len(KINDS)])
        name, domain = f"{words} {number}", f"{domain}-{number}.example"
        registry_id, employees = uuid7(), 10 + int(self.dice.random() * 400)
        self.company.add(registry_id, name, domain, "DE", employees)
        self.own.add(company_id, name, domain, "DE", employees, f"{key} {number}")
        self.link.add(uuid7(), company_id, registry_id)
        if number % 50 == 0:
            other = f"{place} Verbund {number}"
            self.exclusion.add(uuid7(), domain_of(other), other, name_key(other))
        return registry_id, name

    def _status(self, stage: Stage) -> Status:
        chance = self.dice.random()
        if stage.needs_entry or chance > EXITED + RESTING:
            return Status.ACTIVE
        return Status.EXITED if chance < EXITED else Status.NURTURE

    def _assignment(
        self,
        candidate_id: UUID,
        campaign: Campaign,
        hunter: UUID | None,
        started: datetime,
        exited: datetime | None,
    ) -> UUID | None:
        """The hunter's assignment, ended for half of those who left; the hunter while it lives."""
        if hunter is None:
            return None
        ended = exited if exited is not None and self.dice.random() < 0.5 else None  # noqa: PLR2004 - one half
        self.assignment.add(uuid7(), hunter, campaign.id, candidate_id, started, ended)
        return None if ended else hunter

    def _history(
        self, id_: UUID, number: int, stage: Stage, created: datetime, entered: datetime
    ) -> None:
        """The moves up to the stage, and what a hunter must have recorded to make them."""
        length = RANKS[stage]
        step = (entered - created) / (length + 1)
        before = None
        for rank in range(length + 1):
            reached = WORDS[rank]
            self.transition.add(uuid7(), id_, before, reached, created + step * rank)
            before = reached
        if length < RANKS[Stage.PROFILED]:
            return
        said = f"Sells to {number % 90 + 1} customers."
        self.fact.add(uuid7(), id_, said, created.date(), created)
        if length < RANKS[Stage.TARGETED]:
            return
        contact = uuid7()
        person = f"{self.dice.choice(FORENAMES)} {self.dice.choice(SURNAMES)}"
        email = f"{number}@partner.example"
        self.contact.add(contact, id_, person, email, number % 2 == 0, created, created)
        if length < RANKS[Stage.ENGAGED]:
            return
        for n, (side, class_, channel) in enumerate(TOUCHES[:length]):
            at = created + step * (n + 1)
            self.touch.add(uuid7(), id_, side, class_, channel, contact, at, at)
