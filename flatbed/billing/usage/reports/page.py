"""Usage as its tenant reads it: lines by page, sums by state and group, and what is to come."""

from collections.abc import Iterable, Sequence
from typing import Any

from flatbed.billing.usage.ports import Campaigns
from flatbed.billing.usage.reports.forecasting import forecast_of
from flatbed.billing.usage.reports.lines import group_key, usage_line
from flatbed.billing.usage.repository import reports as repository
from flatbed.billing.usage.repository.reports import Filters
from flatbed.billing.usage.schemas import (
    GroupBy,
    Tally,
    UsageGroup,
    UsagePage,
    UsageTotal,
)
from flatbed.billing.usage.states import UsageState
from flatbed.tenants.access.principal import Principal
from flatbed.tenants.kit.crypto import Keyring
from flatbed.tenants.kit.cursors import Cursors, Position
from flatbed.tenants.kit.database.session import TenantReadSession
from flatbed.tenants.kit.problems import InvalidError
from flatbed.tenants.organizations.service import organization_of


async def page(
    session: TenantReadSession,
    keyring: Keyring,
    campaigns: Campaigns,
    cursors: Cursors,
    *,
    cursor: str | None,
    limit: int,
    filters: Filters,
    group_by: GroupBy,
) -> UsagePage:
    """A page of units, the sums over all units that the filters let through, and the forecast.

    The forecast stands on the first page only.
    """
    zone = (await organization_of(session)).zone.key
    window = cursors.window(cursor, limit)
    rows = await repository.page(session, window, filters)
    shown, envelope = cursors.page(
        window, rows, lambda row: Position(row["occurred_at"], row["id"])
    )
    tallies = await repository.tallies(session, filters, group_by.value, zone)
    credited = await repository.given_back(session, filters, group_by.value, zone)
    first = cursor is None
    return UsagePage(
        time_zone=zone,
        totals=[
            UsageTotal(
                **_by_state(currency, [one for one in tallies if one.currency == currency]),
                credited=sum(back for (_, of), back in credited.items() if of == currency),
            )
            for currency in sorted({one.currency for one in tallies})
        ],
        group_by=group_by,
        groups=[
            UsageGroup(
                key=group_key(group_by, key),
                **_by_state(currency, of),
                credited=credited.get((key, currency), 0),
            )
            for key, currency, of in _groups(tallies)
        ],
        forecast=await forecast_of(session, campaigns, filters.campaign_ref) if first else None,
        data=[usage_line(session.tenant_id, keyring, row) for row in shown],
        **envelope.model_dump(),
    )


def check_grouping(principal: Principal, group_by: GroupBy) -> None:
    """Who may group by what.

    Raises:
        InvalidError: an ISV asks for hunters: it is not told who works what.
    """
    if group_by is GroupBy.HUNTER and principal.tenant_id is not None:
        raise InvalidError.at("query:group_by", "agency-only", "Only the agency groups by hunter.")


def _groups(
    tallies: Sequence[repository.Tally],
) -> Iterable[tuple[str | None, str, list[repository.Tally]]]:
    found: dict[tuple[str | None, str], list[repository.Tally]] = {}
    for one in tallies:
        found.setdefault((one.key, one.currency), []).append(one)
    return ((key, currency, of) for (key, currency), of in found.items())


def _by_state(currency: str, tallies: Sequence[repository.Tally]) -> dict[str, Any]:
    sums: dict[str, Any] = {"currency": currency}
    for state in UsageState:
        of = [one for one in tallies if one.state is state]
        sums[state.value] = Tally(
            units=sum(one.units for one in of), amount=sum(one.amount for one in of)
        )
    return sums
