"""What reports and the verification of a ledger cost: by its own size, not by all ledgers'."""

import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

import pytest

from flatbed.billing.facade import verify_ledger
from flatbed.billing.usage.repository import ledger as repository
from flatbed.billing.usage.schemas import GroupBy
from flatbed.tenants.kit.clock import Clock
from flatbed.tenants.kit.database.session import Caller
from tests.api.support import Client, World
from tests.conftest import _SUITE
from tests.scale.ledger_rows import sizes
from tests.scale.ledgers import Ledger, Ledgers, shared
from tests.scale.plans import Asked, asking, recording

CALLER = Caller("system:test", "req_test")
GROWING = frozenset({"usage_entry", "usage_decision", "statement_line"})
BUFFERS_A_UNIT = 10
"""Of one statement, for each unit of the ISV."""
BUFFERS_A_PAGE = 510
"""Of the statement that reads a page: ten a line, however many units there are."""
PAGE = "LIMIT 51"
SHORT = (16_000, 2_000)
LONG = (20_000, 10_000, 200_000)
LONG_TOTAL = 1_000_000
REPORT_SECONDS = 0.3
VERIFIED_A_SECOND = 50_000
FLAT = 1.3
ROUNDS = 9

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="session")
def ledgers(request: pytest.FixtureRequest) -> Iterator[Ledgers]:
    """20,000 units of three ISVs."""
    with shared(request.config.stash[_SUITE], "ledgers", SHORT, [2_000]) as found:
        yield found


@pytest.fixture(scope="session")
def alone(request: pytest.FixtureRequest) -> Iterator[Ledgers]:
    """10,000 units of one ISV, for the long form."""
    with shared(request.config.stash[_SUITE], "ledgers_alone", LONG[1:2]) as found:
        yield found


@pytest.fixture(scope="session")
def million(request: pytest.FixtureRequest) -> Iterator[Ledgers]:
    """A million units of a hundred and fifty ISVs, for the long form."""
    others = list(sizes(LONG_TOTAL - sum(LONG)))
    with shared(request.config.stash[_SUITE], "ledgers_million", LONG, others) as found:
        yield found


@dataclass(frozen=True)
class Request:
    """A read of one ISV, named for what it asks."""

    path: str
    params: Mapping[str, str]

    def __str__(self) -> str:
        return " ".join([self.path, *self.params.values()])


READS = [
    *(
        Request("/v1/usage", {"group_by": one.value})
        for one in GroupBy
        if one is not GroupBy.HUNTER
    ),
    Request("/v1/usage", {"state": "pending"}),
    Request("/v1/usage/preview", {}),
]


async def client(world: World, ledger: Ledger) -> Client:
    return await Client(world.http, ledger.client_id, ledger.secret, frozenset()).sign_in()


async def read(asker: Client, request: Request, year: Mapping[str, str]) -> dict[str, Any]:
    dated = {} if request.path.endswith("preview") else year
    return await asker.read(request.path, params={**dated, **request.params})


async def verified(world: World, ledger: Ledger) -> float:
    """Entries verified in a second."""
    async with world.program.database.tenant(
        realm_id=world.realm_id, tenant_id=ledger.tenant_id, caller=CALLER, clock=Clock()
    ) as session:
        head = await repository.find_head(session)
        begun = time.perf_counter()
        assert await verify_ledger(session) == []
        took = time.perf_counter() - begun
    assert head is not None
    assert head.sequence >= ledger.units
    return head.sequence / took


async def seconds(work: Callable[[], Awaitable[object]]) -> float:
    begun = time.perf_counter()
    await work()
    return time.perf_counter() - begun


class TestReports:
    @pytest.mark.parametrize("request_", READS, ids=str)
    async def test_a_report_reads_the_isvs_own_units_by_index_whatever_the_plan_was_made_for(
        self, ledgers: Ledgers, request_: Request
    ) -> None:
        wrong = []
        async with (
            ledgers.open() as world,
            asking(ledgers.database.app_url, GROWING) as asker,
        ):
            asked: list[list[Asked]] = []
            for ledger in ledgers.measured:
                reader = await client(world, ledger)
                with recording(world.program.database.engine) as found:
                    await read(reader, request_, ledgers.year)
                asked.append([one for one in found if "usage_entry" in one.sql])
            large, small = asked
            assert large
            for one in large:
                units = ledgers.measured[0].units
                buffers = BUFFERS_A_UNIT * units
                if PAGE in one.sql and "state" not in request_.params:
                    buffers = BUFFERS_A_PAGE
                for plan in (await asker.settled(one, small), await asker.for_everybody(one)):
                    wrong += [(told, one.sql) for told in plan.faults(2 * units)]
                    if plan.buffers > buffers:
                        wrong.append((f"{plan.buffers} buffers", one.sql))
        assert wrong == []

    async def test_a_report_holds_every_unit_of_the_year_once(self, ledgers: Ledgers) -> None:
        async with ledgers.open() as world:
            for ledger in ledgers.measured:
                reader = await client(world, ledger)
                body = await reader.read("/v1/usage", params={**ledgers.year, "group_by": "day"})
                for of in (body["totals"], body["groups"]):
                    units = sum(
                        tally["units"]
                        for one in of
                        for tally in one.values()
                        if isinstance(tally, dict)
                    )
                    assert units == ledger.units
                assert body["forecast"]["currencies"]

    @pytest.mark.long
    @pytest.mark.timeout(3_600)
    async def test_a_year_among_a_million_units_is_read_in_300_ms(self, million: Ledgers) -> None:
        took = {}
        async with million.open() as world:
            reader = await client(world, million.measured[0])
            for request in READS:
                await read(reader, request, million.year)
                rounds = [
                    await seconds(lambda: read(reader, request, million.year))  # noqa: B023 - awaited at once
                    for _ in range(ROUNDS)
                ]
                took[str(request)] = median(rounds)
        assert all(one <= REPORT_SECONDS for one in took.values()), took

    @pytest.mark.long
    @pytest.mark.timeout(3_600)
    async def test_a_report_costs_the_same_among_a_million_units_as_alone(
        self, million: Ledgers, alone: Ledgers
    ) -> None:
        took: dict[str, list[float]] = {"million": [], "alone": []}
        async with million.open() as many, alone.open() as one:
            places = [
                ("million", await client(many, million.measured[1]), million),
                ("alone", await client(one, alone.measured[0]), alone),
            ]
            for n in range(-3, ROUNDS):
                # Interleaved: what else the machine does meets both alike.
                for name, reader, of in places:
                    spent = await seconds(lambda: read(reader, READS[0], of.year))  # noqa: B023 - awaited at once
                    if n >= 0:
                        took[name].append(spent)
        growth = median(took["million"]) / median(took["alone"])
        assert growth <= FLAT, f"{growth:.2f} times"


class TestVerification:
    async def test_every_entry_is_verified_at_a_cost_that_does_not_grow(
        self, ledgers: Ledgers
    ) -> None:
        large, small = ledgers.measured
        rates: dict[int, list[float]] = {large.units: [], small.units: []}
        async with ledgers.open() as world:
            for n in range(-1, 5):
                for ledger in (large, small):
                    rate = await verified(world, ledger)
                    if n >= 0:
                        rates[ledger.units].append(rate)
        growth = median(rates[small.units]) / median(rates[large.units])
        assert growth <= 1.5, rates

    @pytest.mark.long
    @pytest.mark.timeout(3_600)
    async def test_50_000_entries_are_verified_in_a_second(self, million: Ledgers) -> None:
        async with million.open() as world:
            rates = [await verified(world, million.measured[2]) for _ in range(5)]
        assert max(rates) >= VERIFIED_A_SECOND, rates

    @pytest.mark.long
    @pytest.mark.timeout(3_600)
    async def test_verification_costs_the_same_among_a_million_entries_as_alone(
        self, million: Ledgers, alone: Ledgers
    ) -> None:
        rates: dict[str, list[float]] = {"million": [], "alone": []}
        async with million.open() as many, alone.open() as one:
            for n in range(-2, ROUNDS):
                for name, world, ledger in (
                    ("million", many, million.measured[1]),
                    ("alone", one, alone.measured[0]),
                ):
                    rate = await verified(world, ledger)
                    if n >= 0:
                        rates[name].append(rate)
        growth = median(rates["alone"]) / median(rates["million"])
        assert growth <= FLAT, f"{growth:.2f} times"
