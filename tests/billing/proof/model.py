"""What the books must say, written apart from the program: lists, dicts and fractions, no locks.

It shares no rule with ``flatbed.billing``: rating, periods, tax, caps and states are written down
here a second time, from the specification, in the slowest way that is plainly right.
"""

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from functools import lru_cache
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from tests.billing.proof.facts import DONE, Campaign, Close, Credit, Decide, Fact, Meter, Move, Void

GRACE_DAYS = 5
TAX = Fraction(19, 100)
"""German seller, German buyer."""
MAY_FOLLOW = {
    "accepted": {"pending"},
    "disputed": {"pending"},
    "withdrawn": {"disputed"},
    "confirmed": {"disputed"},
    "written_off": {"pending", "disputed", "accepted"},
}


@lru_cache(maxsize=4096)
def midnight(day: date, zone: str) -> datetime:
    """The first instant whose local date is ``day``, found by walking up to it."""
    there = ZoneInfo(zone)
    instant = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=16)
    while instant.astimezone(there).date() < day:
        instant += timedelta(minutes=15)
    return instant


def next_first(day: date) -> date:
    """The first of the month after."""
    day = day.replace(day=28) + timedelta(days=4)
    return day.replace(day=1)


def price_at(campaign: Campaign, rank: int) -> int:
    """What the ``rank``-th unit of a campaign costs."""
    price = campaign.unit_price
    for from_unit, tier_price in campaign.tiers:
        if rank >= from_unit:
            price = tier_price
    return price


def dearest_from(campaign: Campaign, rank: int) -> int:
    """The most that this or any later unit costs."""
    last = max([rank, *(from_unit for from_unit, _ in campaign.tiers)])
    return max(price_at(campaign, one) for one in range(rank, last + 1))


def half_up(exact: Fraction) -> int:
    """Rounded half up."""
    return int(exact + Fraction(1, 2))


@dataclass
class MPeriod:
    """A period; ``closed`` is the instant of its closing."""

    starts: datetime
    ends: datetime
    closed: bool = False


@dataclass
class MUnit:
    """A unit with all that became of it."""

    fact: Meter
    generation: int
    amount: int
    month: str
    period: datetime
    decisions: list[tuple[datetime, str]] = field(default_factory=list)
    voided: bool = False
    line: int | None = None
    statement: int | None = None
    credited: int = 0
    told: bool = False

    @property
    def state(self) -> str:
        """The state, by what happened."""
        if self.voided:
            return "cancelled" if self.line is None else "reversed"
        if self.line is not None:
            return "billed"
        last = self.decisions[-1][1] if self.decisions else "withdrawn"
        return {"withdrawn": "pending", "confirmed": "accepted"}.get(last, last)

    @property
    def held(self) -> int:
        """The money that it takes of its caps."""
        return self.amount if self.line is None else self.line


@dataclass
class MEntry:
    """A row of the ledger; ``on`` is the statement that tells of its money."""

    kind: str
    source: UUID
    units: int
    amount: int
    period: datetime
    occurred: datetime
    on: int | None = None


@dataclass
class MStatement:
    """A statement; an invoice is ``(kind, net, tax, number of the corrected statement)``."""

    number: int
    currency: str
    period: datetime
    lines: list[tuple[Any, ...]] = field(default_factory=list)
    rest: list[tuple[Any, ...]] = field(default_factory=list)
    invoices: list[tuple[str, int, int, int | None]] = field(default_factory=list)


@dataclass
class Model:
    """One ISV's books."""

    zone: str
    currency: str = "EUR"
    units: dict[UUID, MUnit] = field(default_factory=dict)
    log: list[MEntry] = field(default_factory=list)
    periods: list[MPeriod] = field(default_factory=list)
    statements: list[MStatement] = field(default_factory=list)
    zones: list[tuple[datetime, str]] = field(default_factory=list)
    has_findings: bool = False
    """Whether the reconciliation has an open finding: then nothing is closed."""

    def copy(self) -> "Model":
        """Books that may be written on without these."""
        return Model(
            self.zone,
            self.currency,
            {key: replace(one, decisions=list(one.decisions)) for key, one in self.units.items()},
            [replace(one) for one in self.log],
            [replace(one) for one in self.periods],
            list(self.statements),
            list(self.zones),
            self.has_findings,
        )

    def apply(self, fact: Fact) -> str:
        """Let it happen, unless it is refused: ``done`` or the name of the refusal."""
        match fact:
            case Meter():
                return self._meter(fact)
            case Decide():
                return self._decide(fact)
            case Void():
                return self._void(fact)
            case Credit():
                return self._credit(fact)
            case Close():
                return self._close(fact)
            case Move():
                self.zone = fact.zone
                self.zones.append((fact.at, fact.zone))
                return DONE

    def billed_of(self, campaign: Campaign) -> int:
        """How many units of a campaign have a rank."""
        return sum(
            one.line is not None and one.fact.replaces is None
            for one in self.units.values()
            if one.fact.campaign == campaign
        )

    def used(self, campaign: Campaign, month: str | None = None) -> tuple[int, int]:
        """Units and money that a campaign takes, in all or in a month."""
        live = [
            one
            for one in self.units.values()
            if one.fact.campaign == campaign
            and not one.voided
            and one.fact.replaces is None
            and month in {None, one.month}
        ]
        return len(live), sum(one.held for one in live)

    def _meter(self, fact: Meter) -> str:
        campaign = fact.campaign
        local = fact.occurred.astimezone(ZoneInfo(self.zone))
        month = f"{local.year:04}-{local.month:02}"
        amount = 0
        if fact.replaces is None:
            amount = dearest_from(campaign, self.billed_of(campaign) + 1)
            if self._is_over(campaign, month, amount):
                return "CapReachedError"
        same = [one for one in self.units.values() if one.fact.unit_key == fact.unit_key]
        if any(not one.voided for one in same):
            return "AlreadyBilledError"
        if fact.replaces is not None:
            if self.units[fact.replaces].state not in {"accepted", "billed"}:
                return "UsageStateError"
            others = [one for one in self.units.values() if one.fact.replaces == fact.replaces]
            if any(not one.voided for one in others):
                return "AlreadyReplacedError"
        if fact.source in self.units:
            return "IntegrityError"
        period = self._period_of(fact.occurred)
        self.units[fact.source] = MUnit(fact, len(same) + 1, amount, month, period)
        self.log.append(MEntry("qualified", fact.source, 1, amount, period, fact.occurred))
        return DONE

    def _is_over(self, campaign: Campaign, month: str, amount: int) -> bool:
        units, money = self.used(campaign)
        month_units, month_money = self.used(campaign, month)
        after = (units + 1, month_units + 1, money + amount, month_money + amount)
        caps = (campaign.units_total, campaign.units_month)
        limits = (*caps, campaign.money_total, campaign.money_month)
        pairs = zip(after, limits, strict=True)
        return any(limit is not None and value > limit for value, limit in pairs)

    def _decide(self, fact: Decide) -> str:
        unit = self.units[fact.source]
        if unit.state not in MAY_FOLLOW[fact.decision]:
            return "UsageStateError"
        unit.decisions.append((fact.at, fact.decision))
        if fact.decision in {"accepted", "confirmed"}:
            self._period_of(fact.at)
        return DONE

    def _void(self, fact: Void) -> str:
        unit = self.units[fact.source]
        if unit.voided:
            return "UsageStateError"
        unit.voided = True
        back = 0 if unit.line is None else unit.line - unit.credited
        period = self._period_of(fact.at)
        self.log.append(MEntry("reversal", fact.source, -1, -back, period, fact.at))
        return DONE

    def _credit(self, fact: Credit) -> str:
        unit = self.units[fact.source]
        if unit.state in {"pending", "disputed", "accepted"}:
            return "NotBilledError"
        if unit.state != "billed" or unit.line is None:
            return "UsageStateError"
        # Python rounds a fraction half to even.
        share = round(Fraction(unit.line * fact.percent, 100))
        back = min(share, unit.line - unit.credited)
        if back > 0:
            unit.credited += back
            period = self._period_of(fact.at)
            self.log.append(MEntry("credit", fact.source, 0, -back, period, fact.at))
        return DONE

    def _period_of(self, instant: datetime) -> datetime:
        """Where an entry goes; the periods up to there are made."""
        if not self.periods:
            first = instant.astimezone(ZoneInfo(self.zone)).date().replace(day=1)
            self._add(midnight(first, self.zone))
        while self.periods[-1].ends <= instant:
            self._add(self.periods[-1].ends)
        open_ones = [one for one in self.periods if not one.closed]
        if not open_ones:
            self._add(self.periods[-1].ends)
            return self.periods[-1].starts
        holds = [one for one in open_ones if one.starts <= instant < one.ends]
        return (holds or open_ones)[0].starts

    def _add(self, starts: datetime) -> None:
        # The month that most of the period lies in names it, whatever zone was left behind.
        middle = (starts + timedelta(days=15)).astimezone(ZoneInfo(self.zone)).date()
        self.periods.append(MPeriod(starts, midnight(next_first(middle), self.zone)))

    def _close(self, fact: Close) -> str:
        period = self.periods[fact.period]
        if period.closed:
            return "PeriodClosedError"
        if fact.at < period.ends + timedelta(days=GRACE_DAYS):
            return "ClosingBlockedError"
        if self.has_findings or any(not one.closed for one in self.periods[: fact.period]):
            return "ClosingBlockedError"
        period.closed = True
        waiting = [
            one
            for one in self.units.values()
            if one.period <= period.starts and one.line is None and not one.told
        ]
        money = [
            one
            for one in self.log
            if one.kind != "qualified" and one.amount < 0 and one.on is None
            if one.period <= period.starts
        ]
        currencies = {one.fact.campaign.currency for one in waiting}
        currencies |= {self.units[one.source].fact.campaign.currency for one in money}
        for currency in sorted(currencies or {self.currency}):
            statement = MStatement(len(self.statements) + 1, currency, period.starts)
            self.statements.append(statement)
            mine = [one for one in waiting if one.fact.campaign.currency == currency]
            self._charge(statement, fact.at, mine)
            self._give_back(statement, [one for one in money if self._currency(one) == currency])
        return DONE

    def _currency(self, entry: MEntry) -> str:
        return self.units[entry.source].fact.campaign.currency

    def _charge(self, statement: MStatement, at: datetime, units: list[MUnit]) -> None:
        def is_due(one: MUnit) -> bool:
            return one.state == "accepted" and one.decisions[-1][0] <= at

        charges = 0
        for unit in sorted(filter(is_due, units), key=lambda one: one.decisions[-1][0]):
            rank, price = None, 0
            if unit.fact.replaces is None:
                rank = self.billed_of(unit.fact.campaign) + 1
                price = price_at(unit.fact.campaign, rank)
            unit.line, unit.statement = price, statement.number
            charges += price
            late, carried = unit.fact.occurred < unit.period, unit.period != statement.period
            statement.lines.append(("charge", unit.fact.source, price, rank, late, carried))
        for unit in units:
            if unit.line is None:
                fate = "pending" if unit.state == "accepted" else unit.state
                unit.told = fate in {"cancelled", "written_off"}
                statement.rest.append((unit.fact.source, fate, unit.amount))
        if charges:
            statement.invoices.append(("invoice", charges, half_up(charges * TAX), None))

    def _give_back(self, statement: MStatement, entries: list[MEntry]) -> None:
        by_invoice: dict[int, int] = {}
        for entry in entries:
            entry.on = statement.number
            corrected = self.units[entry.source].statement or 0
            by_invoice[corrected] = by_invoice.get(corrected, 0) - entry.amount
            late, carried = entry.occurred < entry.period, entry.period != statement.period
            line = ("credit", entry.source, entry.amount, None, late, carried)
            statement.lines.append(line)
        for corrected, net in by_invoice.items():
            [(_, asked, tax, _)] = [
                one for one in self.statements[corrected - 1].invoices if one[0] == "invoice"
            ]
            notes = [one for each in self.statements for one in each.invoices]
            given = [one for one in notes if one[0] == "credit_note" and one[3] == corrected]
            open_net = asked - sum(one[1] for one in given)
            open_tax = tax - sum(one[2] for one in given)
            back = open_tax if net == open_net else min(half_up(net * TAX), open_tax)
            statement.invoices.append(("credit_note", net, back, corrected))
