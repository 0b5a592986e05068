"""The worker asks for what Stripe told and nobody has heard."""

from datetime import timedelta

import pytest

from flatbed.app import worker
from flatbed.billing.collection.collector import Collector
from flatbed.billing.gateway.errors import GatewayUnavailable
from flatbed.billing.stripe_events.inbox import GapFiller
from tests.kit.test_worker import until, working
from tests.support.world import World


class TestListen:
    async def test_events_are_asked_for_again_once_stripe_has_answered(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(worker, "AFTER_FAILURE", timedelta(milliseconds=10))
        steps = list[str]()

        async def gaps(_: GapFiller) -> int:
            steps.append("gaps")
            if len(steps) == 1:
                raise GatewayUnavailable("connection", in_doubt=False)
            return 0

        async def again(_: Collector) -> int:
            steps.append("again")
            return 0

        monkeypatch.setattr(GapFiller, "fill", gaps)
        monkeypatch.setattr(worker, "ask_again", again)
        async with working(world, {}):

            async def done() -> bool:
                return "again" in steps

            await until(done)
        assert steps == ["gaps", "gaps", "again"]
