"""Grants of who has come to a place that asks for a second factor since he let the client in."""

import pytest

from flatbed.tenants.kit.clock import system_now
from flatbed.tenants.kit.ids import encode
from tests.oauth.grants.conftest import Case
from tests.oauth.grants.folk import Folk
from tests.oauth.house import House
from tests.oauth.test_token import refused

SCOPES = ("openid", "offline_access", "registry:read")


class TestPromoted:
    @pytest.mark.parametrize(("acr", "goes_on"), [("pwd", False), ("mfa", True)])
    async def test_what_an_admin_lent_by_password_alone_acts_for_no_admin(
        self, folk: Folk, house: House, acr: str, goes_on: bool
    ) -> None:
        application, person = await folk.application(scopes=SCOPES), await folk.person()
        place = await folk.staff(person, "lead")
        grant = await folk.grant(application, person, place, scopes=SCOPES, acr=acr)
        token = await folk.refresh_token(application, grant)
        issued = (await folk.refresh(application, token)).json()["access_token"]
        assert (await folk.whoami(issued)).status_code == 200
        assert place.staff_id
        changed = await house.change(
            f"/v1/staff/{encode('staff', place.staff_id)}", {"role": "admin"}
        )
        assert changed.status_code == 200
        assert (await folk.whoami(issued)).status_code == (200 if goes_on else 401)
        again = await folk.refresh(application, token)
        if goes_on:
            assert again.status_code == 200
        else:
            refused(again, "invalid_grant")


class TestPolicy:
    async def test_what_an_owner_lent_by_password_alone_ends_with_his_isvs_policy(
        self, web: Case
    ) -> None:
        folk = web.folk
        token = await web.refresh_token()
        issued = (await folk.refresh(web.application, token)).json()["access_token"]
        viewer = await folk.person()
        place = await folk.member(viewer, web.organization, "viewer")
        theirs = await folk.refresh_token(
            web.application, await folk.grant(web.application, viewer, place)
        )
        now = system_now()
        await folk.insert(
            "sign_in_policy",
            realm_id=folk.realm_id,
            tenant_id=web.standing.tenant_id,
            owners_need_totp=True,
            created_at=now,
            updated_at=now,
        )
        assert (await folk.whoami(issued)).status_code == 401
        refused(await folk.refresh(web.application, token), "invalid_grant")
        assert (await folk.refresh(web.application, theirs)).status_code == 200
        await folk.rows.execute("UPDATE oauth_grant SET acr = 'mfa' WHERE id = $1", web.grant_id)
        assert (await folk.whoami(issued)).status_code == 200
