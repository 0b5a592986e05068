"""Other people at other browsers, and what stands in the database of them."""

from dataclasses import dataclass
from uuid import UUID

from flatbed.app.demo.browser import Browser
from flatbed.tenants.kit.clock import system_now
from flatbed.tenants.kit.database.urls import Plain
from flatbed.tenants.people.accounts.repository import add_account
from flatbed.tenants.people.sessions.service import COOKIE, SignedIn
from flatbed.tenants.people.signing_in.service import Browser as Seen
from tests.api.support import BASE_URL, World
from tests.people.door import fresh_address
from tests.people.pages.conftest import CALLER, PASSWORD, Resident, sign_in

ANOTHER = "several other words in a row"  # pragma: allowlist secret - made up


async def stranger(world: World, *, name: str = "Eve", email: str | None = None) -> Resident:
    """Somebody else with an account."""
    email, program = email or fresh_address(), world.program
    hashed = await program.people.passwords.hash(PASSWORD)
    async with program.database.login(caller=CALLER) as session:
        user_id = await add_account(
            session, email=email, name=name, locale="en", password_hash=hashed, now=system_now()
        )
    assert user_id is not None
    return Resident(world, user_id, email)


def browser_at(world: World) -> Browser:
    """One more browser."""
    return Browser(world.http, BASE_URL)


async def at_home(world: World, person: Resident, password: str = PASSWORD) -> Browser:
    """A browser that the person is signed in with."""
    made = browser_at(world)
    page = await sign_in(made, person.email, password)
    assert page.url == f"{BASE_URL}/account", page.text
    return made


async def is_in(browser: Browser) -> bool:
    """Whether the account is shown."""
    return (await browser.visit("/account")).url == f"{BASE_URL}/account"


@dataclass(frozen=True)
class Sitting:
    """A session as the services see it: who it is of, and the browser that holds its cookie."""

    person: SignedIn
    seen: Seen


async def sitting(person: Resident) -> Sitting:
    """The person signs in, below the pages."""
    people, database = person.world.program.people, person.world.program.database
    seen = Seen(None, "Test/1", None, None)
    entered = await people.signing_in.by_password(CALLER, seen, person.email, PASSWORD)
    cookie = getattr(entered, "cookie", None)
    async with database.login(caller=CALLER) as session:
        found = await people.sessions.of(session, cookie)
    assert found is not None
    return Sitting(found, Seen(None, "Test/1", cookie, None))


async def sessions_of(admin: Plain, user_id: UUID) -> int:
    """How many browsers the person may still be signed in with."""
    found: int = await admin.fetchval(
        "SELECT count(*) FROM user_session WHERE user_id = $1 AND revoked_at IS NULL", user_id
    )
    return found


def held(browser: Browser) -> str:
    """The session's cookie."""
    return browser._cookies[COOKIE]
