"""The facts done to the program, through the app's own role, each in a transaction of its own."""

import asyncio
from collections.abc import Callable, Coroutine, Generator
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.exc import IntegrityError

from flatbed.billing.facade import (
    Basis,
    Caps,
    Tier,
    UsageRequest,
    accept_usage,
    confirm_usage,
    credit_usage,
    dispute_usage,
    record_usage,
    reverse_usage,
    withdraw_usage_dispute,
)
from flatbed.billing.statements import closing
from flatbed.billing.usage.decisions import write_off
from flatbed.tenants.kit.audit import record
from flatbed.tenants.kit.database.session import TenantSession
from flatbed.tenants.kit.failpoints import FailpointError
from flatbed.tenants.kit.ids import uuid7
from flatbed.tenants.kit.problems import Problem
from tests.billing.proof.facts import DONE, Close, Credit, Decide, Fact, Meter, Move, Void
from tests.billing.world import World

T = TypeVar("T")
DIED = "died"
QUALIFIED = "qualification.qualified"
"""The audit row of a qualified candidate."""
EVIDENCE = "e" * 64


class Interrupted:
    """Lets something happen at the ``at``-th time that the work gives up the loop."""

    def __init__(
        self, work: Coroutine[Any, Any, T], at: int, happens: Callable[[], object]
    ) -> None:
        self.work = work
        self.at = at
        self.happens = happens

    def __await__(self) -> Generator[Any, Any, Any]:
        steps = 0
        inner = self.work.__await__()
        step = partial(inner.send, None)
        while True:
            try:
                waiting = step()
            except StopIteration as ended:
                return ended.value
            steps += 1
            if steps == self.at:
                self.happens()
            try:
                step = partial(inner.send, (yield waiting))
            except BaseException as error:  # noqa: BLE001 - what is thrown in goes where it belongs
                step = partial(inner.throw, error)


class Mortal(Interrupted):
    """Cancels the task that awaits it at the ``at``-th time that it gives up the loop."""

    def __init__(self, work: Coroutine[Any, Any, T], at: int) -> None:
        super().__init__(work, at, _cancel)


def _cancel() -> None:
    task = asyncio.current_task()
    if task is not None:
        task.cancel()


@dataclass
class Isv:
    """A tenant of the program, in the words of the model."""

    world: World
    tenant_id: UUID
    zone: str
    ids: dict[UUID, UUID] = field(default_factory=dict)
    """The entry of each unit."""

    async def begin(self) -> None:
        """Let the ledger have a head: who locks it waits for whoever writes."""
        await self.world.admin.execute(
            "INSERT INTO ledger_head (tenant_id, sequence, hash) VALUES ($1, 0, repeat('0', 64))",
            self.tenant_id,
        )

    async def do(self, fact: Fact) -> str:
        """Do it: ``done``, or the name of the refusal."""
        try:
            await self._do(fact)
        except (Problem, IntegrityError, FailpointError) as refused:
            return DIED if isinstance(refused, FailpointError) else type(refused).__name__
        return DONE

    async def dying(self, fact: Fact, at: int) -> str:
        """Begin it, and die at the ``at``-th await, with whatever was not committed."""

        async def mortal() -> str:
            return str(await Mortal(self.do(fact), at))

        try:
            return await asyncio.create_task(mortal())
        except asyncio.CancelledError:
            return DIED
        finally:
            # The server may still be working on what was sent last.
            async with self.world.admin.transaction():
                await self.world.admin.execute(
                    "SELECT 1 FROM ledger_head WHERE tenant_id = $1 FOR UPDATE", self.tenant_id
                )

    async def refresh(self) -> None:
        """Learn the entries of the units."""
        rows = await self.world.admin.fetch(
            "SELECT id, source_id FROM usage_entry WHERE tenant_id = $1 AND kind = 'qualified'",
            self.tenant_id,
        )
        self.ids = {row["source_id"]: row["id"] for row in rows}

    async def period(self, number: int) -> UUID:
        """The id of the n-th period, from 0."""
        found: UUID = await self.world.admin.fetchval(
            "SELECT id FROM period WHERE tenant_id = $1 ORDER BY starts_at OFFSET $2 LIMIT 1",
            self.tenant_id,
            number,
        )
        return found

    async def _do(self, fact: Fact) -> None:
        match fact:
            case Meter():
                async with self._at(fact.at) as session:
                    # What qualifies the candidate, in the same transaction.
                    record(session, QUALIFIED, "qual", fact.source)
                    await record_usage(session, self._request(fact))
            case Decide():
                async with self._at(fact.at) as session:
                    await self._decide(session, fact)
            case Void():
                async with self._at(fact.at) as session:
                    entry = self.ids[fact.source]
                    await reverse_usage(session, entry, reason="void", zone=ZoneInfo(self.zone))
            case Credit():
                async with self._at(fact.at) as session:
                    await credit_usage(
                        session,
                        self.ids[fact.source],
                        percent=fact.percent,
                        reason="guarantee",
                        zone=ZoneInfo(self.zone),
                    )
            case Close():
                period = await self.period(fact.period)
                async with self._at(fact.at) as session:
                    await closing.close(session, period)
            case Move():
                await self.world.admin.execute(
                    "UPDATE organization SET time_zone = $2 WHERE id = $1",
                    self.tenant_id,
                    fact.zone,
                )
                self.zone = fact.zone

    def _at(self, instant: datetime) -> Any:
        return self.world.at(self.tenant_id, instant)

    def _request(self, fact: Meter) -> UsageRequest:
        campaign = fact.campaign
        return UsageRequest(
            source="qual",
            source_id=fact.source,
            campaign_ref=campaign.ref,
            programme_ref=campaign.ref,
            price_ref=uuid7(),
            unit_keys=(fact.unit_key,),
            unit_price=campaign.unit_price,
            currency=campaign.currency,
            caps=Caps(
                campaign.units_total,
                campaign.units_month,
                campaign.money_total,
                campaign.money_month,
            ),
            evidence_hash=EVIDENCE,
            occurred_at=fact.occurred,
            zone=ZoneInfo(self.zone),
            tiers=tuple(Tier(*one) for one in campaign.tiers),
            replaces_id=None if fact.replaces is None else self.ids[fact.replaces],
        )

    async def _decide(self, session: TenantSession, fact: Decide) -> None:
        entry = self.ids[fact.source]
        match fact.decision:
            case "accepted":
                await accept_usage(session, entry, basis=Basis.PERSON, actor="person:isv")
            case "disputed":
                await dispute_usage(session, entry, actor="person:isv")
            case "withdrawn":
                await withdraw_usage_dispute(session, entry, actor="person:isv")
            case "confirmed":
                await confirm_usage(session, entry, actor="staff:agency")
            case _:
                await write_off(session, entry, actor="staff:finance", reason="goodwill")
