"""Usage as its tenant reads it: lines, sums by state, and what a statement would hold."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from flatbed.billing.documents.csv_file import as_csv
from flatbed.billing.usage.errors import ExportTooLargeError
from flatbed.billing.usage.repository import reports as repository
from flatbed.billing.usage.repository.reports import Filters
from flatbed.billing.usage.schemas import (
    GroupBy,
    Tally,
    UsageGroup,
    UsageLine,
    UsagePage,
    UsageTotal,
)
from flatbed.billing.usage.states import UsageState
from flatbed.tenants.kit.crypto import Keyring
from flatbed.tenants.kit.cursors import Cursors, Position
from flatbed.tenants.kit.database.session import TenantReadSession
from flatbed.tenants.kit.ids import encode
from flatbed.tenants.organizations.service import organization_of

LARGEST_EXPORT: Final = 20_000
DOSSIERS: Final = {"qual": "/v1/qualifications"}
"""Where the public API shows the evidence of a unit, by its source."""


async def page(
    session: TenantReadSession,
    keyring: Keyring,
    cursors: Cursors,
    *,
    cursor: str | None,
    limit: int,
    filters: Filters,
    group_by: GroupBy,
) -> UsagePage:
    """A page of units, and the sums over all units that the filters let through."""
    zone = (await organization_of(session)).zone.key
    window = cursors.window(cursor, limit)
    rows = await repository.page(session, window, filters)
    shown, envelope = cursors.page(
        window, rows, lambda row: Position(row["occurred_at"], row["id"])
    )
    tallies = await repository.tallies(session, filters, group_by.value, zone)
    if group_by is GroupBy.CAMPAIGN:
        groups = [
            UsageGroup(key=encode("camp", UUID(key)), **_by_state(currency, of))
            for key, currency, of in _groups(tallies)
        ]
    else:
        groups = [
            UsageGroup(key=key, **_by_state(currency, of)) for key, currency, of in _groups(tallies)
        ]
    return UsagePage(
        time_zone=zone,
        totals=[
            UsageTotal(**_by_state(currency, [one for one in tallies if one.currency == currency]))
            for currency in sorted({one.currency for one in tallies})
        ],
        group_by=group_by,
        groups=groups,
        data=[_usage_line(session, keyring, row) for row in shown],
        **envelope.model_dump(),
    )


async def export(session: TenantReadSession, keyring: Keyring, filters: Filters) -> str:
    """All units that the filters let through, as CSV.

    Raises:
        ExportTooLargeError: more than 20,000 lines.
    """
    rows = await repository.all_lines(session, filters, LARGEST_EXPORT + 1)
    if len(rows) > LARGEST_EXPORT:
        raise ExportTooLargeError
    lines = (_usage_line(session, keyring, row) for row in rows)
    return as_csv(UsageLine, (line.model_dump(mode="json") for line in lines))


def dossier_of(source: str, source_id: UUID) -> str:
    """Where the public API shows the evidence of a unit."""
    return f"{DOSSIERS[source]}/{encode(source, source_id)}"


def _usage_line(session: TenantReadSession, keyring: Keyring, row: Mapping[str, Any]) -> UsageLine:
    return UsageLine(
        **_line(session, keyring, row), state=UsageState(row["state"]), late=row["late"]
    )


def _line(session: TenantReadSession, keyring: Keyring, row: Mapping[str, Any]) -> dict[str, Any]:
    source_id = encode(row["source"], row["source_id"])
    # Under the tenant's own key: equal units of two tenants must not look equal.
    mac = keyring.mac(f"unit-key:{session.tenant_id}", row["unit_key"].encode())
    return {
        "entry_id": row["id"],
        "unit_key": mac.hex(),
        "generation": row["generation"],
        "qualification_id": source_id,
        "campaign_id": row["campaign_ref"],
        "price_list_id": row["price_ref"],
        "occurred_at": row["occurred_at"],
        "amount": row["amount"],
        "currency": row["currency"],
        "dossier": dossier_of(row["source"], row["source_id"]),
        "dossier_hash": row["evidence_hash"],
        "hash": row["hash"],
    }


def _groups(
    tallies: Sequence[repository.Tally],
) -> Iterable[tuple[str, str, list[repository.Tally]]]:
    found: dict[tuple[str, str], list[repository.Tally]] = {}
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
