"""What a hunter's transactions are bound to, operation by operation."""

from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from flatbed.app.permissions import PERMISSIONS
from flatbed.tenants.access.permissions import HunterBinding
from flatbed.tenants.kit.database.context import CandidateRange
from flatbed.tenants.kit.database.engine import Database
from flatbed.tenants.kit.ids import decode
from tests.api.support import World
from tests.isolation.attack import bodies_of, path_of, send
from tests.isolation.document import operations
from tests.isolation.estate import settle

BOUND = {HunterBinding.CANDIDATE, HunterBinding.CAMPAIGN}
LAST = "create_transition"
"""Its sample ends the candidate, and with him the assignment."""


class TestRanges:
    async def test_every_operation_binds_a_hunter_to_one_candidate(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The one of the path, or, below a campaign, one that nobody has yet."""
        estate = await settle(world, domain="ranges.example")
        opened: list[CandidateRange] = []
        for name in ("tenant", "tenant_read"):
            real = getattr(Database, name)

            def spy(
                self: Database, *, real: Any = real, **context: Any
            ) -> AbstractAsyncContextManager[Any]:
                opened.append(context["candidates"])
                found: AbstractAsyncContextManager[Any] = real(self, **context)
                return found

            monkeypatch.setattr(Database, name, spy)
        mine = [one for one in operations() if PERMISSIONS[one.id].hunter in BOUND]
        candidate = CandidateRange.one(decode("cand", estate.ids["cand"]))
        for operation in sorted(mine, key=lambda one: one.id == LAST):
            opened.clear()
            path, body = path_of(operation, estate.ids), bodies_of(operation, estate.ids)[0]
            answer = await send(estate.hunter.client, operation, path, body)
            assert opened, f"{operation.id}: {answer.text}"
            for found in opened:
                if PERMISSIONS[operation.id].hunter is HunterBinding.CANDIDATE:
                    assert found == candidate, operation.id
                else:
                    assert found.first == found.last, operation.id
                    assert found != candidate, operation.id
        assert len(mine) >= 20
