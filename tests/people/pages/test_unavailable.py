"""Where the database or a permit is missing, people see a page in their language."""

from typing import Any

import pytest

from flatbed.tenants.kit.database.session import LoginSession
from flatbed.tenants.kit.database.urls import Plain
from flatbed.tenants.people.accounts.service import rename
from flatbed.tenants.people.pages import account
from tests.api.support import World
from tests.kit.edge.scripted import fail, terminate
from tests.people.pages.conftest import Resident
from tests.people.pages.visitor import Visitor

NAME = {"name": "Another Name", "locale": "de"}
BUSY = {"en": "too busy at this moment", "de": "gerade überlastet"}


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
        assert sqlstate not in answer.text
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
            for path in ("/v1/campaigns", "/oauth/token", "/oauth/userinfo", "/nowhere"):
                answer = await visitor.get(path)
                assert answer.status_code == 503, path
                assert answer.json()["code"] == "unavailable"
        finally:
            for _ in range(taken):
                admission.give_back()
        assert (await visitor.get("/sign-in")).status_code == 200
