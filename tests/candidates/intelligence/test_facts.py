"""Facts over HTTP: sourced, dated, and only public ones leave the tenant."""

from typing import Any

import pytest
from sqlalchemy import select

from flatbed.app.registry import service as registry
from flatbed.app.registry.models import RegistryFact
from tests.candidates.records_rows import CALLER
from tests.candidates.records_world import NOW, Room, code, places

FACT = {
    "statement": "It opened a branch in Bremen.",
    "source_kind": "press",
    "source_url": "https://news.example/1",
    "provenance": "tenant",
    "observed_on": "2026-03-10",
}


async def published(room: Room) -> list[RegistryFact]:
    """What the registry knows of the candidate's company."""
    async with room.database.agency(
        realm_id=room.realm_id, caller=CALLER, clock=room.ports.clock
    ) as session:
        return list(
            await session.scalars(
                select(RegistryFact).where(RegistryFact.realm_id == room.realm_id)
            )
        )


async def link(room: Room) -> None:
    """Tie the candidate's company to the registry, as sourcing does."""
    company_id = (await room.row()).company_id
    async with room.database.agency(
        realm_id=room.realm_id, caller=CALLER, clock=room.ports.clock
    ) as session:
        await registry.link(
            session,
            tenant_id=room.tenant_id,
            tenant_company_id=company_id,
            domain=f"nordlicht-{company_id.hex[-12:]}.example",
            name="Nordlicht",
            country="DE",
        )


class TestCreateFact:
    async def test_a_fact_is_returned_and_listed(self, room: Room) -> None:
        """Intelligence: a sourced, dated fact about a company."""
        body = FACT | {"attribute": "branches", "value": 3, "angle": "growth"}
        made = await room.hunter.made("facts", body)
        assert made | body == made
        assert made["recorded_by"] == room.hunter.principal.actor
        assert await room.hunter.listed("facts") == [made]
        assert await room.isv.listed("facts") == [made | {"recorded_by": None}]
        ((audit, event),) = await room.trail("fact.recorded")
        assert "Bremen" not in f"{audit.detail}{event.data}"
        assert (await room.row()).updated_at == NOW

    async def test_a_fact_with_a_trigger_dates_an_acute_interest(self, room: Room) -> None:
        """A dated trigger."""
        made = await room.isv.made("facts", FACT | {"trigger_on": "2026-03-01"})
        assert made["trigger_on"] == "2026-03-01"

    async def test_today_is_the_tenants(self, room: Room) -> None:
        """… in the tenant's zone."""
        room.ports.clock = room.ports.clock.at(NOW.replace(hour=23, minute=30))
        await room.hunter.made("facts", FACT | {"observed_on": "2026-03-12"})
        answer = await room.hunter.post("facts", FACT | {"observed_on": "2026-03-13"})
        assert places(answer) == [("/observed_on", "in-the-future")]

    @pytest.mark.parametrize(
        ("change", "pointer"),
        [
            ({"source_kind": "gossip"}, "/source_kind"),
            ({"source_url": "javascript:alert(1)"}, "/source_url"),
            ({"provenance": "secret"}, "/provenance"),
            ({"value": 3}, "/attribute"),
            ({"attribute": "branches"}, "/value"),
            ({"attribute": "branches", "value": {"a": 1}}, "/value"),
            ({"provenance": "public", "source_url": None}, "/source_url"),
            ({"recorded_by": "me"}, "/recorded_by"),
        ],
    )
    async def test_what_breaks_a_rule_is_refused(
        self, room: Room, change: dict[str, Any], pointer: str
    ) -> None:
        answer = await room.hunter.post("facts", FACT | change)
        assert [one for one, _ in places(answer)] == [pointer]

    async def test_a_stranger_finds_no_candidate(self, room: Room) -> None:
        other, _ = await room.foreign()
        assert code(await other.post("facts", FACT)) == (404, "not-found")
        assert code(await other.get("facts")) == (404, "not-found")


class TestPublicFacts:
    async def test_a_public_fact_is_copied_to_the_registry(self, room: Room) -> None:
        """`tenant` and `partner_confidential` facts are tenant rows, `public` ones are copied."""
        await link(room)
        await room.hunter.made("facts", FACT | {"provenance": "public"})
        (copied,) = await published(room)
        assert copied.statement == FACT["statement"]
        assert copied.source_url == FACT["source_url"]

    @pytest.mark.parametrize("provenance", ["tenant", "partner_confidential"])
    async def test_no_other_one_crosses_tenants(self, room: Room, provenance: str) -> None:
        """Only `public` crosses tenants."""
        await link(room)
        await room.hunter.made("facts", FACT | {"provenance": provenance})
        assert await published(room) == []

    async def test_without_a_link_it_stays_here(self, room: Room) -> None:
        await room.hunter.made("facts", FACT | {"provenance": "public"})
        assert await published(room) == []
        assert len(await room.isv.listed("facts")) == 1
