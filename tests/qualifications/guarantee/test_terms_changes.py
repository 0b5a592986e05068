"""Changes of a programme's terms are recorded, never dated back, and seen by both sides."""

from tests.api.support import World
from tests.candidates.factory import site

DESCRIPTION = {"description": "Certification costs 900 EUR a year."}


class TestTermsChanges:
    async def test_isv_and_lead_record_them_and_both_see_them(self, world: World) -> None:
        place = await site(world)
        path = f"/v1/programmes/{place.campaign['programme_id']}/terms-changes"
        first = await place.isv.client.made(path, DESCRIPTION)
        assert first["recorded_by"] == f"client:{place.isv.client.client_id}"
        assert first["programme_id"] == place.campaign["programme_id"]
        await place.advance(days=1)
        second = await place.lead.made(path, DESCRIPTION)
        assert second["recorded_by"] == f"staff:{place.lead_staff.id}"
        listed = await place.isv.client.read(path)
        assert listed["data"] == [first, {**second, "recorded_by": None}]
        page = await place.lead.read(path, params={"limit": 1})
        rest = await place.lead.read(path, params={"limit": 1, "cursor": page["next_cursor"]})
        assert [page["data"], rest["data"]] == [[first], [second]]

    async def test_one_is_not_dated_back(self, world: World) -> None:
        place = await site(world)
        path = f"/v1/programmes/{place.campaign['programme_id']}/terms-changes"
        body = {**DESCRIPTION, "changed_at": "2026-01-01T00:00:00Z"}
        assert (await place.isv.client.post(path, body)).status_code == 422

    async def test_a_foreign_programme_is_none(self, world: World) -> None:
        place, other = await site(world), await world.isv()
        path = f"/v1/programmes/{place.campaign['programme_id']}/terms-changes"
        assert (await other.client.post(path, DESCRIPTION)).status_code == 404
        assert (await other.client.get(path)).status_code == 404
        assert not (await place.isv.client.read(path))["data"]
