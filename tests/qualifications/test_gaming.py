"""Attacks on the billing gate over HTTP: what staff attest, and what a pause would hide."""

from typing import Any

import httpx

from tests.api.support import World
from tests.candidates.factory import site
from tests.qualifications.factory import Qualified, instant, qualified, submit
from tests.qualifications.stock import stock

AUDIT = {"source_seen": "The mail with its headers."}


def failing(answer: httpx.Response) -> set[str]:
    assert (answer.status_code, answer.json()["code"]) == (409, "gate-failed")
    criteria: list[dict[str, Any]] = answer.json()["criteria"]
    return {one["criterion"] for one in criteria if not one["passed"]}


class TestAttested:
    async def test_attested_touches_alone_never_pass_the_billing_gate(self, world: World) -> None:
        """The three proactive touches and the one in the hands-off window: `system` or `audited`.

        The hunter logs a whole partner story himself; only a lead who saw the sources makes a
        unit of it.
        """
        place = await site(world)
        worked = await place.found()
        worked.integration = place.hunter
        await worked.to("business_planning")
        await place.advance(days=8)
        await worked.touch("P2", text="When do we start?")

        assert failing(await submit(worked)) == {
            "qualified.proactive",
            "qualified.committing",
            "qualified.hands_off",
        }
        assert not (await place.isv.client.read("/v1/usage"))["data"]

        listed = (await place.hunter.read(f"{worked.path}/touchpoints"))["data"]
        moves = [one for one in listed if one["class"] in {"P2", "P3"}]
        assert {one["provenance"] for one in moves} == {"attested"}
        for one in moves:
            body = {"class": one["class"], **AUDIT}
            await place.lead.made(f"/v1/touchpoints/{one['id']}/audit", body)

        answer = await submit(worked)
        assert answer.status_code == 201, answer.text
        (line,) = await Qualified(worked, answer.json()["id"]).entries()
        assert line["state"] == "pending"

    async def test_what_an_isv_finds_elicited_is_no_initiative(self, world: World) -> None:
        """Anybody may lower a class: a touch that supplies what our previous message asked for."""
        (worked,) = await stock(await site(world))
        place = worked.site
        rows = (await place.hunter.read(f"{worked.path}/touchpoints"))["data"]
        (ours,) = (one for one in rows if one["side"] == "agency")
        body = {"elicited_by": ours["id"], "reason": "He answers what you asked."}
        for one in rows[-2:]:  # his moves after the decision
            path = f"{worked.path}/touchpoints/{one['id']}/lowering"
            await place.isv.client.made(path, body)

        assert failing(await submit(worked)) == {"qualified.hands_off"}


class TestPause:
    async def test_clocks_run_while_a_campaign_is_paused(self, world: World) -> None:
        """While a campaign is paused nothing goes out, what comes in is kept, clocks run."""
        one = await qualified(world)
        await one.site.lead.made(f"{one.site.path}/pause")
        await one.until(instant((await one.read())["accept_by"]))
        kept = await one.read()
        assert (kept["status"], kept["accepted_basis"]) == ("accepted", "silence")
