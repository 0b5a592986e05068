"""The preview equals the statement, the explanation and the proof compute it again."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from flatbed.billing.statements.rules.content import statement_hash
from flatbed.billing.statements.rules.proof import verify_proof
from flatbed.billing.statements.rules.rating import Fate
from flatbed.tenants.kit.canonical import canonical
from flatbed.tenants.kit.ids import uuid7
from flatbed.tenants.kit.problems import NotFoundError
from tests.billing.statements.books import (
    APRIL,
    APRIL_CLOSES,
    MARCH_CLOSES,
    TIERED,
    Books,
    later,
)
from tests.billing.world import NOON, PRICE


async def eventful(books: Books) -> None:
    """Two months with tiers, a held, a voided, a credited and a replaced unit."""
    price: dict[str, Any] = {"campaign_ref": uuid7(), "unit_price": 100, "tiers": TIERED}
    first = await books.unit(accepted=later(3), **price)
    for day in (2, 1):
        await books.unit(accepted=later(day), **price)
    await books.unit(**price)
    voided = await books.unit(**price)
    await books.void(voided.entry_id)
    await books.close(MARCH_CLOSES)
    await books.credit(first.entry_id, 50, at=APRIL)
    await books.unit(at=APRIL, accepted=APRIL, **price)
    await books.unit(at=APRIL, accepted=APRIL, replaces_id=first.entry_id, **price)
    await books.unit(at=APRIL, **price)


class TestPreview:
    async def test_it_equals_the_statement_if_nothing_changes_after(self, books: Books) -> None:
        """Invariant 12."""
        await eventful(books)
        preview = await books.preview(APRIL_CLOSES)
        [draft] = preview.statements
        [statement] = await books.close(APRIL_CLOSES, preview.period_id)
        figures = set(draft.model_dump()) - {"lines", "rest"}
        assert draft.model_dump(include=figures) == statement.model_dump(include=figures)
        assert draft.lines == await books.lines(statement.id)
        [replacement] = [line for line in draft.lines if line.replaces_entry_id is not None]
        [credit] = [line for line in draft.lines if line.corrects_entry_id is not None]
        assert replacement.amount == 0
        assert replacement.replaces_entry_id == credit.corrects_entry_id
        told = (await books.proof(statement.id))["statement"]["rest"]
        shown = [(str(one.entry_id), one.fate, one.amount) for one in draft.rest]
        assert sorted(shown) == [(one["entry_id"], one["fate"], one["amount"]) for one in told]

    async def test_it_is_of_the_next_period_to_be_closed(self, books: Books) -> None:
        march = await books.unit()
        april = await books.unit(at=APRIL)
        assert (await books.preview(APRIL)).period_id == march.period_id
        await books.close(MARCH_CLOSES)
        assert (await books.preview(APRIL)).period_id == april.period_id
        with pytest.raises(NotFoundError):
            await books.preview(APRIL, march.period_id)

    async def test_its_bounds_are_local_midnights(self, books: Books) -> None:
        await books.unit()
        preview = await books.preview()
        assert preview.starts_at.isoformat() == "2026-03-01T00:00:00+01:00"
        assert preview.ends_at.isoformat() == "2026-04-01T00:00:00+02:00"

    async def test_without_usage_it_is_the_empty_current_month(self, books: Books) -> None:
        preview = await books.preview(NOON)
        assert (preview.period_id, preview.starts_at.month) == (None, 3)
        assert [(one.currency, one.total, one.lines) for one in preview.statements] == [
            ("EUR", 0, [])
        ]
        assert await books.world.count("period", books.isv) == 0

    async def test_when_all_is_closed_it_is_the_month_after(self, books: Books) -> None:
        held = await books.unit()
        await books.close(MARCH_CLOSES)
        preview = await books.preview(APRIL)
        assert (preview.period_id, preview.starts_at.month) == (None, 4)
        [one] = preview.statements[0].rest
        assert (one.entry_id, one.fate, one.amount) == (held.entry_id, Fate.PENDING, PRICE)

    async def test_asking_closes_nothing(self, books: Books) -> None:
        await books.unit(accepted=later(1))
        assert await books.preview(APRIL) == await books.preview(APRIL)
        assert await books.world.count("statement", books.isv) == 0

    async def test_another_tenants_period_is_as_if_missing(self, books: Books) -> None:
        entry = await books.unit()
        other = Books(books.world, await books.world.isv())
        for period_id in (entry.period_id, uuid7()):
            with pytest.raises(NotFoundError):
                await other.preview(NOON, period_id)


class TestExplain:
    async def test_it_comes_to_the_same_hash_step_by_step(self, books: Books) -> None:
        await eventful(books)
        [april] = await books.close(APRIL_CLOSES)
        [march] = [one for one in await closed(books) if one != april.id]
        for statement_id, amounts in ((march, [100, 100, 80]), (april.id, [80, 0, -40])):
            explained = await books.explain(statement_id)
            assert explained.matches
            assert [step.amount for step in explained.steps] == amounts
            assert explained.steps[-1].running_total == explained.total == sum(amounts)
        tiers = [(step.rank, step.tier_from_unit) for step in (await books.explain(march)).steps]
        assert tiers == [(1, 1), (2, 1), (3, 3)]

    async def test_a_line_that_was_tampered_with_does_not_match(self, books: Books) -> None:
        await eventful(books)
        [april] = await books.close(APRIL_CLOSES)
        await forge(books, "UPDATE statement_line SET amount = 1 WHERE rank = 4")
        explained = await books.explain(april.id)
        assert explained.matches
        assert [step.amount for step in explained.steps] == [80, 0, -40]
        await forge(books, "UPDATE usage_entry SET amount = amount - 1 WHERE kind = 'credit'")
        assert not (await books.explain(april.id)).matches


class TestProof:
    async def test_it_verifies_after_a_round_through_a_file(self, books: Books) -> None:
        await eventful(books)
        await books.close(APRIL_CLOSES)
        for statement_id in await closed(books):
            text = canonical(await books.proof(statement_id))
            assert verify_proof(json.loads(text)) == []

    async def test_it_names_neither_group_nor_hunter(self, books: Books) -> None:
        agent = uuid7()
        entry = await books.unit(accepted=later(1), agent_ref=agent)
        key = await books.world.admin.fetchval(
            "SELECT unit_key FROM usage_entry WHERE tenant_id = $1 AND id = $2",
            books.isv,
            entry.entry_id,
        )
        [statement] = await books.close(MARCH_CLOSES)
        text = canonical(await books.proof(statement.id))
        assert str(agent) not in text
        assert key not in text
        assert verify_proof(json.loads(text)) == []

    async def test_statements_are_chained(self, books: Books) -> None:
        await eventful(books)
        await books.close(APRIL_CLOSES)
        first, second = [await books.proof(one) for one in await closed(books)]
        assert second["previous_hash"] == first["hash"]
        assert second["statement"]["ledger_from_hash"] == first["statement"]["ledger_to_hash"]

    @pytest.mark.parametrize("change", range(14))
    async def test_whatever_is_changed_shows(self, books: Books, change: int) -> None:
        """Also where the forger computes the statement's own hash again."""
        await eventful(books)
        [april] = await books.close(APRIL_CLOSES)
        document = await books.proof(april.id)
        forged = copy.deepcopy(document)
        FORGERIES[change](forged)
        assert forged != document
        assert verify_proof(forged) != []

    @pytest.mark.parametrize("document", [None, [], {}, {"format": "x"}, "text", 1])
    def test_what_is_no_proof_is_refused_in_words(self, document: object) -> None:
        [finding] = verify_proof(document)
        assert "flatbed-statement-proof/1" in finding

    def test_a_torn_file_is_a_finding_and_no_crash(self) -> None:
        [finding] = verify_proof({"format": "flatbed-statement-proof/1", "statement": []})
        assert "missing" in finding


async def closed(books: Books) -> list[Any]:
    rows = await books.world.admin.fetch(
        "SELECT id FROM statement WHERE tenant_id = $1 ORDER BY number", books.isv
    )
    return [row["id"] for row in rows]


async def forge(books: Books, statement: str) -> None:
    """As a superuser would: past the trigger that refuses it."""
    await books.world.admin.execute("SET session_replication_role = replica")
    await books.world.admin.execute(f"{statement} AND tenant_id = '{books.isv}'")
    await books.world.admin.execute("SET session_replication_role = origin")


def _again(forged: dict[str, Any]) -> None:
    """Give the forged content its hash."""
    forged["hash"] = statement_hash(forged["previous_hash"], forged["statement"])


def _cheaper(forged: dict[str, Any]) -> None:
    statement = forged["statement"]
    statement["lines"][0]["amount"] -= 1
    for name in ("charges", "total"):
        statement[name] -= 1
    statement["invoices"][0]["net"] -= 1
    statement["invoices"][0]["gross"] -= 1
    _again(forged)


def _sum(forged: dict[str, Any]) -> None:
    forged["statement"]["total"] += 1
    _again(forged)


def _line_gone(forged: dict[str, Any]) -> None:
    statement = forged["statement"]
    gone = statement["lines"].pop(1)
    for place, line in enumerate(statement["lines"], start=1):
        line["position"] = place
    statement["units"] -= 1
    assert gone["amount"] == 0
    _again(forged)


def _held_gone(forged: dict[str, Any]) -> None:
    statement = forged["statement"]
    own = {link["content"]["id"] for link in forged["entries"]}
    [gone] = [one for one in statement["rest"] if one["entry_id"] in own]
    statement["rest"].remove(gone)
    statement["held_units"] -= 1
    statement["held_amount"] -= gone["amount"]
    _again(forged)


def _twice(forged: dict[str, Any]) -> None:
    statement = forged["statement"]
    statement["lines"].append({**statement["lines"][1], "position": 4})
    statement["units"] += 1
    _again(forged)


def _rank(forged: dict[str, Any]) -> None:
    forged["statement"]["lines"][0]["rank"] += 10
    _again(forged)


def _dossier(forged: dict[str, Any]) -> None:
    forged["statement"]["lines"][0]["dossier_hash"] = "f" * 64
    _again(forged)


def _entry_edited(forged: dict[str, Any]) -> None:
    forged["entries"][0]["content"]["amount"] += 1


def _entry_gone(forged: dict[str, Any]) -> None:
    forged["entries"].pop(1)


def _tail_gone(forged: dict[str, Any]) -> None:
    forged["entries"].pop()


def _swapped(forged: dict[str, Any]) -> None:
    forged["entries"][0], forged["entries"][1] = forged["entries"][1], forged["entries"][0]


def _carried_edited(forged: dict[str, Any]) -> None:
    forged["carried"][0]["content"]["tiers"] = None


def _hash(forged: dict[str, Any]) -> None:
    forged["hash"] = "0" * 64


def _customer(forged: dict[str, Any]) -> None:
    forged["statement"]["customer"]["legal_name"] = "Somebody else"


FORGERIES: list[Callable[[dict[str, Any]], None]] = [
    _cheaper,
    _sum,
    _line_gone,
    _held_gone,
    _twice,
    _rank,
    _dossier,
    _entry_edited,
    _entry_gone,
    _tail_gone,
    _swapped,
    _carried_edited,
    _hash,
    _customer,
]
