"""Tokens of people that our own key signed and that do not fit what the database knows."""

from collections.abc import Mapping
from typing import Any

import httpx
import pytest_asyncio

from flatbed.tenants.access.principal import FRESH_FOR
from flatbed.tenants.access.scopes import SIGNALS
from flatbed.tenants.kit.clock import system_now
from flatbed.tenants.kit.ids import encode, uuid7
from tests.api.support import Client, Isv, Person, World
from tests.isolation.attack import missing
from tests.oauth.test_token import parts
from tests.oauth.test_verify import Forger

CAMPAIGNS, OFFERINGS, STAFF = "/v1/campaigns", "/v1/offerings", "/v1/staff"
TOUCHES = f"/v1/candidates/{missing('cand')}/touchpoints"
LEFT_OUT = object()


class Press:
    """Signs a person's claims with what a test changes in them."""

    def __init__(self, world: World, forger: Forger) -> None:
        self._world = world
        self._forger = forger

    @classmethod
    async def of(cls, world: World, client: Client) -> "Press":
        key = await world.program.oauth.keys.active()
        return cls(world, Forger(key.key, *parts(client.token)))

    @property
    def claims(self) -> dict[str, Any]:
        return self._forger.claims

    async def get(self, path: str, changes: Mapping[str, Any]) -> httpx.Response:
        return await self.ask("GET", path, changes)

    async def ask(
        self, method: str, path: str, changes: Mapping[str, Any], body: Any = None
    ) -> httpx.Response:
        claims = {k: v for k, v in {**self.claims, **changes}.items() if v is not LEFT_OUT}
        self._forger.claims, kept = claims, self._forger.claims
        headers = {"Authorization": f"Bearer {self._forger.make()}"}
        self._forger.claims = kept
        return await self._world.http.request(method, path, headers=headers, json=body)

    async def admitted(self, path: str, cases: Mapping[str, Mapping[str, Any]]) -> list[str]:
        """The names of those cases that were not refused as no token of ours."""
        assert (await self.get(path, {})).status_code == 200
        answers = {name: await self.get(path, changes) for name, changes in cases.items()}
        return [
            name
            for name, one in answers.items()
            if (one.status_code, one.json().get("code")) != (401, "invalid-token")
        ]


@pytest_asyncio.fixture
async def isv(world: World) -> Isv:
    return await world.isv()


@pytest_asyncio.fixture
async def owner(world: World, isv: Isv) -> Person:
    return await world.member(isv, "owner")


def grant(one: Person) -> dict[str, str]:
    return {"gid": encode("grant", one.lender.grant_id)}


def user(one: Person) -> dict[str, str]:
    return {"sub": encode("usr", one.lender.user_id)}


class TestMembers:
    async def test_a_token_says_of_its_grant_what_the_grant_says_itself(
        self, world: World, isv: Isv, owner: Person, second: World
    ) -> None:
        press = await Press.of(world, owner)
        colleague = await world.member(isv, "owner")
        stranger = await world.member(await world.isv(), "owner")
        staff = await world.person(await world.staff("admin"))
        abroad = await second.member(await second.isv(), "owner")
        cases: dict[str, dict[str, Any]] = {
            "a colleague's grant": grant(colleague),
            "a colleague's grant and its user, at another ISV's tid": {
                **grant(stranger),
                **user(stranger),
            },
            "another ISV's grant": grant(stranger),
            "a staff member's grant": grant(staff),
            "a staff member's grant and user": {**grant(staff), **user(staff)},
            "nobody's grant": {"gid": encode("grant", uuid7())},
            "a grant of another realm": {**grant(abroad), **user(abroad)},
            "another realm": {"realm": second.realm},
            "a colleague": user(colleague),
            "a staff member": user(staff),
            "nobody": {"sub": encode("usr", uuid7())},
            "another ISV": {"tid": encode("org", stranger.lender.tenant_id or uuid7())},
            "no ISV": {"tid": LEFT_OUT},
            "staff beside the ISV": {"staff": encode("staff", staff.lender.place_id)},
            "staff in place of the ISV": {
                "staff": encode("staff", staff.lender.place_id),
                "tid": LEFT_OUT,
            },
            "another application": {"client_id": staff.client_id},
            "the ISV's machine": {"client_id": isv.client.client_id},
        }
        assert await press.admitted(CAMPAIGNS, cases) == []

    async def test_a_role_in_the_token_is_a_hint_and_no_right(self, world: World, isv: Isv) -> None:
        press = await Press.of(world, await world.member(isv, "viewer"))
        for role in ("isv_owner", "admin", "isv_client", "nonsense"):
            claims = {"role": role, "scope": "profiles:read profiles:write"}
            assert (await press.get(OFFERINGS, claims)).status_code == 200
            answer = await press.ask("POST", OFFERINGS, claims, {})
            assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), role

    async def test_scopes_beyond_the_grant_and_the_role_are_worth_nothing(
        self, world: World, isv: Isv
    ) -> None:
        for role in ("owner", "manager"):
            press = await Press.of(world, await world.member(isv, role))
            answer = await press.ask("POST", TOUCHES, {"scope": SIGNALS}, {})
            assert (answer.status_code, answer.json()["code"]) == (403, "insufficient-scope")
        viewer = await Press.of(world, await world.member(isv, "viewer"))
        everything = " ".join(sorted(isv.client.scopes | world.admin.scopes | {SIGNALS}))
        for path in ("/v1/usage", "/v1/audit", "/v1/billing-account", STAFF, "/v1/oauth-clients"):
            assert (await viewer.get(path, {"scope": everything})).status_code == 403, path

    async def test_a_time_in_the_token_makes_nobody_fresh(self, world: World, isv: Isv) -> None:
        owner = await world.member(isv, "owner", authenticated_at=system_now() - 2 * FRESH_FOR)
        press = await Press.of(world, owner)
        path, claims = "/v1/billing-account/portal-sessions", {"acr": "mfa"}
        for moment in (int(system_now().timestamp()), 2**40, "now", None):
            answer = await press.ask("POST", path, {**claims, "auth_time": moment}, {})
            assert (answer.status_code, answer.json()["code"]) == (401, "step-up-required")


class TestStaff:
    async def test_a_token_says_of_its_grant_what_the_grant_says_itself(self, world: World) -> None:
        one = await world.person(await world.staff("admin"))
        other = await world.person(await world.staff("admin", new=True))
        press, isv = await Press.of(world, one), await world.isv()
        cases: dict[str, dict[str, Any]] = {
            "a colleague's grant": grant(other),
            "a colleague's place": {"staff": encode("staff", other.lender.place_id)},
            "a colleague": user(other),
            "no place": {"staff": LEFT_OUT},
            "an ISV beside it": {"tid": isv.id},
            "an ISV in its place": {"tid": isv.id, "staff": LEFT_OUT},
        }
        assert await press.admitted(STAFF, cases) == []


class TestKindsOfSubject:
    async def test_no_person_passes_for_a_client(
        self, world: World, isv: Isv, owner: Person
    ) -> None:
        press = await Press.of(world, owner)
        machine = f"client:{isv.client.client_id}"
        cases: dict[str, dict[str, Any]] = {
            "his application": {"sub": f"client:{owner.client_id}"},
            "his application without a grant": {
                "sub": f"client:{owner.client_id}",
                "gid": LEFT_OUT,
            },
            "himself without a grant": {"gid": LEFT_OUT},
            "a machine with his grant": {"sub": machine, "client_id": isv.client.client_id},
            "a machine by name": {"sub": machine, "gid": LEFT_OUT},
            "no subject": {"sub": LEFT_OUT},
            "an empty grant": {"gid": ""},
            "a grant of another kind of id": {"gid": user(owner)["sub"]},
            "a grant that is no text": {"gid": [grant(owner)["gid"]]},
            "a subject that is no text": {"sub": 1},
        }
        assert await press.admitted(CAMPAIGNS, cases) == []

    async def test_no_client_passes_for_a_person(
        self, world: World, isv: Isv, owner: Person
    ) -> None:
        press = await Press.of(world, isv.client)
        cases: dict[str, dict[str, Any]] = {
            "a person": user(owner),
            "a person's grant": grant(owner),
            "a person and his grant": {**user(owner), **grant(owner)},
            "another client": {"sub": f"client:{world.admin.client_id}"},
        }
        assert await press.admitted(CAMPAIGNS, cases) == []

    async def test_an_application_acts_for_nobody_by_itself(
        self, world: World, isv: Isv, owner: Person
    ) -> None:
        press = await Press.of(world, isv.client)
        cases: dict[str, dict[str, Any]] = {
            "the ISV's own application as a machine": {
                "sub": f"client:{owner.client_id}",
                "client_id": owner.client_id,
            }
        }
        assert await press.admitted(CAMPAIGNS, cases) == []
