"""A usage report as plain values: sums by state, groups and lines. Money in minor units.

Nothing is added across currencies: every sum has one.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from flatbed.billing.documents.errors import DocumentError, TotalsError
from flatbed.billing.documents.languages import Language
from flatbed.billing.documents.model import Period, check_link
from flatbed.billing.documents.money import exponent


class State(StrEnum):
    """What has become of a unit."""

    PENDING = "pending"
    DISPUTED = "disputed"
    ACCEPTED = "accepted"
    BILLED = "billed"
    REVERSED = "reversed"
    CANCELLED = "cancelled"
    WRITTEN_OFF = "written_off"


class Grouping(StrEnum):
    """What groups are made by."""

    CAMPAIGN = "campaign"
    PROGRAMME = "programme"
    COUNTRY = "country"
    DAY = "day"
    MONTH = "month"
    HUNTER = "hunter"


@dataclass(frozen=True, slots=True)
class Tally:
    """How many units, and the sum of their amounts."""

    units: int
    amount: int


NOTHING = Tally(0, 0)
Tallies = Mapping[State, Tally]


@dataclass(frozen=True, slots=True)
class Total:
    """All units of one currency by state; a state without units may be left out.

    ``forecast`` is what the units that are not billed yet, and those that will come, are expected
    to come to by the period's end. ``credited`` is what the guarantee gave back of the billed ones.
    """

    currency: str
    tallies: Tallies
    forecast: Tally | None = None
    credited: int = 0

    def __post_init__(self) -> None:
        exponent(self.currency)

    def of(self, state: State) -> Tally:
        """The units in this state."""
        return self.tallies.get(state, NOTHING)


@dataclass(frozen=True, slots=True)
class Group:
    """The units of one currency that have a campaign, a month or the like in common."""

    name: str
    currency: str
    tallies: Tallies
    credited: int = 0

    def of(self, state: State) -> Tally:
        """The units in this state."""
        return self.tallies.get(state, NOTHING)


@dataclass(frozen=True, slots=True)
class ReportLine:
    """One unit. ``occurred_at`` is an instant, shown in the period's zone.

    ``credited`` is what the guarantee gave back of it; ``replaces`` the entry that it replaces.
    """

    entry_id: str
    campaign: str
    state: State
    occurred_at: datetime
    currency: str
    amount: int
    dossier_url: str
    dossier_hash: str
    late: bool = False
    credited: int = 0
    replaces: str | None = None

    def __post_init__(self) -> None:
        check_link(self.dossier_url)
        if self.occurred_at.utcoffset() is None:
            raise DocumentError("an instant has an offset")


@dataclass(frozen=True, slots=True)
class UsageReport:
    """A customer's usage in a period.

    ``lines`` are all units of the totals, or None where they are not listed.

    Raises:
        TotalsError: groups or lines do not add up to the totals.
        DocumentError: a currency has two totals.
    """

    customer: str
    seller: str
    period: Period
    language: Language
    made_on: date
    grouping: Grouping
    totals: tuple[Total, ...]
    groups: tuple[Group, ...]
    lines: tuple[ReportLine, ...] | None = None

    def __post_init__(self) -> None:
        if len({total.currency for total in self.totals}) != len(self.totals):
            raise DocumentError("a currency has one total")
        sums = _summed(
            (total.currency, state, tally)
            for total in self.totals
            for state, tally in total.tallies.items()
        )
        grouped = _summed(
            (group.currency, state, tally)
            for group in self.groups
            for state, tally in group.tallies.items()
        )
        if grouped != sums:
            raise TotalsError("the totals are the sums of the groups")
        self._check_credits()
        if self.lines is not None and sums != _summed(
            (line.currency, line.state, Tally(1, line.amount)) for line in self.lines
        ):
            raise TotalsError("the totals are the sums of the lines")

    def _check_credits(self) -> None:
        sums = _credits((one.currency, one.credited) for one in self.totals)
        if sums != _credits((one.currency, one.credited) for one in self.groups):
            raise TotalsError("what was given back is the sum of the groups")
        billed = (one for one in self.lines or () if one.state is State.BILLED)
        if self.lines is not None and sums != _credits(
            (one.currency, one.credited) for one in billed
        ):
            raise TotalsError("what was given back is the sum of the lines")

    def states(self) -> list[State]:
        """The states that have units, in their order."""
        return [state for state in State if any(total.of(state).units for total in self.totals)]


def _credits(parts: Iterable[tuple[str, int]]) -> dict[str, int]:
    sums: Counter[str] = Counter()
    for currency, credited in parts:
        sums[currency] += credited
    return {currency: credited for currency, credited in sums.items() if credited}


def _summed(parts: Iterable[tuple[str, State, Tally]]) -> dict[tuple[str, State], Tally]:
    units: Counter[tuple[str, State]] = Counter()
    amounts: Counter[tuple[str, State]] = Counter()
    for currency, state, tally in parts:
        units[currency, state] += tally.units
        amounts[currency, state] += tally.amount
    return {key: Tally(count, amounts[key]) for key, count in units.items() if count}
