"""How much each invariant had to look at: one that looked at nothing proves nothing."""

from collections import Counter

from tests.billing.proof.checks import Evidence
from tests.billing.proof.collected import Collected


def of_books(found: Evidence) -> Counter[int]:
    """Rows by invariant; 9 and 12 are counted where they are compared."""
    told = [*found.lines, *found.rest]
    currencies = {found.by_id[one["entry_id"]]["currency"] for one in told}
    capped = {
        one.fact.campaign.ref
        for one in found.model.units.values()
        if any(
            limit is not None
            for limit in (
                one.fact.campaign.units_total,
                one.fact.campaign.units_month,
                one.fact.campaign.money_total,
                one.fact.campaign.money_month,
            )
        )
    }
    live = [
        one
        for one in found.entries
        if one["kind"] == "qualified" and one["id"] not in found.reversals
    ]
    return Counter(
        {
            1: len(live),
            2: len(found.entries),
            3: len(told),
            4: len(found.statements),
            6: sum(one["amount"] < 0 for one in found.entries),
            7: len(found.periods),
            8: sum(one["rank"] is not None for one in found.lines),
            10: max(len(currencies) - 1, 0),
            13: len(told),
            14: sum(one["campaign_ref"] in capped for one in live),
            15: len(found.entries),
        }
    )


def of_till(found: Collected) -> Counter[int]:
    """What stands at Stripe, by invariant; 11's events are counted where they are applied."""
    return Counter(
        {
            4: len(found.invoices),
            5: sum(len(lines) for lines in found.lines.values()),
            6: len(found.notes),
        }
    )
