"""Who of the agency did what, over every read of an ISV: it is told, but not by whom."""

import re

import httpx

from flatbed.app.permissions import PERMISSIONS
from flatbed.tenants.access.permissions import OperationPlane
from flatbed.tenants.access.principal import ISV_ROLES, Role
from tests.api.support import Client, World
from tests.isolation.attack import path_of
from tests.isolation.document import Operation, operations
from tests.isolation.estate import settle
from tests.isolation.principals import of_agency, of_isv

STAFF = re.compile(r"staff_[0-9a-z]{26}")
AUDIT = "list_audit"
"""Names who acted by an opaque id: it is what the chained hashes are made over."""
MOST = 100
READS = [
    one
    for one in operations()
    if one.method == "GET"
    and one.id != AUDIT
    and PERMISSIONS[one.id].plane is OperationPlane.TENANT
    and PERMISSIONS[one.id].roles & ISV_ROLES
]


async def _read(client: Client, operation: Operation, ids: dict[str, str]) -> httpx.Response:
    params = {"limit": MOST} if operation.of("cursor") else None
    return await client.get(path_of(operation, ids), params=params)


class TestUnnamed:
    async def test_no_read_of_an_isvs_client_or_member_names_a_staff_member(
        self, world: World
    ) -> None:
        estate = await settle(world, domain="unnamed.example")
        told, naming, unread = [], set(), set()
        leads = [one for one in await of_agency(world) if one.role is Role.LEAD]
        everybody = await of_isv(world, estate.isv)
        for operation in READS:
            roles = PERMISSIONS[operation.id].roles
            for lead in leads if Role.LEAD in roles else ():
                answer = await _read(lead.client.acting_for(estate.isv.id), operation, estate.ids)
                if STAFF.search(answer.text):
                    naming.add(operation.id)
            for one in everybody:
                if one.role in roles:
                    answer = await _read(one.client, operation, estate.ids)
                    if answer.status_code != 200:
                        unread.add(operation.id)
                    if STAFF.search(answer.text):
                        told.append(f"{operation.id} to {one.role}: {STAFF.findall(answer.text)}")
        assert not told, "\n".join(told)
        assert {"list_touchpoints", "list_evidence", "get_candidate"} <= naming, naming
        assert len(naming) >= 10, naming
        assert len(READS) > 35
        assert not unread, unread
        assert {one.role for one in everybody} == ISV_ROLES
