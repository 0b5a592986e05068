"""Crashes at every failpoint: nothing acknowledged is lost, nothing is done twice, nothing hangs.

The long forms are at the end.
"""

from collections.abc import Mapping
from typing import Final

import pytest

from flatbed.tenants.kit.failpoints import Failpoint
from tests.faults.books import books as compared
from tests.faults.crew import How, Tally, crew_in
from tests.faults.house import House
from tests.faults.places import PLACES

GROUPS: Final[Mapping[str, frozenset[str]]] = {
    "requests": frozenset({"request", "response", "once", "grant", "signing_key", "realm"}),
    "transactions": frozenset({"transaction", "commit", "plane", "audit", "event", "wakeup"}),
    "time": frozenset({"after_commit", "deadline", "clock", "purge"}),
    "worker": frozenset({"poller", "seal", "job", "anchor"}),
    "records": frozenset(
        {"registry", "assignment", "candidate", "touchpoint", "transition", "campaign"}
    ),
    "metering": frozenset({"dossier", "caps", "ledger"}),
    "closing": frozenset({"closing"}),
    "collecting": frozenset({"collection", "inbox"}),
    "waiting": frozenset({"waiting"}),
    "remedies": frozenset({"guarantee", "free_ride"}),
    "credits": frozenset({"remedy"}),
    "decisions": frozenset({"usage", "qualification", "dispute"}),
}
"""Failpoints by the first word of their names."""
IN_A_REALM: Final = 4
"""Failpoints after which a new realm is made: what reconciles reads all that the realm has."""


def group_of(name: str) -> list[Failpoint]:
    return [one for one in Failpoint if one.value.partition(".")[0] in GROUPS[name]]


class TestCrash:
    def test_every_failpoint_has_its_place_and_one_group(self) -> None:
        assert set(PLACES) == set(Failpoint)
        assert len(Failpoint) >= 40
        assert sorted(one for name in GROUPS for one in group_of(name)) == sorted(Failpoint)

    @pytest.mark.timeout(400)
    @pytest.mark.parametrize("group", GROUPS)
    async def test_nothing_is_lost_or_doubled_wherever_it_happens(
        self, house: House, group: str
    ) -> None:
        points, total = group_of(group), Tally()
        for start in range(0, len(points), IN_A_REALM):
            async with crew_in(house) as crew:
                for point in points[start : start + IN_A_REALM]:
                    for how in How:
                        await crew.round(point, how)
                assert await crew.findings(crew.done) == []
                gateway = house.till.gateway()
                books = await compared(crew.program, gateway, crew.admin, crew.realms)
                await gateway.close()
                assert books == []
                total.add(crew.tally)
        assert total.rounds == total.fired == 3 * len(points)
        # While jobs collect, who repeats is Stripe.
        assert total.repeated + (house.till.refused if group == "collecting" else 0) > 0
        assert total.replayed > total.rounds
        assert total.acts >= total.rounds
