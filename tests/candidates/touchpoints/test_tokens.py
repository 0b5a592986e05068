"""What may be said of a touch, on the whole program with real tokens."""

from datetime import timedelta
from zoneinfo import ZoneInfo

from flatbed.tenants.kit.workdays import subtract_business_days
from tests.api.support import World
from tests.candidates.factory import site

BERLIN = ZoneInfo("Europe/Berlin")


class TestTokens:
    async def test_how_we_know_of_a_touch_follows_from_the_token(self, world: World) -> None:
        """Provenance is never sent by the caller.

        What staff log is `attested`; what an integration client with `signals:write` delivers is
        `system`; a lead who is not this candidate's hunter makes a touch `audited`.
        """
        place = await site(world)
        worked = await place.found()
        path = f"{worked.path}/touchpoints"
        integration = await world.integration(place.isv)
        body = {
            "side": "partner",
            "class": "P2",
            "channel": "email",
            "occurred_at": place.now().isoformat(),
        }
        for who in (place.hunter, place.lead, place.isv.client, integration):
            for claim in ("system", "audited"):
                answer = await who.post(path, {**body, "provenance": claim})
                assert answer.status_code == 422
                assert answer.json()["errors"][0]["pointer"] == "/provenance"
        logged = await place.hunter.made(path, body)
        delivered = await integration.made(path, body)
        assert (logged["provenance"], delivered["provenance"]) == ("attested", "system")

        verdict = {"class": "P3", "source_seen": "The mail with its headers."}
        audit = f"/v1/touchpoints/{logged['id']}/audit"
        for who in (place.hunter, place.isv.client, integration):
            assert (await who.post(audit, verdict)).status_code == 403
        heard = await place.lead.made(audit, verdict)
        assert (heard["provenance"], heard["effective_class"]) == ("audited", "P3")

    async def test_a_hunter_dates_back_at_most_five_business_days(self, world: World) -> None:
        """Hunters may date a touch back at most 5 business days."""
        place = await site(world)
        worked = await place.found()
        earliest = subtract_business_days(place.now(), 5, "DE", BERLIN)
        too_far = (earliest - timedelta(hours=1)).isoformat()
        body = {"side": "agency", "class": "push", "channel": "email", "occurred_at": too_far}
        answer = await place.hunter.post(f"{worked.path}/touchpoints", body)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["code"] == "dated-back-too-far"
        body["occurred_at"] = (earliest + timedelta(hours=1)).isoformat()
        await place.hunter.made(f"{worked.path}/touchpoints", body)
