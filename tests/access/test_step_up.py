"""What asks a person to have proved lately who he is (RFC 9470)."""

from datetime import timedelta

import httpx
import pytest

from flatbed.app.permissions import PERMISSIONS
from flatbed.tenants.access.principal import FRESH_FOR, MEMBER_ROLES, STAFF_ROLES, Role
from flatbed.tenants.kit.clock import system_now
from flatbed.tenants.kit.ids import encode, uuid7
from tests.api.support import METADATA, Client, Isv, Person, World
from tests.isolation.attack import missing, path_of
from tests.isolation.document import operations

PREFIXES = {slot.prefix for one in operations() for slot in one.of("path")}
STEPPING = [one for one in operations() if PERMISSIONS[one.id].step_up]
CHALLENGE = f'Bearer error="insufficient_user_authentication", max_age="900", {METADATA}'
LONG_AGO = FRESH_FOR + timedelta(seconds=1)


async def person(world: World, isv: Isv, role: Role) -> Person:
    """A person of the role, who has just signed in."""
    if role in MEMBER_ROLES:
        return await world.member(isv, role.removeprefix("isv_"))
    return await world.person(await world.staff(role.value))


async def stale(one: Person, by: timedelta = LONG_AGO) -> Person:
    """The same, who signed in so long ago."""
    return await one.anew(system_now() - by)


def stepped_up(answer: httpx.Response) -> bool:
    return (
        answer.status_code == 401
        and answer.json()["code"] == "step-up-required"
        and answer.headers["www-authenticate"] == CHALLENGE
    )


class Attempts:
    """Each operation that asks for it, on what does not exist: whoever is admitted changes nothing.

    Its answer is then no 401 and no 403.
    """

    def __init__(self, isv: Isv) -> None:
        self.isv = isv

    async def all_of(self, client: Client, role: Role) -> dict[str, httpx.Response]:
        named = client if role.of_isv else client.acting_for(self.isv.id)
        ids = {prefix: missing(prefix) for prefix in PREFIXES}
        return {
            one.id: await named.request(one.method, path_of(one, ids), json=[], version=1)
            for one in STEPPING
            if role in PERMISSIONS[one.id].roles
        }


class TestStepUp:
    @pytest.mark.parametrize("role", [Role.ISV_OWNER, Role.ISV_FINANCE, Role.FINANCE, Role.ADMIN])
    async def test_who_signed_in_too_long_ago_is_asked_on_each_line_and_who_just_did_on_none(
        self, world: World, role: Role
    ) -> None:
        isv = await world.isv()
        attempts, one = Attempts(isv), await person(world, isv, role)
        fresh = await attempts.all_of(one, role)
        late = await attempts.all_of(await stale(one), role)
        assert late.keys() == fresh.keys() != set()
        assert not [name for name, answer in late.items() if not stepped_up(answer)]
        admitted = {400, 404, 409, 412, 422}
        assert {answer.status_code for answer in fresh.values()} <= admitted, fresh

    async def test_every_line_was_tried_by_somebody(self) -> None:
        tried = {Role.ISV_OWNER, Role.ISV_FINANCE, Role.FINANCE, Role.ADMIN}
        people = MEMBER_ROLES | STAFF_ROLES
        assert len(STEPPING) >= 10
        assert all(PERMISSIONS[one.id].roles & people <= tried for one in STEPPING)

    async def test_a_quarter_of_an_hour_is_not_too_long(self, world: World) -> None:
        isv = await world.isv()
        owner = await stale(await world.member(isv, "owner"), FRESH_FOR - timedelta(seconds=30))
        answers = await Attempts(isv).all_of(owner, Role.ISV_OWNER)
        assert answers
        assert not [name for name, one in answers.items() if one.status_code == 401]

    async def test_no_machine_is_asked(self, world: World) -> None:
        isv = await world.isv()
        machines = {Role.ISV_CLIENT: isv.client, Role.AGENCY_CLIENT: world.admin}
        for role in (Role.FINANCE, Role.ADMIN):
            machines[role] = (await world.staff(role.value)).client
        for role, client in machines.items():
            answers = await Attempts(isv).all_of(client, role)
            assert answers, role
            assert not {one.status_code for one in answers.values()} & {401, 403}, role

    async def test_nothing_else_asks(self, world: World) -> None:
        isv = await world.isv()
        owner = await stale(await world.member(isv, "owner"), timedelta(days=3))
        assert (await owner.get("/v1/campaigns")).status_code == 200
        assert (await owner.get("/v1/billing-account")).status_code == 200

    async def test_a_refusal_for_another_reason_comes_first(self, world: World) -> None:
        """Proving who he is would not help him."""
        isv = await world.isv()
        viewer = await stale(await world.member(isv, "viewer"))
        owner = await stale(await world.member(isv, "owner"))
        narrow = await owner.narrowed("usage:read")
        for client, code in ((viewer, "forbidden"), (narrow, "insufficient-scope")):
            answer = await client.post("/v1/billing-account/portal-sessions", {})
            assert (answer.status_code, answer.json()["code"]) == (403, code)

    async def test_a_token_of_before_stays_as_old_as_it_is(self, world: World) -> None:
        """Who proved it anew has another grant; nothing of it is lent to the one before."""
        admin = await world.person(await world.staff("admin"))
        before = await stale(admin)
        path = f"/v1/oauth-clients/{encode('client', uuid7())}/secrets"
        assert (await admin.post(path, {"label": "second"})).status_code == 404
        assert stepped_up(await before.post(path, {"label": "second"}))
