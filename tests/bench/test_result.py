"""What `make bench` says of its rounds: its exit code rests on it."""

import json

import pytest

from bench.figures import Spread, table
from bench.load import Endpoint
from bench.result import OURS, PEER, Result, Rounds
from bench.servers import DOCUMENTED, FASTEST, PLAIN


def rounds(*, plain: float = 100.0, cached: float = 2.0) -> Rounds:
    return Rounds(
        rates={
            OURS: [1000.0, 500.0, 900.0],
            DOCUMENTED: [4.0, 2.0, 4.0],
            PLAIN: [plain, plain / 2, plain],
            FASTEST: [400.0, 200.0, 300.0],
        },
        costs={name: [500.0] * 3 for name in (OURS, DOCUMENTED, PLAIN, FASTEST)},
        verified={
            "cached": [cached] * 3,
            "uncached": [150.0] * 3,
            "admitted": [2000.0] * 3,
            PEER: [1800.0] * 3,
        },
    )


def kept(of: Rounds) -> list[bool]:
    return [promise.is_kept for promise in Result(of, is_pinned=True).promises]


class TestPromises:
    def test_all_are_kept(self) -> None:
        assert kept(rounds()) == [True, True, True]

    def test_a_rate_below_five_times_the_peers_breaks_one(self) -> None:
        assert kept(rounds(plain=199.0)) == [True, True, True]
        assert kept(rounds(plain=201.0)) == [True, False, True]

    def test_a_slow_look_at_a_remembered_token_breaks_one(self) -> None:
        assert kept(rounds(cached=5.0))[-1]
        assert not kept(rounds(cached=5.1))[-1]

    def test_a_ratio_is_of_one_round_and_never_across_two(self) -> None:
        found = Result(rounds(), is_pinned=True).rate_ratios
        assert found[FASTEST] == Spread(2.5, 2.5, 3.0)
        assert found[DOCUMENTED] == Spread(225.0, 250.0, 250.0)

    def test_where_the_processors_time_is_unknown_no_ratio_of_it_is_told(self) -> None:
        unknown = rounds()
        unknown.costs[OURS] = [0.0] * 3
        assert Result(unknown, is_pinned=False).cost_ratios == {}


class TestText:
    def test_it_names_every_server_and_promise(self) -> None:
        result = Result(rounds(plain=300.0), is_pinned=True)
        text = result.text()
        for name in (OURS, DOCUMENTED, PLAIN, FASTEST, "django-oauth-toolkit", "BROKEN"):
            assert name in text
        assert json.loads(json.dumps(result.plain()))["promises"][1]["is_kept"] is False

    def test_numbers_stand_to_the_right(self) -> None:
        assert table([["a", "b"], ["long", "1"], ["x", "20"]]).splitlines() == [
            "a      b",
            "----  --",
            "long   1",
            "x     20",
        ]


class TestLoad:
    def test_the_request_signs_in_by_basic(self) -> None:
        head, _, body = Endpoint(1, "/t", "a", "b").request.partition(b"\r\n\r\n")
        assert head.startswith(b"POST /t HTTP/1.1\r\n")
        assert b"Authorization: Basic YTpi\r\n" in head
        assert (body, b"Content-Length: 29" in head) == (b"grant_type=client_credentials", True)
        assert "client_secret='b'" not in repr(Endpoint(1, "/t", "a", "b"))


@pytest.mark.parametrize("values", [[1.0], [3.0, 1.0, 2.0]])
def test_a_spread_has_least_middle_and_most(values: list[float]) -> None:
    assert Spread.of(values) == Spread(min(values), sorted(values)[len(values) // 2], max(values))
