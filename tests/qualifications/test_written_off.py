"""A unit that the agency gave up: it counts as any other, and its ledger is not touched again."""

from datetime import timedelta
from typing import Any

import pytest

from flatbed.billing.usage.decisions import write_off
from flatbed.tenants.kit.clock import Clock
from flatbed.tenants.kit.ids import decode
from tests.api.support import World
from tests.candidates.factory import CALLER
from tests.qualifications.factory import Qualified, instant, qualified
from tests.qualifications.test_signing import sign
from tests.qualifications.test_withdrawal import withdraw

USAGE = ("usage.accepted", "usage.confirmed", "usage.withdrawn", "usage.disputed")


async def give_up(one: Qualified) -> None:
    """Finance writes the unit off."""
    entry = decode("use", (await one.read())["entry_id"])
    async with one.site.world.program.database.tenant(
        realm_id=one.site.world.realm_id,
        tenant_id=one.site.isv.tenant_id,
        caller=CALLER,
        clock=Clock().at(one.site.now()),
    ) as session:
        await write_off(session, entry, actor="staff:finance", reason="goodwill")


async def decided(one: Qualified) -> list[dict[str, Any]]:
    """What was decided of the unit's money."""
    return [event for type_ in USAGE for event in await one.events(type_)]


async def counts(one: Qualified, basis: str) -> None:
    """It is accepted as any other, nothing is decided again, and nobody is asked for its money."""
    made = await one.read()
    assert (made["status"], made["accepted_basis"]) == ("accepted", basis)
    assert [line["state"] for line in await one.entries()] == ["written_off"]
    assert (await one.site.isv.client.read(one.site.path))["accepted_count"] == 1
    assert not await one.site.open_deadlines(one.worked.id)


class TestAccept:
    async def test_by_a_person(self, world: World) -> None:
        one = await qualified(world)
        await give_up(one)
        answer = await one.accept()
        assert answer.status_code == 200, answer.text
        await counts(one, "person")
        assert await decided(one) == []

    async def test_by_silence(self, world: World) -> None:
        one = await qualified(world)
        await give_up(one)
        await one.until(instant((await one.read())["accept_by"]))
        await counts(one, "silence")
        assert await decided(one) == []

    async def test_by_signing(self, world: World) -> None:
        one = await qualified(world)
        await give_up(one)
        await sign(one.worked)
        await counts(one, "signing")
        assert await decided(one) == []

    async def test_by_the_decision_of_a_dispute(self, world: World) -> None:
        one = await qualified(world)
        await one.answered()
        before = await decided(one)
        await give_up(one)
        answer = await one.decide("confirmed")
        assert answer.status_code == 200, answer.text
        await counts(one, "decision")
        assert await decided(one) == before


class TestDispute:
    async def test_it_is_voided_as_any_other(self, world: World) -> None:
        one = await qualified(world)
        await one.answered()
        await give_up(one)
        answer = await one.decide("voided")
        assert answer.status_code == 200, answer.text
        assert (await one.read())["status"] == "voided"
        assert {line["state"] for line in await one.entries()} == {"cancelled"}

    async def test_it_is_disputed_and_withdrawn_as_any_other(self, world: World) -> None:
        one = await qualified(world)
        await give_up(one)
        await one.disputed()
        assert (await one.read())["status"] == "disputed"
        answer = await withdraw(one)
        assert answer.status_code == 200, answer.text
        assert (await one.read())["status"] == "pending"
        await one.until(instant((await one.read())["accept_by"]) + timedelta(minutes=1))
        await counts(one, "silence")
        assert await decided(one) == []

    @pytest.mark.parametrize("is_answered", [False, True])
    async def test_given_up_while_disputed_it_is_withdrawn(
        self, world: World, *, is_answered: bool
    ) -> None:
        one = await qualified(world)
        await (one.answered() if is_answered else one.disputed())
        before = await decided(one)
        await give_up(one)
        answer = await withdraw(one)
        assert answer.status_code == 200, answer.text
        assert (await one.read())["status"] == "pending"
        assert [line["state"] for line in await one.entries()] == ["written_off"]
        assert await decided(one) == before
