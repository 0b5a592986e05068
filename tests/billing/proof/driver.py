"""What the rules of the machine share: doing a fact, comparing the answer, holding the rows."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, ClassVar, TypeVar
from uuid import UUID

from hypothesis.control import current_build_context

from flatbed.billing.facade import verify_ledger, verify_proof
from flatbed.billing.statements import explaining, reading
from flatbed.billing.statements.schemas import StatementPreview
from flatbed.billing.usage.chain import Head
from flatbed.tenants.kit.database.engine import Database
from flatbed.tenants.kit.database.urls import Plain
from flatbed.tenants.kit.failpoints import arm
from flatbed.tenants.kit.ids import uuid7
from tests.billing.proof import checks, picture, weight
from tests.billing.proof.doing import DIED, EVIDENCE, Isv
from tests.billing.proof.facts import (
    DONE,
    Campaign,
    Close,
    Credit,
    Decide,
    Fact,
    Meter,
    Void,
)
from tests.billing.proof.model import GRACE_DAYS, Model
from tests.billing.statements.books import fill_in_seller
from tests.billing.world import World

T = TypeVar("T")
BEGIN = datetime(2028, 2, 27, 12, tzinfo=UTC)
"""A leap day and the change to summer time are near."""
BUSY = "UnavailableError"
"""A closing that must be tried again, since something was accepted meanwhile."""
DECISIONS = ("accepted", "disputed", "confirmed", "withdrawn", "written_off")


@dataclass
class Book:
    """An ISV with the model of its books."""

    isv: Isv
    model: Model
    campaigns: list[Campaign]
    closed: dict[str, str] = field(default_factory=dict)
    """The digests of its closed rows."""
    anchors: list[Head] = field(default_factory=list)


class Driver:
    """The agency, its ISVs, the loop and the database."""

    runner: ClassVar[asyncio.Runner]
    shared: ClassVar[tuple[Database, Plain]]
    tally: ClassVar[Counter[str]]
    series: ClassVar[str]
    number: ClassVar[int]

    def __init__(self) -> None:
        super().__init__()
        # Hypothesis makes most of its runs from parts of earlier ones: half of them would begin
        # alike. Each has chance of its own, which the last one, shown again, has too.
        if not current_build_context().is_final:
            type(self).number += 1
        self.chance = Random(f"{self.series}/{self.number}")
        self.salt = self.chance.randrange(1000)
        self.now = BEGIN
        self.books: list[Book] = []

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """On the one loop of the test."""
        return self.runner.run(work)

    def later(self) -> datetime:
        """The next instant; no two facts share one."""
        self.now += timedelta(seconds=1)
        return self.now

    def oldest(self, who: int) -> int:
        """The oldest open period, or the newest of all."""
        periods = self.books[who].model.periods
        found = [number for number, one in enumerate(periods) if not one.closed]
        return found[0] if found else len(periods) - 1

    def weigh(self, looked_at: Mapping[int, int]) -> None:
        """Count how much each invariant had to look at."""
        for number, count in looked_at.items():
            self.tally[f"invariant {number}"] += count

    def wait_for_grace(self, who: int) -> None:
        """Let the oldest open period be due."""
        period = self.books[who].model.periods[self.oldest(who)]
        self.now = max(self.now, period.ends + timedelta(days=GRACE_DAYS))

    def fact(self, who: int, kind: str, pick: int) -> Fact | None:
        """A fact of a kind; ``pick`` chooses among what is there."""
        pick = (pick + self.salt) % 1000
        book, at = self.books[who], self.later()
        campaign = book.campaigns[pick % len(book.campaigns)]
        sources = list(book.model.units)
        if kind == "meter":
            late = timedelta(days=(0, 0, 0, 20, 45)[pick // 7 % 5])
            return Meter(at, uuid7(), f"k:{uuid7()}", campaign, at - late)
        if not sources:
            return None
        source = sources[pick // 8 % len(sources)]
        unit = book.model.units[source]
        campaign, key = unit.fact.campaign, unit.fact.unit_key
        made: dict[str, Fact] = {
            "again": Meter(at, uuid7(), key, campaign, at),
            "twin": Meter(at, source, f"k:{uuid7()}", campaign, at),
            "replace": Meter(at, uuid7(), f"k:{uuid7()}", campaign, at, replaces=source),
            "decide": Decide(at, source, DECISIONS[pick % len(DECISIONS)]),
            "void": Void(at, source),
            "credit": Credit(at, source, (100, 50, 25, 33)[pick % 4]),
            "close": Close(at, pick % len(book.model.periods)),
        }
        return made[kind]

    def due(self, who: int, kind: str, pick: int) -> Fact | None:
        """As :meth:`fact`; a closing is of the oldest open period, when it is due."""
        if kind != "close":
            return self.fact(who, kind, pick)
        self.wait_for_grace(who)
        return Close(self.later(), self.oldest(who))

    def act(self, who: int, fact: Fact | None) -> None:
        """Do it; the answer must be the model's."""
        if fact is not None:
            self.run(self._act(who, fact))

    async def _begin(self, zones: tuple[str, str], picks: list[int]) -> None:
        world = World(*self.shared)
        await world.begin()
        await fill_in_seller(world)
        for zone in zones:
            isv = Isv(world, await world.isv(zone=zone), zone)
            await isv.begin()
            book = Book(isv, Model(zone, zones=[(BEGIN, zone)]), _campaigns())
            self.books.append(book)
            who = len(self.books) - 1
            # The second is there for what must not happen to it: one unit will do.
            # The first is of the first campaign and in time, whatever this run's chance.
            for pick in [-self.salt, *picks] if who == 0 else [-self.salt]:
                unit = self.fact(who, "meter", pick)
                assert unit is not None
                await self._act(who, unit)
            for source in list(book.model.units)[:3]:
                await self._act(who, Decide(self.later(), source, "accepted"))
        # So that every run begins with something that is billed and given back.
        await self._preview_and_close(0, in_time=True)
        billed = next(iter(self.books[0].model.units))
        credit = Credit(self.later(), billed, 25 + picks[0] % 50)
        await self._die(0, credit, lambda: self.books[0].isv.dying(credit, 1 + picks[-1] % 30))

    async def _act(self, who: int, fact: Fact) -> None:
        book = self.books[who]
        answer = await book.isv.do(fact)
        foretold = book.model.apply(fact)
        assert answer == foretold, f"{fact}: {answer}, not {foretold}"
        await self._seen(who, fact, answer)

    async def _seen(self, who: int, fact: Fact, answer: str) -> None:
        book = self.books[who]
        self.tally[f"{type(fact).__name__} {answer}"] += 1
        if answer == DONE and isinstance(fact, Meter):
            await book.isv.refresh()
        if answer == DONE and isinstance(fact, Close):
            await self._unchanged(book)

    async def _unchanged(self, book: Book) -> None:
        """Invariant 9: what was closed before is what it was, to the byte."""
        plain, tenant = book.isv.world.admin, book.isv.tenant_id
        head = await plain.fetchrow(
            "SELECT sequence, hash FROM ledger_head WHERE tenant_id = $1", tenant
        )
        assert head is not None
        now = await checks.fingerprint(plain, tenant, head["sequence"])
        assert {key: now.get(key) for key in book.closed} == book.closed, "9"
        self.weigh({9: len(book.closed)})
        book.closed = now
        if head["sequence"]:
            book.anchors.append(Head(head["sequence"], head["hash"]))

    async def _preview_and_close(self, who: int, *, in_time: bool) -> None:
        book, number = self.books[who], self.oldest(who)
        self.wait_for_grace(who)
        due = book.model.periods[number].ends + timedelta(days=GRACE_DAYS)
        at = due if in_time else self.later()
        if book.model.periods[number].closed:
            return
        period = await book.isv.period(number)
        async with book.isv.world.reading(book.isv.tenant_id, at) as session:
            foreseen = await reading.preview(session, period)
        await self._act(who, Close(at, number))
        if not book.model.periods[number].closed:
            return
        await preview_is_statement(book.isv, period, foreseen)
        self.tally["previews"] += 1
        self.weigh({12: sum(len(one.lines) + len(one.rest) for one in foreseen.statements)})

    async def _rush(self, who: int, facts: list[Fact]) -> None:
        book = self.books[who]
        answers = await asyncio.gather(*(book.isv.do(one) for one in facts))
        rows = await picture.of_database(book.isv.world.admin, book.isv.tenant_id)
        happened = [
            (fact, answer)
            for fact, answer in zip(facts, answers, strict=True)
            if not (answer == BUSY and isinstance(fact, Close))
        ]
        explained = in_some_order(book.model, happened, rows)
        assert explained is not None, f"no order explains {happened}"
        book.model = explained
        self.tally["rushes"] += 1
        await book.isv.refresh()
        for fact, answer in happened:
            await self._seen(who, fact, answer)

    async def _die(
        self, who: int, fact: Fact, attempt: Callable[[], Coroutine[Any, Any, str]]
    ) -> None:
        """All of it or nothing has happened; what has not is done again."""
        book = self.books[who]
        answer = await attempt()
        if answer != DIED:
            foretold = book.model.apply(fact)
            assert answer == foretold, f"{fact}: {answer}, not {foretold}"
            await self._seen(who, fact, answer)
            return
        self.tally["deaths"] += 1
        rows = await picture.of_database(book.isv.world.admin, book.isv.tenant_id)
        if rows == picture.of_model(book.model):
            await self._act(who, fact)
            return
        # The death came after the commit was sent: it must be there as a whole.
        assert book.model.apply(fact) == DONE
        assert rows == picture.of_model(book.model), f"half of {fact}"
        self.tally["deaths after the commit"] += 1
        await self._seen(who, fact, DONE)

    async def _armed(self, who: int, fact: Fact, point: str) -> str:
        arm(f"{point}=error")
        try:
            return await self.books[who].isv.do(fact)
        finally:
            arm("")

    async def _end(self) -> None:
        # So that every run ends with a closing beside others.
        self.wait_for_grace(0)
        sources = list(self.books[0].model.units)[-2:]
        accepted = [Decide(self.later(), source, "accepted") for source in sources]
        metered = self.fact(0, "meter", len(sources))
        last = [*accepted, metered, Close(self.later(), self.oldest(0))]
        await self._rush(0, [one for one in last if one is not None])
        for book in self.books:
            await self.hold(book)
        await self._gapless()
        self.tally["runs"] += 1

    async def hold(self, book: Book, *, proves: bool = True) -> None:
        """Every invariant, the model, all explanations and all proofs."""
        world, tenant = book.isv.world, book.isv.tenant_id
        assert await picture.of_database(world.admin, tenant) == picture.of_model(book.model)
        found = await checks.gather(world.admin, tenant, book.model)
        assert found.entries, "no run passes on zero entries"
        for check in checks.CHECKS.values():
            check(found)
        await self._unchanged(book)
        live = {
            book.isv.ids[source]: EVIDENCE
            for source, unit in book.model.units.items()
            if not unit.voided
        }

        async def expected(_: Any) -> dict[UUID, str]:
            return live

        async with world.at(tenant, self.now) as session:
            assert await verify_ledger(session, anchors=book.anchors, expected=expected) == []
        async with world.reading(tenant, self.now) as reader:
            for one in found.statements if proves else ():
                assert (await explaining.explain(reader, one["id"])).matches
                assert verify_proof(json.loads(await explaining.prove(reader, one["id"]))) == []
        for what in ("entries", "statements", "lines", "rest", "invoices", "decisions"):
            self.tally[what] += len(getattr(found, what))
        self.weigh(weight.of_books(found))

    async def _gapless(self) -> None:
        """One series of the agency, whatever died in between."""
        tenants = [book.isv.tenant_id for book in self.books]
        rows = await self.books[0].isv.world.admin.fetch(
            "SELECT number FROM invoice WHERE tenant_id = ANY($1) ORDER BY number", tenants
        )
        assert [row["number"] for row in rows] == [
            f"R-{number:06}" for number in range(1, len(rows) + 1)
        ]


async def preview_is_statement(isv: Isv, period: UUID, foreseen: StatementPreview) -> None:
    """Invariant 12: figures, lines and rest of the preview are those of the statement."""
    async with isv.world.reading(isv.tenant_id) as session:
        statements = (await reading.closed(session, period)).statements
        proofs = {
            one.id: json.loads(await explaining.prove(session, one.id))["statement"]
            for one in statements
        }
    assert [one.currency for one in foreseen.statements] == [one.currency for one in statements]
    for draft, statement in zip(foreseen.statements, statements, strict=True):
        figures = ("units", "charges", "credits", "total", "held_units", "held_amount")
        assert [getattr(draft, one) for one in figures] == [
            getattr(statement, one) for one in figures
        ], "12: figures"
        shown = [
            (str(one.entry_id), one.amount, one.rank, one.price_text, one.late, one.carried_over)
            for one in draft.lines
        ]
        names = ("entry_id", "amount", "rank", "price_text", "late", "carried_over")
        told = proofs[statement.id]
        assert shown == [tuple(line[one] for one in names) for line in told["lines"]], "12: lines"
        rest = sorted((str(one.entry_id), one.fate, one.amount) for one in draft.rest)
        assert rest == sorted((one["entry_id"], one["fate"], one["amount"]) for one in told["rest"])


def in_some_order(
    model: Model, happened: list[tuple[Fact, str]], rows: picture.Picture
) -> Model | None:
    """The books after some order of the facts that gives these answers and these rows."""
    if not happened:
        return model if picture.of_model(model) == rows else None
    for place, (fact, answer) in enumerate(happened):
        after = model.copy()
        if after.apply(fact) == answer:
            rest = happened[:place] + happened[place + 1 :]
            found = in_some_order(after, rest, rows)
            if found is not None:
                return found
    return None


def _campaigns() -> list[Campaign]:
    tiers = ((3, 90_010), (5, 60_001))
    return [
        Campaign(uuid7(), "EUR", 100_001, tiers),
        Campaign(uuid7(), "JPY", 33_333, ((2, 40_000),), units_month=2),
        Campaign(uuid7(), "CHF", 7, units_total=6),
        Campaign(uuid7(), "EUR", 450_000, ((2, 300_000),), money_total=1_400_000),
        Campaign(uuid7(), "CHF", 99_995, tiers, money_month=350_000),
    ]
