"""The running program with this package mounted."""

from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio

from flatbed.app.qualifications.deadlines import DEADLINES
from flatbed.app.qualifications.reviews import ReviewsOfLatePushes
from flatbed.app.qualifications.router import router
from flatbed.app.routers import ROUTERS
from tests.api.support import World, new_world
from tests.support.postgres import TestDatabase


def mount(world: World) -> None:
    program: Any = world.program
    program.deadlines = {**program.deadlines, **DEADLINES}
    program.late_pushes = ReviewsOfLatePushes()
    if router not in ROUTERS:
        world.http._transport.app.include_router(router)


@pytest_asyncio.fixture
async def world(database: TestDatabase) -> AsyncIterator[World]:
    async with new_world(database) as made:
        mount(made)
        yield made
