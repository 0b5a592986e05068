"""A usage report as the document that is printed: plain values in, plain values out."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from flatbed.billing.documents.languages import Language
from flatbed.billing.documents.model import Period
from flatbed.billing.documents.report import (
    Group,
    Grouping,
    ReportLine,
    State,
    Tally,
    Total,
    UsageReport,
)
from flatbed.billing.usage.reports.lines import dossier_of, group_key
from flatbed.billing.usage.repository.reports import Filters
from flatbed.billing.usage.schemas import GroupBy, UsageForecast
from flatbed.tenants.kit.ids import encode

NONE: Final = "–"
"""The name of the group of units that have no country or hunter."""
_COLUMNS: Final = {
    GroupBy.CAMPAIGN: "campaign_ref",
    GroupBy.PROGRAMME: "programme_ref",
    GroupBy.COUNTRY: "country",
    GroupBy.HUNTER: "agent_ref",
}
_TIMES: Final = {GroupBy.MONTH: "%Y-%m", GroupBy.DAY: "%Y-%m-%d"}
_MOMENT: Final = timedelta(microseconds=1)
_SECOND_MOMENT: Final = datetime.min.replace(tzinfo=UTC) + _MOMENT
"""The first instant that has one before it."""
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Facts:
    """What a report is made of: the units as they are read, and what stands around them.

    ``names`` are the campaigns'; one without a name is shown by its id. ``forecast`` is None
    where nothing is expected any more.
    """

    rows: Sequence[Row]
    names: Mapping[UUID, str]
    customer: str
    seller: str
    zone: ZoneInfo
    now: datetime
    filters: Filters
    group_by: GroupBy
    language: Language
    forecast: UsageForecast | None
    public_url: str


def document(facts: Facts) -> UsageReport:
    """The report, whose totals and groups are summed from its own lines."""
    rows = facts.rows
    return UsageReport(
        customer=facts.customer,
        seller=facts.seller,
        period=_period(facts),
        language=facts.language,
        made_on=facts.now.astimezone(facts.zone).date(),
        grouping=Grouping(facts.group_by),
        totals=tuple(
            Total(currency, _tallies(of), _expected(facts.forecast, currency), _credited(of))
            for currency, of in _sorted(rows, lambda row: row["currency"])
        ),
        groups=tuple(
            Group(_name(facts, key), currency, _tallies(of), _credited(of))
            for (_, key, currency), of in _sorted(rows, lambda row: _place(facts, row))
        ),
        lines=tuple(_line(facts, row) for row in rows),
    )


def _sorted(rows: Iterable[Row], key: Any) -> list[tuple[Any, list[Row]]]:  # noqa: ANN401 - any key that sorts
    found: dict[Any, list[Row]] = {}
    for row in rows:
        found.setdefault(key(row), []).append(row)
    return sorted(found.items())


def _place(facts: Facts, row: Row) -> tuple[bool, str, str]:
    """By group and currency; the units that have none come last."""
    group_by = facts.group_by
    if group_by in _TIMES:
        local: datetime = row["occurred_at"].astimezone(facts.zone)
        return False, local.strftime(_TIMES[group_by]), row["currency"]
    value = row[_COLUMNS[group_by]]
    return value is None, "" if value is None else str(value), row["currency"]


def _name(facts: Facts, key: str) -> str:
    if not key:
        return NONE
    if facts.group_by is GroupBy.CAMPAIGN:
        return _campaign(facts, UUID(key))
    return group_key(facts.group_by, key) or NONE


def _campaign(facts: Facts, campaign_ref: UUID) -> str:
    return facts.names.get(campaign_ref) or encode("camp", campaign_ref)


def _tallies(rows: Iterable[Row]) -> dict[State, Tally]:
    found: dict[State, Tally] = {}
    for row in rows:
        state = State(row["state"])
        before = found.get(state, Tally(0, 0))
        found[state] = Tally(before.units + 1, before.amount + row["amount"])
    return found


def _credited(rows: Iterable[Row]) -> int:
    return sum(row["credited"] for row in rows if row["state"] == State.BILLED)


def _expected(forecast: UsageForecast | None, currency: str) -> Tally | None:
    for one in () if forecast is None else forecast.currencies:
        if one.currency == currency and one.forecast is not None:
            return Tally(one.forecast.units, one.forecast.amount)
    return None


def _line(facts: Facts, row: Row) -> ReportLine:
    return ReportLine(
        entry_id=encode("use", row["id"]),
        campaign=_campaign(facts, row["campaign_ref"]),
        state=State(row["state"]),
        occurred_at=row["occurred_at"],
        currency=row["currency"],
        amount=row["amount"],
        dossier_url=f"{facts.public_url.rstrip('/')}{dossier_of(row['source'], row['source_id'])}",
        dossier_hash=row["evidence_hash"],
        late=row["late"],
        credited=row["credited"],
        replaces=None if row["replaces_id"] is None else encode("use", row["replaces_id"]),
    )


def _period(facts: Facts) -> Period:
    """The days that were asked for; where a bound was left open, those of the units."""
    rows, filters = facts.rows, facts.filters
    first = filters.occurred_from or (rows[0]["occurred_at"] if rows else facts.now)
    last = rows[-1]["occurred_at"] if rows else facts.now
    if filters.occurred_to is not None:
        last = max(filters.occurred_to, _SECOND_MOMENT) - _MOMENT
    first_day, last_day = _day(facts, first), _day(facts, last)
    return Period(first_day, max(first_day, last_day), facts.zone.key)


def _day(facts: Facts, instant: datetime) -> date:
    try:
        return instant.astimezone(facts.zone).date()
    except OverflowError:
        # The first and last hours of the calendar have no local day in some zones.
        return instant.date()
