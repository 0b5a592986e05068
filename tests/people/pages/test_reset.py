"""A new password by a link in a mail: good once, for half an hour, for one person."""

import asyncio
import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from flatbed.app.demo.browser import Browser, Page
from flatbed.tenants.kit.database.urls import Plain
from flatbed.tenants.people.links import INVITATION, PASSWORD_RESET, link_token
from flatbed.tenants.people.mailing.postman import Postman
from tests.api.support import BASE_URL, World
from tests.people.pages.conftest import PASSWORD, Resident, sign_in
from tests.people.pages.others import ANOTHER, at_home, browser_at, is_in, stranger

RESET = "/password-reset"
_NEWEST = "SELECT id FROM password_reset WHERE user_id = $1 ORDER BY created_at DESC LIMIT 1"

ALTERATIONS: dict[str, Callable[[str], str]] = {
    "seal": lambda token: f"{token[:-1]}{'A' if token[-1] != 'A' else 'E'}",
    "id alone": lambda token: token.partition(".")[0],
    "padding": lambda token: f"{token}=",
    "no seal": lambda token: f"{token.partition('.')[0]}.",
    "case": lambda token: token.upper(),
    "nul": lambda token: f"{token}%00",
    "kind": lambda token: token.replace("reset_", "inv_"),
    "long": lambda token: token * 100,
}


async def ask(browser: Browser, email: str) -> Page:
    page = await browser.visit(RESET)
    return await browser.send(page, page.form_with("email"), {"email": email})


async def asked(browser: Browser, admin: Plain, person: Resident) -> str:
    """Ask for a link. Returns its path."""
    assert (await ask(browser, person.email)).status == 200
    reset_id = await admin.fetchval(_NEWEST, person.user_id)
    return f"{RESET}/{link_token(person.world.program.keyring, PASSWORD_RESET, reset_id)}"


async def choose(browser: Browser, page: Page, password: str = ANOTHER) -> Page:
    return await browser.send(page, page.form_with("new"), {"new": password})


async def enters(world: World, person: Resident, password: str) -> bool:
    """Whether the password signs the person in."""
    return (await sign_in(browser_at(world), person.email, password)).status == 200


class TestAsk:
    async def test_the_answer_tells_nobody_who_has_an_account(
        self, world: World, browser: Browser, resident: Resident, admin_connection: Plain
    ) -> None:
        gone = await stranger(world)
        await admin_connection.execute(
            "UPDATE user_account SET active = false WHERE id = $1", gone.user_id
        )
        csrf = re.compile(r'value="[^"]{43}"')
        texts = {
            csrf.sub("", (await ask(browser, email)).text)
            for email in (resident.email, gone.email, "nobody@people.example", "no address")
        }
        assert len(texts) == 1
        assert "If there is an account with this address" in texts.pop()

    async def test_nobody_and_who_is_switched_off_get_no_way(
        self, world: World, browser: Browser, admin_connection: Plain
    ) -> None:
        gone = await stranger(world)
        await admin_connection.execute(
            "UPDATE user_account SET active = false WHERE id = $1", gone.user_id
        )
        await ask(browser, gone.email)
        assert await admin_connection.fetchval(_NEWEST, gone.user_id) is None

    async def test_three_links_within_a_quarter_of_an_hour_are_enough(
        self, browser: Browser, resident: Resident, admin_connection: Plain
    ) -> None:
        """Nobody's letterbox is filled by whoever knows its address."""
        for _ in range(5):
            assert (await ask(browser, resident.email)).status == 200
        many = "SELECT count(*) FROM password_reset WHERE user_id = $1"
        assert await admin_connection.fetchval(many, resident.user_id) == 3

    async def test_the_eleventh_within_a_minute_is_refused_whoever_it_is_for(
        self, world: World, browser: Browser, resident: Resident
    ) -> None:
        for email in (resident.email, f"not-{resident.email}"):
            for _ in range(10):
                assert (await ask(browser, email)).status == 200
            assert (await ask(browser, email)).status == 429
        # Whoever asks for links keeps nobody from signing in.
        assert await enters(world, resident, PASSWORD)

    async def test_the_link_leads_to_the_deployment_whatever_host_was_asked(
        self, world: World, browser: Browser, resident: Resident, admin_connection: Plain
    ) -> None:
        page = await browser.visit(RESET)
        fields = {**page.form_with("email").fields, "email": resident.email}
        cookies = "; ".join(f"{name}={value}" for name, value in browser._cookies.items())
        answer = await world.http.post(
            RESET,
            data=fields,
            headers={
                "Host": "evil.example",
                "X-Forwarded-Host": "evil.example",
                "Forwarded": "host=evil.example",
                "Origin": BASE_URL,
                "Cookie": cookies,
            },
        )
        assert answer.status_code == 200
        assert "evil.example" not in answer.text
        reset_id = await admin_connection.fetchval(_NEWEST, resident.user_id)
        sent: list[str] = []

        class Box:
            async def send(self, message: object) -> None:
                sent.append(str(getattr(message, "text", "")))

        program = world.program
        await Postman(program.database, program.keyring, Box(), BASE_URL).send_reset(
            {"reset_id": reset_id}
        )
        assert len(sent) == 1
        assert f"{BASE_URL}{RESET}/reset_" in sent[0]
        assert "evil" not in sent[0]


class TestOpen:
    async def test_it_says_whose_password_and_asks_for_nothing_else(
        self, world: World, browser: Browser, resident: Resident, admin_connection: Plain
    ) -> None:
        page = await browser_at(world).visit(await asked(browser, admin_connection, resident))
        assert page.status == 200
        assert resident.email in page.text
        assert set(page.form_with("new").fields) == {"csrf", "username", "new"}
        assert 'autocomplete="new-password"' in page.text

    @pytest.mark.parametrize("alteration", ALTERATIONS)
    async def test_an_altered_one_opens_nothing(
        self,
        browser: Browser,
        resident: Resident,
        admin_connection: Plain,
        alteration: str,
    ) -> None:
        path = await asked(browser, admin_connection, resident)
        page = await browser.visit(f"{RESET}/{ALTERATIONS[alteration](path.rpartition('/')[2])}")
        assert page.status == 404
        assert resident.email not in page.text

    async def test_a_seal_of_another_reset_or_purpose_opens_nothing(
        self, world: World, browser: Browser, resident: Resident, admin_connection: Plain
    ) -> None:
        eve = await stranger(world)
        hers = await asked(browser, admin_connection, eve)
        his = await asked(browser, admin_connection, resident)
        mixed = f"{his.partition('.')[0]}.{hers.partition('.')[2]}"
        reset_id = await admin_connection.fetchval(_NEWEST, resident.user_id)
        seal = link_token(world.program.keyring, INVITATION, reset_id).partition(".")[2]
        for path in (mixed, f"{his.partition('.')[0]}.{seal}"):
            assert (await browser.visit(path)).status == 404

    async def test_one_that_is_older_than_half_an_hour_is_gone(
        self, world: World, browser: Browser, resident: Resident, admin_connection: Plain
    ) -> None:
        path = await asked(browser, admin_connection, resident)
        page = await browser.visit(path)
        await admin_connection.execute(
            "UPDATE password_reset SET created_at = created_at - $2::interval,"
            " expires_at = expires_at - $2::interval WHERE user_id = $1",
            resident.user_id,
            timedelta(minutes=30),
        )
        assert (await browser.visit(path)).status == 404
        assert (await choose(browser, page)).status == 404
        assert await enters(world, resident, PASSWORD)


class TestChoose:
    async def test_the_new_password_signs_in_and_the_old_does_not(
        self, world: World, browser: Browser, resident: Resident, admin_connection: Plain
    ) -> None:
        path = await asked(browser, admin_connection, resident)
        page = await choose(browser, await browser.visit(path))
        assert page.status == 200
        assert "Your password has been set" in page.text
        assert not await is_in(browser)
        assert not await enters(world, resident, PASSWORD)
        assert await enters(world, resident, ANOTHER)

    async def test_a_link_is_good_once(
        self, world: World, browser: Browser, resident: Resident, admin_connection: Plain
    ) -> None:
        path = await asked(browser, admin_connection, resident)
        page = await browser.visit(path)
        assert (await choose(browser, page)).status == 200
        assert (await choose(browser, page, "a third row of four words")).status == 404
        assert (await browser.visit(path)).status == 404
        assert await enters(world, resident, ANOTHER)

    async def test_of_eight_at_once_one_is_taken(
        self, world: World, browser: Browser, resident: Resident, admin_connection: Plain
    ) -> None:
        path = await asked(browser, admin_connection, resident)
        browsers = [browser_at(world) for _ in range(8)]
        pages = [await one.visit(path) for one in browsers]
        passwords = [f"{ANOTHER} number {number}" for number in range(8)]
        done = await asyncio.gather(
            *(choose(*each) for each in zip(browsers, pages, passwords, strict=True))
        )
        assert sorted(one.status for one in done) == [200, *[404] * 7]
        [winner] = [
            password for one, password in zip(done, passwords, strict=True) if one.status == 200
        ]
        assert await enters(world, resident, winner)

    async def test_one_link_ends_the_others(
        self, browser: Browser, resident: Resident, admin_connection: Plain
    ) -> None:
        first = await asked(browser, admin_connection, resident)
        second = await asked(browser, admin_connection, resident)
        assert (await choose(browser, await browser.visit(first))).status == 200
        assert (await browser.visit(second)).status == 404

    async def test_every_browser_is_signed_out(
        self, world: World, browser: Browser, resident: Resident, admin_connection: Plain
    ) -> None:
        homes = [await at_home(world, resident) for _ in range(2)]
        eve = await at_home(world, await stranger(world))
        path = await asked(browser, admin_connection, resident)
        await choose(browser, await browser.visit(path))
        assert [await is_in(one) for one in homes] == [False, False]
        assert await is_in(eve)

    async def test_every_application_loses_its_access(
        self, world: World, browser: Browser, admin_connection: Plain
    ) -> None:
        isv = await world.isv()
        person, other = await world.member(isv, "owner"), await world.member(isv, "owner")
        user_id = person.lender.user_id
        email = await admin_connection.fetchval(
            "SELECT email FROM user_account WHERE id = $1", user_id
        )
        assert (await person.get("/v1/members")).status_code == 200
        path = await asked(browser, admin_connection, Resident(world, user_id, email))
        await choose(browser, await browser.visit(path))
        assert (await person.get("/v1/members")).status_code == 401
        assert (await other.get("/v1/members")).status_code == 200

    async def test_the_second_factor_stays_and_is_asked(
        self, browser: Browser, resident: Resident, admin_connection: Plain
    ) -> None:
        await resident.second_factor()
        path = await asked(browser, admin_connection, resident)
        await choose(browser, await browser.visit(path))
        page = await sign_in(browser, resident.email, ANOTHER)
        assert "/sign-in/code" in page.url
        assert not await is_in(browser)

    async def test_half_a_sign_in_with_the_old_one_is_worth_nothing(
        self, world: World, browser: Browser, resident: Resident, admin_connection: Plain
    ) -> None:
        await resident.second_factor()
        thief = browser_at(world)
        page = await sign_in(thief, resident.email)
        path = await asked(browser, admin_connection, resident)
        await choose(browser, await browser.visit(path))
        await thief.send(page, page.form_with("code"), {"code": resident.code()})
        assert not await is_in(thief)

    @pytest.mark.parametrize(
        ("password", "said"),
        [
            ("short", "at least 12 characters"),
            ("x" * 129, "at most 128 characters"),
            ("password password", "Many would guess that"),
            ("", "at least 12 characters"),
        ],
    )
    async def test_a_weak_one_is_not_taken_and_leaves_the_link(
        self,
        browser: Browser,
        resident: Resident,
        admin_connection: Plain,
        password: str,
        said: str,
    ) -> None:
        path = await asked(browser, admin_connection, resident)
        page = await choose(browser, await browser.visit(path), password)
        assert page.status == 422
        assert 'aria-describedby="new-hint new-error"' in page.text
        assert said in page.text.partition('id="new-error"')[2]
        assert (await choose(browser, page)).status == 200

    async def test_who_was_switched_off_meanwhile_gets_none(
        self, browser: Browser, resident: Resident, admin_connection: Plain
    ) -> None:
        page = await browser.visit(await asked(browser, admin_connection, resident))
        await admin_connection.execute(
            "UPDATE user_account SET active = false WHERE id = $1", resident.user_id
        )
        assert (await choose(browser, page)).status == 404

    async def test_a_form_without_our_field_is_refused(
        self, world: World, browser: Browser, resident: Resident, admin_connection: Plain
    ) -> None:
        page = await browser.visit(await asked(browser, admin_connection, resident))
        form = page.form_with("new")
        form.fields["csrf"] = ""
        assert (await browser.send(page, form, {"new": ANOTHER})).status == 403
        assert await enters(world, resident, PASSWORD)

    async def test_no_log_holds_link_password_or_address(
        self, browser: Browser, resident: Resident, admin_connection: Plain
    ) -> None:
        with capture_logs() as logs:
            path = await asked(browser, admin_connection, resident)
            await choose(browser, await browser.visit(path))
        written = str(logs)
        assert logs
        for secret in (path.rpartition("/")[2], ANOTHER, resident.email):
            assert secret not in written
