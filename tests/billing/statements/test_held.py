"""What a closing holds is handed on from closing to closing until it is settled."""

from datetime import timedelta

from flatbed.billing.statements.rules.rating import Fate
from tests.billing.statements.books import APRIL, APRIL_CLOSES, MARCH_CLOSES, MAY_CLOSES, Books


class TestHeld:
    async def test_what_two_closings_held_is_settled_by_the_third_in_every_currency(
        self, books: Books
    ) -> None:
        """A closing does not read the whole ledger: what it hands on must not break off."""
        taken, voided, given_up, waiting = [
            [(await books.unit(currency=currency)).entry_id for currency in ("CHF", "EUR")]
            for _ in range(4)
        ]
        await books.close(MARCH_CLOSES)
        await books.unit(at=APRIL, accepted=APRIL, currency="USD")
        april = await books.close(APRIL_CLOSES)
        assert [(one.currency, one.units, one.held_units) for one in april] == [
            ("CHF", 0, 4),
            ("EUR", 0, 4),
            ("USD", 1, 0),
        ]
        for n in (0, 1):
            await books.accept(taken[n], at=APRIL_CLOSES + timedelta(days=1))
            await books.void(voided[n], at=APRIL_CLOSES + timedelta(days=1))
            await books.write_off(given_up[n], at=APRIL_CLOSES + timedelta(days=1))
        may = await books.close(MAY_CLOSES)
        for n, statement in enumerate(may):
            [line] = await books.lines(statement.id)
            assert line.entry_id == taken[n]
            rest = (await books.proof(statement.id))["statement"]["rest"]
            assert {one["entry_id"]: one["fate"] for one in rest} == {
                str(voided[n]): Fate.CANCELLED,
                str(given_up[n]): Fate.WRITTEN_OFF,
                str(waiting[n]): Fate.PENDING,
            }
        assert [one.currency for one in may] == ["CHF", "EUR"]
