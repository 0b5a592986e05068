"""The demo, played in process over the real application on a database of its own."""

import io
import json
import stat
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from rich.console import Console

from flatbed.app.demo import record, tables
from flatbed.app.demo.behaviours import GOLDEN, GOLDEN_MSI, Behaviour, Via, mixed
from flatbed.app.demo.cast import Cast
from flatbed.app.demo.client import Client, DemoError
from flatbed.app.demo.seed import Size, seed
from flatbed.app.demo.story import Played, play
from flatbed.app.demo.teller import Teller
from tests.api.support import BASE_URL, World

GOLDEN_FILE = Path(__file__).parents[1] / "golden" / "timeline.json"
SMALL = Size(companies=9, untouched=2, groups=1)


@dataclass
class Show:
    """A demo that was played, and what was seen of it."""

    cast: Cast
    teller: Teller
    objects: dict[str, Any]
    played: Played
    stages: dict[str, int]

    @property
    def told(self) -> str:
        """All that was printed."""
        assert isinstance(self.teller.console.file, io.StringIO)
        return self.teller.console.file.getvalue()


def new_teller() -> Teller:
    """One that keeps what it tells."""
    return Teller(Console(file=io.StringIO(), width=200))


@pytest_asyncio.fixture
async def show(world: World) -> AsyncIterator[Show]:
    """A small world, seeded, and the story played in it."""
    admin = world.admin
    owner = {"kind": "agency"}
    client = Client(
        world.http, "Administration", admin.client_id, admin.secret, owner, tuple(admin.scopes)
    )
    cast, teller = Cast(world.http, world.realm, client), new_teller()
    made = await seed(cast, teller, SMALL)
    played = await play(cast, teller, made.objects(), base_url=BASE_URL)
    yield Show(cast, teller, made.objects(), played, dict(made.stages))


class TestStory:
    async def test_it_bills_two_accepted_units_and_one_reversed(self, show: Show) -> None:
        usage, preview = show.played.usage, show.played.preview
        assert sorted(line["state"] for line in usage["data"]) == [
            "accepted",
            "accepted",
            "reversed",
        ]
        assert len(preview["lines"]) == 2
        assert preview["totals"] == [{"currency": "EUR", "units": 2, "amount": 900_000}]
        assert {unit.letter: unit.state for unit in show.played.units} == {
            "A": "accepted",
            "B": "reversed",
            "C": "accepted",
        }

        isv = show.cast.isvs[0]
        for line in (*usage["data"], *preview["lines"]):
            answer = await isv.client.send("GET", line["dossier"])
            assert answer.status_code == 200
            assert answer.json()["dossier_hash"] == line["dossier_hash"]

        assert set(show.played.failing) == {"discovering.msi", "discovering.own_words"}
        assert {"qualified.msi", "qualified.proactive", "qualified.committing"} <= set(
            show.played.far_from_qualified
        )
        for criterion in show.played.failing:
            assert criterion in show.told
        assert "cap-reached" in show.told
        assert "decider-involved" in show.told
        assert show.played.units[0].msi == pytest.approx(GOLDEN_MSI[36], abs=0.01)

        tables.owed(show.teller, show.played, BASE_URL)
        for unit in show.played.units:
            assert unit.dossier in show.told
            assert unit.dossier.startswith(f"{BASE_URL}/v1/qualifications/qual_")
        assert "9,000.00 EUR" in show.told

        again = await play(show.cast, show.teller, show.objects, earlier=1, base_url=BASE_URL)
        assert again.campaign != show.played.campaign
        assert len(again.usage["data"]) == 3


class TestSeed:
    async def test_the_small_world_is_what_was_asked_for(self, show: Show) -> None:
        assert len(show.cast.isvs) == 3
        assert len(show.objects["campaigns"]) == 4
        assert len(show.objects["companies"]) == 9
        assert len(show.objects["candidates"]) == 5
        assert show.objects["touchpoints"] > 20
        assert sum(show.stages.values()) == 5


class TestRecord:
    async def test_the_file_has_its_shape_and_opens_the_realm_again(
        self, show: Show, tmp_path: Path
    ) -> None:
        objects = {**show.objects, **show.played.objects()}
        file = record.write(tmp_path / "var", record.contents(BASE_URL, show.cast, objects))
        assert file.name == "demo.json"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert [one.name for one in file.parent.iterdir()] == ["demo.json"]

        found = json.loads(file.read_text(encoding="utf-8"))
        assert set(found) == {"base_url", "realm", "clients", "objects"}
        assert len(found["clients"]) == 1 + 8 + 2 * 3
        for client in found["clients"]:
            assert set(client) == {"name", "client_id", "client_secret", "owner", "scopes"}
            assert client["client_secret"]

        cast = record.reopened(show.cast.http, record.read(tmp_path / "var"))
        assert [one.name for one in cast.staff] == [one.name for one in show.cast.staff]
        usage = await cast.isvs[0].client.get("/v1/usage")
        assert len(usage["data"]) == 3

    def test_a_missing_or_strange_file_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(DemoError, match="flatbed demo run"):
            record.read(tmp_path)
        (tmp_path / "demo.json").write_text("[]", encoding="utf-8")
        with pytest.raises(DemoError, match="not written by the demo"):
            record.read(tmp_path)


class TestBehaviours:
    def test_the_story_s_candidate_is_the_golden_one(self) -> None:
        golden = json.loads(GOLDEN_FILE.read_text(encoding="utf-8"))
        known = {Via.HUNTER: "attested", Via.SYSTEM: "system"}
        told = [
            {
                "day": beat.day,
                "class": beat.cls,
                "provenance": known.get(beat.via, "attested, audited on day 15"),
            }
            for beat in GOLDEN
        ]
        assert told == golden["touches"]
        assert {row["day"]: row["msi"] for row in golden["msi"]} == GOLDEN_MSI

    def test_behaviours_come_in_their_shares(self) -> None:
        made = mixed(100)
        assert made.count(Behaviour.SELF_DRIVEN) == 15
        assert made.count(Behaviour.REACTIVE) == 45
        assert made.count(Behaviour.PUSHED) == 40
