"""The state of an entry is derived, in Python and in SQL alike."""

from uuid import UUID

import pytest

from flatbed.billing.facade import reverse_usage
from flatbed.billing.usage.repository import ledger, reports
from flatbed.billing.usage.states import Decision, UsageState, usage_state
from tests.billing.world import BERLIN, World

CASES = [
    ([], UsageState.PENDING),
    ([Decision.ACCEPTED], UsageState.ACCEPTED),
    ([Decision.DISPUTED], UsageState.DISPUTED),
    ([Decision.DISPUTED, Decision.CONFIRMED], UsageState.ACCEPTED),
    ([Decision.DISPUTED, Decision.WITHDRAWN], UsageState.PENDING),
    ([Decision.DISPUTED, Decision.WITHDRAWN, Decision.ACCEPTED], UsageState.ACCEPTED),
    ([Decision.DISPUTED, Decision.WRITTEN_OFF], UsageState.WRITTEN_OFF),
]


class TestUsageState:
    @pytest.mark.parametrize(("decisions", "state"), CASES)
    def test_the_last_decision_makes_the_state(
        self, decisions: list[Decision], state: UsageState
    ) -> None:
        assert usage_state(decisions, is_reversed=False) is state
        assert usage_state(decisions, is_reversed=True) is UsageState.CANCELLED
        assert usage_state(decisions, is_reversed=False, is_billed=True) is UsageState.BILLED
        assert usage_state(decisions, is_reversed=True, is_billed=True) is UsageState.REVERSED

    async def test_reports_derive_the_same_in_sql(self, world: World, isv: UUID) -> None:
        wanted = {}
        for decisions, state in CASES:
            for voided in (False, True):
                entry = await world.meter(isv)
                async with world.at(isv) as session:
                    for decision in decisions:
                        await ledger.add_decision(session, entry.entry_id, decision, "person", "x")
                    if voided:
                        await reverse_usage(session, entry.entry_id, reason="x", zone=BERLIN)
                wanted[entry.entry_id] = UsageState.CANCELLED if voided else state
        async with world.reading(isv) as session:
            rows = await reports.all_lines(session, reports.Filters(), 100)
        assert {row["id"]: UsageState(row["state"]) for row in rows} == wanted
        assert len(rows) == 2 * len(CASES)
