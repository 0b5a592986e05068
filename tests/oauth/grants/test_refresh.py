"""refresh_token at the token endpoint."""

import os
from datetime import timedelta
from functools import partial

import pytest

from flatbed.tenants.oauth.grants.redeeming import secrets
from tests.oauth.grants.conftest import Case, new_case
from tests.oauth.grants.folk import AT_ONCE, Folk
from tests.oauth.grants.test_code import deactivate
from tests.oauth.test_token import parts, refused

ROUNDS = 200 if os.environ.get("RUN_LONG") == "1" else 25


@pytest.fixture(params=["web", "native"])
async def case(request: pytest.FixtureRequest, folk: Folk) -> Case:
    return await new_case(folk, request.param)


async def age(case: Case, token: str, seconds: int) -> None:
    """Let the token's first use lie so long ago."""
    await case.folk.rows.execute(
        "UPDATE refresh_token SET first_used_at = first_used_at - make_interval(secs => $2)"
        " WHERE digest = $1",
        secrets.digest(case.folk.house.keyring, secrets.REFRESH, token),
        seconds,
    )


class TestPublic:
    async def test_each_use_gives_the_next_one(self, native: Case) -> None:
        token, access = await native.refresh_token(), ""
        for _ in range(3):
            reply = await native.folk.refresh(native.application, token)
            assert reply.status_code == 200, reply.text
            assert set(reply.json()) == {
                "access_token", "token_type", "expires_in", "scope", "refresh_token",
            }  # fmt: skip
            assert reply.json()["refresh_token"] != token
            token, access = reply.json()["refresh_token"], reply.json()["access_token"]
        assert (await native.folk.whoami(access)).status_code == 200

    async def test_the_next_one_ends_with_the_grant(self, native: Case) -> None:
        token = await native.refresh_token()
        await native.folk.refresh(native.application, token)
        found = await native.folk.rows.fetch(
            "SELECT t.ends_at = g.ends_at AS same, t.idle_until < t.ends_at AS idle"
            " FROM refresh_token t JOIN oauth_grant g ON g.id = t.grant_id"
            " WHERE t.grant_id = $1 AND t.first_used_at IS NULL",
            native.grant_id,
        )
        assert [tuple(row) for row in found] == [(True, True)]

    async def test_who_never_got_his_answer_asks_again_twice(self, native: Case) -> None:
        token = await native.refresh_token()
        replies = [await native.folk.refresh(native.application, token) for _ in range(3)]
        assert [reply.status_code for reply in replies] == [200, 200, 200]
        assert len({reply.json()["refresh_token"] for reply in replies}) == 3
        assert await native.folk.revoked(native.grant_id) is None

    async def test_a_fourth_use_ends_the_family(self, native: Case) -> None:
        token = await native.refresh_token()
        replies = [await native.folk.refresh(native.application, token) for _ in range(4)]
        refused(replies[3], "invalid_grant")
        assert await native.folk.revoked(native.grant_id) == "refresh_reused"
        for reply in replies[:3]:
            again = await native.folk.refresh(native.application, reply.json()["refresh_token"])
            refused(again, "invalid_grant")
            assert (await native.folk.whoami(reply.json()["access_token"])).status_code == 401

    async def test_after_the_grace_a_second_use_ends_the_family(self, native: Case) -> None:
        token = await native.refresh_token()
        await native.folk.refresh(native.application, token)
        await age(native, token, 21)
        refused(await native.folk.refresh(native.application, token), "invalid_grant")
        assert await native.folk.revoked(native.grant_id) == "refresh_reused"

    async def test_a_use_within_the_grace_does_not_lengthen_it(self, native: Case) -> None:
        token = await native.refresh_token()
        await native.folk.refresh(native.application, token)
        await age(native, token, 15)
        assert (await native.folk.refresh(native.application, token)).status_code == 200
        await age(native, token, 6)
        refused(await native.folk.refresh(native.application, token), "invalid_grant")
        assert await native.folk.revoked(native.grant_id) == "refresh_reused"

    async def test_a_refused_scope_uses_nothing_up(self, native: Case) -> None:
        token = await native.refresh_token()
        for _ in range(4):
            reply = await native.folk.refresh(native.application, token, scope="orders:write")
            refused(reply, "invalid_scope")
        assert (await native.folk.refresh(native.application, token)).status_code == 200

    async def test_of_eight_at_once_three_get_a_sibling_and_the_family_ends(
        self, native: Case
    ) -> None:
        folk = native.folk
        for _ in range(ROUNDS):
            grant = await folk.grant(native.application, native.person, native.standing)
            token = await folk.refresh_token(native.application, grant)
            send = partial(folk.refresh, native.application, token)
            replies = await folk.at_once(send)
            good = [reply.json() for reply in replies if reply.status_code == 200]
            bad = [reply.json()["error"] for reply in replies if reply.status_code == 400]
            assert (len(good), bad) == (3, ["invalid_grant"] * (AT_ONCE - 3))
            assert await folk.revoked(grant) == "refresh_reused"
            for body in good:
                assert (await folk.whoami(body["access_token"])).status_code == 401
            await folk.rows.execute("DELETE FROM failure_count")


class TestConfidential:
    async def test_the_same_token_goes_on(self, web: Case) -> None:
        token = await web.refresh_token()
        for _ in range(5):
            reply = await web.folk.refresh(web.application, token)
            assert reply.status_code == 200, reply.text
            assert "refresh_token" not in reply.json()
        assert await web.folk.revoked(web.grant_id) is None

    async def test_each_use_lets_it_live_30_days_more_but_not_past_its_end(self, web: Case) -> None:
        async def left(token: str) -> tuple[timedelta, bool]:
            row = await web.folk.row(
                "SELECT idle_until - now() AS idle, idle_until = ends_at AS last"
                " FROM refresh_token WHERE digest = $1",
                secrets.digest(web.folk.house.keyring, secrets.REFRESH, token),
            )
            return row["idle"], row["last"]

        day = timedelta(days=1)
        token = await web.folk.refresh_token(web.application, web.grant_id, idle=day)
        await web.folk.refresh(web.application, token)
        idle, last = await left(token)
        assert timedelta(days=29) < idle <= timedelta(days=30)
        assert not last
        late = await web.folk.refresh_token(web.application, web.grant_id, idle=day, ends=2 * day)
        await web.folk.refresh(web.application, late)
        assert (await left(late))[1]


class TestRefusals:
    async def test_another_client_gets_nothing_and_changes_nothing(self, case: Case) -> None:
        token = await case.refresh_token()
        for kind in ("web", "native"):
            other = await case.folk.application(kind=kind)
            for _ in range(4):
                refused(await case.folk.refresh(other, token), "invalid_grant")
        assert await case.folk.revoked(case.grant_id) is None
        assert (await case.folk.refresh(case.application, token)).status_code == 200
        assert await case.folk.revoked(case.grant_id) is None

    @pytest.mark.parametrize("what", ["user", "membership", "tenant", "client"])
    async def test_who_is_no_longer_active_gets_nothing(self, case: Case, what: str) -> None:
        token = await case.refresh_token()
        assert (await case.folk.refresh(case.application, token)).status_code == 200
        await deactivate(case, what)
        reply = await case.folk.refresh(case.application, token)
        refused(reply, "invalid_client" if what in {"tenant", "client"} else "invalid_grant")

    async def test_staff_who_is_no_longer_active_gets_nothing(self, folk: Folk) -> None:
        application = await folk.application(kind="native", scopes=["offline_access", "usage:read"])
        person = await folk.person()
        standing = await folk.staff(person)
        grant = await folk.grant(
            application, person, standing, scopes=["offline_access", "usage:read"]
        )
        token = await folk.refresh_token(application, grant)
        reply = await folk.refresh(application, token)
        assert reply.status_code == 200, reply.text
        assert "tid" not in parts(reply.json()["access_token"])[1]
        await folk.rows.execute("UPDATE staff SET active = false WHERE id = $1", standing.staff_id)
        token = reply.json()["refresh_token"]
        refused(await folk.refresh(application, token), "invalid_grant")

    async def test_a_place_given_to_another_person_is_no_longer_his(self, case: Case) -> None:
        token = await case.refresh_token()
        other = await case.folk.person()
        await case.folk.rows.execute(
            "UPDATE membership SET user_id = $1 WHERE id = $2",
            other.user_id,
            case.standing.membership_id,
        )
        refused(await case.folk.refresh(case.application, token), "invalid_grant")

    @pytest.mark.parametrize("which", ["idle", "ends"])
    async def test_one_past_its_end_is_refused_and_ends_nothing(
        self, case: Case, which: str
    ) -> None:
        past = {which: timedelta(seconds=-1)}
        token = await case.folk.refresh_token(case.application, case.grant_id, **past)
        refused(await case.folk.refresh(case.application, token), "invalid_grant")
        assert await case.folk.revoked(case.grant_id) is None

    async def test_one_of_a_grant_past_its_end_is_refused(self, case: Case) -> None:
        grant = await case.folk.grant(
            case.application, case.person, case.standing, ends_in=timedelta(seconds=-1)
        )
        token = await case.folk.refresh_token(case.application, grant)
        refused(await case.folk.refresh(case.application, token), "invalid_grant")

    @pytest.mark.parametrize("token", ["", "x", "é" * 40])
    async def test_what_is_no_token_is_refused(self, case: Case, token: str) -> None:
        reply = await case.folk.refresh(case.application, token)
        refused(reply, "invalid_grant" if token else "invalid_request")

    async def test_a_code_is_no_refresh_token(self, case: Case) -> None:
        refused(await case.folk.refresh(case.application, await case.code()), "invalid_grant")

    async def test_it_ends_when_the_client_may_no_longer_stay(self, case: Case) -> None:
        token = await case.refresh_token()
        await case.folk.rows.execute(
            "UPDATE oauth_client SET scopes = '{openid,usage:read}' WHERE id = $1",
            case.application.id,
        )
        refused(await case.folk.refresh(case.application, token), "invalid_grant")


class TestScope:
    async def test_a_token_may_hold_less_and_the_next_one_all_again(self, case: Case) -> None:
        token = await case.refresh_token()
        reply = await case.folk.refresh(case.application, token, scope="usage:read")
        assert reply.json()["scope"] == "usage:read"
        assert parts(reply.json()["access_token"])[1]["scope"] == "usage:read"
        token = reply.json().get("refresh_token", token)
        reply = await case.folk.refresh(case.application, token)
        assert reply.json()["scope"] == "offline_access openid usage:read"

    @pytest.mark.parametrize(
        "scope",
        [
            "orders:write",
            "usage:read profile",
            "USAGE:READ",
            "usage:read ",
            "usage:read\u00a0",
            "*",
        ],
    )
    async def test_more_than_was_granted_is_refused(self, case: Case, scope: str) -> None:
        token = await case.refresh_token()
        refused(await case.folk.refresh(case.application, token, scope=scope), "invalid_scope")

    async def test_a_role_that_changed_counts_at_once(self, case: Case) -> None:
        token = await case.refresh_token()
        await case.folk.rows.execute(
            "UPDATE membership SET role = 'viewer' WHERE id = $1", case.standing.membership_id
        )
        reply = await case.folk.refresh(case.application, token)
        assert parts(reply.json()["access_token"])[1]["role"] == "isv_viewer"
