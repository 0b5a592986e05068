"""Signed out while a request was under way: it changes nothing, and signs nobody in again.

A request finds its session in one transaction and changes the account in the next. What lies
between is made to happen here: the services get who was signed in, and is not any more.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest
from pyotp import TOTP

from flatbed.tenants.kit.clock import system_now
from flatbed.tenants.kit.database.urls import Plain
from tests.api.support import World
from tests.people.pages.conftest import CALLER, PASSWORD, Resident
from tests.people.pages.others import ANOTHER, Sitting, sessions_of, sitting

Ending = Callable[[World, Resident], Awaitable[object]]


async def by_another_browser(world: World, resident: Resident) -> None:
    people, own = world.program.people, await sitting(resident)
    async with world.program.database.login(caller=CALLER) as session:
        await people.sessions.end_others(session, resident.user_id, own.person.session_id)


async def by_a_new_password(world: World, resident: Resident) -> None:
    people, own = world.program.people, await sitting(resident)
    done = await people.new_passwords.change(CALLER, own.seen, own.person, PASSWORD, PASSWORD)
    assert hasattr(done, "cookie")


async def by_the_operator(world: World, resident: Resident) -> None:
    accounts = world.program.people.accounts
    async with world.program.database.login(caller=CALLER) as session:
        await accounts.disable(session, resident.email)
        await accounts.enable(session, resident.email)


ENDINGS: dict[str, Ending] = {
    "other browser": by_another_browser,
    "new password": by_a_new_password,
    "operator": by_the_operator,
}


@dataclass
class Thief:
    """Who sits at a browser of the person, and is signed out while his request is under way."""

    world: World
    resident: Resident
    sitting: Sitting
    admin: Plain

    async def account(self) -> dict[str, object]:
        """What he wants to change."""
        row = await self.admin.fetchrow(
            "SELECT password_hash, totp_at, totp_box FROM user_account WHERE id = $1",
            self.resident.user_id,
        )
        assert row is not None
        return dict(row)

    async def lives(self) -> int:
        """How many browsers are signed in."""
        return await sessions_of(self.admin, self.resident.user_id)


@pytest.fixture
async def thief(world: World, resident: Resident, admin_connection: Plain) -> Thief:
    return Thief(world, resident, await sitting(resident), admin_connection)


@pytest.mark.parametrize("ending", ENDINGS)
async def test_he_gets_no_second_factor_and_no_new_session(thief: Thief, ending: str) -> None:
    """Else the account would be his for good, whatever its owner does."""
    factors, me = thief.world.program.people.second_factors, thief.sitting
    offer = factors.offer(me.person)
    await ENDINGS[ending](thief.world, thief.resident)
    before = await thief.account(), await thief.lives()
    code = TOTP(offer.secret).at(system_now())
    assert await factors.enrol(CALLER, me.seen, me.person, offer.sealed, code) is None
    assert (await thief.account(), await thief.lives()) == before


@pytest.mark.parametrize("ending", ENDINGS)
async def test_he_changes_no_password(thief: Thief, ending: str) -> None:
    me = thief.sitting
    await ENDINGS[ending](thief.world, thief.resident)
    before = await thief.account(), await thief.lives()
    passwords = thief.world.program.people.new_passwords
    assert await passwords.change(CALLER, me.seen, me.person, PASSWORD, ANOTHER) is None
    assert (await thief.account(), await thief.lives()) == before


async def test_he_sees_no_new_recovery_codes_and_takes_no_factor_away(
    world: World, resident: Resident, admin_connection: Plain
) -> None:
    me = await sitting(resident)
    thief = Thief(world, resident, me, admin_connection)
    await resident.second_factor()
    async with world.program.database.login(caller=CALLER) as session:
        assert await world.program.people.sessions.end_one(
            session, resident.user_id, me.person.session_id
        )
    factors, before = world.program.people.second_factors, await thief.account()
    code = resident.code()
    assert await factors.renew_codes(CALLER, me.seen, me.person, code) is None
    assert not await factors.remove(CALLER, me.seen, me.person, PASSWORD, code)
    assert await thief.account() == before
    codes = "SELECT count(*) FROM recovery_code WHERE user_id = $1"
    assert await admin_connection.fetchval(codes, resident.user_id) == 0


async def test_who_is_still_signed_in_does_all_of_it(thief: Thief) -> None:
    """The same calls, so that the refusals above are of the ending and of nothing else."""
    people, me = thief.world.program.people, thief.sitting
    offer = people.second_factors.offer(me.person)
    code = TOTP(offer.secret).at(system_now())
    made = await people.second_factors.enrol(CALLER, me.seen, me.person, offer.sealed, code)
    assert made is not None
    assert len(made.codes) == 10
    renewed = await people.second_factors.renew_codes(CALLER, me.seen, me.person, made.codes[0])
    assert renewed is not None
    assert await people.second_factors.remove(CALLER, me.seen, me.person, PASSWORD, renewed[0])
    assert (await thief.account())["totp_at"] is None
