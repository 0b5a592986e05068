"""VAT by data: the rule, the cent, and what goes back."""

from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flatbed.billing.accounts.schemas import Address, BillingAccountUpdate, TaxId
from flatbed.billing.accounts.service import update_account
from flatbed.billing.statements.rules.tax import TABLE, UntaxableError, tax_back, tax_on
from tests.billing.statements.books import MARCH_CLOSES, Books, later


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


AT, GR, CH, DE = "AT", "GR", "CH", "DE"
ATU, EL, DE_VAT = ("eu_vat", "ATU12345678"), ("eu_vat", "EL123456789"), ("eu_vat", "DE999999999")
CHE, EIN = ("ch_vat", "CHE-123.456.789"), ("us_ein", "12-3456789")


class TestBuyer:
    """A VAT id counts for the country that the buyer is billed in, and for no other."""

    @pytest.mark.parametrize(
        ("country", "tax_ids", "category", "tax"),
        [
            (AT, [], "S", 19),
            (AT, [CHE], "S", 19),
            (AT, [DE_VAT], "S", 19),
            (AT, [EIN], "S", 19),
            (AT, [ATU], "AE", 0),
            (AT, [CHE, DE_VAT, ATU], "AE", 0),
            (GR, [EL], "AE", 0),
            (GR, [("eu_vat", "GR123456789")], "S", 19),
            (GR, [ATU], "S", 19),
            (CH, [CHE], "O", 0),
            (DE, [DE_VAT], "S", 19),
        ],
    )
    async def test_only_a_vat_id_of_its_own_country_shifts_the_tax(
        self, books: Books, country: str, tax_ids: list[tuple[str, str]], category: str, tax: int
    ) -> None:
        address = Address(line1="Gasse 1", postal_code="1010", city="Stadt", country=country)
        change = BillingAccountUpdate(
            address=address, tax_ids=[TaxId(type=kind, value=value) for kind, value in tax_ids]
        )
        async with books.world.at(books.isv) as session:
            await update_account(session, 0, change)
        await books.unit(accepted=later(1), unit_price=100)
        [statement] = await books.close(MARCH_CLOSES)
        [invoice] = statement.invoices
        assert (invoice.tax_category, invoice.net, invoice.tax) == (category, 100, tax)


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
