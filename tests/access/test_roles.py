"""The permission table held against the roles of the product, so that a careless line is noticed.

What a role may never do is written down here by scope and by operation, apart from the table.
"""

from typing import Final

import pytest

from flatbed.app.permissions import PERMISSIONS
from flatbed.tenants.access.permissions import OperationPlane, Permission
from flatbed.tenants.access.principal import ISV_ROLES, MEMBER_ROLES, STAFF_ROLES, Role
from flatbed.tenants.access.scopes import AGENCY_SCOPES, SCOPES, SIGNALS
from flatbed.tenants.oauth.clients.standing import AGENCY, ISV, Standings
from tests.isolation.document import operations

METHODS: Final = {one.id: one.method for one in operations()}
STANDINGS: Final = Standings(PERMISSIONS)

AGENCYS = AGENCY_SCOPES - {"clients:manage"}
"""Of the agency's own plane: no ISV's anybody."""
MONEY = frozenset({"usage:read", "billing:read", "billing:write"})
WORK = frozenset({"campaigns:write", "profiles:write", "pipeline:write", "decisions:write"})
ORDERS = frozenset({"orders:write"})
HOUSE = frozenset({"members:manage", "clients:manage"})
CONTACTS, AUDIT, CLOCK = {"contacts:read"}, {"audit:read"}, {"sandbox:manage"}

NEVER: Final[dict[Role, frozenset[str]]] = {
    Role.ISV_CLIENT: AGENCYS,
    Role.ISV_OWNER: AGENCYS,
    Role.ISV_MANAGER: AGENCYS | HOUSE | AUDIT | {"billing:read", "billing:write"},
    Role.ISV_FINANCE: AGENCYS | HOUSE | AUDIT | WORK | ORDERS | CONTACTS | CLOCK,
    Role.ISV_VIEWER: AGENCYS | HOUSE | AUDIT | WORK | ORDERS | CONTACTS | CLOCK | MONEY,
    Role.AGENCY_CLIENT: frozenset({"decisions:write", "orders:write", "campaigns:write"}),
    Role.HUNTER: (SCOPES - {"campaigns:read", "pipeline:read", "pipeline:write", "contacts:read"})
    - {SIGNALS},
    Role.LEAD: ORDERS | HOUSE | {"billing:read", "billing:write"},
    Role.FINANCE: WORK
    | ORDERS
    | HOUSE
    | CONTACTS
    | CLOCK
    | {"disputes:decide", "assignments:manage", "registry:write"},
    Role.COMPLIANCE: MONEY
    | ORDERS
    | HOUSE
    | CLOCK
    | {"campaigns:write", "profiles:write", "decisions:write", "assignments:manage"}
    | {"prices:manage"},
    Role.ADMIN: WORK | ORDERS | CONTACTS | {"usage:read", "pipeline:read", "disputes:decide"},
}


def lines(role: Role) -> dict[str, Permission]:
    """What the role may do."""
    return {one.operation: one for one in PERMISSIONS if role in one.roles}


def reads(operation: str) -> bool:
    """Whether the operation changes nothing."""
    return METHODS[operation] == "GET"


class TestNever:
    @pytest.mark.parametrize("role", list(Role))
    def test_no_line_gives_a_role_a_scope_that_it_must_never_have(self, role: Role) -> None:
        assert NEVER[role], role
        assert not PERMISSIONS.scopes_of(role) & NEVER[role]

    @pytest.mark.parametrize("role", sorted(STAFF_ROLES | MEMBER_ROLES))
    def test_nobody_delivers_signals_as_a_person_nor_by_his_own_client(self, role: Role) -> None:
        assert SIGNALS not in STANDINGS.scopes_for(role)

    @pytest.mark.parametrize("owner", [ISV, AGENCY])
    def test_no_application_of_people_may_ask_for_signals(self, owner: str) -> None:
        assert SIGNALS not in STANDINGS.scopes_for_application(owner)
        assert SIGNALS in STANDINGS.scopes_for(Role.ISV_CLIENT)


class TestMembers:
    def test_an_owner_may_whatever_his_isvs_client_may(self) -> None:
        assert lines(Role.ISV_CLIENT).keys() <= lines(Role.ISV_OWNER).keys()

    @pytest.mark.parametrize("role", sorted(MEMBER_ROLES - {Role.ISV_OWNER}))
    def test_no_other_member_may_what_an_owner_may_not(self, role: Role) -> None:
        assert lines(role).keys() < lines(Role.ISV_OWNER).keys()

    def test_a_manager_orders_decides_and_works(self) -> None:
        wanted = {"order_campaign", "cancel_campaign", "accept_qualification", "create_objection"}
        wanted |= {"dispute_qualification", "create_exclusion", "list_contacts", "get_usage"}
        assert wanted <= lines(Role.ISV_MANAGER).keys()

    def test_finance_sees_the_money_and_writes_nothing_else(self) -> None:
        mine = lines(Role.ISV_FINANCE)
        money = {one.operation for one in PERMISSIONS if MONEY & set(one.scopes)}
        assert money & lines(Role.ISV_OWNER).keys() <= mine.keys()
        for name, line in mine.items():
            assert reads(name) or line.scopes == ("billing:write",), name

    def test_a_viewer_reads_and_reads_no_more_than_a_manager(self) -> None:
        mine = lines(Role.ISV_VIEWER)
        assert len(mine) > 20
        assert all(map(reads, mine))
        assert mine.keys() < lines(Role.ISV_MANAGER).keys()

    def test_members_of_an_isv_are_kept_to_its_own_rows(self) -> None:
        agency = {
            one.operation
            for one in PERMISSIONS
            if one.roles & ISV_ROLES and one.plane is OperationPlane.AGENCY
        }
        # A sandbox realm is the ISV's test world; its clock moves for all in it.
        assert agency == {"advance_sandbox_clock"}


class TestStaff:
    def test_a_hunter_has_no_list_over_candidates_and_nothing_of_the_agencys_plane_but_his_queue(
        self,
    ) -> None:
        mine = lines(Role.HUNTER)
        agency = {name for name, line in mine.items() if line.plane is not OperationPlane.TENANT}
        assert agency == {"get_queue"}
        for name, line in mine.items():
            assert line.hunter is not None, name

    @pytest.mark.parametrize("role", [Role.LEAD, Role.FINANCE, Role.COMPLIANCE])
    def test_only_admins_and_the_agencys_client_manage_isvs_staff_and_clients(
        self, role: Role
    ) -> None:
        managing = {
            name
            for name, line in lines(role).items()
            if {"tenants:manage", "clients:manage", "members:manage"} & set(line.scopes)
        }
        assert all(map(reads, managing)), managing

    @pytest.mark.parametrize("role", sorted(STAFF_ROLES - {Role.FINANCE, Role.ADMIN}))
    def test_only_finance_and_admins_set_prices(self, role: Role) -> None:
        pricing = {n for n, line in lines(role).items() if "prices:manage" in line.scopes}
        assert all(map(reads, pricing)), pricing

    def test_only_compliance_lifts_an_objection(self) -> None:
        assert PERMISSIONS["resolve_objection"].roles == {Role.COMPLIANCE}

    @pytest.mark.parametrize("role", sorted(STAFF_ROLES | {Role.AGENCY_CLIENT}))
    def test_nobody_of_the_agency_orders_or_accepts_for_an_isv(self, role: Role) -> None:
        isvs = {"order_campaign", "cancel_campaign", "accept_qualification", "withdraw_dispute"}
        assert not lines(role).keys() & (isvs | {"dispute_qualification"})


class TestStepUp:
    def test_whatever_moves_money_makes_a_secret_or_gives_power_asks_for_it(self) -> None:
        asking = {one.operation for one in PERMISSIONS if one.step_up}
        money = {
            one.operation
            for one in PERMISSIONS
            if "billing:write" in one.scopes and not reads(one.operation)
        }
        secrets = {"create_oauth_client", "update_oauth_client"}
        secrets |= {"create_client_secret", "roll_client_secret"}
        people = {"create_member", "update_member", "resend_invitation", "put_sign_in_policy"}
        people |= {"create_staff", "update_staff", "invite_staff"}
        assert len(money) >= 7
        assert money | secrets | people <= asking

    def test_nothing_that_only_reads_asks_for_it(self) -> None:
        assert not [one.operation for one in PERMISSIONS if one.step_up and reads(one.operation)]

    def test_what_takes_power_away_is_never_held_up(self) -> None:
        taking = {"revoke_client_secret", "delete_oauth_client"}
        assert not [name for name in taking if PERMISSIONS[name].step_up]
