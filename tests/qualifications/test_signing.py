"""Whoever signs with the partner has taken the unit."""

from datetime import timedelta
from typing import Any

from flatbed.app.qualifications.signing import AcceptanceBySigning
from flatbed.tenants.kit.clock import Clock
from tests.api.support import World
from tests.candidates.factory import CALLER, Worked
from tests.qualifications.factory import CALENDAR, Qualified, instant, qualified
from tests.qualifications.test_withdrawal import push


async def sign(worked: Worked) -> dict[str, Any]:
    """The agreement is there, and the hunter moves him."""
    today = worked.site.now().astimezone(CALENDAR.zone).date().isoformat()
    await worked.record("evidence", kind="agreement", signed_on=today, plan_number=1)
    return await worked.moved("contracted")


async def state(one: Qualified) -> tuple[str, str | None]:
    made = await one.read()
    return made["status"], made["accepted_basis"]


class TestSigning:
    async def test_signing_accepts(self, world: World) -> None:
        """Signing accepts."""
        one = await qualified(world)
        moved = await sign(one.worked)
        made = await one.read()
        assert (made["status"], made["accepted_basis"]) == ("accepted", "signing")
        assert made["accepted_at"] == moved["at"]
        assert [line["state"] for line in await one.entries()] == ["accepted"]
        assert (await one.site.isv.client.read(one.site.path))["accepted_count"] == 1
        assert not await one.site.open_deadlines(one.worked.id)
        (event,) = await one.events("usage.accepted")
        assert event["basis"] == "signing"

    async def test_what_is_accepted_already_stays_as_it_is(self, world: World) -> None:
        one = await qualified(world)
        await one.accept()
        await sign(one.worked)
        assert await state(one) == ("accepted", "person")
        assert (await one.site.isv.client.read(one.site.path))["accepted_count"] == 1

    async def test_a_dispute_goes_first(self, world: World) -> None:
        one = await qualified(world)
        await one.disputed()
        await sign(one.worked)
        assert await state(one) == ("disputed", None)
        assert [line["state"] for line in await one.entries()] == ["disputed"]

    async def test_a_review_does_not_hold_it_up(self, world: World) -> None:
        one = await qualified(world)
        await push(one)
        term = instant((await one.read())["accept_by"])
        await one.until(term + timedelta(days=1))
        await sign(one.worked)
        assert await state(one) == ("accepted", "signing")

    async def test_a_term_that_has_ended_is_left_to_silence(self, world: World) -> None:
        """In the moment before its deadline is swept."""
        one = await qualified(world)
        end = instant((await one.read())["accept_by"])
        found = []
        for at in (end, end - timedelta(microseconds=1)):
            async with world.program.database.tenant(
                realm_id=world.realm_id,
                tenant_id=one.site.isv.tenant_id,
                caller=CALLER,
                clock=Clock().at(at),
            ) as session:
                await AcceptanceBySigning().signed(session, one.worked.uuid)
            found.append(await state(one))
        assert found == [("pending", None), ("accepted", "signing")]

    async def test_a_move_that_is_refused_accepts_nothing(self, world: World) -> None:
        one = await qualified(world)
        answer = await one.worked.move("contracted")
        assert answer.json()["code"] == "gate-failed"
        assert await state(one) == ("pending", None)
