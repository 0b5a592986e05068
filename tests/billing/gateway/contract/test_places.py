"""Where the contract was held in this run."""

import pytest

from tests.billing.gateway.contract.conftest import PLACES, VARIABLE
from tests.billing.gateway.house import Place, a_customer


class TestPlaces:
    async def test_the_account_is_no_live_one(self, place: Place) -> None:
        assert not (await a_customer(place)).live

    def test_a_real_sandbox_is_among_them(self) -> None:
        if "sandbox" not in PLACES:
            pytest.skip(f"{VARIABLE} is not set: the contract was held on the fake only")
        assert PLACES == ["in_process", "on_a_port", "sandbox"]
