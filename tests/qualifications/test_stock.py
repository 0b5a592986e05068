"""The rows that other tests start from are all there or none is."""

import pytest
from sqlalchemy.exc import IntegrityError

from flatbed.app.candidates.models import Candidate, TenantCompany
from flatbed.tenants.kit.ids import uuid7
from tests.api.support import World
from tests.candidates.factory import site
from tests.qualifications.stock import stock


async def test_what_fails_at_the_agency_leaves_no_candidate(world: World) -> None:
    """A server may be killed between the two planes; whoever comes next counts what it finds."""
    found = await site(world, quantity=1)
    with pytest.raises(IntegrityError):
        await stock(found, group_id=uuid7())
    assert await found.rows(Candidate) == await found.rows(TenantCompany) == []
    await stock(found)
    assert len(await found.rows(Candidate)) == 1
