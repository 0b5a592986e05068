"""Where the database or a permit is missing, people see a page in their language."""

from datetime import timedelta
from typing import Any

import pytest

from flatbed.tenants.kit.clock import system_now
from flatbed.tenants.kit.database.session import LoginSession
from flatbed.tenants.kit.database.urls import Plain
from flatbed.tenants.pages.pages import Pages
from flatbed.tenants.people.accounts.service import rename
from flatbed.tenants.people.pages import account
from tests.api.support import World
from tests.kit.edge.scripted import fail, terminate
from tests.people.pages.conftest import Resident
from tests.people.pages.test_second_factor import CODES
from tests.people.pages.visitor import Visitor

NEXT = timedelta(seconds=30)
"""When the device shows another code than the one that he signed in with."""
NAME = {"name": "Another Name", "locale": "de"}
BUSY = {"en": "cannot be done at this moment", "de": "Das geht gerade nicht"}


class Failing:
    """Renames, after the database has failed so often in this way."""

    def __init__(self, sqlstate: str, times: int) -> None:
        self.sqlstate = sqlstate
        self.left = times
        self.runs = 0

    async def rename(self, session: LoginSession, *args: Any) -> None:
        self.runs += 1
        if self.left:
            self.left -= 1
            await fail(session, self.sqlstate)
        await rename(session, *args)


class TestDatabase:
    @pytest.mark.parametrize(
        ("sqlstate", "status", "words", "runs"),
        [
            ("57014", 503, BUSY["en"], 1),
            ("40001", 503, BUSY["en"], 3),
            ("08007", 503, "may have been saved or not", 2),
            ("23505", 409, "Something went wrong", 1),
            ("XX000", 500, "Something went wrong", 1),
        ],
    )
    async def test_what_it_refuses_is_a_page(
        self,
        world: World,
        resident: Resident,
        monkeypatch: pytest.MonkeyPatch,
        *,
        sqlstate: str,
        status: int,
        words: str,
        runs: int,
    ) -> None:
        visitor = await Visitor(world.http).enter(resident)
        failing = Failing(sqlstate, 99)
        monkeypatch.setattr(account, "rename", failing.rename)
        answer = await visitor.fill("/account", NAME)
        assert answer.status_code == status
        assert answer.headers["content-type"].startswith("text/html")
        assert answer.headers.get("retry-after") == ("1" if status == 503 else None)
        assert words in answer.text
        assert "canary" not in answer.text
        assert failing.runs == runs
        assert NAME["name"] not in (await visitor.get("/account")).text

    async def test_what_may_be_run_again_is(
        self, world: World, resident: Resident, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        visitor = await Visitor(world.http).enter(resident)
        failing = Failing("40P01", 2)
        monkeypatch.setattr(account, "rename", failing.rename)
        answer = await visitor.fill("/account", NAME)
        assert (answer.status_code, failing.runs) == (303, 3)
        assert NAME["name"] in (await visitor.get("/account")).text

    async def test_a_lost_connection_is_not_felt(
        self, world: World, resident: Resident, admin_connection: Plain
    ) -> None:
        visitor = await Visitor(world.http).enter(resident)
        assert await terminate(admin_connection)
        assert await visitor.is_signed_in()


class TestPermit:
    @pytest.mark.parametrize("language", BUSY)
    async def test_who_gets_none_in_time_sees_a_page_and_a_program_a_document(
        self, world: World, monkeypatch: pytest.MonkeyPatch, language: str
    ) -> None:
        admission = world.program.admission
        monkeypatch.setattr(admission, "seconds", 0.01)
        taken = 0
        while admission.take():
            taken += 1
        visitor = Visitor(world.http, sent={"Accept-Language": language})
        try:
            for path in ("/sign-in", "/account/sessions", "/oauth/authorize?x=1"):
                page = await visitor.get(path)
                assert page.status_code == 503, path
                assert page.headers["retry-after"] == "1"
                assert page.headers["content-type"].startswith("text/html"), path
                assert "default-src 'none'" in page.headers["content-security-policy"]
                assert BUSY[language] in page.text
                assert "set-cookie" not in page.headers
            sent = await visitor.post("/account", NAME)
            assert sent.status_code == 503
            assert BUSY[language] in sent.text
            for path in ("/v1/campaigns", "/oauth/token", "/oauth/userinfo", "/nowhere"):
                answer = await visitor.get(path)
                assert answer.status_code == 503, path
                assert answer.json()["code"] == "unavailable"
        finally:
            for _ in range(taken):
                admission.give_back()
        assert (await visitor.get("/sign-in")).status_code == 200


class TestElse:
    async def test_what_is_refused_before_or_beside_the_page_is_a_page(self, world: World) -> None:
        visitor = Visitor(world.http)
        page = await visitor.get("/sign-out")
        assert page.status_code == 405
        assert page.headers["content-type"].startswith("text/html")
        assert page.headers["allow"] == "POST"
        assert "set-cookie" not in page.headers
        long = await visitor.get(f"/sign-in?x={'x' * 33_000}")
        assert long.status_code == 414
        assert long.headers["content-type"] == "application/problem+json"
        large = await visitor.post("/sign-in", b"x" * 1_000_001)
        assert large.status_code == 413
        assert large.headers["content-type"].startswith("text/html")

    async def test_an_error_of_ours_is_one_too(
        self, world: World, resident: Resident, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        visitor = await Visitor(world.http).enter(resident)

        async def broken(*_: object) -> None:
            raise KeyError("canary")

        monkeypatch.setattr(account, "rename", broken)
        answer = await visitor.fill("/account", NAME)
        assert answer.status_code == 500
        assert answer.headers["content-type"].startswith("text/html")
        assert "canary" not in answer.text

    async def test_nor_does_a_page_that_cannot_be_made_go_unanswered(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(*_: object, **__: object) -> None:
            raise KeyError("canary")

        monkeypatch.setattr(Pages, "render", broken)
        answer = await Visitor(world.http).get("/sign-in")
        assert answer.status_code == 500
        assert answer.json()["code"] == "internal-error"


class TestSecondFactor:
    async def test_new_codes_are_made_and_shown_or_not_made(
        self, world: World, resident: Resident, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Else the old ones would be gone, and nobody has the new ones."""
        await resident.second_factor()
        visitor = await Visitor(world.http).enter(resident)

        async def refused(session: LoginSession, *_: object) -> None:
            await fail(session, "57014")

        with monkeypatch.context() as patch:
            patch.setattr("flatbed.tenants.people.failures.repository.give_back", refused)
            form = {"act": "renew", "code": resident.code(system_now() + NEXT)}
            assert (await visitor.fill("/account/second-factor", form)).status_code == 503
        answer = await visitor.fill("/account/second-factor", form)
        assert answer.status_code == 200
        assert len(CODES.findall(answer.text)) == 10
