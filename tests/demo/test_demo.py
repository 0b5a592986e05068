"""The demo, played in process over the real application on a database of its own."""

import asyncio
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
from flatbed.app.demo.books import agree
from flatbed.app.demo.cast import Cast
from flatbed.app.demo.client import DemoError
from flatbed.app.demo.closing import close_month, everything, reports, withdraw
from flatbed.app.demo.payers import prefix_of
from flatbed.app.demo.run import administration
from flatbed.app.demo.seed import Size, seed
from flatbed.app.demo.story import Played, play
from flatbed.app.demo.teller import Teller
from flatbed.app.worker import run_worker
from tests.api.support import BASE_URL, new_world
from tests.support.postgres import TestDatabase

# Its worker does all that waits, also for what other tests have left.
pytestmark = pytest.mark.own_database

GOLDEN_FILE = Path(__file__).parents[1] / "golden" / "timeline.json"
SMALL = Size(companies=9, untouched=2, groups=1, twins=1, days=45)


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


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def show(database: TestDatabase) -> AsyncIterator[Show]:
    """A small world, seeded, and the story played in it, once for all that look at it."""
    async with new_world(database) as world:
        admin = world.admin
        client = administration(
            world.http, admin.client_id, admin.secret, tuple(sorted(admin.scopes))
        )
        cast, teller = Cast(world.http, world.realm, client), new_teller()
        stop = asyncio.Event()
        worker = asyncio.create_task(run_worker(world.program, stop))
        made = await seed(cast, teller, SMALL)
        played = await play(cast, teller, made.objects(), base_url=BASE_URL)
        yield Show(cast, teller, made.objects(), played, dict(made.stages))
        stop.set()
        await worker


@pytest.mark.asyncio(loop_scope="module")
class TestStory:
    async def test_it_bills_two_accepted_units_and_one_reversed(self, show: Show) -> None:
        usage, preview = show.played.usage, show.played.preview
        states = sorted(line["state"] for line in usage["data"])
        assert states == ["accepted", "accepted", "cancelled"]
        [draft] = preview["statements"]
        assert (draft["currency"], draft["units"], draft["total"]) == ("EUR", 2, 900_000)
        assert len(draft["lines"]) == 2
        ended = {unit.letter: unit.state for unit in show.played.units}
        assert ended == {"A": "accepted", "B": "cancelled", "C": "accepted"}
        assert show.played.units[0].msi == pytest.approx(GOLDEN_MSI[36], abs=0.01)

    async def test_the_evidence_of_each_line_opens_and_is_what_was_billed(self, show: Show) -> None:
        isv = show.cast.isvs[0]
        for line in (*show.played.usage["data"], *show.played.preview["statements"][0]["lines"]):
            answer = await isv.client.send("GET", line["dossier"])
            assert answer.status_code == 200
            assert answer.json()["dossier_hash"] == line["dossier_hash"]

        tables.owed(show.teller, show.played, BASE_URL)
        for unit in show.played.units:
            assert unit.dossier.startswith(f"{BASE_URL}/v1/qualifications/qual_")
            assert unit.dossier in show.told
        assert "9,000.00 EUR" in show.told

    async def test_refusals_are_told_with_the_criteria_that_failed(self, show: Show) -> None:
        assert show.played.failing == ["discovering.own_words", "discovering.msi"]
        assert {"qualified.msi", "qualified.proactive", "qualified.committing"} <= set(
            show.played.far_from_qualified
        )
        for word in (*show.played.failing, "gate-failed", "over_cap", "decider-involved"):
            assert word in show.told

    async def test_its_month_is_closed_credited_and_without_findings(self, show: Show) -> None:
        """Nobody collects here: see test_run.py for the other side."""
        organization = show.objects["offerings"][0]["organization"]
        month = await close_month(show.cast, show.teller, show.played, organization, None)
        assert month.invoice["number"] == f"{prefix_of(show.cast.realm)}000001"
        figures = ("net", "tax", "gross", "tax_category", "tax_rate")
        assert tuple(month.invoice[name] for name in figures) == (
            *(900_000, 171_000, 1_071_000),
            *("S", 1900),
        )
        units = {unit.qualification for unit in show.played.units if unit.state == "accepted"}
        assert {line["qualification_id"] for line in month.lines} == units
        assert month.collection["state"] == "not_collected"

        first = show.played.units[0]
        case, credit = await withdraw(show.cast, show.teller, first, month, None)
        assert (case["status"], case["percent"]) == ("credited", 50)
        assert credit.invoice["kind"] == "credit_note"
        assert credit.invoice["corrects_id"] == month.invoice["id"]
        assert tuple(credit.invoice[name] for name in figures[:3]) == (225_000, 42_750, 267_750)

        found = await everything(show.cast, None)
        assert [one.invoice["id"] for one in found] == [month.invoice["id"], credit.invoice["id"]]
        compared = await reports(show.cast, found)
        assert [report["open_findings"] for _, report in compared] == [0] * 6

    async def test_what_does_not_agree_is_told_with_both_figures(self) -> None:
        with pytest.raises(DemoError, match=r"total of R-1: 100 here, 99 there"):
            agree("total of R-1", 100, 99)

    @pytest.mark.long
    async def test_it_can_be_played_again_in_the_same_realm(self, show: Show) -> None:
        again = await play(show.cast, show.teller, show.objects, earlier=1, base_url=BASE_URL)
        assert again.campaign != show.played.campaign
        assert len(again.usage["data"]) == 3


@pytest.mark.asyncio(loop_scope="module")
class TestRecord:
    async def test_the_file_has_its_shape_and_opens_the_realm_again(
        self, show: Show, tmp_path: Path
    ) -> None:
        objects = {**show.objects, "stories": [show.played.objects()]}
        file = record.write(tmp_path / "var", record.contents(BASE_URL, show.cast, objects))
        assert file.name == "demo.json"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert [one.name for one in file.parent.iterdir()] == ["demo.json"]

        found = json.loads(file.read_text(encoding="utf-8"))
        assert set(found) == {"base_url", "realm", "stripe", "clients", "objects"}
        # The administration, 16 of the agency; 8 users of 6 ISVs, 2 integrations, the mail path.
        assert len(found["clients"]) == 1 + 16 + 8 + 3
        for client in found["clients"]:
            assert set(client) == {"name", "client_id", "client_secret", "owner", "scopes"}
            assert client["client_secret"]
            assert client["scopes"]

        cast = record.reopened(show.cast.http, record.read(tmp_path / "var"))
        assert [one.name for one in cast.staff] == [one.name for one in show.cast.staff]
        for again, isv in zip(cast.isvs, show.cast.isvs, strict=True):
            assert again.integration.tenant == isv.integration.tenant
            assert [one.name for one in again.users] == [one.name for one in isv.users]
        usage = await cast.isvs[0].client.get("/v1/usage")
        assert len(usage["data"]) >= 3

    async def test_the_seeded_world_is_what_was_asked_for(self, show: Show) -> None:
        assert len(show.cast.isvs) == 6
        assert len(show.objects["campaigns"]) == 9
        assert len(show.objects["companies"]) == 9
        assert len(show.objects["candidates"]) == 5
        assert show.objects["touchpoints"] > 20
        assert sum(show.stages.values()) == 5

    async def test_a_missing_or_strange_file_is_named(self, tmp_path: Path) -> None:
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
