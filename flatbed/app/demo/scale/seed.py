"""Writing a realm of any size: each transaction leaves a smaller realm that is as consistent.

What is set up (ISVs, staff, offerings, campaigns) goes through the services, with audit and
events; units go through the ledger. Candidates come in bulk and without audit entries: a history
that never happened is not invented.
"""

import asyncio
import gc
import secrets
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from flatbed.app.campaigns.offerings import service as offerings
from flatbed.app.campaigns.offerings.schemas import OfferingCreate
from flatbed.app.campaigns.orders import service as orders
from flatbed.app.campaigns.orders.schemas import CampaignCreate, CampaignOrder
from flatbed.app.campaigns.orders.states import Action
from flatbed.app.campaigns.profiles import service as profiles
from flatbed.app.campaigns.profiles.schemas import ProfileCreate
from flatbed.app.demo.scale.batches import PRICE, ZONE, write_batch
from flatbed.app.demo.scale.plan import Scale, campaigns_of
from flatbed.app.demo.scale.rows import ACTOR, Batch, Campaign, draw
from flatbed.app.demo.stage_setting import HARD, SOFT
from flatbed.app.demo.teller import Bar, Teller
from flatbed.app.permissions import PERMISSIONS
from flatbed.app.tables import pricing
from flatbed.app.wiring import Program
from flatbed.tenants.access.principal import Role
from flatbed.tenants.kit.clock import Clock
from flatbed.tenants.kit.database.engine import Database
from flatbed.tenants.kit.database.session import Caller, TenantSession
from flatbed.tenants.kit.ids import decode, uuid7
from flatbed.tenants.kit.sealing import seal_agency, seal_tenant
from flatbed.tenants.oauth.clients.first_client import create_realm
from flatbed.tenants.organizations import service as organizations
from flatbed.tenants.organizations import staff_service
from flatbed.tenants.organizations.schemas import OrganizationCreate, StaffCreate

AT_ONCE: Final = 2
"""Transactions side by side: one is written by the server while the next is drawn."""
CALLER: Final = Caller(ACTOR, "req_demo")
QUANTITY: Final = 10_000


@dataclass(frozen=True, slots=True)
class Isv:
    """A tenant and its running campaigns."""

    id: UUID
    campaigns: Sequence[Campaign]


@dataclass
class Seeded:
    """The realm, its tenants from the largest on, its hunters from the busiest on.

    ``rows`` counts what was written by table, ``seconds`` how long it took.
    """

    realm_id: UUID
    client_id: str
    client_secret: str = field(repr=False)
    tenants: list[UUID] = field(default_factory=list)
    hunters: list[UUID] = field(default_factory=list)
    rows: Counter[str] = field(default_factory=Counter)
    seconds: float = 0


async def seed(program: Program, scale: Scale, teller: Teller) -> Seeded:
    """Make a sandbox realm of this size.

    Raises:
        flatbed.billing.facade.CapReachedError: more units than a campaign may hold.
    """
    begun = time.monotonic()
    made = await create_realm(
        program.database,
        program.keyring,
        PERMISSIONS,
        slug=f"scale-{secrets.token_hex(5)}",
        name="Flatbed at scale",
        kind="sandbox",
    )
    seeded = Seeded(decode("realm", made.realm_id), made.client_id, made.client_secret)
    async with program.database.patient() as database:
        with _seldom_collecting():
            await _Seeding(database, scale, seeded, Clock().frozen()).run(teller)
    seeded.seconds = time.monotonic() - begun
    return seeded


@contextmanager
def _seldom_collecting() -> Iterator[None]:
    """Drawn rows are no garbage; looking through them for some takes a sixth of the time."""
    kept = gc.get_threshold()
    gc.set_threshold(200_000, 20, 20)
    try:
        yield
    finally:
        gc.set_threshold(*kept)


@dataclass
class _Seeding:
    database: Database
    scale: Scale
    seeded: Seeded
    clock: Clock
    price_id: UUID = field(default_factory=uuid7)

    async def run(self, teller: Teller) -> None:
        await self._agency()
        turns = asyncio.Semaphore(AT_ONCE)

        async def tenant(number: int, size: int, first: int) -> None:
            async with turns:
                await self._tenant(number, size, first, bar)

        sizes = self.scale.of_tenants()
        with teller.bar("candidates", self.scale.candidates) as bar:
            async with asyncio.TaskGroup() as group:
                for number, size in enumerate(sizes):
                    group.create_task(tenant(number, size, sum(sizes[:number])))
        await seal_agency(self.database, self.seeded.realm_id)

    async def _agency(self) -> None:
        """Staff, the price, and the ISVs."""
        tag = secrets.token_hex(4)
        async with self.database.agency(
            realm_id=self.seeded.realm_id, caller=CALLER, clock=self.clock
        ) as session:
            for n in range(self.scale.hunters):
                body = StaffCreate(
                    name=f"Hunter {n}", email=f"hunter-{n}-{tag}@agency.example", role="hunter"
                )
                staff, _ = await staff_service.create(session, body)
                self.seeded.hunters.append(staff.id)
            session.add(
                pricing.PriceList(
                    realm_id=session.realm_id,
                    id=self.price_id,
                    name="Qualified partner, euro",
                    currency="EUR",
                    unit_price=PRICE,
                    number=1,
                    active=True,
                    metadata_={},
                    created_at=session.now(),
                    updated_at=session.now(),
                )
            )
            for n in range(self.scale.tenants):
                isv = OrganizationCreate(
                    slug=f"isv-{n}-{tag}",
                    name=f"ISV {n}",
                    country="DE",
                    time_zone=ZONE.key,
                    currency="EUR",
                )
                made, _ = await organizations.create(session, isv)
                self.seeded.tenants.append(made.id)

    async def _tenant(self, number: int, size: int, first: int, bar: Bar) -> None:
        """A tenant and its candidates, a batch a transaction; what it left behind is sealed."""
        isv = await self._isv(self.seeded.tenants[number], campaigns_of(size))
        for start in range(0, size, self.scale.batch):
            batch = Batch(
                realm_id=self.seeded.realm_id,
                tenant_id=isv.id,
                campaigns=isv.campaigns,
                hunters=self.seeded.hunters,
                first=first + start,
                size=min(self.scale.batch, size - start),
                now=self.clock.now(),
                dice=self.scale.dice(number, start),
            )
            async with self._transaction(isv.id) as session:
                self.seeded.rows += await write_batch(session, draw(batch), self.price_id)
            bar.step(batch.size)
        await seal_tenant(self.database, self.seeded.realm_id, isv.id)

    async def _isv(self, tenant_id: UUID, campaigns: int) -> Isv:
        """Offering, profile and running campaigns of an ISV."""
        async with self._transaction(tenant_id) as session:
            programme = {"code": "dach", "countries": ["DE", "AT", "CH"]}
            offering, _ = await offerings.create(
                session,
                OfferingCreate.model_validate({"name": "Offering", "programmes": [programme]}),
            )
            wanted = {"offering_id": offering.id, "name": "Partner", "hard": HARD, "soft": SOFT}
            profile, _ = await profiles.create(session, ProfileCreate.model_validate(wanted))
            made = [
                await _campaign(session, f"Campaign {n}", offering.id, profile.id)
                for n in range(campaigns)
            ]
            return Isv(tenant_id, made)

    def _transaction(self, tenant_id: UUID) -> AbstractAsyncContextManager[TenantSession]:
        return self.database.tenant(
            realm_id=self.seeded.realm_id, tenant_id=tenant_id, caller=CALLER, clock=self.clock
        )


async def _campaign(
    session: TenantSession, name: str, offering_id: UUID, profile_id: UUID
) -> Campaign:
    body = CampaignCreate(
        name=name,
        offering_id=offering_id,
        programme="dach",
        profile_id=profile_id,
        quantity=QUANTITY,
        continue_after_fill=True,
    )
    made, _ = await orders.create(session, body)
    order = CampaignOrder.model_validate({})
    await orders.order(session, made.id, order, Role.ISV_CLIENT, None, validate_only=False)
    running, _ = await orders.move(session, made.id, Action.START, Role.LEAD, None)
    return Campaign(running.id, name, running.programme_id)
