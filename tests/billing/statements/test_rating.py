"""Rating: totals that depend on how many there are alone, to the last minor unit."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from flatbed.billing.pricing.rules.tiers import Price, Tier
from flatbed.billing.statements.rules.rating import Draft, LineKind, Unit, drafts

START = datetime(2026, 3, 1, tzinfo=UTC)
CAMPAIGNS = [UUID(int=number) for number in (1, 2)]
CURRENCIES = ("EUR", "JPY")


@st.composite
def prices(draw: st.DrawFn) -> Price:
    starts = draw(st.lists(st.integers(2, 12), unique=True, max_size=3))
    amounts = st.integers(0, 10**9)
    tiers = tuple(Tier(start, draw(amounts)) for start in sorted(starts))
    return Price(draw(amounts), tiers)


@st.composite
def campaigns(draw: st.DrawFn) -> list[Unit]:
    """Units of two campaigns with a price each, accepted at instants that may be equal."""
    found = []
    of = {(one, money): draw(prices()) for one in CAMPAIGNS for money in CURRENCIES}
    for number in range(draw(st.integers(0, 20))):
        campaign = draw(st.sampled_from(CAMPAIGNS))
        currency = draw(st.sampled_from(CURRENCIES))
        found.append(
            Unit(
                entry_id=UUID(int=1000 + number),
                campaign_ref=campaign,
                currency=currency,
                price=of[campaign, currency],
                free=draw(st.booleans()),
                reserved=0,
                month="2026-03",
                dossier_hash="d",
                occurred_at=START,
                accepted_at=START + timedelta(days=draw(st.integers(0, 3))),
                late=False,
                carried_over=False,
            )
        )
    return found


def naive(units: list[Unit]) -> dict[str, int]:
    """Totals by currency, the price of each place looked up from the last tier down."""
    places: dict[tuple[UUID, str], int] = defaultdict(int)
    totals: dict[str, Fraction] = defaultdict(Fraction)
    for unit in units:
        if unit.free:
            totals[unit.currency] += 0
            continue
        places[unit.campaign_ref, unit.currency] += 1
        place, price = places[unit.campaign_ref, unit.currency], unit.price
        found = [tier.unit_price for tier in reversed(price.tiers) if tier.from_unit <= place]
        totals[unit.currency] += Fraction(found[0] if found else price.unit_price)
    return {currency: int(total) for currency, total in totals.items()}


def closed(units: list[Unit], ranks: dict[tuple[UUID, str], int] | None = None) -> list[Draft]:
    return drafts(units, [], [], ranks or {}, currency="EUR")


class TestDrafts:
    @given(campaigns(), st.randoms())
    def test_totals_do_not_depend_on_the_order_of_arrival(
        self, units: list[Unit], random: object
    ) -> None:
        """Invariant 8."""
        first = closed(units)
        random.shuffle(units)  # type: ignore[attr-defined] # Hypothesis' own Random
        assert closed(units) == first

    @given(campaigns())
    def test_totals_are_those_of_a_naive_count(self, units: list[Unit]) -> None:
        expected = naive(units) or {"EUR": 0}
        assert {draft.currency: draft.total for draft in closed(units)} == expected

    @given(campaigns(), st.integers(0, 20))
    def test_two_closings_come_to_the_same_as_one(self, units: list[Unit], cut: int) -> None:
        ordered = sorted(units, key=lambda one: (one.accepted_at, one.entry_id))
        first, ranks = closed(ordered[:cut]), dict[tuple[UUID, str], int]()
        for draft in first:
            for line in draft.lines:
                if line.rank is not None:
                    ranks[line.campaign_ref, draft.currency] = line.rank
        second = closed(ordered[cut:], ranks)
        both: dict[str, int] = defaultdict(int)
        for draft in (*first, *second):
            both[draft.currency] += draft.total
        whole = {draft.currency: draft.total for draft in closed(units)}
        assert {name: total for name, total in both.items() if total} == {
            name: total for name, total in whole.items() if total
        }

    @given(campaigns())
    def test_each_unit_is_on_one_line_of_its_own_currency(self, units: list[Unit]) -> None:
        lines = [(line, draft.currency) for draft in closed(units) for line in draft.lines]
        assert sorted(line.entry_id.int for line, _ in lines) == sorted(
            unit.entry_id.int for unit in units
        )
        of = {unit.entry_id: unit.currency for unit in units}
        assert all(of[line.entry_id] == currency for line, currency in lines)
        assert all(line.kind is LineKind.CHARGE for line, _ in lines)

    @given(campaigns())
    def test_ranks_are_gapless_in_the_order_of_acceptance(self, units: list[Unit]) -> None:
        for draft in closed(units):
            for campaign in CAMPAIGNS:
                own = [line for line in draft.lines if line.campaign_ref == campaign]
                ranks = [line.rank for line in own if line.rank is not None]
                assert ranks == list(range(1, len(ranks) + 1))
            instants = [line.accepted_at for line in draft.lines if line.accepted_at is not None]
            assert instants == sorted(instants)
