"""VAT by data: the rule, the cent, and what goes back."""

from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flatbed.billing.statements.rules.tax import TABLE, UntaxableError, tax_back, tax_on


class TestRule:
    @pytest.mark.parametrize(
        ("seller", "buyer", "has_vat_id", "category", "rate"),
        [
            ("DE", "DE", True, "S", 1900),
            ("DE", "DE", False, "S", 1900),
            ("DE", "AT", True, "AE", 0),
            ("DE", "AT", False, "S", 1900),
            ("DE", "CH", True, "O", 0),
            ("DE", "US", False, "O", 0),
            ("CH", "CH", False, "S", 810),
            ("CH", "LI", True, "S", 810),
            ("CH", "DE", True, "O", 0),
            ("AT", "DE", True, "AE", 0),
        ],
    )
    def test_seller_buyer_and_vat_id_decide(
        self, seller: str, buyer: str, category: str, rate: int, *, has_vat_id: bool
    ) -> None:
        rule = TABLE.rule(seller=seller, buyer=buyer, buyer_has_vat_id=has_vat_id)
        assert (rule.category, rule.rate) == (category, rate)
        assert rule.name == f"{TABLE.version}:{category}"
        assert (rule.reason is None) == (category == "S")

    def test_a_seller_whose_rate_nobody_knows_bills_nothing(self) -> None:
        with pytest.raises(UntaxableError):
            TABLE.rule(seller="US", buyer="US", buyer_has_vat_id=False)


class TestTax:
    @given(st.integers(0, 10**15), st.integers(0, 3000))
    def test_it_is_rounded_half_up_once(self, net: int, rate: int) -> None:
        exact = Decimal(net * rate) / 10_000
        assert tax_on(net, rate) == int(exact.quantize(Decimal(1), rounding=ROUND_HALF_UP))

    def test_a_half_goes_up(self) -> None:
        assert [tax_on(net, 1000) for net in (4, 5, 14, 15, 25)] == [0, 1, 1, 2, 3]

    @given(st.lists(st.integers(1, 10**6), min_size=1, max_size=8), st.integers(0, 2700))
    def test_whatever_goes_back_in_parts_comes_to_the_whole(
        self, parts: list[int], rate: int
    ) -> None:
        """Credit notes never exceed their invoice, nor leave a cent of its tax."""
        open_net = sum(parts)
        open_tax = whole = tax_on(open_net, rate)
        back = 0
        for net in parts:
            tax = tax_back(net=net, rate=rate, open_net=open_net, open_tax=open_tax)
            assert 0 <= tax <= open_tax
            back, open_net, open_tax = back + tax, open_net - net, open_tax - tax
        assert back == whole
