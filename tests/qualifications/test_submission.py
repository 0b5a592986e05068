"""Submission: everything at once, or nothing."""

from tests.api.support import World
from tests.candidates.factory import site
from tests.qualifications.factory import qualify
from tests.qualifications.stock import stock


class TestSubmit:
    async def test_it_works(self, world: World) -> None:
        (worked,) = await stock(await site(world))
        made = await qualify(worked)
        assert (await made.read())["status"] == "pending"
