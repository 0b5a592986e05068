"""Rest and waking: by a person, and by the wake date at its own instant."""

from datetime import datetime, timedelta

from flatbed.app.candidates.models import Transition
from tests.api.support import World
from tests.candidates.factory import Worked, site


async def resting(world: World, days: float = 10) -> tuple[Worked, datetime]:
    """A candidate whom nobody may lawfully write to, put to rest."""
    worked = await (await site(world)).found()
    await worked.record("contacts", name="A. Person")
    until = worked.site.now() + timedelta(days=days)
    answer = await worked.patch(nurture={"until": until.isoformat()})
    assert answer.status_code == 200, answer.text
    return worked, until


class TestNurture:
    async def test_a_wake_date_puts_the_candidate_to_rest_beside_its_stage(
        self, world: World
    ) -> None:
        """A status beside the stage."""
        worked, until = await resting(world)
        candidate = await worked.read()
        assert (candidate["stage"], candidate["status"]) == ("identified", "nurture")
        assert datetime.fromisoformat(candidate["nurture"]["until"]) == until
        due = await worked.site.open_deadlines(worked.id)
        assert [(one.kind, one.due_at) for one in due] == [("nurture_wake", until)]
        answer = await worked.move("profiled")
        assert (answer.status_code, answer.json()["code"]) == (409, "candidate-in-nurture")

    async def test_nurture_needs_a_date_within_180_days_or_a_trigger(self, world: World) -> None:
        """Wake date ≤ 180 days."""
        worked = await (await site(world)).found()
        await worked.record("contacts", name="A. Person")
        answer = await worked.patch(nurture={})
        assert (answer.status_code, answer.json()["code"]) == (422, "wake-required")
        for days in (-1, 181):
            until = (worked.site.now() + timedelta(days=days)).isoformat()
            answer = await worked.patch(nurture={"until": until})
            assert (answer.status_code, answer.json()["code"]) == (422, "wake-date-out-of-range")
        answer = await worked.patch(nurture={"trigger": "Their new CEO starts."})
        assert answer.status_code == 200
        assert answer.json()["nurture"] == {"until": None, "trigger": "Their new CEO starts."}
        assert await worked.site.open_deadlines(worked.id) == []

    async def test_the_guard_applies_while_a_lawful_touch_is_near(self, world: World) -> None:
        """The too-early guard applies."""
        worked = await (await site(world)).found()
        await worked.contact()
        answer = await worked.patch(nurture={"trigger": "Later."})
        assert (answer.status_code, answer.json()["code"]) == (409, "too-early")
        told = {"trigger": "Later.", "override_reason": "They asked for it."}
        assert (await worked.patch(nurture=told)).status_code == 403
        assert (await worked.patch(worked.site.lead, nurture=told)).status_code == 200

    async def test_a_person_wakes_it_and_nothing_stays_due(self, world: World) -> None:
        worked, _ = await resting(world)
        answer = await worked.patch(nurture=None)
        assert answer.status_code == 200, answer.text
        assert (answer.json()["status"], answer.json()["nurture"]) == ("active", None)
        assert await worked.site.open_deadlines(worked.id) == []
        version = await worked.version()
        answer = await worked.patch(nurture=None)
        assert (answer.status_code, await worked.version()) == (200, version)

    async def test_an_exit_ends_the_rest(self, world: World) -> None:
        worked, _ = await resting(world)
        await worked.moved("exited", reason="objection")
        assert await worked.site.open_deadlines(worked.id) == []
        await worked.site.advance(days=11)
        assert (await worked.read())["status"] == "exited"


class TestWaking:
    async def test_the_wake_date_wakes_at_its_own_instant(self, world: World) -> None:
        worked, until = await resting(world)
        await worked.site.advance(days=9)
        assert (await worked.read())["status"] == "nurture"
        await worked.site.advance(days=20)
        assert (await worked.read())["status"] == "active"
        kept = await worked.site.rows(Transition, Transition.candidate_id == worked.uuid)
        woken = next(one for one in kept if one.kind == "wake")
        assert (woken.at, woken.actor) == (until, "system:sweep")
        assert await worked.site.trail(worked.id) == [
            "candidate.created",
            "candidate.nurtured",
            "candidate.woken",
        ]

    async def test_waking_resumes_at_the_highest_stage_whose_gates_still_pass(
        self, world: World
    ) -> None:
        worked = await (await site(world)).found()
        await worked.to("profiled")
        old = (worked.site.now() - timedelta(days=100)).date().isoformat()
        await worked.fact(trigger_on=old)
        await worked.contact(c_level=True)
        await worked.patch(core_argument="Projects alone do not carry your payroll.")
        await worked.moved("targeted")
        until = (worked.site.now() + timedelta(days=120)).isoformat()
        told = {"until": until, "override_reason": "They move house."}
        answer = await worked.patch(worked.site.lead, nurture=told)
        assert answer.status_code == 200, answer.text
        await worked.site.advance(days=121)
        candidate = await worked.read()
        assert (candidate["stage"], candidate["status"]) == ("profiled", "active")

    async def test_one_that_may_not_wake_stays_and_falls_due_to_its_hunter(
        self, world: World
    ) -> None:
        worked, until = await resting(world)
        excluded = {"domain": worked.made["company"]["domain"]}
        await worked.site.isv.client.made("/v1/exclusions", excluded)
        await worked.site.advance(days=11)
        candidate = await worked.read()
        assert candidate["status"] == "nurture"
        assert datetime.fromisoformat(candidate["next_due_at"]) == until
        card = await worked.site.card(worked.id)
        assert card is not None
        assert card.due_at == until
        assert "candidate.wake_refused" in await worked.site.trail(worked.id)

    async def test_a_candidate_put_to_rest_anew_wakes_at_the_later_date(self, world: World) -> None:
        worked, _ = await resting(world, days=5)
        await worked.patch(nurture=None)
        later = worked.site.now() + timedelta(days=50)
        await worked.patch(nurture={"until": later.isoformat()})
        await worked.site.advance(days=10)
        assert (await worked.read())["status"] == "nurture"
