"""Who is counted as one, and how long he waits."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest

from flatbed.tenants.people.rules.failures import (
    MOST,
    Subject,
    is_over,
    message_of,
    prefix_of,
    wait_seconds,
)

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)


class TestPrefix:
    @pytest.mark.parametrize(
        ("address", "prefix"),
        [
            ("192.0.2.1", "192.0.2.0/24"),
            ("192.0.2.255", "192.0.2.0/24"),
            ("192.0.3.0", "192.0.3.0/24"),
            ("2001:db8:0:ff::1", "2001:db8::/56"),
            ("2001:db8:0:100::1", "2001:db8:0:100::/56"),
            ("::ffff:192.0.2.9", "192.0.2.0/24"),
            ("::1", "::/56"),
            ("fe80::1%eth0", "fe80::/56"),
        ],
    )
    def test_a_network_is_one(self, address: str, prefix: str) -> None:
        assert prefix_of(ip_address(address)) == prefix

    def test_without_an_address_there_is_a_place_of_its_own(self) -> None:
        prefixes = {prefix_of(None), prefix_of(ip_address("0.0.0.0")), prefix_of(ip_address("::"))}  # noqa: S104 - an address of a caller, nothing is bound to it
        assert len(prefixes) == 3


class TestMessage:
    def test_each_part_counts(self) -> None:
        messages = {
            message_of(subject, name, prefix)
            for subject in Subject
            for name in ("a@x.example", "b@x.example")
            for prefix in ("192.0.2.0/24", "-")
        }
        assert len(messages) == len(Subject) * 4

    def test_an_address_is_one_in_whatever_case(self) -> None:
        one = message_of(Subject.ACCOUNT, "Kim@X.example", "-")
        assert one == message_of(Subject.ACCOUNT, " kim@x.EXAMPLE ", "-")

    def test_no_name_is_without_bytes(self) -> None:
        assert message_of(Subject.CLIENT, "\ud800", "-") != message_of(Subject.CLIENT, "?", "-")


class TestWait:
    @pytest.mark.parametrize(
        ("count", "age", "seconds"),
        [
            (MOST - 1, 0, None),
            (MOST, 0, 60),
            (MOST + 5, 0, 60),
            (MOST, 0.5, 60),
            (MOST, 59, 1),
            (MOST, 59.9, 1),
            (MOST, 60, None),
            (MOST, 3600, None),
            # The clock of another process goes ahead, or went wrong.
            (MOST, -2, 62),
            (MOST, -61, None),
        ],
    )
    def test_until_the_window_ends(self, count: int, age: float, seconds: int | None) -> None:
        assert wait_seconds(NOW - timedelta(seconds=age), count, NOW) == seconds

    @pytest.mark.parametrize(
        ("age", "is_it"), [(59.9, False), (60, True), (-60, False), (-61, True)]
    )
    def test_when_it_is_over(self, age: float, is_it: bool) -> None:
        assert is_over(NOW - timedelta(seconds=age), NOW) == is_it
