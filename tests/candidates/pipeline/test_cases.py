"""What a qualification rests on: the case, the decision and the move, entry and all."""

from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from flatbed.app.candidates.models import Candidate, TenantCompany
from flatbed.app.candidates.pipeline.cases import UnlinkedCompanyError, decide, open_case
from flatbed.app.candidates.pipeline.errors import PROBLEMS, EntryHeldError
from flatbed.app.candidates.pipeline.moves import move
from flatbed.app.candidates.pipeline.waiting import waiting_times
from flatbed.app.candidates.rules.pipeline import RefusalCode, Submit, voided
from flatbed.app.candidates.rules.snapshot import Waiting
from flatbed.app.candidates.rules.touches import Provenance, Side, Touch, TouchClass
from flatbed.billing.facade import Caps, UsageRequest, record_usage, reverse_usage
from flatbed.tenants.kit.clock import Clock
from flatbed.tenants.kit.database.session import TenantSession
from flatbed.tenants.kit.ids import uuid7
from tests.api.support import World
from tests.candidates.factory import CALLER, Site, site


def transaction(place: Site) -> AbstractAsyncContextManager[TenantSession]:
    return place.world.program.database.tenant(
        realm_id=place.world.realm_id,
        tenant_id=place.isv.tenant_id,
        caller=CALLER,
        clock=Clock().at(place.now()),
    )


async def qualify(session: TenantSession, candidate_id: UUID) -> str:
    """As the slice above does it: decide, meter, move. Returns the unit key."""
    case = await open_case(session, candidate_id)
    decided = decide(session, case, Submit())
    assert decided.meters
    recorded = await record_usage(
        session,
        UsageRequest(
            source="qual",
            source_id=uuid7(),
            campaign_ref=case.campaign.id,
            programme_ref=case.campaign.programme_id,
            price_ref=uuid7(),
            unit_keys=case.unit_keys,
            unit_price=450_000,
            currency="EUR",
            caps=Caps(),
            evidence_hash="0" * 64,
            occurred_at=session.now(),
            zone=case.organization.zone,
        ),
    )
    case.candidate.entry_id = recorded.entry_id
    await move(session, case, decided)
    return case.unit_keys[0]


class TestQualifiedCandidates:
    async def test_leaving_qualified_keeps_the_entry_and_coming_back_meters_nothing(
        self, world: World
    ) -> None:
        worked = await (await site(world)).found()
        place = worked.site
        await worked.to("business_planning")
        for _ in range(2):
            await place.advance(days=4)
            await worked.touch("P2", text="We have trained the first two.")
        dry = await worked.gates("qualified")
        assert (dry["passed"], dry["refusal"]) == (True, None), dry
        async with transaction(place) as session:
            await qualify(session, worked.uuid)
        [row] = await place.rows(Candidate, Candidate.id == worked.uuid)
        assert (row.stage, row.entry_id is None) == ("qualified", False)
        entry_id = row.entry_id

        await worked.moved("business_planning", reason="The board thinks again.")
        [row] = await place.rows(Candidate, Candidate.id == worked.uuid)
        assert row.entry_id == entry_id
        async with transaction(place) as session:
            case = await open_case(session, worked.uuid)
            with pytest.raises(EntryHeldError):
                decide(session, case, Submit())
        assert (await worked.gates())["refusal"] is None
        await worked.moved("qualified")
        answer = await worked.move("contracted")
        assert (answer.status_code, answer.json()["code"]) == (409, "gate-failed")

        async with transaction(place) as session:
            case = await open_case(session, worked.uuid)
            fallen = voided(case.snapshot, case.rubric, "dispute", session.now())
            assert fallen is not None
            zone = case.organization.zone
            await reverse_usage(session, entry_id, reason="dispute", zone=zone)
            case.candidate.entry_id = None
            await move(session, case, fallen)
        assert (await worked.read())["stage"] == "business_planning"
        answer = await worked.move("qualified")
        assert (answer.status_code, answer.json()["code"]) == (409, "qualification-required")

    async def test_a_candidate_whose_company_nobody_linked_is_not_judged(
        self, world: World
    ) -> None:
        place = await site(world)
        known = await place.found()
        now, company_id, candidate_id = place.now(), uuid7(), uuid7()
        times = {"created_at": now, "updated_at": now}
        async with transaction(place) as session:
            campaign = (await open_case(session, known.uuid)).campaign
            session.add(
                TenantCompany(
                    tenant_id=place.isv.tenant_id,
                    id=company_id,
                    name="Nobody",
                    domain=f"{company_id.hex}.example",
                    **times,
                )
            )
            await session.flush()
            session.add(
                Candidate(
                    tenant_id=place.isv.tenant_id,
                    id=candidate_id,
                    campaign_id=campaign.id,
                    company_id=company_id,
                    programme_id=campaign.programme_id,
                    source="import",
                    stage="identified",
                    status="active",
                    stage_entered_at=now,
                    **times,
                )
            )
        with pytest.raises(UnlinkedCompanyError):
            async with transaction(place) as session:
                await open_case(session, candidate_id)


class TestProblems:
    def test_every_refusal_of_the_rules_has_a_problem_of_its_code(self) -> None:
        assert set(PROBLEMS) == set(RefusalCode)
        assert all(problem.code == code.value for code, problem in PROBLEMS.items())


class TestWaiting:
    def test_the_partner_waits_until_the_isvs_first_answer_to_his_word(self) -> None:
        """Not counting time in which the partner waits for the ISV."""
        asked = touch(1, Side.PARTNER, TouchClass.P2)
        unanswered = touch(2, Side.PARTNER, TouchClass.P3)
        ours = touch(3, Side.AGENCY, TouchClass.ANSWER, in_reply_to=asked.id)
        first = touch(5, Side.ISV, TouchClass.ANSWER, in_reply_to=asked.id)
        second = touch(9, Side.ISV, TouchClass.ANSWER, in_reply_to=asked.id)
        unasked = touch(9, Side.ISV, TouchClass.PUSH)
        touches = (second, unasked, first, ours, unanswered, asked)
        assert waiting_times(touches) == (Waiting(asked.occurred_at, first.occurred_at),)


START = datetime(2026, 1, 5, 9, tzinfo=UTC)


def touch(day: int, side: Side, cls: TouchClass, *, in_reply_to: UUID | None = None) -> Touch:
    return Touch(
        id=uuid7(),
        side=side,
        proposed=cls,
        occurred_at=START + timedelta(days=day),
        provenance=Provenance.SYSTEM,
        contact_id=None,
        c_level=False,
        channel="email",
        elicited_by=None,
        unrequested_ask=False,
        in_reply_to=in_reply_to,
    )
