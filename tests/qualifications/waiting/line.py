"""Campaigns that are full, and who waits there."""

from dataclasses import dataclass, field
from typing import Any

import httpx

from flatbed.app.campaigns.orders.room import ADMISSION_JOB
from flatbed.app.candidates.models import WaitingLine, WaitingQualification
from flatbed.billing.statements.jobs import ROOM_JOB
from flatbed.tenants.kit.ids import decode, encode
from tests.api.support import Client, World
from tests.candidates.factory import Site, Worked, site
from tests.qualifications.factory import Qualified, qualify, submit
from tests.qualifications.stock import stock
from tests.qualifications.worker import work_off


async def admissions(world: World) -> None:
    """Let the worker do what it was asked about those who wait."""
    await work_off(world, ADMISSION_JOB, ROOM_JOB)


@dataclass
class Line:
    """A campaign whose cap is met by ``held``, and the candidates who wait there in order."""

    site: Site
    held: list[Qualified] = field(default_factory=list)
    waiting: list[Worked] = field(default_factory=list)

    async def join(self, number: int = 1) -> list[Worked]:
        """More candidates who are submitted and wait."""
        found = await stock(self.site, number)
        for worked in found:
            answer = await submit(worked)
            assert answer.status_code == 202, answer.text
        self.waiting += found
        return found

    async def void(self, one: Qualified) -> None:
        """An unit is voided by the decision of a dispute."""
        await one.answered()
        assert (await one.decide("voided")).status_code == 200

    async def change(self, **body: Any) -> None:
        """The ISV changes its campaign."""
        client = self.site.isv.client
        etag = (await client.get(self.site.path)).headers["etag"]
        answer = await client.patch(self.site.path, body, version=etag)
        assert answer.status_code == 200, answer.text

    async def admissions(self) -> None:
        """Let the worker do what it was asked."""
        await admissions(self.site.world)

    async def rows(self) -> list[WaitingQualification]:
        """The reservations of the campaign, in the order of the line."""
        campaign = decode("camp", self.site.campaign["id"])
        found = await self.site.rows(
            WaitingQualification, WaitingQualification.campaign_id == campaign
        )
        return sorted(found, key=lambda one: (one.created_at, one.id))

    async def states(self) -> list[str]:
        """What has become of them, in the order of the line."""
        return [one.status for one in await self.rows()]

    async def counted(self) -> int:
        """How many the line counts."""
        campaign = decode("camp", self.site.campaign["id"])
        (line,) = await self.site.rows(WaitingLine, WaitingLine.campaign_id == campaign)
        return int(line.waiting)

    async def opt_in(self, one: WaitingQualification, by: Client | None = None) -> httpx.Response:
        """The ISV takes one beyond its caps."""
        return await (by or self.site.isv.client).post(f"{path_of(one)}/admission")


def path_of(one: WaitingQualification) -> str:
    """Its path."""
    return f"/v1/waiting-qualifications/{encode('wait', one.id)}"


async def full(world: World, waiting: int = 0, **campaign: Any) -> Line:
    """A campaign whose cap of one unit is met, and some who wait there."""
    place = await site(world, **{"caps": {"units_total": 1}, "quantity": 9, **campaign})
    line = Line(place)
    (first,) = await stock(place)
    line.held.append(await qualify(first))
    await line.join(waiting)
    return line
