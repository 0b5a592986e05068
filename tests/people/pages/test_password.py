"""A new password by the old one."""

import pytest

from flatbed.tenants.kit.database.urls import Plain
from tests.api.support import World
from tests.people.pages.visitor import Visitor, csrf_of, enter
from tests.support.residents import PASSWORD, Resident

PLACE = "/account/password"
NEW = "a quite different lantern"  # pragma: allowlist secret - made up
JOBS = (
    "SELECT count(*) FROM pgqueuer WHERE entrypoint = $1 AND convert_from(payload, 'UTF8') LIKE $2"
)


@pytest.fixture
def visitor(world: World) -> Visitor:
    return Visitor(world.http)


class TestChange:
    async def test_the_new_one_is_good_and_the_old_one_is_not(
        self, visitor: Visitor, resident: Resident
    ) -> None:
        await enter(visitor, resident.email)
        answer = await visitor.fill(PLACE, {"current": PASSWORD, "new": NEW})
        assert answer.status_code == 303
        assert "has been changed" in (await visitor.get(answer.headers["location"])).text
        assert (await enter(visitor, resident.email)).status_code == 422
        assert (await enter(visitor, resident.email, NEW)).status_code == 303

    async def test_every_other_browser_is_signed_out_and_this_ones_cookie_changes(
        self, world: World, visitor: Visitor, resident: Resident
    ) -> None:
        other = Visitor(world.http)
        await enter(other, resident.email)
        await enter(visitor, resident.email)
        old = Visitor(world.http, dict(visitor.cookies))
        await visitor.fill(PLACE, {"current": PASSWORD, "new": NEW})
        assert await visitor.is_signed_in()
        assert not await other.is_signed_in()
        assert not await old.is_signed_in()

    @pytest.mark.parametrize("left", ["signed out", "forgotten"])
    async def test_what_was_let_in_with_the_old_one_ends_even_if_its_browser_is_gone(
        self,
        world: World,
        visitor: Visitor,
        resident: Resident,
        admin_connection: Plain,
        left: str,
    ) -> None:
        """Who knew the old password let in what acts in one's absence, and signed out."""
        await enter(Visitor(world.http), resident.email)
        ids = "SELECT id FROM user_session WHERE user_id = $1 ORDER BY id"
        [theirs] = await admin_connection.fetch(ids, resident.user_id)
        isv = await world.isv()
        place = await world.people.membership(isv.tenant_id, "owner", resident.user_id)
        await enter(visitor, resident.email)
        found = await admin_connection.fetch(ids, resident.user_id)
        [mine] = [row for row in found if row["id"] != theirs["id"]]
        clients = []
        for row in (theirs, mine):
            lender = await world.people.lend(
                await world.application(isv),
                resident.user_id,
                tenant_id=isv.tenant_id,
                membership_id=place,
            )
            await admin_connection.execute(
                "UPDATE oauth_grant SET session_id = $2 WHERE id = $1", lender.grant_id, row["id"]
            )
            clients.append(await world.signed_in(lender))
        over = {
            "signed out": "UPDATE user_session SET revoked_at = now() WHERE id = $1",
            "forgotten": "DELETE FROM user_session WHERE id = $1",
        }
        await admin_connection.execute(over[left], theirs["id"])
        assert [(await one.get("/v1/members")).status_code for one in clients] == [200, 200]
        answer = await visitor.fill(PLACE, {"current": PASSWORD, "new": NEW})
        assert answer.status_code == 303
        assert [(await one.get("/v1/members")).status_code for one in clients] == [401, 200]

    async def test_the_person_is_told_by_mail(
        self, visitor: Visitor, resident: Resident, admin_connection: Plain
    ) -> None:
        await enter(visitor, resident.email)
        await visitor.fill(PLACE, {"current": PASSWORD, "new": NEW})
        like = f"%{resident.user_id}%"
        assert await admin_connection.fetchval(JOBS, "send_password_changed", like) == 1

    @pytest.mark.parametrize(
        ("current", "new", "said"),
        [
            ("wrong", NEW, "current password is wrong"),
            ("", NEW, "current password is wrong"),
            (PASSWORD, "short", "at least 12 characters"),
            (PASSWORD, "password1234password", "Many would guess"),
            (PASSWORD, "x" * 200, "at most 128"),
            (PASSWORD, "", "at least 12 characters"),
        ],
    )
    async def test_nothing_changes_otherwise(
        self, visitor: Visitor, resident: Resident, current: str, new: str, said: str
    ) -> None:
        await enter(visitor, resident.email)
        answer = await visitor.fill(PLACE, {"current": current, "new": new})
        assert answer.status_code == 422
        assert said in answer.text
        assert new not in answer.text or not new
        assert (await enter(visitor, resident.email)).status_code == 303

    async def test_whoever_finds_an_open_browser_guesses_ten_times_a_minute(
        self, visitor: Visitor, resident: Resident
    ) -> None:
        await enter(visitor, resident.email)
        fields = {"csrf": csrf_of(await visitor.get(PLACE)), "current": "wrong", "new": NEW}
        for _ in range(10):
            assert (await visitor.fill(PLACE, fields)).status_code == 422
        refused = await visitor.fill(PLACE, {**fields, "current": PASSWORD})
        assert refused.status_code == 429
        assert refused.headers["retry-after"]
