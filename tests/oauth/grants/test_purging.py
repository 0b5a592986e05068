"""What of grants is deleted, and when."""

from datetime import timedelta

import pytest

from flatbed.app.worker import purge
from flatbed.tenants.kit.clock import system_now
from tests.oauth.grants.conftest import Case
from tests.oauth.house import House

pytestmark = pytest.mark.own_database

DAY = timedelta(days=1)


class TestPurge:
    async def test_codes_go_a_day_after_their_end(self, web: Case, house: House) -> None:
        for lives in (-DAY - timedelta(minutes=1), -DAY + timedelta(minutes=1), DAY):
            await web.folk.code(web.application, web.person, web.grant_id, lives=lives)
        await purge(house.database)
        count = "SELECT count(*) FROM authorization_code WHERE grant_id = $1"
        assert await web.folk.value(count, web.grant_id) == 2

    async def test_refresh_tokens_go_when_they_lay_idle(self, web: Case, house: House) -> None:
        for idle in (-timedelta(minutes=1), DAY):
            await web.folk.refresh_token(web.application, web.grant_id, idle=idle)
        await purge(house.database)
        count = "SELECT count(*) FROM refresh_token WHERE grant_id = $1"
        assert await web.folk.value(count, web.grant_id) == 1

    async def test_grants_go_180_days_after_their_end(self, web: Case, house: House) -> None:
        folk, ago = web.folk, 180 * DAY
        ended = await folk.grant(web.application, web.person, web.standing, ends_in=-ago - DAY)
        lately = await folk.grant(web.application, web.person, web.standing, ends_in=-ago + DAY)
        revoked = await folk.grant(web.application, web.person, web.standing)
        await folk.rows.execute(
            "UPDATE oauth_grant SET revoked_at = $2, revoke_reason = 'client' WHERE id = $1",
            revoked,
            system_now() - ago - DAY,
        )
        await purge(house.database)
        left = await folk.rows.fetch(
            "SELECT id FROM oauth_grant WHERE user_id = $1", web.person.user_id
        )
        assert {row["id"] for row in left} == {web.grant_id, lately}
        assert ended not in {row["id"] for row in left}
