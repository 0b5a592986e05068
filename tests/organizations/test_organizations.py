"""/v1/organizations, and what others may ask about an ISV."""

import asyncio
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from flatbed.tenants.kit.clock import Clock
from flatbed.tenants.kit.database.urls import Plain
from flatbed.tenants.kit.ids import decode, encode, uuid7
from flatbed.tenants.organizations import service
from flatbed.tenants.organizations.service import RealmTenants, organization_of
from tests.oauth.house import CALLER, SOFTWARE_HOUSE, House

PATH = "/v1/organizations"
ACME = {**SOFTWARE_HOUSE, "slug": "acme"}


@pytest.fixture
def no_calendar(monkeypatch: pytest.MonkeyPatch) -> str:
    """A country that the library of holidays does not know; today it knows every one."""
    monkeypatch.setattr(service, "supported", lambda country: country != "AQ")
    return "AQ"


class TestCreate:
    async def test_an_isv_is_taken_on(self, house: House) -> None:
        reply = await house.call(
            "POST", PATH, {**ACME, "external_ref": "crm-7", "metadata": {"tier": 1}}
        )
        made = reply.json()
        assert reply.status_code == 201
        assert reply.headers["etag"] == '"1"'
        assert reply.headers["location"] == f"{PATH}/{made['id']}"
        assert made["id"].startswith("org_")
        assert {name: made[name] for name in ACME} == ACME
        assert made["status"] == "active"
        assert (made["external_ref"], made["metadata"]) == ("crm-7", {"tier": 1})
        assert (await house.call("GET", f"{PATH}/{made['id']}")).json() == made

    async def test_a_slug_is_unique_in_the_realm(self, house: House) -> None:
        await house.made(PATH, ACME)
        reply = await house.call("POST", PATH, ACME)
        assert (reply.status_code, reply.json()["code"]) == (409, "slug-taken")

    async def test_of_many_at_once_one_gets_the_slug(self, house: House) -> None:
        token = await house.token(house.agency)
        headers = {"Authorization": f"Bearer {token}"}
        replies = await asyncio.gather(
            *(house.http.post(PATH, json=ACME, headers=headers) for _ in range(5))
        )
        assert sorted(reply.status_code for reply in replies) == [201, 409, 409, 409, 409]
        assert {r.json()["code"] for r in replies if r.status_code == 409} == {"slug-taken"}

    async def test_repeated_under_its_key_it_takes_effect_once(self, house: House) -> None:
        key = {"Idempotency-Key": "k"}
        first = await house.call("POST", PATH, ACME, headers=key)
        again = await house.call("POST", PATH, ACME, headers=key)
        assert again.status_code == 201
        assert again.json() == first.json()

    @pytest.mark.parametrize(
        ("member", "value"),
        [
            ("slug", "Acme"),
            ("slug", "-acme"),
            ("slug", "acme-"),
            ("slug", "a" * 64),
            ("slug", "ac me"),
            ("slug", "acme\n"),
            ("slug", ""),
            ("name", " "),
            ("name", "x" * 201),
            ("country", "de"),
            ("country", "XX"),
            ("country", "DEU"),
            ("time_zone", "Europe/Nowhere"),
            ("time_zone", "../../etc/passwd"),
            ("time_zone", ""),
            ("currency", "EURO"),
            ("currency", "XYZ"),
            ("metadata", {"x": "y" * 9000}),
            ("status", "active"),
        ],
    )
    async def test_a_wrong_member_is_named(self, house: House, member: str, value: Any) -> None:
        reply = await house.call("POST", PATH, {**ACME, member: value})
        assert reply.status_code == 422, reply.text
        assert reply.json()["errors"][0]["pointer"].startswith(f"/{member}")

    async def test_a_country_without_a_calendar_of_business_days_is_refused(
        self, house: House, no_calendar: str
    ) -> None:
        reply = await house.call("POST", PATH, {**ACME, "country": no_calendar})
        assert reply.status_code == 422
        assert reply.json()["errors"][0]["code"] == "country-not-supported"

    async def test_the_audit_names_it_by_id_only(
        self, house: House, admin_connection: Plain
    ) -> None:
        made = await house.made(PATH, ACME)
        rows = await admin_connection.fetch(
            "SELECT * FROM agency_audit_pending WHERE object_id = ANY($1::text[])",
            [made["id"], str(decode("org", made["id"]))],
        )
        assert [row["action"] for row in rows] == ["organization.created"]
        assert rows[0]["actor"] == f"client:{house.realm.client_id}"
        assert "Northwind" not in str(dict(rows[0]))


class TestUpdate:
    async def test_it_changes_what_is_named(self, house: House) -> None:
        made = await house.made(PATH, {**ACME, "external_ref": "crm-7"})
        path = f"{PATH}/{made['id']}"
        change = {"name": "Acme AG", "country": "CH", "time_zone": "Europe/Zurich"}
        reply = await house.change(path, {**change, "external_ref": None, "metadata": {"a": 1}})
        assert reply.status_code == 200, reply.text
        assert reply.headers["etag"] == '"2"'
        found = reply.json()
        assert {name: found[name] for name in change} == change
        assert (found["external_ref"], found["metadata"]) == (None, {"a": 1})
        assert (found["slug"], found["currency"]) == ("acme", "EUR")
        assert (await house.call("GET", path)).json() == found

    async def test_it_needs_the_version_that_is_stored(self, house: House) -> None:
        path = f"{PATH}/{(await house.made(PATH, ACME))['id']}"
        assert (await house.call("PATCH", path, {"name": "X"})).status_code == 428
        stale = {"If-Match": '"2"'}
        assert (await house.call("PATCH", path, {"name": "X"}, headers=stale)).status_code == 412

    @pytest.mark.parametrize(
        "change",
        [
            {"slug": "other"},
            {"currency": "USD"},
            {"name": None},
            {"status": "gone"},
            {"metadata": None},
        ],
    )
    async def test_what_cannot_change_is_refused(
        self, house: House, change: dict[str, Any]
    ) -> None:
        path = f"{PATH}/{(await house.made(PATH, ACME))['id']}"
        before = (await house.call("GET", path)).json()
        assert (await house.change(path, change)).status_code == 422
        assert (await house.call("GET", path)).json() == before

    async def test_a_move_to_a_country_without_a_calendar_is_refused(
        self, house: House, no_calendar: str
    ) -> None:
        path = f"{PATH}/{(await house.made(PATH, ACME))['id']}"
        assert (await house.change(path, {"country": no_calendar})).status_code == 422

    async def test_of_changes_to_one_version_one_takes_effect(self, house: House) -> None:
        path = f"{PATH}/{(await house.made(PATH, ACME))['id']}"
        headers = {"Authorization": f"Bearer {await house.token(house.agency)}", "If-Match": '"1"'}
        replies = await asyncio.gather(
            *(house.http.patch(path, json={"name": f"N{n}"}, headers=headers) for n in range(4))
        )
        assert sorted(reply.status_code for reply in replies) == [200, 412, 412, 412]


class TestList:
    async def test_it_is_by_last_change_and_can_be_searched_by_reference(
        self, house: House
    ) -> None:
        first = await house.made(PATH, {**ACME, "external_ref": "crm-1"})
        second = await house.made(PATH, {**ACME, "slug": "other"})
        await house.change(f"{PATH}/{first['id']}", {"name": "Changed"})
        data = (await house.call("GET", PATH)).json()["data"]
        assert [row["id"] for row in data] == [second["id"], first["id"]]
        data = (await house.call("GET", f"{PATH}?external_ref=crm-1")).json()["data"]
        assert [row["id"] for row in data] == [first["id"]]

    async def test_a_cursor_holds_for_its_own_list_only(self, house: House) -> None:
        for number in range(3):
            await house.made(PATH, {**ACME, "slug": f"isv-{number}"})
        page = (await house.call("GET", f"{PATH}?limit=2")).json()
        assert (len(page["data"]), page["has_more"]) == (2, True)
        cursor = page["next_cursor"]
        rest = (await house.call("GET", f"{PATH}?limit=2&cursor={cursor}")).json()
        assert (len(rest["data"]), rest["has_more"], rest["next_cursor"]) == (1, False, None)
        reply = await house.call("GET", f"/v1/oauth-clients?cursor={cursor}")
        assert (reply.status_code, reply.json()["code"]) == (400, "invalid-cursor")


class TestRead:
    async def test_missing_malformed_and_foreign_ids_answer_alike(self, house: House) -> None:
        for text in (encode("org", uuid7()), encode("staff", uuid7()), "nonsense", "%00"):
            assert (await house.call("GET", f"{PATH}/{text}")).status_code == 404


class TestPorts:
    async def test_a_tenants_transaction_reads_its_own_organization(self, house: House) -> None:
        made = await house.made(PATH, ACME)
        other = await house.made(PATH, {**ACME, "slug": "other"})
        realm_id, tenant_id = decode("realm", house.realm.realm_id), decode("org", made["id"])
        async with house.database.tenant_read(
            realm_id=realm_id, tenant_id=tenant_id, caller=CALLER, clock=Clock()
        ) as session:
            view = await organization_of(session)
        assert (view.id, view.slug, view.name) == (tenant_id, "acme", ACME["name"])
        assert (view.country, view.currency) == ("DE", "EUR")
        assert view.zone == ZoneInfo("Europe/Berlin")
        async with house.database.agency_read(
            realm_id=realm_id, caller=CALLER, clock=Clock()
        ) as agency:
            assert await RealmTenants().exists(agency, decode("org", other["id"]))
            assert not await RealmTenants().exists(agency, uuid7())
        async with house.database.agency_read(
            realm_id=uuid7(), caller=CALLER, clock=Clock()
        ) as stranger:
            assert not await RealmTenants().exists(stranger, tenant_id)
