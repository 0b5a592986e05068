"""The books as one comparable value: of the model, and read from the database by plain SQL."""

from typing import Any
from uuid import UUID

from flatbed.tenants.kit.database.urls import Plain
from tests.billing.proof.model import Model

Picture = dict[str, Any]


def of_model(model: Model) -> Picture:
    """What the rows must be."""
    counters: dict[tuple[UUID, str], tuple[int, int]] = {}
    for unit in model.units.values():
        campaign = unit.fact.campaign
        counters[campaign.ref, "total"] = model.used(campaign)
        counters[campaign.ref, unit.month] = model.used(campaign, unit.month)
    return {
        "periods": [(one.starts, one.ends, one.closed) for one in model.periods],
        "entries": [
            (one.kind, one.source, one.units, one.amount, _unit(model, one.source), one.period)
            for one in model.log
        ],
        "decisions": sorted(
            (at, one.fact.source, decision)
            for one in model.units.values()
            for at, decision in one.decisions
        ),
        "counters": {key: used for key, used in counters.items() if used != (0, 0)},
        "statements": [
            {
                "number": one.number,
                "currency": one.currency,
                "period": one.period,
                "units": sum(line[0] == "charge" for line in one.lines),
                "charges": sum(line[2] for line in one.lines if line[0] == "charge"),
                "credits": sum(line[2] for line in one.lines if line[0] == "credit"),
                "total": sum(line[2] for line in one.lines),
                "held": sum(rest[2] for rest in one.rest if rest[1] in {"pending", "disputed"}),
                "lines": one.lines,
                "rest": sorted(one.rest),
                "invoices": sorted(one.invoices, key=repr),
            }
            for one in model.statements
        ],
    }


def _unit(model: Model, source: UUID) -> tuple[Any, ...]:
    unit = model.units[source]
    fact = unit.fact
    return (fact.unit_key, unit.generation, unit.month, fact.campaign.currency)


async def of_database(plain: Plain, tenant_id: UUID) -> Picture:
    """What the rows are."""
    return {
        "periods": [
            tuple(row)
            for row in await plain.fetch(
                "SELECT starts_at, ends_at, status = 'closed' FROM period"
                " WHERE tenant_id = $1 ORDER BY starts_at",
                tenant_id,
            )
        ],
        "entries": [
            (*row[:4], tuple(row[4:8]), row[8])
            for row in await plain.fetch(
                "SELECT e.kind, e.source_id, e.units, e.amount, e.unit_key, e.generation, e.month,"
                " e.currency, p.starts_at FROM usage_entry e"
                " JOIN period p ON (p.tenant_id, p.id) = (e.tenant_id, e.period_id)"
                " WHERE e.tenant_id = $1 ORDER BY e.sequence",
                tenant_id,
            )
        ],
        "decisions": sorted(
            tuple(row)
            for row in await plain.fetch(
                "SELECT d.at, e.source_id, d.decision FROM usage_decision d"
                " JOIN usage_entry e ON (e.tenant_id, e.id) = (d.tenant_id, d.entry_id)"
                " WHERE d.tenant_id = $1",
                tenant_id,
            )
        ),
        "counters": {
            (row["campaign_ref"], row["bucket"]): (row["units"], row["amount"])
            for row in await plain.fetch(
                "SELECT campaign_ref, bucket, units, amount FROM cap_counter"
                " WHERE tenant_id = $1 AND (units, amount) <> (0, 0)",
                tenant_id,
            )
        },
        "statements": await _statements(plain, tenant_id),
    }


async def _statements(plain: Plain, tenant_id: UUID) -> list[dict[str, Any]]:
    lines, rest, invoices = [
        await plain.fetch(sql, tenant_id)
        for sql in (
            (
                "SELECT l.statement_id, l.kind, e.source_id, l.amount, l.rank, l.late,"
                " l.carried_over FROM statement_line l"
                " JOIN usage_entry e ON (e.tenant_id, e.id) = (l.tenant_id, l.entry_id)"
                " WHERE l.tenant_id = $1 ORDER BY l.position"
            ),
            (
                "SELECT r.statement_id, e.source_id, r.fate, r.amount FROM statement_rest r"
                " JOIN usage_entry e ON (e.tenant_id, e.id) = (r.tenant_id, r.entry_id)"
                " WHERE r.tenant_id = $1"
            ),
            (
                "SELECT i.statement_id, i.kind, i.net, i.tax, s.number FROM invoice i"
                " LEFT JOIN invoice c ON (c.tenant_id, c.id) = (i.tenant_id, i.corrects_id)"
                " LEFT JOIN statement s ON (s.tenant_id, s.id) = (c.tenant_id, c.statement_id)"
                " WHERE i.tenant_id = $1"
            ),
        )
    ]
    found = await plain.fetch(
        "SELECT s.* , p.starts_at AS period FROM statement s"
        " JOIN period p ON (p.tenant_id, p.id) = (s.tenant_id, s.period_id)"
        " WHERE s.tenant_id = $1 ORDER BY s.number",
        tenant_id,
    )

    def of(rows: Any, row: Any) -> list[tuple[Any, ...]]:
        return [tuple(one[1:]) for one in map(tuple, rows) if one[0] == row["id"]]

    return [
        {
            "number": row["number"],
            "currency": row["currency"],
            "period": row["period"],
            "units": row["units"],
            "charges": row["charges"],
            "credits": row["credits"],
            "total": row["total"],
            "held": row["held_amount"],
            "lines": of(lines, row),
            "rest": sorted(of(rest, row)),
            "invoices": sorted(of(invoices, row), key=repr),
        }
        for row in found
    ]
