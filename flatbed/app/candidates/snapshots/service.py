"""Rows of a candidate turned into the snapshot that gates, guard and dossier rest on."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any, Final, Literal, cast
from uuid import UUID

from flatbed.app.candidates.models import (
    Candidate,
    CriterionJudgement,
    Evidence,
    Fact,
    PlanVersion,
    TenantCompany,
    Touchpoint,
    TouchpointVerdict,
)
from flatbed.app.candidates.rules import snapshot as rules
from flatbed.app.candidates.rules.fit import (
    Criterion,
    Fit,
    HardResult,
    Judgement,
    Reading,
    assess,
    strongest,
)
from flatbed.app.candidates.rules.stages import CampaignState, EvidenceKind, Stage, Status
from flatbed.app.candidates.rules.touches import Provenance, Side, Touch, TouchClass, Verdict
from flatbed.app.candidates.snapshots import repository
from flatbed.app.candidates.snapshots.repository import Records
from flatbed.tenants.kit.database.session import TenantReadSession

COMPANY_SOURCE: Final = "directory"
"""How far the company's master data are believed; a fact with a source of its own says more."""
WORD_OF_MOUTH: Final = frozenset({"hunter_judgement", "hearsay"})
"""Kinds of source that name none: such a fact is sourced by its address only."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the rules must know that stands outside the candidate's own rows.

    ``criteria`` are those of the campaign's frozen profile version; ``zone`` is the tenant's;
    ``group_billed``: another entry bills the company group in this programme; ``open_conflicts``
    names what is unresolved (an exclusion that waits for consent); ``waiting``: times in which
    the partner waited for the ISV; ``next_touch_at``: when frequency caps next let us write.
    """

    campaign_state: CampaignState
    criteria: tuple[Criterion, ...]
    zone: tzinfo
    continue_after_fill: bool = False
    excluded: bool = False
    group_billed: bool = False
    open_conflicts: tuple[str, ...] = ()
    waiting: tuple[rules.Waiting, ...] = ()
    next_touch_at: datetime | None = None


async def load_snapshot(
    session: TenantReadSession, candidate: Candidate, *, around: Surroundings
) -> rules.CandidateSnapshot:
    """The candidate at the session's instant, as the rules see him.

    Lock the candidate first where the result decides something: records take the same lock.

    Raises:
        ValueError: the profile names a criterion twice.
    """
    records = await repository.load(session, candidate)
    return _snapshot(candidate, records, around, session.now())


def _snapshot(
    candidate: Candidate, records: Records, around: Surroundings, now: datetime
) -> rules.CandidateSnapshot:
    c_level = {row.id for row in records.contacts if row.c_level}
    verdicts = _by_touchpoint(records.verdicts)
    return rules.CandidateSnapshot(
        stage=Stage(candidate.stage),
        status=Status(candidate.status),
        campaign_state=around.campaign_state,
        zone=around.zone,
        fit=fit_of(records, around, now),
        company_name=records.company.name,
        domain=records.company.domain,
        source=candidate.source,
        exited_at=candidate.exited_at,
        continue_after_fill=around.continue_after_fill,
        excluded=around.excluded,
        group_billed=around.group_billed,
        holds_entry=candidate.entry_id is not None,
        core_argument=candidate.core_argument or "",
        past_arguments=tuple(candidate.past_arguments),
        touches=tuple(
            to_touch(row, verdicts[row.id], c_level=row.contact_id in c_level)
            for row in records.touchpoints
        ),
        contacts=tuple(rules.Contact(row.id, row.c_level) for row in records.contacts),
        rights=tuple(
            rules.ChannelRight(row.contact_id, row.channel, row.recorded_at)
            for row in records.rights
        ),
        objections=tuple(
            rules.Objection(row.id, row.contact_id, row.channel, row.at, row.resolved_at)
            for row in records.objections
        ),
        open_conflicts=around.open_conflicts,
        facts=tuple(_fact(row) for row in records.facts),
        judgements=tuple(
            rules.JudgementMade(
                row.id, row.criterion, row.verdict, row.value, row.source_kind, row.at
            )
            for row in _last_words(records.judgements, now)
        ),
        evidence=tuple(
            _evidence(row, confirmed=row.id in records.confirmed) for row in records.evidence
        ),
        plans=tuple(_plan(row) for row in records.plans),
        waiting=around.waiting,
        next_touch_at=around.next_touch_at,
    )


def fit_of(records: Records, around: Surroundings, now: datetime) -> Fit:
    """The fit under the campaign's criteria, from what is known at this instant."""
    readings = _readings(records, now, around.zone)
    return assess(around.criteria, readings, _judgements(records.judgements, now))


def to_touch(row: Touchpoint, verdicts: Sequence[TouchpointVerdict], *, c_level: bool) -> Touch:
    """The touch with the later words on it."""
    return Touch(
        id=row.id,
        side=Side(row.side),
        proposed=TouchClass(row.class_),
        occurred_at=row.occurred_at,
        provenance=Provenance(row.provenance),
        contact_id=row.contact_id,
        c_level=c_level,
        channel=row.channel,
        elicited_by=row.elicited_by,
        unrequested_ask=row.unrequested_ask,
        verdicts=tuple(
            Verdict(
                cast("Literal['audit', 'lowering']", one.kind),
                TouchClass(one.class_),
                one.elicited_by,
                one.at,
            )
            for one in verdicts
        ),
        text=row.text or "",
        in_reply_to=row.in_reply_to,
        recorded_at=row.recorded_at,
    )


def _by_touchpoint(
    rows: Sequence[TouchpointVerdict],
) -> defaultdict[UUID, list[TouchpointVerdict]]:
    grouped: defaultdict[UUID, list[TouchpointVerdict]] = defaultdict(list)
    for row in rows:
        grouped[row.touchpoint_id].append(row)
    return grouped


def _fact(row: Fact) -> rules.Fact:
    source = row.source_url or ("" if row.source_kind in WORD_OF_MOUTH else row.source_kind)
    return rules.Fact(
        row.id,
        source,
        row.observed_on,
        row.trigger_on,
        row.angle,
        row.attribute,
        row.value,
        row.source_kind,
    )


def _evidence(row: Evidence, *, confirmed: bool) -> rules.Evidence:
    data = row.data
    return rules.Evidence(
        id=row.id,
        kind=EvidenceKind(row.kind),
        occurred_at=row.occurred_at,
        statement=row.statement,
        touchpoint_id=row.touchpoint_id,
        contact_id=row.contact_id,
        confirmed_by_lead=confirmed,
        partner_attendees=_ids(data, "partner_attendees"),
        role=data.get("role"),
        plan_number=data.get("plan_number"),
        fact_ids=_ids(data, "fact_ids"),
    )


def _ids(data: Mapping[str, Any], name: str) -> frozenset[UUID]:
    return frozenset(UUID(one) for one in data.get(name, ()))


def _plan(row: PlanVersion) -> rules.PlanVersion:
    return rules.PlanVersion(
        row.id,
        row.number,
        tuple(
            rules.PlanField(
                rules.PlanName(field["name"]),
                field["value"],
                rules.Author(field["author"]),
                None
                if field["source_touchpoint_id"] is None
                else UUID(field["source_touchpoint_id"]),
            )
            for field in row.fields
        ),
    )


def _judgements(rows: Sequence[CriterionJudgement], now: datetime) -> dict[str, Judgement]:
    return {
        row.criterion: Judgement(
            verdict=None if row.verdict is None else HardResult(row.verdict),
            value=None if row.value is None else row.value / 1000,
            source_kind=row.source_kind,
            age_days=(now - row.at) / timedelta(days=1),
        )
        for row in _last_words(rows, now)
    }


def _last_words(rows: Sequence[CriterionJudgement], now: datetime) -> list[CriterionJudgement]:
    """The last word on each criterion up to now."""
    heard = sorted((row for row in rows if row.at <= now), key=lambda row: (row.at, row.id))
    return list({row.criterion: row for row in heard}.values())


def _readings(records: Records, now: datetime, zone: tzinfo) -> dict[str, Reading]:
    """What is believed most of each attribute: the company's master data, or a fact."""
    today = now.astimezone(zone).date()
    found: defaultdict[str, list[Reading]] = defaultdict(list)
    company = records.company
    age = _age(today, company.updated_at.astimezone(UTC).date())
    for attribute, value in _master_data(company).items():
        found[attribute].append(Reading(value, COMPANY_SOURCE, age))
    for fact in records.facts:
        if fact.attribute is not None and fact.observed_on <= today:
            reading = Reading(fact.value, fact.source_kind, _age(today, fact.observed_on))
            found[fact.attribute].append(reading)
    believed = {attribute: strongest(readings) for attribute, readings in found.items()}
    return {attribute: one for attribute, one in believed.items() if one is not None}


def _master_data(company: TenantCompany) -> dict[str, object]:
    named = {
        "country": company.country,
        "industry": company.industry,
        "employees": company.employees,
        "revenue": company.revenue,
    }
    given = {name: value for name, value in named.items() if value is not None}
    return {**company.attributes, **given}


def _age(today: date, observed: date) -> float:
    return float(max(0, (today - observed).days))
