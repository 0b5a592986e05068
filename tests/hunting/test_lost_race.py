"""An assignment that another transaction made since we looked."""

from typing import Any

import pytest

from flatbed.app.hunting import repository
from tests.api.support import World
from tests.candidates.factory import site

PATH = "/v1/assignments"


class TestLostRace:
    async def test_the_loser_is_told_and_leaves_nothing(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Both have looked before either wrote: made sure of here, by luck in a real race."""

        async def nobody(*_: object, **__: object) -> None:
            return None

        place = await site(world)
        hunter = await world.staff("hunter", new=True)
        body: dict[str, Any] = {
            "kind": "sourcing",
            "staff_id": hunter.id,
            "campaign_id": place.campaign["id"],
        }
        await place.lead.made(PATH, body)
        before = await place.lead.read(PATH)
        monkeypatch.setattr(repository, "live", nobody)
        answer = await place.lead.post(PATH, body, key="k")
        assert (answer.status_code, answer.json()["code"]) == (409, "already-assigned")
        assert await place.lead.read(PATH) == before
        monkeypatch.undo()
        again = await place.lead.post(PATH, body, key="k")
        assert (again.status_code, again.json()["code"]) == (409, "already-assigned")
        assert "idempotent-replayed" not in again.headers
