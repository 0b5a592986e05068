"""What a statement's hash covers, as plain data that anybody can write down again."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from flatbed.billing.statements.rules.rating import HELD, Line, LineKind, Rest
from flatbed.tenants.kit.canonical import chained

PROOF_FORMAT: Final = "flatbed-statement-proof/1"


def line_content(line: Line) -> dict[str, Any]:
    """A line as the hash covers it."""
    return {
        "position": line.position,
        "entry_id": line.entry_id,
        "kind": line.kind,
        "campaign_ref": line.campaign_ref,
        "amount": line.amount,
        "rank": line.rank,
        "price_text": line.price_text,
        "dossier_hash": line.dossier_hash,
        "occurred_at": line.occurred_at,
        "accepted_at": line.accepted_at,
        "late": line.late,
        "carried_over": line.carried_over,
        "corrects_entry_id": line.corrected_entry_id,
    }


def rest_content(rest: Sequence[Rest]) -> list[dict[str, Any]]:
    """What is not billed, as the hash covers it: by entry."""
    ordered = sorted(rest, key=lambda one: str(one.entry_id))
    return [{"entry_id": one.entry_id, "fate": one.fate, "amount": one.amount} for one in ordered]


def sums(lines: Sequence[Line], rest: Sequence[Rest]) -> dict[str, int]:
    """The figures that a statement states beside its lines."""
    held = [one for one in rest if one.fate in HELD]
    charges = [line.amount for line in lines if line.kind is LineKind.CHARGE]
    back = [line.amount for line in lines if line.kind is LineKind.CREDIT]
    return {
        "units": len(charges),
        "charges": sum(charges),
        "credits": sum(back),
        "total": sum(charges) + sum(back),
        "held_units": len(held),
        "held_amount": sum(one.amount for one in held),
    }


def content(
    head: Mapping[str, Any],
    lines: Sequence[Line],
    rest: Sequence[Rest],
    invoices: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """The whole content of a statement.

    Args:
        head: tenant, period, bounds, number, currency, closing instant, seller, customer and the
            range of the ledger.
        lines: by position.
        rest: in any order.
        invoices: the invoice and the credit notes, by number.
    """
    return {
        **head,
        **sums(lines, rest),
        "lines": [line_content(line) for line in lines],
        "rest": rest_content(rest),
        "invoices": [dict(one) for one in invoices],
    }


def statement_hash(previous_hash: str, whole: Mapping[str, Any]) -> str:
    """The hash of a statement over its content and the statement before."""
    return chained(previous_hash, dict(whole))
