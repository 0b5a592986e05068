"""Mutants of ledger and closing: each is deliberately wrong, and each must be caught.

The same scenes on the real program break nothing.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from types import ModuleType
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from sqlalchemy import select

from flatbed.billing.facade import record_usage
from flatbed.billing.pricing.rules.tiers import Price
from flatbed.billing.statements import closing
from flatbed.billing.statements.repository import closing as closing_repository
from flatbed.billing.statements.rules import rating
from flatbed.billing.usage import decisions
from flatbed.billing.usage.chain import EMPTY, Head
from flatbed.billing.usage.models import Period
from flatbed.billing.usage.repository import ledger, reports
from flatbed.tenants.kit.database.session import TenantReadSession, TenantSession
from flatbed.tenants.kit.database.urls import Plain
from flatbed.tenants.kit.ids import uuid7
from tests.billing.proof import checks, doing, picture
from tests.billing.proof.doing import DIED, QUALIFIED, Isv
from tests.billing.proof.driver import in_some_order
from tests.billing.proof.facts import DONE, Campaign, Close, Credit, Decide, Fact, Meter, Void
from tests.billing.proof.model import Model
from tests.billing.statements.books import APRIL, APRIL_CLOSES, MARCH_CLOSES, fill_in_seller
from tests.billing.world import NOON, World

CAMPAIGN = Campaign(uuid7(), "EUR", 435, ((3, 115),))
"""A price of 4.35 is 434.99… cents where money is a float."""
PATIENCE = 0.3
"""Seconds that one waits for another who may be held by a lock."""
ENTRY_KEY = "statement_line_tenant_id_entry_id_key"


class Shop:
    """An ISV with the model of its books; facts get the next instant."""

    def __init__(self, isv: Isv) -> None:
        self.isv = isv
        self.model = Model("Europe/Berlin", zones=[(NOON, "Europe/Berlin")])
        self.units: list[UUID] = []

    def unit(self, at: datetime = NOON, occurred: datetime | None = None) -> Meter:
        """A new unit."""
        self.units.append(uuid7())
        at += timedelta(seconds=len(self.units))
        return Meter(at, self.units[-1], f"k:{uuid7()}", CAMPAIGN, occurred or at)

    async def live(self, *facts: Fact) -> None:
        """Do them and tell the model, whatever the program answers."""
        for fact in facts:
            await self.isv.do(fact)
            self.model.apply(fact)
            await self.isv.refresh()

    async def faults(self) -> set[Any]:
        """The invariants that are broken; ``model`` where the rows are not the model's."""
        plain, tenant = self.isv.world.admin, self.isv.tenant_id
        found = await checks.gather(plain, tenant, self.model)
        assert found.entries, "no scene passes on zero entries"
        assert found.statements, "no scene passes without a closing"
        wrong: set[Any] = set(checks.broken(found))
        if await picture.of_database(plain, tenant) != picture.of_model(self.model):
            wrong.add("model")
        return wrong

    async def explained(self, *facts: Fact) -> bool:
        """Whether some order of the facts, done at once, gives the answers and the rows."""
        answers = await asyncio.gather(*(self.isv.do(one) for one in facts))
        rows = await picture.of_database(self.isv.world.admin, self.isv.tenant_id)
        happened = list(zip(facts, answers, strict=True))
        return in_some_order(self.model, happened, rows) is not None


@pytest_asyncio.fixture
async def shop(world: World, isv: UUID) -> Shop:
    """In Berlin, in March."""
    await fill_in_seller(world)
    made = Shop(Isv(world, isv, "Europe/Berlin"))
    await made.isv.begin()
    return made


class Instead(ModuleType):
    """A module of which some functions are others, for one that imports it."""

    def __init__(self, real: ModuleType, **others: Callable[..., Awaitable[Any]]) -> None:
        super().__init__(real.__name__)
        self.__dict__.update({**vars(real), **others})


async def unlocked(session: TenantSession) -> Head:
    """The head as it is, without its lock."""
    return await ledger.find_head(session) or EMPTY


class Meeting:
    """Two wait for each other, but not longer than a lock would hold one of them."""

    def __init__(self) -> None:
        self.there = 0
        self.full = asyncio.Event()

    async def join(self) -> None:
        self.there += 1
        if self.there > 1:
            self.full.set()
        try:
            await asyncio.wait_for(self.full.wait(), PATIENCE)
        except TimeoutError:
            return


async def two_months(shop: Shop) -> None:
    """Units, corrections, a late one, and two closings."""
    first = [shop.unit() for _ in range(4)]
    await shop.live(*first)
    for day, one in enumerate(first[:3], start=1):
        at = NOON + timedelta(days=day)
        await shop.live(Decide(at, one.source, "accepted"))
    await shop.live(Close(MARCH_CLOSES, 0))
    late = shop.unit(APRIL, NOON)
    await shop.live(
        Credit(APRIL, first[0].source, 50),
        Void(APRIL + timedelta(hours=1), first[1].source),
        shop.unit(APRIL),
        late,
        Decide(APRIL + timedelta(hours=2), late.source, "accepted"),
        Close(APRIL_CLOSES, 1),
    )


class TestOneAfterTheOther:
    async def test_the_real_program_breaks_nothing(self, shop: Shop) -> None:
        await two_months(shop)
        assert await shop.faults() == set()

    async def test_money_as_a_float_is_caught(
        self, shop: Shop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def floated(price: Price, rank: int | None) -> int:
            return 0 if rank is None else int(price.of(rank) / 100 * 100)

        monkeypatch.setattr(rating, "amount_of", floated)
        await two_months(shop)
        assert await shop.faults() >= {8, "model"}

    async def test_a_late_entry_in_a_closed_period_is_caught(
        self, shop: Shop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = ledger.place

        async def open_or_closed(session: TenantReadSession, instant: datetime) -> ledger.Place:
            holds = await session.scalar(
                select(Period.id).where(
                    Period.tenant_id == session.tenant_id,
                    Period.starts_at <= instant,
                    Period.ends_at > instant,
                )
            )
            return replace(await real(session, instant), period_id=holds)

        monkeypatch.setattr(ledger, "place", open_or_closed)
        await two_months(shop)
        assert await shop.faults() >= {3, "model"}

    async def test_a_unit_that_is_drafted_again_is_stopped_by_the_key_and_else_caught(
        self, shop: Shop, owner_connection: Plain, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A missing unique index: the rule forgets what is billed, the key alone holds."""
        real, seen = reports.standing, list[Mapping[str, Any]]()

        async def remembered(
            session: TenantReadSession, among: Collection[UUID]
        ) -> Sequence[Mapping[str, Any]]:
            seen.extend(await real(session, among))
            return list({row["id"]: row for row in seen}.values())

        monkeypatch.setattr(reports, "standing", remembered)
        unit = shop.unit()
        await shop.live(unit, Decide(NOON + timedelta(days=1), unit.source, "accepted"))
        await shop.live(Close(MARCH_CLOSES, 0))
        await shop.live(shop.unit(APRIL))
        second = Close(APRIL_CLOSES, 1)
        assert await shop.isv.do(second) == "IntegrityError"
        assert await shop.faults() == set()
        definition = await owner_connection.fetchval(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = $1", ENTRY_KEY
        )
        await owner_connection.execute(f"ALTER TABLE statement_line DROP CONSTRAINT {ENTRY_KEY}")
        try:
            await shop.live(second)
            assert await shop.faults() >= {3, "model"}
        finally:
            # The doubles go first, or the key could not be made again for the other tests.
            admin = shop.isv.world.admin
            await admin.execute("SET session_replication_role = replica")
            await admin.execute(
                "DELETE FROM statement_line WHERE tenant_id = $1", shop.isv.tenant_id
            )
            await admin.execute("SET session_replication_role = origin")
            await owner_connection.execute(
                f"ALTER TABLE statement_line ADD CONSTRAINT {ENTRY_KEY} {definition}"
            )


class TestAtOnce:
    async def scene_of_a_closing(self, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> bool:
        """A unit is written off just after the closing has drafted it."""
        unit = shop.unit()
        await shop.live(unit, Decide(NOON + timedelta(days=1), unit.source, "accepted"))
        meeting, real = Meeting(), closing_repository.last_statement

        async def drafted(session: TenantReadSession) -> Any:
            await meeting.join()
            # Long enough for the other to commit, unless a lock holds it.
            await asyncio.sleep(PATIENCE)
            return await real(session)

        monkeypatch.setattr(closing_repository, "last_statement", drafted)
        write_off = Decide(MARCH_CLOSES, unit.source, "written_off")

        async def arrives(session: TenantSession) -> Head:
            await meeting.join()
            return await ledger.lock_head(session)

        monkeypatch.setattr(decisions, "ledger", Instead(ledger, lock_head=arrives))
        return await shop.explained(Close(MARCH_CLOSES + timedelta(hours=1), 0), write_off)

    async def test_with_the_head_locked_some_order_explains_it(
        self, shop: Shop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert await self.scene_of_a_closing(shop, monkeypatch)

    async def test_a_closing_without_the_heads_lock_is_caught(
        self, shop: Shop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(closing, "ledger", Instead(ledger, lock_head=unlocked))
        assert not await self.scene_of_a_closing(shop, monkeypatch)

    async def scene_of_decisions(
        self,
        shop: Shop,
        monkeypatch: pytest.MonkeyPatch,
        **others: Callable[..., Awaitable[Any]],
    ) -> bool:
        """A unit is accepted and disputed by two who both have read that it is pending."""
        unit = shop.unit()
        await shop.live(unit)
        meeting, real = Meeting(), ledger.add_decision

        async def both_have_read(*told: Any) -> None:
            await meeting.join()
            await real(*told)

        instead = Instead(ledger, add_decision=both_have_read, **others)
        monkeypatch.setattr(decisions, "ledger", instead)
        at = NOON + timedelta(days=1)
        return await shop.explained(
            Decide(at, unit.source, "accepted"),
            Decide(at + timedelta(seconds=1), unit.source, "disputed"),
        )

    async def test_with_the_head_locked_only_one_decides(
        self, shop: Shop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert await self.scene_of_decisions(shop, monkeypatch)

    async def test_an_acceptance_without_the_heads_lock_is_caught(
        self, shop: Shop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert not await self.scene_of_decisions(shop, monkeypatch, lock_head=unlocked)


class TestDying:
    async def halves(self, shop: Shop) -> int:
        """How often a meter that died at some await left the entry without its qualification."""
        halves, deaths, at = 0, 0, 0
        while True:
            at += 1
            before = await self.counts(shop)
            answer = await shop.isv.dying(shop.unit(), at)
            entries, told = await self.counts(shop)
            halves += (entries - before[0]) != (told - before[1])
            deaths += answer == DIED
            if answer == DONE:
                break
        assert deaths > 10, "it must die at many places"
        return halves

    async def counts(self, shop: Shop) -> tuple[int, int]:
        """Entries, and audit rows of the transactions that qualified."""
        admin, tenant = shop.isv.world.admin, shop.isv.tenant_id
        entries = await shop.isv.world.count("usage_entry", tenant)
        told = await admin.fetchval(
            "SELECT count(*) FROM audit_pending WHERE tenant_id = $1 AND action = $2",
            tenant,
            QUALIFIED,
        )
        return entries, int(told)

    async def test_the_entry_stands_or_falls_with_what_qualified_it(self, shop: Shop) -> None:
        assert await self.halves(shop) == 0

    async def test_a_meter_that_writes_in_another_transaction_is_caught(
        self, shop: Shop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def elsewhere(session: TenantSession, request: Any) -> Any:
            async with shop.isv.world.at(shop.isv.tenant_id, session.now()) as other:
                return await record_usage(other, request)

        monkeypatch.setattr(doing, "record_usage", elsewhere)
        assert await self.halves(shop) > 0
