"""The rows above a candidate's records, written as other slices would leave them."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select

from flatbed.app.campaigns.models import Campaign, Offering, Profile, ProfileVersion, Programme
from flatbed.app.campaigns.profiles.criteria import six_cs
from flatbed.app.candidates.models import Candidate, TenantCompany
from flatbed.app.candidates.rules.rubric import Rubric
from flatbed.tenants.kit.clock import Clock
from flatbed.tenants.kit.database.engine import Database
from flatbed.tenants.kit.database.session import Caller, TenantSession
from flatbed.tenants.kit.ids import uuid7
from flatbed.tenants.organizations.models import Organization

CALLER = Caller("system:test", "req_test")
HARD: list[dict[str, Any]] = [
    {
        "key": "size",
        "attribute": "employees",
        "operator": "gte",
        "value": 20,
        "judged": False,
        "question": None,
    },
    {
        "key": "trusted",
        "attribute": None,
        "operator": None,
        "value": None,
        "judged": True,
        "question": "Do its customers trust it?",
    },
]


async def add_campaign(database: Database, realm_id: UUID, tenant: UUID, clock: Clock) -> UUID:
    """An ISV with a running campaign, its profile frozen."""
    now = clock.now()
    offering, programme, profile, version, campaign = (uuid7() for _ in range(5))
    own: dict[str, Any] = {"tenant_id": tenant, "created_at": now}
    tracked = {**own, "updated_at": now}
    async with database.agency(realm_id=realm_id, caller=CALLER, clock=clock) as agency:
        agency.add(
            Organization(
                realm_id=realm_id,
                id=tenant,
                slug=f"isv-{tenant.hex[-12:]}",
                name="An ISV",
                country="DE",
                time_zone="Europe/Berlin",
                currency="EUR",
                status="active",
                created_at=now,
                updated_at=now,
            )
        )
    async with database.tenant(
        realm_id=realm_id, tenant_id=tenant, caller=CALLER, clock=clock
    ) as session:
        session.add(Offering(id=offering, name="Ledger Cloud", **tracked))
        await session.flush()
        session.add(
            Programme(id=programme, offering_id=offering, code="d", countries=["DE"], **own)
        )
        session.add(
            Profile(id=profile, offering_id=offering, name="Mid", current_number=1, **tracked)
        )
        await session.flush()
        session.add(
            ProfileVersion(
                id=version, profile_id=profile, number=1, hard=HARD, soft=six_cs(), **own
            )
        )
        await session.flush()
        session.add(
            Campaign(
                id=campaign,
                name="Spring",
                offering_id=offering,
                programme_id=programme,
                profile_id=profile,
                profile_version_id=version,
                price_list_id=uuid7(),
                status="running",
                quantity=3,
                unit_price=450_000,
                currency="EUR",
                fit_floor=60,
                revenue_floor=50_000_000,
                shared_partners="deny",
                continue_after_fill=False,
                rubric=Rubric(fit_floor=60, revenue_floor=50_000_000, currency="EUR").to_json(),
                ordered_at=now - timedelta(days=40),
                started_at=now - timedelta(days=30),
                **tracked,
            )
        )
    return campaign


async def add_candidate(session: TenantSession, campaign_id: UUID, hunter_id: UUID | None) -> UUID:
    """A candidate of the campaign, thirty days old."""
    now = session.now()
    company_id, candidate_id = uuid7(), uuid7()
    campaign = (await session.scalars(select(Campaign).where(Campaign.id == campaign_id))).one()
    session.add(
        TenantCompany(
            tenant_id=session.tenant_id,
            id=company_id,
            name="Nordlicht Systemhaus",
            domain=f"nordlicht-{company_id.hex[-12:]}.example",
            country="DE",
            employees=140,
            attributes={"sector": "it"},
            created_at=now,
            updated_at=now,
        )
    )
    await session.flush()
    session.add(
        Candidate(
            tenant_id=session.tenant_id,
            id=candidate_id,
            campaign_id=campaign_id,
            company_id=company_id,
            programme_id=campaign.programme_id,
            source="trade register",
            stage="identified",
            status="active",
            stage_entered_at=now,
            core_argument="Your margin falls.",
            hunter_id=hunter_id,
            created_at=now - timedelta(days=30),
            updated_at=now - timedelta(days=30),
        )
    )
    return candidate_id
