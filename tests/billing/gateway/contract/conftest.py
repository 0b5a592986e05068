"""The contract is held at each of these: what is true of the fake only is not true."""

import os
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from flatbed.billing.gateway.settings import mode_of
from tests.billing.gateway.house import Place, in_process, on_a_port, sandbox

VARIABLE = "FLATBED_STRIPE_TEST_KEY"
SANDBOX_KEY = os.environ.get(VARIABLE)
PLACES = ["in_process", "on_a_port", *(["sandbox"] if SANDBOX_KEY else [])]


@pytest_asyncio.fixture(params=PLACES)
async def place(request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    """Each of them; nothing may have been sent that Stripe's document does not allow."""
    match request.param:
        case "in_process":
            async with in_process() as made:
                yield made
        case "on_a_port":
            async with on_a_port() as made:
                yield made
        case _:
            assert SANDBOX_KEY is not None
            assert mode_of(SANDBOX_KEY) == "test", "never with a live key"
            async with sandbox(SANDBOX_KEY) as made:
                yield made
    if made.fake is not None:
        assert made.fake.api.findings == []
        assert made.fake.api.requests
