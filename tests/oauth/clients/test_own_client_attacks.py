"""What an ISV's owner and its managing client try beyond their own: other powers, other ISVs."""

import httpx

from flatbed.tenants.access.scopes import SIGNALS
from flatbed.tenants.kit.database.urls import Plain
from flatbed.tenants.kit.ids import encode, uuid7
from tests.api.support import Client
from tests.oauth.clients.own import (
    BEYOND,
    MANAGER,
    PATH,
    SITE,
    Own,
    body,
    code,
    of_isv,
    signed_in,
    version,
)
from tests.oauth.signing import new_key, public


class TestEscalation:
    """`clients:manage` in a client's hand is no other scope."""

    async def test_a_client_gives_only_what_it_holds(self, own: Own) -> None:
        reply = await own.manager.post(PATH, body(BEYOND))
        assert reply.status_code == 422
        assert [(e["pointer"], e["code"]) for e in reply.json()["errors"]] == [
            ("/scopes/0", "scope-not-held")
        ]
        web = body(BEYOND, kind="web", redirect_uris=[SITE])
        assert code(await own.manager.post(PATH, web)) == (422, "scope-not-held")

    async def test_a_token_gives_no_more_than_itself(self, own: Own) -> None:
        """Who has a token that was narrowed does not have the client."""
        made = await own.owner.made(PATH, body(MANAGER))
        narrow = await signed_in(own.world, made, "clients:manage")
        assert code(await narrow.post(PATH, body(["usage:read"]))) == (422, "scope-not-held")
        assert (await narrow.post(PATH, body(["clients:manage"]))).status_code == 201

    async def test_a_client_widens_neither_itself_nor_another(self, own: Own) -> None:
        equal = await own.manager.made(PATH, body(["usage:read"]))
        for id_ in (equal["id"], own.manager.client_id):
            tag = await version(own.manager, id_)
            reply = await own.manager.patch(f"{PATH}/{id_}", {"scopes": BEYOND}, version=tag)
            assert code(reply) == (422, "scope-not-held")

    async def test_an_application_gives_only_what_its_person_lent_it(self, own: Own) -> None:
        owner = await own.world.member(own.isv, "owner")
        narrow = await owner.sign_in("clients:manage")
        for scopes in (["decisions:write"], ["billing:write"], [SIGNALS]):
            assert code(await narrow.post(PATH, body(scopes))) == (422, "scope-not-held"), scopes
        assert (await narrow.post(PATH, body(["clients:manage"]))).status_code == 201
        # Who governs the people of the ISV could make himself anybody there.
        governs = await owner.sign_in("clients:manage", "members:manage")
        for scopes in ([SIGNALS], ["billing:write"]):
            assert (await governs.post(PATH, body(scopes))).status_code == 201

    async def test_an_agencys_client_gives_only_what_it_holds(self, own: Own) -> None:
        world = own.world
        agency = {"kind": "agency"}
        made = await world.admin.made(PATH, body(["clients:manage"], owner=agency))
        narrow = await signed_in(world, made)
        staff = await world.staff("admin", new=True)
        for owner, scope in (
            (agency, "tenants:manage"),
            ({"kind": "staff", "staff_id": staff.id}, "audit:read"),
            (of_isv(own.isv.id), "orders:write"),
        ):
            refused = await narrow.post(PATH, body([scope], owner=owner))
            assert code(refused) == (422, "scope-not-held"), owner
        path = f"{PATH}/{made['id']}"
        wider = {"scopes": ["clients:manage", "tenants:manage"]}
        tag = await version(narrow, made["id"])
        assert code(await narrow.patch(path, wider, version=tag)) == (422, "scope-not-held")
        beyond = f"{PATH}/{own.manager.client_id}/secrets"
        assert code(await narrow.post(beyond, {"label": "x"})) == (403, "client-beyond-caller")

    async def test_who_governs_the_agencys_people_gives_what_is_of_use(self, own: Own) -> None:
        world = own.world
        agency = {"kind": "agency"}
        made = await world.admin.made(
            PATH, body(["clients:manage", "tenants:manage"], owner=agency)
        )
        governs = await signed_in(world, made)
        lead = await world.staff("lead", new=True)
        personal = {"kind": "staff", "staff_id": lead.id}
        assert (
            await governs.post(PATH, body(["decisions:write"], owner=personal))
        ).status_code == 201
        ordering = body(["orders:write"], owner=of_isv(own.isv.id))
        assert (await governs.post(PATH, ordering)).status_code == 201
        priced = body(["prices:manage"], owner=agency)
        assert (await governs.post(PATH, priced)).status_code == 201
        useless = body(["orders:write"], owner=agency)
        assert code(await governs.post(PATH, useless)) == (422, "scope-not-allowed")

    async def test_a_client_takes_no_hold_of_one_that_may_more(self, own: Own) -> None:
        """By its secret, its keys, its redirect URIs, its networks, or by switching it on."""
        service = await own.owner.made(PATH, body(BEYOND))
        web = await own.owner.made(PATH, body(BEYOND, kind="web", redirect_uris=[SITE]))
        secret = f"{PATH}/{service['id']}/secrets"
        roll = f"{secret}/{service['secrets'][0]['id']}/roll"
        keys = {
            "token_endpoint_auth_method": "private_key_jwt",
            "jwks": {"keys": [public(new_key())]},
        }
        beyond = (403, "client-beyond-caller")
        assert code(await own.manager.post(secret, {"label": "mine"})) == beyond
        assert code(await own.manager.post(roll, {"overlap": "7d"})) == beyond
        for id_, change in (
            (service["id"], keys),
            (service["id"], {"allowed_cidrs": []}),
            (service["id"], {"active": True}),
            (service["id"], {"active": False, "name": "x"}),
            (service["id"], {"scopes": ["usage:read"]}),
            (web["id"], {"redirect_uris": ["https://evil.example/"]}),
            (web["id"], {}),
        ):
            reply = await own.manager.patch(f"{PATH}/{id_}", change, version=1)
            assert code(reply) == beyond, change
        assert await version(own.owner, service["id"]) == '"1"'
        assert (await own.owner.post(secret, {"label": "second"})).status_code == 201

    async def test_a_client_may_stop_one_that_may_more(self, own: Own) -> None:
        for _ in range(2):
            made = await own.owner.made(PATH, body(BEYOND))
            path = f"{PATH}/{made['id']}"
            off = await own.manager.patch(path, {"active": False}, version=1)
            assert (off.status_code, off.json()["active"]) == (200, False)
            secret = f"{path}/secrets/{made['secrets'][0]['id']}"
            assert (await own.manager.delete(secret, version=2)).status_code == 204
            assert (await own.manager.delete(path, version=3)).status_code == 204

    async def test_nobody_ends_the_client_that_he_calls_with(self, own: Own) -> None:
        application = encode("client", await own.world.application(own.isv))
        agency = own.world.admin
        for by, id_ in (
            (own.manager, own.manager.client_id),
            (own.owner, application),
            (agency, agency.client_id),
        ):
            path, tag = f"{PATH}/{id_}", await version(by, id_)
            assert code(await by.delete(path, version=tag)) == (409, "client-in-use")
            reply = await by.patch(path, {"active": False}, version=tag)
            assert code(reply) == (409, "client-in-use")
            assert (await by.get(path)).json()["active"] is True
            renamed = await by.patch(path, {"name": "Renamed"}, version=tag)
            assert renamed.status_code == 200
        path = f"{PATH}/{own.manager.client_id}"
        tag = await version(own.owner, own.manager.client_id)
        assert (await own.owner.delete(path, version=tag)).status_code == 204
        assert (await own.manager.get(PATH)).status_code == 401


class TestForeign:
    """A client of another ISV answers like one that nobody has, to every operation."""

    async def requests(self, by: Client, client: str, secret: str) -> list[httpx.Response]:
        path = f"{PATH}/{client}"
        return [
            await by.get(path),
            await by.patch(path, {"name": "Mine"}, version=1),
            await by.patch(path, {"active": False}, version=1),
            await by.patch(path, {"scopes": ["usage:read"]}, version=1),
            await by.patch(path, {"redirect_uris": [SITE]}, version=1),
            await by.delete(path, version=1),
            await by.post(f"{path}/secrets", {"label": "mine"}),
            await by.post(f"{path}/secrets/{secret}/roll", {"overlap": "7d"}),
            await by.delete(f"{path}/secrets/{secret}", version=1),
        ]

    async def test_it_is_not_found(self, own: Own, admin_connection: Plain) -> None:
        world = own.world
        staff = (await world.staff("admin")).client
        elsewhere = await world.admin.made(
            PATH, {**body(["tenants:manage"]), "owner": {"kind": "agency"}}
        )
        personal = await world.admin.read(f"{PATH}/{staff.client_id}")
        acting = [
            own.owner,
            own.manager,
            world.admin.acting_for(own.isv.id),
            staff.acting_for(own.isv.id),
        ]
        before = await _rows(admin_connection)
        for by in acting:
            for victim in (own.foreign, elsewhere, personal):
                theirs = await self.requests(by, victim["id"], victim["secrets"][0]["id"])
                nobodys = await self.requests(by, encode("client", uuid7()), encode("sec", uuid7()))
                for one, other in zip(theirs, nobodys, strict=True):
                    assert one.status_code == other.status_code == 404
                    first, second = (r.json() | {"request_id": ""} for r in (one, other))
                    assert first == second
        assert await _rows(admin_connection) == before

    async def test_its_secret_is_none_of_ones_own_client(self, own: Own) -> None:
        path = f"{PATH}/{own.manager.client_id}/secrets/{own.foreign['secrets'][0]['id']}"
        for by in (own.owner, own.manager):
            assert (await by.post(f"{path}/roll", {"overlap": "0"})).status_code == 404
            assert (await by.delete(path, version=1)).status_code == 404

    async def test_naming_it_in_the_header_opens_nothing(self, own: Own) -> None:
        path = f"{PATH}/{own.foreign['id']}"
        for by in (own.owner, own.manager):
            named = {"Flatbed-Tenant": own.other.id}
            assert (await by.get(path, headers=named)).status_code == 404
            reply = await by.post(PATH, body(["usage:read"]), headers=named)
            assert reply.status_code == 404


async def _rows(connection: Plain) -> list[str]:
    """Every client and secret, but for when a secret was used last."""
    clients = await connection.fetch("SELECT c::text AS row FROM oauth_client c ORDER BY id")
    secrets = await connection.fetch(
        "SELECT (id, digest, expires_at, revoked_at)::text AS row FROM client_secret ORDER BY id"
    )
    return [row["row"] for row in (*clients, *secrets)]
