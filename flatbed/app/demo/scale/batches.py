"""Writing one drawn batch in one transaction: units by the ledger, all else in bulk."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from flatbed.app.candidates.pipeline.moves import NURTURE_WAKE
from flatbed.app.demo.scale.repository import Rows, count_accepted, write
from flatbed.app.demo.scale.rows import ACTOR, Drawn, Unit, rows_of
from flatbed.app.qualifications.clocks import ACCEPTANCE
from flatbed.app.qualifications.models import Qualification
from flatbed.app.qualifications.rules.states import Status
from flatbed.app.qualifications.rules.terms import Calendar, acceptance_term
from flatbed.billing.facade import Basis, Caps, UsageRequest, accept_all, record_all, unit_key
from flatbed.tenants.kit.audit import DEADLINE
from flatbed.tenants.kit.canonical import canonical, digest
from flatbed.tenants.kit.database.kernel_tables import Deadline, Wakeup
from flatbed.tenants.kit.database.session import TenantSession, agency_plane
from flatbed.tenants.kit.ids import encode, uuid7

ZONE: Final = ZoneInfo("Europe/Berlin")
CALENDAR: Final = Calendar("DE", ZONE)
PRICE: Final = 450_000
SOURCE: Final = "qual"
QUALIFICATION: Final = (
    *("id", "candidate_id", "campaign_id", "entry_id", "status", "dossier", "dossier_hash"),
    *("qualified_at", "accept_by", "accepted_at", "accepted_by", "accepted_basis"),
    *("created_at", "updated_at"),
)


@dataclass(frozen=True, slots=True)
class _Metered:
    """A unit with its qualification: its dossier, its term, and when silence accepted it."""

    unit: Unit
    id: UUID
    dossier: dict[str, Any]
    accept_by: datetime
    accepted_at: datetime | None

    @classmethod
    def of(cls, unit: Unit, now: datetime) -> "_Metered":
        accept_by = acceptance_term(unit.qualified_at, CALENDAR).accept_by
        # No evidence was ever gathered: the dossier says so and names no more than the candidate.
        dossier = {"made_up": True, "candidate_id": encode("cand", unit.candidate_id)}
        return cls(unit, uuid7(), dossier, accept_by, accept_by if accept_by <= now else None)


async def write_batch(session: TenantSession, drawn: Drawn, price_id: UUID) -> Counter[str]:
    """Write a batch; units first, since a qualified candidate names its entry.

    Returns the rows written by table.

    Raises:
        flatbed.billing.facade.AlreadyBilledError: a company of the batch was billed before.
    """
    units = sorted(drawn.units, key=lambda one: one.qualified_at)
    metered = [_Metered.of(one, session.now()) for one in units]
    entries = await _meter(session, metered, price_id)
    by_candidate = {one.unit.candidate_id: id_ for one, id_ in zip(metered, entries, strict=True)}
    written = Counter({"usage_entry": len(entries)})
    for rows in (
        drawn.company,
        _with_entries(drawn.candidates, by_candidate),
        *drawn.records,
        _qualifications(session, metered, entries),
        *_deadlines(session, drawn, metered),
    ):
        written[rows.table.name] += await write(session, rows)
    async with agency_plane(session) as agency:
        for rows in drawn.agency:
            written[rows.table.name] += await write(agency, rows)
    return written


def _with_entries(candidates: Rows, entries: dict[UUID, UUID]) -> Rows:
    values = [(*row, entries.get(row[0])) for row in candidates.values]
    return Rows(candidates.table, (*candidates.columns, "entry_id"), candidates.same, values)


async def _meter(session: TenantSession, metered: Sequence[_Metered], price_id: UUID) -> list[UUID]:
    """The entries of the units, those whose term is over accepted by silence."""
    recorded = await record_all(session, [_request(one, price_id) for one in metered])
    entries = [one.entry_id for one in recorded]
    accepted = [
        (entry, one.accepted_at)
        for one, entry in zip(metered, entries, strict=True)
        if one.accepted_at is not None
    ]
    await accept_all(session, accepted, basis=Basis.SILENCE, actor=ACTOR)
    counted = Counter(one.unit.campaign.id for one in metered if one.accepted_at is not None)
    for campaign_id, number in sorted(counted.items()):
        await count_accepted(session, campaign_id, number)
    return entries


def _request(one: _Metered, price_id: UUID) -> UsageRequest:
    campaign = one.unit.campaign
    return UsageRequest(
        source=SOURCE,
        source_id=one.id,
        campaign_ref=campaign.id,
        programme_ref=campaign.programme_id,
        price_ref=price_id,
        unit_keys=(unit_key(campaign.programme_id, one.unit.company_id),),
        unit_price=PRICE,
        currency="EUR",
        caps=Caps(),
        evidence_hash=digest(one.dossier),
        occurred_at=one.unit.qualified_at,
        zone=ZONE,
    )


def _qualifications(
    session: TenantSession, metered: Sequence[_Metered], entries: Sequence[UUID]
) -> Rows:
    same = {"generation": 1, "unit_price": PRICE, "currency": "EUR", "version": 1}
    rows = rows_of(Qualification, *QUALIFICATION, tenant_id=session.tenant_id, **same)
    for one, entry in zip(metered, entries, strict=True):
        unit, at = one.unit, one.accepted_at
        silence = (None, None) if at is None else (ACTOR, Basis.SILENCE.value)
        status = Status.PENDING if at is None else Status.ACCEPTED
        rows.add(
            *(one.id, unit.candidate_id, unit.campaign.id, entry, status.value),
            *(canonical(one.dossier), digest(one.dossier), unit.qualified_at, one.accept_by),
            *(at, *silence, unit.qualified_at, at or unit.qualified_at),
        )
    return rows


def _deadlines(
    session: TenantSession, drawn: Drawn, metered: Sequence[_Metered]
) -> tuple[Rows, Rows]:
    """What wakes and what accepts by silence, each with its ring at the poller's door."""
    same = {"tenant_id": session.tenant_id}
    deadlines = rows_of(
        Deadline, "id", "candidate_id", "kind", "subject_id", "due_at", **same, attempts=0
    )
    rings = rows_of(Wakeup, "id", "due_at", **same, realm_id=session.realm_id, topic=DEADLINE)
    for candidate_id, until in drawn.waking:
        deadlines.add(uuid7(), candidate_id, NURTURE_WAKE, candidate_id, until)
    for one in metered:
        if one.accepted_at is None:
            deadlines.add(uuid7(), one.unit.candidate_id, ACCEPTANCE, one.id, one.accept_by)
    for *_, due_at in deadlines.values:
        rings.add(uuid7(), due_at)
    return deadlines, rings
