"""A unit that is metered, and the qualification that it is for.

The caller holds the candidate's lock and has decided that it qualifies.
"""

from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import UUID

from flatbed.app.candidates.pipeline.cases import Case
from flatbed.app.candidates.pipeline.moves import move
from flatbed.app.candidates.records.errors import CampaignNotOrderedError
from flatbed.app.candidates.rules.pipeline import Transition
from flatbed.app.qualifications import clocks, outcome
from flatbed.app.qualifications.guarantee import cases
from flatbed.app.qualifications.guarantee.models import GuaranteeCase
from flatbed.app.qualifications.models import Qualification
from flatbed.app.qualifications.rules.cases import Cause
from flatbed.app.qualifications.rules.states import Origin, Status
from flatbed.app.qualifications.rules.terms import Calendar, acceptance_term
from flatbed.billing.facade import Caps, RecordedUsage, UsageRequest, record_usage
from flatbed.tenants.kit.audit import mutation
from flatbed.tenants.kit.database.session import TenantSession
from flatbed.tenants.kit.failpoints import Failpoint, failpoint
from flatbed.tenants.kit.ids import encode

SOURCE: Final = "qual"


@dataclass(frozen=True, slots=True)
class Birth:
    """What a qualification is made of.

    Args:
        id: the qualification's.
        dossier: its evidence, frozen.
        dossier_hash: the SHA-256 of the dossier.
        hunter_id: who worked the candidate when it was submitted.
        external_ref: the submitter's own reference.
        metadata: the submitter's own.
        criteria: of gates that were frozen earlier, in their stored form; None: those just judged.
    """

    id: UUID
    dossier: dict[str, Any]
    dossier_hash: str
    hunter_id: UUID | None
    external_ref: str | None
    metadata: dict[str, Any]
    criteria: list[dict[str, Any]] | None = None


@dataclass(frozen=True, slots=True)
class Metered:
    """A unit in the ledger, and the guarantee case that it makes good."""

    usage: RecordedUsage
    case: GuaranteeCase | None = None


async def meter(session: TenantSession, case: Case, birth: Birth, caps: Caps) -> Metered:
    """Meter the candidate's unit under these caps.

    Where the campaign owes a replacement, this is it: for nothing, and under no cap, if the unit
    that it makes good is paid; else as any other.

    Raises:
        CampaignNotOrderedError: the campaign has no frozen price.
        CapReachedError: a cap leaves no room; nothing was changed.
        AlreadyBilledError: the company group was billed meanwhile in this programme.
    """
    owed = await cases.next_owed(session, case.campaign.id, case.candidate.id)
    request = _request(session, case, birth, caps)
    if owed is not None and owed.cause == Cause.WITHDRAWAL.value:
        request = replace(request, replaces_id=owed.entry_id)
    return Metered(await record_usage(session, request), owed)


async def meter_ride(session: TenantSession, case: Case, birth: Birth) -> Metered:
    """Meter a company that the ISV contracted itself: under no cap, and nobody's replacement.

    Caps count it all the same.

    Raises:
        CampaignNotOrderedError: the campaign has no frozen price.
        AlreadyBilledError: the company group is billed already in this programme.
    """
    return Metered(await record_usage(session, _request(session, case, birth, Caps())))


async def qualify(
    session: TenantSession, case: Case, decided: Transition, birth: Birth, metered: Metered
) -> Qualification:
    """Move the candidate and write its qualification; the term of acceptance begins now."""
    case.candidate.entry_id = metered.usage.entry_id
    await move(session, case, decided, birth.criteria)
    return await write(session, case, birth, metered, Origin.GATES)


async def write(
    session: TenantSession, case: Case, birth: Birth, metered: Metered, origin: Origin
) -> Qualification:
    """Write the qualification of a unit that its candidate names."""
    usage, owed = metered.usage, metered.case
    now = session.now()
    term = acceptance_term(now, Calendar(case.organization.country, case.organization.zone))
    row = Qualification(
        tenant_id=session.tenant_id,
        id=birth.id,
        candidate_id=case.candidate.id,
        campaign_id=case.campaign.id,
        entry_id=usage.entry_id,
        generation=usage.generation,
        status=Status.PENDING.value,
        dossier=birth.dossier,
        dossier_hash=birth.dossier_hash,
        unit_price=usage.amount,
        currency=usage.currency,
        qualified_at=now,
        accept_by=term.accept_by,
        external_ref=birth.external_ref,
        metadata_=birth.metadata,
        origin=origin.value,
        replaces_id=None if owed is None else owed.qualification_id,
        created_at=now,
        updated_at=now,
    )
    session.add(row)
    await session.flush()
    failpoint(Failpoint.QUALIFICATION_WRITTEN)
    if owed is not None:
        failpoint(Failpoint.GUARANTEE_REPLACED)
        await cases.make_good(session, owed, row)
    await clocks.start_acceptance(session, row, term)
    detail = {
        **outcome.of(row),
        "entry_id": encode("use", row.entry_id),
        "generation": row.generation,
        "origin": row.origin,
        "dossier_hash": row.dossier_hash,
        "accept_by": row.accept_by.isoformat(),
    }
    mutation(session, "qualification.submitted", "qual", row.id, detail)
    await session.flush()
    return row


def _request(session: TenantSession, case: Case, birth: Birth, caps: Caps) -> UsageRequest:
    campaign = case.campaign
    if campaign.unit_price is None or campaign.price_list_id is None:
        raise CampaignNotOrderedError
    return UsageRequest(
        source=SOURCE,
        source_id=birth.id,
        campaign_ref=campaign.id,
        programme_ref=case.candidate.programme_id,
        price_ref=campaign.price_list_id,
        unit_keys=case.unit_keys,
        unit_price=campaign.unit_price,
        currency=campaign.currency,
        caps=caps,
        evidence_hash=birth.dossier_hash,
        occurred_at=session.now(),
        zone=case.organization.zone,
        tiers=campaign.price_tiers,
        country=case.company.country,
        agent_ref=birth.hunter_id,
    )
