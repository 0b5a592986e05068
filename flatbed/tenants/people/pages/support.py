"""What every page of people needs: who sits at the browser, and where to send him."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final
from urllib.parse import parse_qsl, urlencode

from fastapi import Request
from fastapi.responses import RedirectResponse

from flatbed.tenants.kit.clock import system_now
from flatbed.tenants.kit.database.session import Caller
from flatbed.tenants.kit.edge.addresses import caller_address
from flatbed.tenants.kit.edge.cookies import cookie_of
from flatbed.tenants.kit.edge.forms import given, read_form, read_query
from flatbed.tenants.pages.csrf import place_of
from flatbed.tenants.pages.leading import source_of
from flatbed.tenants.pages.pages import Reader, see_other
from flatbed.tenants.pages.route import Elsewhere, pages_of
from flatbed.tenants.people.sessions.service import COOKIE, SignedIn
from flatbed.tenants.people.signing_in import half
from flatbed.tenants.people.signing_in.places import own_place
from flatbed.tenants.people.signing_in.service import Browser
from flatbed.tenants.people.wiring import People

SIGN_IN: Final = "/sign-in"
ENROL: Final = "/account/second-factor"
CONTINUE: Final = "continue"
ANEW: Final = "anew"
OTHER: Final = "other"
"""The value of ``anew`` where somebody else than who is signed in may sit there."""
AUTHORIZE: Final = "/oauth/authorize"
HINT: Final = "login_hint"
WRONG: Final = 422


def people_of(request: Request) -> People:
    """The people of the running program."""
    found: People = request.app.state.people
    return found


def caller_of(request: Request) -> Caller:
    """Who a page's transactions are of: nobody who has a token."""
    return Caller("system:pages", request.state.request_id)


def browser_of(request: Request) -> Browser:
    """The browser behind a request."""
    return Browser(
        caller_address(request),
        _printable(request.headers.get("user-agent", "")),
        cookie_of(request, COOKIE),
        cookie_of(request, half.COOKIE),
    )


def _printable(agent: str) -> str:
    """What can be stored and shown of what a browser calls itself."""
    return "".join(sign for sign in agent if sign.isprintable())


def sign_in_link(place: str, *, anew: bool = False, other: bool = False, email: str = "") -> str:
    """The sign-in page that leads on to this place of ours.

    ``anew``: also for who is signed in; ``other``: he says that it is not he who sits there.
    """
    asked = {CONTINUE: place, ANEW: OTHER if other else "1" if anew else "", HINT: email}
    return f"{SIGN_IN}?{urlencode({name: value for name, value in asked.items() if value})}"


def enrolment_link(place: str) -> str:
    """The page that gives a person a second factor and leads on to this place of ours."""
    return f"{ENROL}?{urlencode({CONTINUE: place})}"


def sign_in_first(place: str, *, anew: bool = False) -> RedirectResponse:
    """Send the person to sign in, and then on to this place of ours."""
    return see_other(sign_in_link(place, anew=anew))


def form_target(query: Mapping[str, str]) -> str | None:
    """Whom signing in may lead to at once: an application that the person let in before."""
    page, _, asked = own_place(given(query, CONTINUE)).partition("?")
    if page != AUTHORIZE:
        return None
    return source_of(dict(parse_qsl(asked)).get("redirect_uri", ""))


async def signed_in(request: Request) -> SignedIn | None:
    """Who sits at the browser, in a transaction of its own."""
    people = people_of(request)
    async with people.database.login(caller=caller_of(request)) as session:
        return await people.sessions.of(session, cookie_of(request, COOKIE))


@dataclass(frozen=True, slots=True)
class Visit:
    """A signed-in person at a page, what the page's query says, and the form that he sent."""

    person: SignedIn
    reader: Reader
    query: dict[str, str]
    fields: dict[str, str] = field(default_factory=dict, repr=False)


async def visit(request: Request, *, fresh: bool = False) -> Visit:
    """Who opens a page.

    Raises:
        Elsewhere: to sign in first, again where ``fresh`` asks for a quarter of an hour at most.
        MalformedFormError: the query is none that we take.
    """
    query = read_query(request)
    found = await signed_in(request)
    if found is None or (fresh and not found.is_fresh(system_now())):
        raise Elsewhere(sign_in_link(place_of(request), anew=found is not None))
    reader = pages_of(request).reader(request, binding=found.binding, locale=found.locale)
    return Visit(found, reader, query)


async def sent(request: Request, *, fresh: bool = False) -> Visit:
    """Who sends a page's form, which is really of that page.

    Raises:
        Elsewhere: as in :func:`visit`.
        MalformedFormError: it is no form that we take.
        ForgedFormError: our page did not send it.
    """
    fields = await read_form(request)
    found = await visit(request, fresh=fresh)
    pages_of(request).check(request, found.reader, fields)
    return replace(found, fields=fields)
