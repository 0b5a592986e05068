"""Every act in every state."""

from datetime import date, timedelta

import pytest

from flatbed.app.qualifications.rules.already_known import Direction, KnownContact, two_way
from flatbed.app.qualifications.rules.states import Act, Status, after

FOUND = date(2026, 3, 2)


class TestAfter:
    @pytest.mark.parametrize("act", list(Act))
    def test_a_voided_qualification_stays_voided(self, act: Act) -> None:
        assert after(Status.VOIDED, act) is None

    def test_a_disputed_one_is_not_accepted_by_the_way(self) -> None:
        assert after(Status.DISPUTED, Act.ACCEPT) is None

    def test_an_accepted_one_is_disputed_for_fraud_only(self) -> None:
        assert after(Status.ACCEPTED, Act.DISPUTE) is None
        assert after(Status.ACCEPTED, Act.ACCUSE) is Status.ACCEPTED

    def test_a_confirmed_review_does_not_accept_for_the_isv(self) -> None:
        assert after(Status.PENDING, Act.CONFIRM) is Status.PENDING

    def test_a_confirmed_dispute_accepts(self) -> None:
        assert after(Status.DISPUTED, Act.CONFIRM) is Status.ACCEPTED

    def test_a_withdrawn_dispute_leaves_the_unit_as_it_was_before(self) -> None:
        assert after(Status.DISPUTED, Act.WITHDRAW) is Status.PENDING
        assert after(Status.ACCEPTED, Act.WITHDRAW) is Status.ACCEPTED
        assert after(Status.PENDING, Act.WITHDRAW) is None


class TestTwoWay:
    """The ground "already known" holds only with two-way contact in the 180 days before."""

    def test_both_directions_within_the_time_prove_it(self) -> None:
        contacts = [
            KnownContact(FOUND - timedelta(days=180), Direction.TO_PARTNER),
            KnownContact(FOUND - timedelta(days=1), Direction.FROM_PARTNER),
        ]
        assert two_way(contacts, FOUND)

    @pytest.mark.parametrize("only", list(Direction))
    def test_one_direction_alone_proves_nothing(self, only: Direction) -> None:
        contacts = [KnownContact(FOUND - timedelta(days=n), only) for n in (1, 20, 100)]
        assert not two_way(contacts, FOUND)

    @pytest.mark.parametrize("age", [181, 0, -3])
    def test_a_contact_outside_the_time_does_not_count(self, age: int) -> None:
        contacts = [
            KnownContact(FOUND - timedelta(days=age), Direction.FROM_PARTNER),
            KnownContact(FOUND - timedelta(days=10), Direction.TO_PARTNER),
        ]
        assert not two_way(contacts, FOUND)
