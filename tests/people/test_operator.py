"""What an operator does to accounts: grants end with them, and everything at once."""

import asyncio
from datetime import timedelta

import pytest

from flatbed.tenants.kit.clock import system_now
from flatbed.tenants.kit.database.urls import Plain
from flatbed.tenants.kit.ids import uuid7
from flatbed.tenants.people.accounts import repository
from flatbed.tenants.people.models import UserSession
from flatbed.tenants.people.policy.repository import needs_second_factor
from tests.api.support import World
from tests.people.door import CALLER, Door


class TestDisable:
    async def test_applications_stop_acting_for_the_person_in_every_place(
        self, world: World, door: Door
    ) -> None:
        isv, other = await world.isv(), await world.isv()
        made, inside = await door.joined(isv, "manager")
        people, tokens = world.people, []
        second = await people.membership(other.tenant_id, "manager", inside.user_id)
        for one, place in ((isv, inside.place_id), (other, second)):
            lender = await people.lend(
                await world.application(one),
                inside.user_id,
                tenant_id=one.tenant_id,
                membership_id=place,
            )
            tokens.append((await people.token(lender))[0])
        colleague = await world.member(isv, "manager")

        async def statuses() -> list[int]:
            answers = [
                await world.http.get("/v1/members", headers={"Authorization": f"Bearer {token}"})
                for token in tokens
            ]
            return [answer.status_code for answer in answers]

        assert await statuses() == [200, 200]
        program = world.program
        for change in (program.people.accounts.disable, program.people.accounts.enable):
            async with program.database.login(caller=CALLER) as session:
                await change(session, made["email"])
            assert await statuses() == [401, 401]
        assert (await colleague.get("/v1/members")).status_code == 200

    async def test_his_personal_client_acts_no_more_and_stays_off(
        self, world: World, admin_connection: Plain
    ) -> None:
        staff = await world.staff("admin", new=True)
        person = await world.person(staff)
        other = await world.staff("admin", new=True)
        email = await admin_connection.fetchval(
            "SELECT email FROM user_account WHERE id = $1", person.lender.user_id
        )
        assert (await staff.client.get("/v1/staff")).status_code == 200
        program = world.program
        for change in (program.people.accounts.disable, program.people.accounts.enable):
            async with program.database.login(caller=CALLER) as session:
                await change(session, email)
            assert (await staff.client.get("/v1/staff")).status_code == 401
        assert (await other.client.get("/v1/staff")).status_code == 200
        told = await admin_connection.fetch(
            "SELECT actor FROM agency_audit_pending"
            " WHERE object_id = $1 AND action = 'oauth_client.updated'",
            staff.client.client_id,
        )
        assert [row["actor"] for row in told] == [CALLER.actor]

    async def test_without_his_device_nothing_acts_for_him_either(self, world: World) -> None:
        """The operator forgets the second factor of who lost it: perhaps a telephone."""
        member = await world.member(await world.isv(), "owner")
        program = world.program
        email = f"{member.lender.user_id.hex}@people.example"
        assert (await member.get("/v1/members")).status_code == 200
        async with program.database.login(caller=CALLER) as session:
            await program.people.accounts.reset_totp(session, email)
        assert (await member.get("/v1/members")).status_code == 401

    async def test_a_session_that_begins_meanwhile_waits_and_is_none_of_the_disabled(
        self, world: World, door: Door, admin_connection: Plain
    ) -> None:
        """Signing in refers to the account: it cannot slip in before the lock is gone."""
        _, inside = await door.joined(await world.isv())
        program = world.program

        async def sign_in() -> None:
            now = system_now()
            async with program.database.login(caller=CALLER) as session:
                session.add(
                    UserSession(
                        user_id=inside.user_id,
                        digest=uuid7().bytes,
                        acr="pwd",
                        agent="x",
                        created_at=now,
                        auth_at=now,
                        seen_at=now,
                        expires_at=now + timedelta(hours=12),
                    )
                )

        async with program.database.login(caller=CALLER) as session:
            assert await repository.lock_account(session, inside.user_id) is not None
            waiting = asyncio.create_task(sign_in())
            await asyncio.sleep(0.3)
            assert not waiting.done()
        await waiting
        assert await admin_connection.fetchval(
            "SELECT count(*) FROM user_session WHERE user_id = $1", inside.user_id
        )


class TestSecondFactor:
    @pytest.mark.parametrize("role", ["owner", "manager", "finance", "viewer"])
    async def test_owners_need_one_where_their_isv_says_so(
        self, world: World, door: Door, role: str
    ) -> None:
        isv, strict = await world.isv(), await world.isv()
        for one, wanted in ((isv, False), (strict, True)):
            body = {"owners_need_totp": wanted}
            put = await one.client.request("PUT", "/v1/sign-in-policy", json=body, version=0)
            assert put.is_success
        for one, wanted in ((isv, False), (strict, role == "owner")):
            _, inside = await door.joined(one, role)
            async with world.program.database.login(caller=CALLER) as session:
                assert await needs_second_factor(session, inside.user_id) is wanted

    @pytest.mark.parametrize("role", ["hunter", "lead", "finance", "compliance", "admin"])
    async def test_an_agencys_admin_always_needs_one(self, world: World, role: str) -> None:
        person = await world.person(await world.staff(role, new=True))
        async with world.program.database.login(caller=CALLER) as session:
            found = await needs_second_factor(session, person.lender.user_id)
        assert found is (role == "admin")
