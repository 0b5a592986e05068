"""/v1/oauth-clients."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from flatbed.app.permissions import PERMISSIONS
from flatbed.tenants.access.principal import STAFF_ROLES, Role
from flatbed.tenants.access.scopes import SIGNALS
from flatbed.tenants.kit.database.urls import Plain
from flatbed.tenants.kit.ids import decode, encode, uuid7
from flatbed.tenants.kit.realms import RealmSlugTakenError
from flatbed.tenants.oauth.clients.first_client import create_realm
from flatbed.tenants.oauth.clients.secrets import well_formed
from tests.oauth.house import House, open_house
from tests.support.postgres import TestDatabase

PATH = "/v1/oauth-clients"
AGENCY = {"kind": "agency"}


@pytest_asyncio.fixture
async def neighbour(database: TestDatabase) -> AsyncIterator[House]:
    """Another realm of the same deployment."""
    async with open_house(database.app_url) as house:
        yield house


def body(owner: Any = AGENCY, scopes: Any = ("clients:manage",), **more: Any) -> dict[str, Any]:
    return {"name": "A client", "owner": owner, "scopes": list(scopes), **more}


class TestCreate:
    async def test_the_secret_is_shown_once(self, house: House) -> None:
        reply = await house.call("POST", PATH, body())
        made = reply.json()
        assert reply.status_code == 201
        assert reply.headers["etag"] == '"1"'
        assert reply.headers["location"] == f"{PATH}/{made['id']}"
        assert well_formed(made["client_secret"])
        assert made["client_id"] == made["id"]
        assert made["active"] is True
        assert [secret["last_four"] for secret in made["secrets"]] == [made["client_secret"][-4:]]
        read = await house.call("GET", f"{PATH}/{made['id']}")
        assert made["client_secret"] not in read.text
        assert "client_secret" not in read.json()

    async def test_a_replay_does_not_hold_the_secret(
        self, house: House, admin_connection: Plain
    ) -> None:
        key = {"Idempotency-Key": "one-client-please"}
        first = await house.call("POST", PATH, body(), headers=key)
        again = await house.call("POST", PATH, body(), headers=key)
        assert again.status_code == 201
        assert again.headers["idempotent-replayed"] == "true"
        assert again.headers["etag"] == first.headers["etag"]
        assert again.json() == {**first.json(), "client_secret": None}
        rows = await admin_connection.fetch("SELECT body FROM agency_idempotency_key")
        assert all(first.json()["client_secret"] not in row["body"] for row in rows)

    async def test_the_audit_has_the_mutation_and_no_secret(
        self, house: House, admin_connection: Plain
    ) -> None:
        made = await house.made(PATH, body())
        rows = await admin_connection.fetch(
            "SELECT * FROM agency_audit_pending WHERE realm_id = $1",
            decode("realm", house.realm.realm_id),
        )
        actions = [row["action"] for row in rows]
        assert actions.count("oauth_client.created") == 2
        assert actions.count("client_secret.created") == 2
        assert made["client_secret"] not in str([dict(row) for row in rows])
        assert "A client" not in str([dict(row) for row in rows])

    @pytest.mark.parametrize("role", sorted(STAFF_ROLES))
    async def test_signals_write_is_never_given_to_a_staff_members_client(
        self, house: House, role: Role
    ) -> None:
        """`signals:write` is never given to a staff member's client."""
        member = await house.member(role)
        owner = {"kind": "staff", "staff_id": member["id"]}
        allowed = sorted(PERMISSIONS.scopes_of(role) - {SIGNALS})
        assert (await house.call("POST", PATH, body(owner, allowed))).status_code == 201
        reply = await house.call("POST", PATH, body(owner, [*allowed, SIGNALS]))
        assert reply.status_code == 422
        assert reply.json()["errors"] == [
            {
                "pointer": f"/scopes/{len(allowed)}",
                "code": "scope-not-allowed",
                "message": "A client of this owner cannot.",
            }
        ]

    async def test_an_isvs_client_gets_no_agency_scope(self, house: House) -> None:
        isv = await house.isv("acme")
        owner = {"kind": "isv", "organization_id": isv["id"]}
        for scope in ("tenants:manage", "registry:read", "disputes:decide", "unknown:scope"):
            reply = await house.call("POST", PATH, body(owner, ["usage:read", scope]))
            assert reply.status_code == 422
        assert (await house.call("POST", PATH, body(owner, [SIGNALS]))).status_code == 201

    @pytest.mark.parametrize(
        "change",
        [
            {"scopes": []},
            {"scopes": ["clients:manage "]},
            {"scopes": None},
            {"owner": {"kind": "agency", "staff_id": encode("staff", uuid7())}},
            {"owner": {"kind": "isv"}},
            {"owner": {"kind": "robot"}},
            {"owner": {"kind": "isv", "organization_id": encode("staff", uuid7())}},
            {"name": ""},
            {"name": "a\u0000b"},
            {"client_secret": "flatbed_mine"},
        ],
    )
    async def test_a_wrong_body_is_refused(self, house: House, change: dict[str, Any]) -> None:
        assert (await house.call("POST", PATH, body() | change)).status_code == 422

    async def test_an_owner_of_another_realm_answers_like_a_missing_one(
        self, house: House, neighbour: House
    ) -> None:
        isv, member = await neighbour.isv("acme"), await neighbour.member("lead")
        for foreign, missing in (
            (
                {"kind": "isv", "organization_id": isv["id"]},
                {"kind": "isv", "organization_id": encode("org", uuid7())},
            ),
            (
                {"kind": "staff", "staff_id": member["id"]},
                {"kind": "staff", "staff_id": encode("staff", uuid7())},
            ),
        ):
            replies = [
                await house.call("POST", PATH, body(owner, ["usage:read"]))
                for owner in (foreign, missing)
            ]
            assert [reply.status_code for reply in replies] == [404, 404]
            first, second = (reply.json() | {"request_id": ""} for reply in replies)
            assert first == second


class TestRead:
    async def test_a_list_shows_the_realms_clients_page_by_page(
        self, house: House, neighbour: House
    ) -> None:
        made = {(await house.made(PATH, body()))["id"] for _ in range(3)}
        await neighbour.made(PATH, body())
        found: list[str] = []
        cursor = ""
        while True:
            page = (await house.call("GET", f"{PATH}?limit=2{cursor}")).json()
            found += [client["id"] for client in page["data"]]
            if not page["has_more"]:
                break
            cursor = f"&cursor={page['next_cursor']}"
        assert set(found) == made | {house.realm.client_id}
        assert len(found) == 4

    async def test_a_list_can_be_of_one_owner(self, house: House) -> None:
        isv, member = await house.isv("acme"), await house.member("lead")
        first = await house.client({"kind": "isv", "organization_id": isv["id"]}, "usage:read")
        second = await house.client({"kind": "staff", "staff_id": member["id"]}, "usage:read")
        for query, client in (
            (f"organization_id={isv['id']}", first),
            (f"staff_id={member['id']}", second),
        ):
            data = (await house.call("GET", f"{PATH}?{query}")).json()["data"]
            assert [found["id"] for found in data] == [client.client_id]
            assert len(data[0]["secrets"]) == 1

    async def test_a_client_of_another_realm_is_not_found(
        self, house: House, neighbour: House
    ) -> None:
        foreign = f"{PATH}/{(await neighbour.made(PATH, body()))['id']}"
        for path in (foreign, f"{PATH}/{encode('client', uuid7())}", f"{PATH}/nonsense"):
            assert (await house.call("GET", path)).status_code == 404
            reply = await house.call("PATCH", path, {}, headers={"If-Match": '"1"'})
            assert reply.status_code == 404


class TestUpdate:
    async def test_it_changes_what_is_named_and_raises_the_version(self, house: House) -> None:
        made = await house.made(PATH, body())
        path = f"{PATH}/{made['id']}"
        reply = await house.change(path, {"name": "Renamed", "scopes": ["tenants:manage"]})
        assert reply.status_code == 200
        assert reply.headers["etag"] == '"2"'
        assert reply.json()["name"] == "Renamed"
        assert reply.json()["scopes"] == ["tenants:manage"]
        assert reply.json()["active"] is True
        assert (await house.call("GET", path)).json() == reply.json()

    async def test_it_needs_the_version_that_is_stored(self, house: House) -> None:
        path = f"{PATH}/{(await house.made(PATH, body()))['id']}"
        assert (await house.call("PATCH", path, {"active": False})).status_code == 428
        stale = {"If-Match": '"7"'}
        assert (
            await house.call("PATCH", path, {"active": False}, headers=stale)
        ).status_code == 412
        assert (await house.call("GET", path)).json()["active"] is True

    async def test_scopes_must_be_of_use_to_the_owners_role_of_now(self, house: House) -> None:
        member = await house.member("lead")
        owner = {"kind": "staff", "staff_id": member["id"]}
        path = f"{PATH}/{(await house.made(PATH, body(owner, ['usage:read'])))['id']}"
        wanted = {"scopes": ["disputes:decide"]}
        assert (await house.change(path, wanted)).status_code == 200
        await house.change(f"/v1/staff/{member['id']}", {"role": "hunter"})
        assert (await house.change(path, wanted)).status_code == 422
        assert (await house.change(path, {"scopes": [SIGNALS]})).status_code == 422

    @pytest.mark.parametrize(
        "change", [{"owner": AGENCY}, {"name": None}, {"scopes": []}, {"active": "maybe"}]
    )
    async def test_a_wrong_body_is_refused(self, house: House, change: dict[str, Any]) -> None:
        path = f"{PATH}/{(await house.made(PATH, body()))['id']}"
        assert (await house.change(path, change)).status_code == 422


class TestPermission:
    @pytest.mark.parametrize("role", ["hunter", "lead", "finance", "compliance"])
    async def test_other_staff_than_admins_may_not(self, house: House, role: str) -> None:
        client = await house.staff_client(role, "pipeline:read")
        assert (await house.call("GET", PATH, by=client)).status_code == 403

    async def test_an_isv_may_not(self, house: House) -> None:
        client = await house.isv_client("acme", "usage:read")
        assert (await house.call("GET", PATH, by=client)).status_code == 403

    async def test_an_admin_may(self, house: House) -> None:
        client = await house.staff_client("admin", "clients:manage")
        assert (await house.call("GET", PATH, by=client)).status_code == 200


class TestRealm:
    async def test_its_first_client_has_every_scope_of_use_to_the_agency(
        self, house: House
    ) -> None:
        assert house.realm.scopes == PERMISSIONS.scopes_of(Role.AGENCY_CLIENT)
        granted = (await house.ask(house.agency)).json()["scope"].split()
        assert set(granted) == house.realm.scopes
        assert house.realm.client_secret not in repr(house.realm)

    async def test_a_slug_is_taken_once_and_nothing_is_left_behind(
        self, house: House, admin_connection: Plain
    ) -> None:
        slug = uuid7().hex

        async def make() -> None:
            await create_realm(
                house.database, house.keyring, PERMISSIONS, name="R", slug=slug, kind="live"
            )

        await make()
        before = await admin_connection.fetchval("SELECT count(*) FROM oauth_client")
        with pytest.raises(RealmSlugTakenError):
            await make()
        assert await admin_connection.fetchval("SELECT count(*) FROM oauth_client") == before
