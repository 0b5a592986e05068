"""What the rules of the machine at Stripe share: jobs, customers, webhooks, and how it ends."""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any
from uuid import UUID

from flatbed.billing.gateway.fake.faults import Fault, FaultKind
from flatbed.billing.gateway.fake.refusals import ApiError
from tests.billing.proof import collected, weight
from tests.billing.proof.doing import Interrupted
from tests.billing.proof.driver import Book, Driver
from tests.billing.proof.facts import DONE, Close, Credit, Decide, Fact, Meter, Void
from tests.billing.proof.till import DAY, HOUR, PRUNED, Till, dying, opened

JOBS = ("all", "one", "dies", "a day later", "a day later", "at once", "paid meanwhile")
PAYMENTS = ("pay", "pay", "transfer", "fail", "give up", "refund", "dispute")
NEWS = ("webhooks", "webhooks", "dying webhooks", "lost", "apply", "apply", "gaps", "dying gaps")
CORRECTIONS = ("credit", "void", "guarantee", "replaced", "again", "none")
PERCENTS = (100, 50, 25)
"""What the guarantee gives back, by the day of the withdrawal."""
BUSY = 8
"""How much every run begins with."""
AGAIN = 5
"""Events that are applied twice more at the end of a run."""
LONGEST_JOB, SHORTEST_JOB = 36, 12
"""Awaits of a job that brings a new invoice to Stripe, and of one that finds it there."""
LONGEST = 28 * DAY
"""Stripe tells of events for 30 days; what is older is the reconciliation's alone."""
FAULT_KINDS = tuple(one for one in FaultKind if one is not FaultKind.DELAY)
METHODS = ("POST", "POST", "GET", "")
WAITS = (HOUR, HOUR, PRUNED, 4 * DAY, 15 * DAY)
DAYS = (
    *("collect", "collect", "collect", "collect"),
    *("hear", "hear", "hear"),
    *("month", "month", "customer", "customer", "fault", "reconcile", "wait"),
)


class TillDriver(Driver):
    """The account at Stripe, the agency's jobs and the ISVs' customers."""

    till: Till

    def __init__(self) -> None:
        super().__init__()
        self.stack = AsyncExitStack()
        self.paid: Counter[str] = Counter()
        self.passed = 0

    def _anything(self) -> None:
        chance = self.chance
        who, pick, at = chance.choice((0, 0, 0, 1)), chance.randrange(1000), chance.randint(1, 60)
        match chance.choice(DAYS):
            case "month":
                picks = [chance.randrange(1000) for _ in range(1 + pick % 2)]
                correction = chance.choice(CORRECTIONS)
                self.run(self._month(who, picks, correction, closes=at % 3 > 0))
            case "collect":
                self.run(self._collect(chance.choice(JOBS), who, pick, at, chance.choice(PAYMENTS)))
            case "customer":
                self._customer(pick, chance.choice(PAYMENTS))
            case "hear":
                self.run(self._hear(chance.choice(NEWS), pick, at))
            case "fault":
                kind, method = chance.choice(FAULT_KINDS), chance.choice(METHODS)
                self._plan(Fault(kind, 1 + pick % 5, pick // 5 % 7, method))
            case "reconcile":
                self.run(self._reconcile(who, at))
            case _:
                self._wait(chance.choice(WAITS))

    async def _open(self, zones: tuple[str, str], picks: list[int]) -> None:
        await self._begin(zones, picks)
        # What was credited is given back on the next statement: every run has a credit note.
        await self._preview_and_close(0, in_time=True)
        world = self.books[0].isv.world
        self.till = await self.stack.enter_async_context(opened(world, self.chance, self.tally))

    async def _act(self, who: int, fact: Fact) -> None:
        if isinstance(fact, Close):
            await self._look(who)
        await super()._act(who, fact)

    def _plan(self, fault: Fault) -> None:
        self.till.fake.control.fault(fault)
        self.tally["faults"] += 1

    def _wait(self, seconds: int) -> None:
        if self.passed + seconds <= LONGEST:
            self.passed += seconds
            self.till.pass_time(seconds)

    async def _look(self, who: int) -> None:
        """An open finding blocks the next closing."""
        book = self.books[who]
        if hasattr(self, "till"):
            book.model.has_findings = bool(await self.till.open_findings(book.isv.tenant_id))
            self.tally["closings blocked"] += book.model.has_findings

    async def _month(self, who: int, picks: list[int], correction: str, *, closes: bool) -> None:
        book = self.books[who]
        for pick in picks:
            unit = self.fact(who, "meter", pick)
            if unit is not None:
                await self._act(who, unit)
        await self._correct(who, correction, picks[0])
        for source, unit_ in list(book.model.units.items()):
            if unit_.state == "pending":
                await self._act(who, Decide(self.later(), source, "accepted"))
        if closes:
            await self._preview_and_close(who, in_time=bool(picks[0] % 2))

    async def _correct(self, who: int, correction: str, pick: int) -> None:
        """Of a unit that is billed, if there is one."""
        book = self.books[who]
        billed = [key for key, one in book.model.units.items() if one.state == "billed"]
        if not billed or correction == "none":
            return
        source = billed[pick % len(billed)]
        unit = book.model.units[source].fact
        match correction:
            case "void":
                await self._act(who, Void(self.later(), source))
            case "credit":
                await self._act(who, Credit(self.later(), source, PERCENTS[pick % 3]))
            case "again":
                # The partner comes back after the void: a new generation, paid anew.
                await self._act(who, Void(self.later(), source))
                await self._meter_as(who, unit, unit.unit_key)
            case "guarantee":
                await self._make_good(who, source, pick)
            case _:
                # A dispute decided `replaced`: nothing is paid for the first, and the next costs.
                await self._act(who, Void(self.later(), source))
                await self._meter_as(who, unit, f"k:{source}:{pick}:{self.now}")

    async def _make_good(self, who: int, source: UUID, pick: int) -> None:
        """The partner left: a replacement at price 0, or none in time and the share is credited."""
        unit = self.books[who].model.units[source].fact
        if pick % 2:
            key = f"k:{source}:{pick}:{self.now}"
            await self._meter_as(who, unit, key, replaces=source)
            self.tally["replacements"] += 1
            return
        self.now += timedelta(days=90)
        await self._act(who, Credit(self.later(), source, PERCENTS[pick // 2 % 3]))

    async def _meter_as(
        self, who: int, like: Meter, unit_key: str, replaces: UUID | None = None
    ) -> None:
        at = self.later()
        made = UUID(int=self.chance.getrandbits(128), version=4)
        await self._act(who, Meter(at, made, unit_key, like.campaign, at, replaces))

    async def _seen(self, who: int, fact: Fact, answer: str) -> None:
        await super()._seen(who, fact, answer)
        if answer == DONE and isinstance(fact, Credit):
            self.tally[f"credits of {fact.percent} %"] += 1

    async def _one(self, who: int, pick: int) -> tuple[UUID, UUID] | None:
        """Tenant and invoice of a job, the newest most often."""
        tenant_id = self.books[who].isv.tenant_id
        found = await self.till.invoices(tenant_id)
        if not found:
            return None
        newest = len(found) - 1 - min(pick % 4, len(found) - 1)
        return tenant_id, found[newest if pick % 5 else pick % len(found)]

    async def _collect(self, how: str, who: int, pick: int, at: int, payment: str) -> None:
        job = await self._one(who, pick)
        if job is None:
            return
        match how:
            case "all":
                found = await self.till.invoices(job[0])
                self.chance.shuffle(found)
                for invoice_id in found:
                    await self.till.collect(job[0], invoice_id)
            case "dies":
                self.tally["collector died"] += await dying(self.till.collect(*job), _within(at))
            case "a day later":
                # It dies when most is done; when it is done again, its keys are forgotten.
                latest = LONGEST_JOB - at % (LONGEST_JOB - SHORTEST_JOB)
                died = await dying(self.till.collect(*job), latest)
                self.tally["collector died"] += died
                self._wait(PRUNED)
                await self.till.collect(*job)
            case "at once":
                others = [self.till.collect(*job) for _ in range(1 + pick % 2)]
                await asyncio.gather(dying(self.till.collect(*job), _within(at)), *others)
            case "paid meanwhile":
                work = self.till.collect(*job)
                await Interrupted(work, _within(at), lambda: self._customer(pick, payment))
            case _:
                await self.till.collect(*job)
        self.tally[f"collected {how}"] += 1

    def _customer(self, pick: int, how: str) -> None:
        is_back = how in {"refund", "dispute"}
        concerned = self.till.paid() if is_back else self.till.payable()
        if not concerned or (how == "give up" and pick % 4):
            return
        invoice = concerned[pick % len(concerned)]
        try:
            self._to(invoice["id"], how, 1 + pick % 5)
        except ApiError:
            return  # given back as a whole, or given up already
        if how in {"pay", "transfer"}:
            self.paid[invoice["id"]] += invoice["amount_remaining"]
        self.tally[f"customers: {how}"] += 1

    def _to(self, invoice: str, how: str, amount: int) -> None:
        control = self.till.fake.control
        match how:
            case "fail":
                control.fail_payment(invoice)
            case "give up":
                self.till.give_up(invoice)
            case "refund":
                control.refund(invoice, amount)
            case "dispute":
                control.dispute(invoice)
            case _:
                control.pay(invoice, out_of_band=how == "transfer")

    async def _hear(self, what: str, pick: int, at: int) -> None:
        match what:
            case "webhooks" | "dying webhooks":
                self.till.webhooks_die = [at % 12, pick % 12] if what == "dying webhooks" else []
                await self.till.fake.control.deliver(at_once=True)
            case "lost":
                self.tally["webhooks lost"] += self.till.lose_webhooks()
            case "gaps" | "dying gaps":
                if pick % 2:
                    self.till.restart()
                dies_at = at if what == "dying gaps" else at + 1000
                await self._tried(dying(self.till.fill_gaps(), dies_at))
                self.tally["gap fillers"] += 1
            case _:
                await self._apply(pick, at)

    async def _apply(self, pick: int, at: int) -> None:
        """Some events of the inbox, in any order, two of them at once; one of the jobs dies."""
        waiting = await self.till.inbox()
        if not waiting:
            return
        self.chance.shuffle(waiting)
        chosen = waiting[: 1 + pick % 6]
        for event_id in chosen[2:]:
            await self._tried(self.till.apply(event_id))
        both = (dying(self.till.apply(chosen[0]), 1 + at % 20), self.till.apply(chosen[-1]))
        await self._tried(asyncio.gather(*both))
        self.tally["applied"] += len(chosen)

    async def _reconcile(self, who: int, at: int) -> None:
        if at % 2:
            # No event has told of this yet: it is found, and stands in the way of a closing.
            self._customer(at, "pay")
        self.tally["reconciliations"] += 1
        await self._tried(dying(self.till.reconcile(self.books[who].isv.tenant_id), at))

    async def _tried(self, work: Any) -> None:
        """Stripe may be away: the job is tried again later."""
        try:
            await work
        except self.till.AWAY:
            self.tally["put off"] += 1

    async def _finish(self) -> None:
        tenants = [book.isv.tenant_id for book in self.books]
        self.tally["faults met"] += self.till.fake.control.status()["faults_met"]
        if self.salt % 3 == 0:
            self.tally["webhooks lost"] += self.till.lose_webhooks()
        await self.till.heal(tenants)
        await self._look(0)
        if self.books[0].model.has_findings:
            # Healed, nothing is found, and so nothing stands in the way of the next closing.
            found = await self.till.reconcile(tenants[0])
            assert found == 0, await self.till.open_findings(tenants[0])
        await self._preview_and_close(0, in_time=True)
        await self.till.heal(tenants)
        for book in self.books:
            await self._settled(book)
        await self._commute()
        await self._gapless()
        self.tally["runs"] += 1

    async def _settled(self, book: Book) -> None:
        """All fifteen, with what Stripe has; the reconciliation proves each statement again."""
        await self.hold(book, proves=False)
        tenant_id = book.isv.tenant_id
        assert await self.till.reconcile(tenant_id) == 0, await self.till.open_findings(tenant_id)
        found = await collected.gather(self.till, tenant_id, book.model, self.paid)
        for check in collected.CHECKS:
            check(found)
        unknown = self.till.fake.control.status()["findings"]
        assert unknown == [], f"Stripe's own document: {unknown}"
        self.weigh(weight.of_till(found))
        for one in found.invoices:
            self.tally[f"at Stripe: {one['status']}"] += 1

    async def _commute(self) -> None:
        """Invariant 11: every event again, twice, in another order, changes nothing."""
        before = await self._rows()
        events = await self.till.inbox(handled=True)
        self.chance.shuffle(events)
        again = events[:AGAIN] * 2
        for event_id in again:
            await self.till.unhandle([event_id])
            await self.till.apply(event_id)
        self.weigh({11: len(again)})
        assert await self._rows() == before, "11: events do not commute"

    async def _rows(self) -> list[dict[str, Any]]:
        found = await self.till.world.admin.fetch(
            "SELECT c.*, a.standing FROM collection c JOIN billing_account a USING (tenant_id)"
            " WHERE c.tenant_id = ANY($1) ORDER BY tenant_id, invoice_id, part",
            [book.isv.tenant_id for book in self.books],
        )
        changing = {"revision", "updated_at", "overdue_since"}
        return [
            {key: value for key, value in row.items() if key not in changing}
            | {"late": row["overdue_since"] is not None}
            for row in found
        ]


def _within(at: int) -> int:
    """An await of most jobs, or now and then one that only a long job has."""
    return 1 + at % (LONGEST_JOB if at % 5 == 0 else SHORTEST_JOB)
