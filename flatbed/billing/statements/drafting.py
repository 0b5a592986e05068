"""What a period would bill if it were closed now: closing writes it, the preview shows it."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from flatbed.billing.statements.repository import closing as repository
from flatbed.billing.statements.rules.rating import Draft, Fate, Refund, Rest, Unit, drafts
from flatbed.billing.statements.snapshots import unit_of
from flatbed.billing.usage.models import Period
from flatbed.billing.usage.repository import reports
from flatbed.billing.usage.states import UsageState
from flatbed.tenants.kit.database.session import TenantReadSession
from flatbed.tenants.organizations.service import organization_of


async def draft(
    session: TenantReadSession, period: Period | None, *, currency: str | None = None
) -> tuple[list[Draft], list[Unit]]:
    """The statements of a period as of now, one a currency, and the units that they bill.

    What was decided after the session's instant is not seen: a sweep closes at the deadline's own
    instant, also when it comes late.

    Args:
        session: the tenant's.
        period: None for a tenant whose next period is not open yet.
        currency: the tenant's, read if it is not given.
    """
    until = session.now() if period is None else period.starts_at
    units, rest = list[Unit](), list[Rest]()
    ids = await repository.unsettled(session, until)
    for row in await reports.standing(session, ids):
        is_decided = row["decided_at"] is not None and row["decided_at"] <= session.now()
        if row["state"] == UsageState.ACCEPTED and is_decided:
            units.append(
                unit_of(
                    row,
                    accepted_at=row["decided_at"],
                    late=row["late"],
                    carried_over=_is_carried(row, period),
                )
            )
        else:
            rest.append(Rest(row["id"], row["currency"], _fate(row["state"]), row["amount"]))
    rest += await repository.ended(session, ids)
    refunds = [_refund(row, period) for row in await repository.refunds(session, ids)]
    campaigns = {(unit.campaign_ref, unit.currency) for unit in units}
    ranks = await repository.ranks(session, campaigns)
    currency = currency or (await organization_of(session)).currency
    return drafts(units, refunds, rest, ranks, currency=currency), units


def _fate(state: str) -> Fate:
    # Accepted a moment after this instant: it waits for the next closing, as a pending one.
    return Fate.DISPUTED if state == UsageState.DISPUTED else Fate.PENDING


def _refund(row: Mapping[str, Any], period: Period | None) -> Refund:
    return Refund(
        entry_id=row["id"],
        kind=row["kind"],
        campaign_ref=row["campaign_ref"],
        currency=row["currency"],
        amount=row["amount"],
        dossier_hash=row["evidence_hash"],
        occurred_at=row["occurred_at"],
        late=row["late"],
        carried_over=_is_carried(row, period),
        corrects_id=row["corrects_id"],
        corrected_entry_id=row["corrected_entry_id"],
        corrected_invoice_id=row["corrected_invoice_id"],
    )


def _is_carried(row: Mapping[str, Any], period: Period | None) -> bool:
    return period is None or row["period_id"] != period.id


def counters(units: Sequence[Unit]) -> set[tuple[UUID, str]]:
    """The cap counters of these units, by campaign and bucket."""
    return {(unit.campaign_ref, bucket) for unit in units for bucket in ("total", unit.month)}


def deltas(units: Sequence[Unit], found: Sequence[Draft]) -> dict[tuple[Any, str], int]:
    """By how much each cap counter is reserved too high, by campaign and bucket (not positive)."""
    billed = {line.entry_id: line.amount for one in found for line in one.lines}
    changes: dict[tuple[Any, str], int] = {}
    for unit in units:
        too_much = 0 if unit.free else billed[unit.entry_id] - unit.reserved
        if too_much:
            for bucket in ("total", unit.month):
                key = (unit.campaign_ref, bucket)
                changes[key] = changes.get(key, 0) + too_much
    return changes
