"""Price lists, usage and the statement preview over HTTP, with real tokens."""

import csv
import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest_asyncio

from flatbed.billing.facade import Basis, accept_usage, record_usage
from flatbed.tenants.kit.clock import Clock
from flatbed.tenants.kit.ids import encode, uuid7
from tests.api.support import Isv, World, new_world
from tests.billing.world import CALLER, NOON, PRICE, request
from tests.support.postgres import TestDatabase

BODY = {"name": "Standard", "currency": "EUR", "unit_price": PRICE}


@pytest_asyncio.fixture
async def world(database: TestDatabase) -> AsyncIterator[World]:
    async with new_world(database) as made:
        yield made


async def meter(world: World, isv: Isv, *, accept: bool = False) -> str:
    """One unit in the ISV's ledger; the id of its entry."""
    async with world.program.database.tenant(
        realm_id=world.realm_id,
        tenant_id=isv.tenant_id,
        caller=CALLER,
        clock=Clock(instant=NOON),
    ) as session:
        entry = await record_usage(session, request())
        if accept:
            await accept_usage(session, entry.entry_id, basis=Basis.PERSON, actor="x")
    return encode("use", entry.entry_id)


class TestPriceLists:
    async def test_finance_makes_reads_and_retires_a_price(self, world: World) -> None:
        finance = (await world.staff("finance")).client
        answer = await finance.post("/v1/price-lists", BODY)
        made = answer.json()
        assert answer.status_code == 201
        assert answer.headers["Location"] == f"/v1/price-lists/{made['id']}"
        assert answer.headers["ETag"] == '"1"'
        assert (made["number"], made["active"], made["unit_price"]) == (1, True, PRICE)
        changed = await finance.patch(f"/v1/price-lists/{made['id']}", {"active": False}, version=1)
        assert changed.status_code == 200
        assert not changed.json()["active"]
        assert changed.headers["ETag"] == '"2"'
        again = await finance.made("/v1/price-lists", BODY)
        assert again["number"] == 2
        listed = await finance.read("/v1/price-lists", params={"active": "true"})
        assert [one["id"] for one in listed["data"]] == [again["id"]]

    async def test_the_price_itself_never_changes(self, world: World) -> None:
        finance = (await world.staff("finance")).client
        made = await finance.made("/v1/price-lists", BODY)
        path = f"/v1/price-lists/{made['id']}"
        answer = await finance.patch(path, {"unit_price": 1}, version=1)
        assert answer.status_code == 422
        assert (await finance.patch(path, {"active": False})).status_code == 428
        assert (await finance.patch(path, {"active": False}, version=7)).status_code == 412
        assert await finance.read(path) == made

    async def test_the_same_key_makes_one_number(self, world: World) -> None:
        finance = (await world.staff("finance")).client
        first = await finance.post("/v1/price-lists", BODY, key="k")
        second = await finance.post("/v1/price-lists", BODY, key="k")
        assert first.json() == second.json()
        assert second.headers["Idempotent-Replayed"] == "true"
        assert len((await finance.read("/v1/price-lists"))["data"]) == 1

    async def test_a_price_is_a_positive_whole_number_of_a_real_currency(
        self, world: World
    ) -> None:
        finance = (await world.staff("finance")).client
        wrong: list[tuple[str, Any]] = [
            ("unit_price", 0),
            ("unit_price", -1),
            ("unit_price", 1.5),
            ("unit_price", 2**53),
            ("currency", "XYZ"),
            ("name", " "),
        ]
        for field, value in wrong:
            answer = await finance.post("/v1/price-lists", {**BODY, field: value})
            assert answer.status_code == 422, (field, value)
            assert answer.json()["errors"][0]["pointer"] == f"/{field}"

    async def test_tiers_ascend_from_the_second_unit_on(self, world: World) -> None:
        finance = (await world.staff("finance")).client
        tiers = [{"from_unit": 3, "unit_price": 400_000}, {"from_unit": 9, "unit_price": 380_000}]
        made = await finance.made("/v1/price-lists", {**BODY, "tiers": tiers})
        assert made["tiers"] == tiers
        assert await finance.read(f"/v1/price-lists/{made['id']}") == made
        assert (await finance.made("/v1/price-lists", BODY))["tiers"] == []
        wrong: list[list[dict[str, Any]]] = [
            [tiers[1], tiers[0]],
            [tiers[0], tiers[0]],
            [{"from_unit": 1, "unit_price": 400_000}],
            [{"from_unit": 3, "unit_price": 0}],
            [{"from_unit": 3, "unit_price": 1.5}],
            [{"from_unit": 3}],
            [{"from_unit": 2 + one, "unit_price": 1} for one in range(51)],
        ]
        for refused in wrong:
            answer = await finance.post("/v1/price-lists", {**BODY, "tiers": refused})
            assert answer.status_code == 422, refused
        assert len((await finance.read("/v1/price-lists"))["data"]) == 2

    async def test_a_lead_reads_and_does_not_set_prices_and_an_isv_sees_none(
        self, world: World
    ) -> None:
        lead = (await world.staff("lead")).client
        assert (await lead.get("/v1/price-lists")).status_code == 200
        assert (await lead.post("/v1/price-lists", BODY)).status_code == 403
        isv = await world.isv()
        assert (await isv.client.get("/v1/price-lists")).status_code == 403

    async def test_another_realms_price_is_as_if_missing(
        self, world: World, database: TestDatabase
    ) -> None:
        finance = (await world.staff("finance")).client
        made = await finance.made("/v1/price-lists", BODY)
        async with new_world(database) as other:
            stranger = (await other.staff("finance")).client
            foreign = await stranger.get(f"/v1/price-lists/{made['id']}")
            missing = await stranger.get(f"/v1/price-lists/{encode('price', uuid7())}")
        assert foreign.status_code == missing.status_code == 404
        assert {**foreign.json(), "request_id": ""} == {**missing.json(), "request_id": ""}


class TestUsage:
    async def test_an_isv_reads_its_units_with_sums(self, world: World) -> None:
        isv, other = await world.isv(), await world.isv()
        pending, accepted = await meter(world, isv), await meter(world, isv, accept=True)
        await meter(world, other)
        body = await isv.client.read("/v1/usage", params={"group_by": "month"})
        assert {line["entry_id"] for line in body["data"]} == {pending, accepted}
        (group,) = body["groups"]
        assert (group["key"], group["currency"]) == ("2026-03", "EUR")
        assert group["pending"] == group["accepted"] == {"units": 1, "amount": PRICE}
        assert group["disputed"] == group["reversed"] == {"units": 0, "amount": 0}
        assert (body["has_more"], body["next_cursor"], body["group_by"]) == (False, None, "month")

    async def test_filters_and_pages_go_over_the_wire(self, world: World) -> None:
        isv = await world.isv()
        made = [await meter(world, isv) for _ in range(3)]
        first = await isv.client.read("/v1/usage", params={"limit": 2})
        second = await isv.client.read(
            "/v1/usage", params={"limit": 2, "cursor": first["next_cursor"]}
        )
        lines = [*first["data"], *second["data"]]
        assert [line["entry_id"] for line in lines] == made
        april = datetime(2026, 4, 1, tzinfo=UTC).isoformat()
        for params, count in (
            ({"from": april}, 0),
            ({"to": april}, 3),
            ({"state": "accepted"}, 0),
            ({"campaign_id": lines[0]["campaign_id"]}, 1),
            ({"campaign_id": encode("camp", uuid7())}, 0),
        ):
            found = await isv.client.read("/v1/usage", params=params)
            assert len(found["data"]) == count, params

    async def test_what_cannot_be_read_is_refused(self, world: World) -> None:
        isv = await world.isv()
        for params in (
            {"from": "2026-03-01T00:00:00"},
            {"to": "yesterday"},
            {"state": "x"},
            {"group_by": "x"},
            {"campaign_id": "camp_x"},
            {"format": "docx"},
            {"language": "fr"},
            {"limit": "0"},
        ):
            answer = await isv.client.get("/v1/usage", params=params)
            assert answer.status_code == 422, params

    async def test_csv_by_parameter_or_accept_header(self, world: World) -> None:
        isv = await world.isv()
        entry = await meter(world, isv)
        by_parameter = await isv.client.get("/v1/usage", params={"format": "csv"})
        by_header = await isv.client.get("/v1/usage", headers={"Accept": "text/csv"})
        assert by_parameter.text == by_header.text
        assert by_header.headers["Content-Type"] == "text/csv; charset=utf-8"
        (row,) = csv.DictReader(io.StringIO(by_header.text, newline=""))
        assert (row["entry_id"], row["state"], row["amount"]) == (entry, "pending", str(PRICE))
        asked = await isv.client.get(
            "/v1/usage", params={"format": "json"}, headers={"Accept": "text/csv"}
        )
        assert asked.json()["data"][0]["entry_id"] == entry

    async def test_agency_finance_names_the_isv_and_a_hunter_may_not_read(
        self, world: World
    ) -> None:
        isv = await world.isv()
        entry = await meter(world, isv)
        finance = await world.staff("finance")
        body = await finance.at(isv).read("/v1/usage")
        assert [line["entry_id"] for line in body["data"]] == [entry]
        assert (await finance.client.get("/v1/usage")).status_code == 400
        hunter = await world.staff("hunter")
        assert (await hunter.at(isv).get("/v1/usage")).status_code == 403


class TestPreview:
    async def test_an_isv_reads_what_would_be_billed(self, world: World) -> None:
        isv = await world.isv()
        held, billed = await meter(world, isv), await meter(world, isv, accept=True)
        body = await isv.client.read("/v1/statements/preview")
        [draft] = body["statements"]
        assert [line["entry_id"] for line in draft["lines"]] == [billed]
        assert [(one["entry_id"], one["fate"]) for one in draft["rest"]] == [(held, "pending")]
        assert (draft["currency"], draft["units"], draft["total"]) == ("EUR", 1, PRICE)
        assert body["starts_at"] == "2026-03-01T00:00:00+01:00"
        assert draft["lines"][0]["dossier"].startswith("/v1/qualifications/qual_")
        named = await isv.client.read(
            "/v1/statements/preview", params={"period_id": body["period_id"]}
        )
        assert named == body

    async def test_another_isvs_period_is_as_if_missing(self, world: World) -> None:
        isv, other = await world.isv(), await world.isv()
        await meter(world, isv)
        period = (await isv.client.read("/v1/statements/preview"))["period_id"]
        for period_id in (period, encode("per", uuid7())):
            answer = await other.client.get(
                "/v1/statements/preview", params={"period_id": period_id}
            )
            assert answer.status_code == 404
