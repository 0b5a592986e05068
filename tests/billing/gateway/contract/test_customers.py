"""Customers, tax ids and how they pay."""

import pytest

from flatbed.billing.gateway.errors import GatewayMissing, GatewayRefused
from flatbed.billing.gateway.views import Body, SetupStatus
from tests.billing.gateway.house import Place, a_customer, an_open, fresh


class TestCustomers:
    async def test_what_is_created_is_read(self, place: Place) -> None:
        made = await a_customer(place, email="finance@contract.example")
        assert made.id.startswith("cus_")
        assert (made.name, made.email) == ("Contract GmbH", "finance@contract.example")
        assert (made.deleted, made.live, made.default_payment_method) == (False, False, None)
        assert await place.gateway.get_customer(made.id) == made

    async def test_an_update_merges_metadata_and_keeps_the_rest(self, place: Place) -> None:
        made = await a_customer(place)
        body: Body = {"name": "Renamed GmbH", "metadata": {"purchase_order": "PO 1"}}
        after = await place.gateway.update_customer(made.id, body, fresh())
        assert after.name == "Renamed GmbH"
        assert after.metadata == {**made.metadata, "purchase_order": "PO 1"}
        body = {"metadata": {"purchase_order": ""}}
        after = await place.gateway.update_customer(made.id, body, fresh())
        assert after.metadata == made.metadata

    async def test_a_missing_customer_is_missing(self, place: Place) -> None:
        with pytest.raises(GatewayMissing) as refused:
            await place.gateway.get_customer("cus_nobody")
        assert (refused.value.code, refused.value.status) == ("resource_missing", 404)

    async def test_a_deleted_customer_says_so(self, place: Place) -> None:
        made = await a_customer(place)
        await place.ask("DELETE", f"/v1/customers/{made.id}")
        after = await place.gateway.get_customer(made.id)
        assert (after.id, after.deleted, after.name) == (made.id, True, None)
        with pytest.raises(GatewayMissing):
            await place.gateway.update_customer(made.id, {"name": "Back"}, fresh())

    async def test_an_id_cannot_reach_another_path(self, place: Place) -> None:
        with pytest.raises((GatewayMissing, GatewayRefused)):
            await place.gateway.get_customer("cus_x/tax_ids")
        with pytest.raises(ValueError, match="empty"):
            await place.gateway.get_customer("")


class TestTaxIds:
    async def test_they_are_added_listed_and_removed(self, place: Place) -> None:
        customer = (await a_customer(place)).id
        first = await place.gateway.create_tax_id(customer, "eu_vat", "DE136695976", fresh())
        second = await place.gateway.create_tax_id(
            customer, "ch_vat", "CHE-123.456.788 MWST", fresh()
        )
        held = [tax_id async for tax_id in place.gateway.list_tax_ids(customer)]
        assert [tax_id.id for tax_id in held] == [second.id, first.id]
        assert (first.kind, first.value) == ("eu_vat", "DE136695976")
        await place.gateway.delete_tax_id(customer, first.id)
        held = [tax_id async for tax_id in place.gateway.list_tax_ids(customer)]
        assert [tax_id.id for tax_id in held] == [second.id]
        with pytest.raises(GatewayMissing):
            await place.gateway.delete_tax_id(customer, first.id)


class TestSetup:
    async def test_a_session_is_open_and_has_a_page(self, place: Place) -> None:
        customer = (await a_customer(place)).id
        body: Body = {
            "customer": customer,
            "currency": "eur",
            "success_url": "https://isv.example/done",
            "cancel_url": "https://isv.example/billing",
            "metadata": {"tenant_id": "org_1"},
        }
        made = await place.gateway.create_setup(body, fresh())
        assert (made.status, made.customer) == (SetupStatus.OPEN, customer)
        assert made.url is not None
        assert made.metadata == {"tenant_id": "org_1"}
        again = await place.gateway.get_setup(made.id)
        assert (again.status, again.payment_method) == (SetupStatus.OPEN, None)

    async def test_setup_mode_needs_a_currency(self, place: Place) -> None:
        customer = (await a_customer(place)).id
        body: Body = {"customer": customer, "success_url": "https://isv.example/done"}
        with pytest.raises(GatewayRefused) as refused:
            await place.gateway.create_setup(body, fresh())
        assert refused.value.status == 400

    async def test_a_finished_setup_names_the_method_that_becomes_the_default(
        self, place: Place
    ) -> None:
        if place.fake is None:
            pytest.skip("no program can fill in Stripe's own page")
        customer = (await a_customer(place)).id
        body: Body = {"customer": customer, "currency": "eur", "success_url": "https://isv.example"}
        made = await place.gateway.create_setup(body, fresh())
        place.fake.control.complete_setup(made.id)
        done = await place.gateway.get_setup(made.id)
        assert (done.status, done.url) == (SetupStatus.COMPLETE, None)
        assert done.payment_method is not None
        # Completing it alone charges nothing by default.
        assert (await place.gateway.get_customer(customer)).default_payment_method is None
        after = await place.gateway.set_default_payment_method(
            customer, done.payment_method, fresh()
        )
        assert after.default_payment_method == done.payment_method

    async def test_an_attached_method_pays_an_invoice(self, place: Place) -> None:
        customer = (await a_customer(place)).id
        form = {"customer": customer}
        attached = await place.ask("POST", "/v1/payment_methods/pm_card_visa/attach", form)
        method = attached.json()["id"]
        await place.gateway.set_default_payment_method(customer, method, fresh())
        automatic = {"collection_method": "charge_automatically", "days_until_due": None}
        opened = await an_open(place, customer=customer, **automatic)
        assert opened.status == "open", "auto_advance=false: nobody has asked for the money"
        done = await place.ask("POST", f"/v1/invoices/{opened.id}/pay")
        assert done.status_code == 200, done.text
        paid = await place.gateway.get_invoice(opened.id)
        assert (paid.status, paid.amount_paid, paid.amount_remaining) == ("paid", 11_900, 0)
        assert paid.paid_at is not None

    async def test_a_method_of_another_customer_is_refused(self, place: Place) -> None:
        one, other = (await a_customer(place)).id, (await a_customer(place)).id
        attached = await place.ask(
            "POST", "/v1/payment_methods/pm_card_visa/attach", {"customer": one}
        )
        with pytest.raises(GatewayRefused):
            await place.gateway.set_default_payment_method(other, attached.json()["id"], fresh())


class TestPortal:
    async def test_a_link_is_given(self, place: Place) -> None:
        if place.fake is None:
            pytest.skip("a sandbox has no portal until somebody saves its settings")
        customer = (await a_customer(place)).id
        body: Body = {"customer": customer, "return_url": "https://isv.example/billing"}
        made = await place.gateway.create_portal(body, fresh())
        assert made.url.startswith("https://" if "stripe.test" in made.url else "http")
        assert made.id
