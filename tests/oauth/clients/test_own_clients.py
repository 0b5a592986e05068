"""An ISV manages its own clients: by its owner, and by a client that may."""

from datetime import timedelta
from typing import Any

import pytest

from flatbed.app.permissions import PERMISSIONS
from flatbed.tenants.access.principal import Role
from flatbed.tenants.access.scopes import IDENTITY_SCOPES, SIGNALS
from flatbed.tenants.kit.clock import system_now
from flatbed.tenants.kit.database.urls import Plain
from flatbed.tenants.kit.ids import encode, uuid7
from flatbed.tenants.kit.sealing import seal_agency, seal_tenant
from tests.oauth.clients.own import BEYOND, PATH, SITE, Own, body, code, of_isv, signed_in


class TestCreate:
    async def test_the_owner_is_the_isv_whether_it_is_named_or_not(self, own: Own) -> None:
        for by in (own.owner, own.manager):
            for more in ({}, {"owner": of_isv(own.isv.id)}):
                made = await by.made(PATH, body(["usage:read"], **more))
                assert made["owner"] == of_isv(own.isv.id)
                client = await signed_in(own.world, made)
                assert (await client.get("/v1/usage")).status_code == 200

    async def test_another_isv_answers_like_a_missing_one(self, own: Own) -> None:
        for by in (own.owner, own.manager):
            replies = [
                await by.post(PATH, body(["usage:read"], owner=of_isv(id_)))
                for id_ in (own.other.id, encode("org", uuid7()))
            ]
            first, second = (reply.json() | {"request_id": ""} for reply in replies)
            assert [reply.status_code for reply in replies] == [404, 404]
            assert first == second

    async def test_it_makes_none_of_the_agency_nor_of_its_staff(self, own: Own) -> None:
        staff = await own.world.staff("admin")
        for by in (own.owner, own.manager):
            for owner in (
                {"kind": "agency"},
                {"kind": "staff", "staff_id": staff.id},
                {"kind": "staff", "staff_id": encode("staff", uuid7())},
            ):
                reply = await by.post(PATH, body(["usage:read"], owner=owner))
                assert code(reply) == (422, "owner-not-allowed")

    async def test_an_owner_gives_whatever_is_of_use_to_an_isv_and_no_more(self, own: Own) -> None:
        useful = PERMISSIONS.scopes_of(Role.ISV_CLIENT)
        assert {SIGNALS, "clients:manage"} <= useful
        made = await own.owner.made(PATH, body(useful))
        assert set(made["scopes"]) == useful
        for scope in ("tenants:manage", "registry:read", "disputes:decide", "openid"):
            reply = await own.owner.post(PATH, body([scope]))
            assert code(reply) == (422, "scope-not-allowed")

    async def test_an_application_is_made_of_every_kind(self, own: Own) -> None:
        scopes = [*IDENTITY_SCOPES, "usage:read"]
        for by in (own.owner, own.manager):
            for kind in ("web", "native"):
                made = await by.made(PATH, body(scopes, kind=kind, redirect_uris=[SITE]))
                assert made["kind"] == kind
                assert set(made["scopes"]) == set(scopes)

    async def test_a_replay_does_not_hold_the_secret(
        self, own: Own, admin_connection: Plain
    ) -> None:
        first = await own.manager.post(PATH, body(["usage:read"]), key="one")
        again = await own.manager.post(PATH, body(["usage:read"]), key="one")
        assert again.json() == {**first.json(), "client_secret": None}
        secret = f"{PATH}/{first.json()['id']}/secrets"
        shown = await own.manager.post(secret, {"label": "x"}, key="two")
        again = await own.manager.post(secret, {"label": "x"}, key="two")
        assert again.json() == {**shown.json(), "client_secret": None}
        rows = await admin_connection.fetch("SELECT body FROM idempotency_key")
        kept = "".join(row["body"] or "" for row in rows)
        assert first.json()["id"] in kept
        assert first.json()["client_secret"] not in kept
        assert shown.json()["client_secret"] not in kept


class TestRead:
    async def test_a_list_shows_the_isvs_own_and_nothing_else(self, own: Own) -> None:
        await own.world.staff("lead")
        for by in (own.owner, own.manager):
            found = (await by.read(PATH))["data"]
            assert {client["owner"]["organization_id"] for client in found} == {own.isv.id}
            # Its first client, the application that its people use, and the manager.
            assert len(found) == 3
            assert own.foreign["id"] not in str(found)

    async def test_filters_find_nothing_beyond_it(self, own: Own) -> None:
        staff = await own.world.staff("lead")
        for by in (own.owner, own.manager):
            assert len((await by.read(f"{PATH}?organization_id={own.isv.id}"))["data"]) == 3
            for query in (f"organization_id={own.other.id}", f"staff_id={staff.id}"):
                assert (await by.read(f"{PATH}?{query}"))["data"] == []

    async def test_another_isvs_cursor_is_refused(self, own: Own) -> None:
        cursor = (await own.other.client.read(f"{PATH}?limit=1"))["next_cursor"]
        assert cursor is not None
        reply = await own.manager.get(f"{PATH}?limit=1&cursor={cursor}")
        assert code(reply) == (400, "invalid-cursor")

    async def test_secrets_of_a_list_are_the_clients_own_and_never_the_text(self, own: Own) -> None:
        made = await own.manager.made(PATH, body(["usage:read"]))
        read = await own.manager.get(f"{PATH}/{made['id']}")
        assert [one["last_four"] for one in read.json()["secrets"]] == [made["client_secret"][-4:]]
        assert made["client_secret"] not in read.text


class TestAgency:
    """Staff and agency clients: the realm's clients, or one ISV's where they name it."""

    async def test_without_an_isv_they_manage_the_realms(self, own: Own) -> None:
        found = (await own.world.admin.read(PATH))["data"]
        owners = {client["owner"]["kind"] for client in found}
        assert owners == {"isv", "agency"}
        assert {own.manager.client_id, own.foreign["id"]} <= {one["id"] for one in found}

    async def test_for_an_isv_they_manage_its_own_alone(self, own: Own) -> None:
        for by in (own.world.admin, (await own.world.staff("admin")).client):
            acting = by.acting_for(own.isv.id)
            found = (await acting.read(PATH))["data"]
            assert {client["owner"].get("organization_id") for client in found} == {own.isv.id}
            made = await acting.made(PATH, body(BEYOND))
            assert made["owner"] == of_isv(own.isv.id)
            reply = await acting.post(PATH, body(BEYOND, owner=of_isv(own.other.id)))
            assert reply.status_code == 404
            reply = await acting.post(PATH, body(BEYOND, owner={"kind": "agency"}))
            assert code(reply) == (422, "owner-not-allowed")


class TestAudit:
    async def test_each_change_is_in_the_chain_of_its_plane(
        self, own: Own, admin_connection: Plain
    ) -> None:
        world = own.world
        await _sealed(own)
        agency = await _actions(admin_connection, "agency_audit_entry", world.realm_id)
        before = await _actions(admin_connection, "audit_entry", own.isv.tenant_id)
        made = await own.owner.made(PATH, body(["usage:read"]))
        path = f"{PATH}/{made['id']}"
        await own.manager.patch(path, {"name": "Renamed"}, version=1)
        second = await own.manager.made(f"{path}/secrets", {"label": "x"})
        reply = await own.manager.delete(f"{path}/secrets/{second['id']}", version=3)
        assert reply.status_code == 204
        assert (await own.manager.delete(path, version=4)).status_code == 204
        await _sealed(own)
        after = await _actions(admin_connection, "audit_entry", own.isv.tenant_id)
        mine = f"client:{own.manager.client_id}"
        created = [after[len(before)], after[len(before) + 1]]
        assert {action for action, _ in created} == {
            "oauth_client.created",
            "client_secret.created",
        }
        assert {actor.partition(":")[0] for _, actor in created} == {"member"}
        assert after[len(before) + 2 :] == [
            ("oauth_client.updated", mine),
            ("client_secret.created", mine),
            ("client_secret.revoked", mine),
            ("oauth_client.deleted", mine),
        ]
        assert await _actions(admin_connection, "agency_audit_entry", world.realm_id) == agency


class TestPermission:
    @pytest.mark.parametrize("role", ["manager", "finance", "viewer"])
    async def test_other_members_than_owners_may_not(self, own: Own, role: str) -> None:
        member = await own.world.member(own.isv, role)
        made = await own.owner.made(PATH, body(["usage:read"]))
        # Their tokens cannot even hold the scope; either refusal closes the door.
        for reply in (
            await member.get(PATH),
            await member.post(PATH, body(["usage:read"])),
            await member.post(f"{PATH}/{made['id']}/secrets", {"label": "x"}),
        ):
            assert reply.status_code == 403

    async def test_a_client_without_the_scope_may_not(self, own: Own) -> None:
        narrow = await signed_in(own.world, await own.owner.made(PATH, body(["usage:read"])))
        reply = await narrow.get(PATH)
        assert code(reply) == (403, "insufficient-scope")

    async def test_an_owner_who_signed_in_long_ago_proves_anew_who_he_is(self, own: Own) -> None:
        """For what gives power; to take power away nobody waits."""
        old = system_now() - timedelta(minutes=16)
        owner = await own.world.member(own.isv, "owner", authenticated_at=old)
        path = f"{PATH}/{own.manager.client_id}"
        secret = (await owner.read(path))["secrets"][0]["id"]
        for reply in (
            await owner.post(PATH, body(["usage:read"])),
            await owner.patch(path, {"name": "x"}, version=1),
            await owner.post(f"{path}/secrets", {"label": "x"}),
            await owner.post(f"{path}/secrets/{secret}/roll", {"overlap": "0"}),
        ):
            assert code(reply) == (401, "step-up-required")
        assert (await owner.delete(f"{path}/secrets/{secret}", version=1)).status_code == 204
        assert (await owner.delete(path, version=2)).status_code == 204


async def _sealed(own: Own) -> None:
    world = own.world
    await seal_tenant(world.program.database, world.realm_id, own.isv.tenant_id)
    await seal_agency(world.program.database, world.realm_id)


async def _actions(connection: Plain, table: str, owner: Any) -> list[tuple[str, str]]:
    column = "tenant_id" if table == "audit_entry" else "realm_id"
    rows = await connection.fetch(
        f"SELECT action, actor FROM {table} WHERE {column} = $1 ORDER BY sequence", owner
    )
    return [(row["action"], row["actor"]) for row in rows]
