"""A statement computed again, and the proof that its ISV may check without us."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from flatbed.billing.pricing.rules.tiers import Price
from flatbed.billing.statements.models import Statement
from flatbed.billing.statements.reading import found
from flatbed.billing.statements.repository import closing as closing_repository
from flatbed.billing.statements.repository import reading as repository
from flatbed.billing.statements.rules.content import PROOF_FORMAT, content, statement_hash
from flatbed.billing.statements.rules.rating import (
    Line,
    LineKind,
    amount_of,
    price_text,
    rate,
)
from flatbed.billing.statements.schemas import StatementExplanation, Step
from flatbed.billing.statements.snapshots import head_of, invoice_content, line_of, unit_of
from flatbed.billing.usage.chain import OUTSIDE, covered
from flatbed.tenants.kit.canonical import canonical
from flatbed.tenants.kit.database.session import TenantReadSession


async def explain(session: TenantReadSession, statement_id: UUID) -> StatementExplanation:
    """Rate a statement's units again from entries, decisions and frozen prices, step by step.

    Raises:
        NotFoundError: no such statement of this tenant.
    """
    statement = await found(session, statement_id)
    lines = [line_of(row) for row in await repository.lines(session, statement.id)]
    entries = await _entries(session, lines)
    again, prices = await _rated(session, statement, lines, entries)
    whole = await _content(session, statement, again)
    steps, total = list[Step](), 0
    for line in again:
        total += line.amount
        tier = None if line.rank is None else prices[line.entry_id].tier_of(line.rank)
        steps.append(
            Step(
                position=line.position,
                entry_id=line.entry_id,
                kind=line.kind,
                rank=line.rank,
                tier_from_unit=None if tier is None else tier.from_unit,
                unit_price=None if tier is None else tier.unit_price,
                amount=line.amount,
                running_total=total,
            )
        )
    hash_ = statement_hash(statement.previous_hash, whole)
    return StatementExplanation(
        statement_id=statement.id,
        steps=steps,
        total=total,
        hash=hash_,
        matches=hash_ == statement.hash,
    )


async def prove(session: TenantReadSession, statement_id: UUID) -> str:
    """A statement with the entries behind it: all that ``flatbed verify statement`` needs.

    The text is canonical JSON, as it is hashed and handed out.

    Raises:
        NotFoundError: no such statement of this tenant.
    """
    statement = await found(session, statement_id)
    lines = [line_of(row) for row in await repository.lines(session, statement.id)]
    rest = await repository.rest(session, statement)
    named = {line.entry_id for line in lines} | {one.entry_id for one in rest}
    entries = await repository.entries(session, statement.ledger_from, statement.ledger_to, named)
    whole = await _content(session, statement, lines)
    return canonical(
        {
            "format": PROOF_FORMAT,
            "hash": statement.hash,
            "previous_hash": statement.previous_hash,
            "statement": whole,
            "entries": [_link(row) for row in entries if row["sequence"] > statement.ledger_from],
            "carried": [_link(row) for row in entries if row["sequence"] <= statement.ledger_from],
        }
    )


async def _entries(session: TenantReadSession, lines: list[Line]) -> dict[UUID, Mapping[str, Any]]:
    rows = await repository.entries(session, 0, 0, [line.entry_id for line in lines])
    return {row["id"]: row for row in rows}


async def _rated(
    session: TenantReadSession,
    statement: Statement,
    lines: list[Line],
    entries: Mapping[UUID, Mapping[str, Any]],
) -> tuple[list[Line], dict[UUID, Price]]:
    """The lines with rank, price and acceptance from the ledger instead of from the lines."""
    accepted = await repository.acceptances(session, statement.id)
    charges = {line.entry_id: line for line in lines if line.kind is LineKind.CHARGE}
    units = [
        unit_of(
            entries[entry_id],
            accepted_at=accepted[entry_id],
            late=line.late,
            carried_over=line.carried_over,
        )
        for entry_id, line in charges.items()
    ]
    campaigns = {(unit.campaign_ref, unit.currency) for unit in units}
    ranks = await closing_repository.ranks(session, campaigns, statement.number)
    again = list[Line]()
    for unit, rank in rate(units, ranks):
        again.append(
            replace(
                charges[unit.entry_id],
                position=len(again) + 1,
                rank=rank,
                amount=amount_of(unit.price, rank),
                price_text=price_text(unit.price, rank),
                accepted_at=unit.accepted_at,
            )
        )
    back = (line for line in lines if line.kind is LineKind.CREDIT)
    for line in sorted(back, key=lambda one: int(entries[one.entry_id]["sequence"])):
        amount = entries[line.entry_id]["amount"]
        again.append(replace(line, position=len(again) + 1, amount=amount))
    return again, {unit.entry_id: unit.price for unit in units}


async def _content(
    session: TenantReadSession, statement: Statement, lines: list[Line]
) -> dict[str, Any]:
    rest = await repository.rest(session, statement)
    invoices = await repository.invoices_of(session, [statement.id])
    return content(head_of(statement), lines, rest, [invoice_content(one) for one in invoices])


def _link(row: Mapping[str, Any]) -> dict[str, Any]:
    plain = {name: value for name, value in row.items() if name not in OUTSIDE}
    return {
        "previous_hash": row["previous_hash"],
        "hash": row["hash"],
        "content": covered(plain),
    }
