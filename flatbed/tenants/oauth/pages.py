"""The pages of the OAuth server: who wants what, and which applications were let in.

They work without a script. What they change is bound to the session of the browser that they were
shown in, and to the exact query that they were shown for.
"""

from collections.abc import Collection
from typing import Final
from urllib.parse import urlsplit

from fastapi import APIRouter, Request, Response

from flatbed.tenants.kit.clock import system_now
from flatbed.tenants.kit.edge.forms import given, read_form
from flatbed.tenants.kit.ids import InvalidIdError, decode, encode
from flatbed.tenants.kit.problems import NotFoundError
from flatbed.tenants.oauth.grants.authorizing.errors import UnanswerableError
from flatbed.tenants.oauth.grants.authorizing.service import (
    Ask,
    Decision,
    Enrol,
    GoTo,
    Outcome,
    SignIn,
)
from flatbed.tenants.oauth.grants.consents import service as consents
from flatbed.tenants.oauth.wiring import OAuth
from flatbed.tenants.pages.csrf import place_of
from flatbed.tenants.pages.leading import source_of
from flatbed.tenants.pages.pages import SEE_OTHER, see_other
from flatbed.tenants.pages.route import PageRoute, pages_of
from flatbed.tenants.pages.texts import TEXTS
from flatbed.tenants.people.pages.support import (
    AUTHORIZE,
    caller_of,
    enrolment_link,
    people_of,
    sign_in_first,
    sign_in_link,
    signed_in,
)
from flatbed.tenants.people.sessions.service import SignedIn

router = APIRouter(route_class=PageRoute, include_in_schema=False)

APPLICATIONS: Final = "/account/applications"
NOT_STORED: Final = {"Cache-Control": "no-store"}
BAD_REQUEST: Final = 400
_SCOPE: Final = "scope."
_SCOPES: Final = [key.removeprefix(_SCOPE) for key in TEXTS["en"] if key.startswith(_SCOPE)]


@router.get(AUTHORIZE)
async def authorize(request: Request) -> Response:
    """Ask the person whether the application may act for him, unless he has said so before."""
    return await _answer(request, None)


@router.post(AUTHORIZE)
async def decide(request: Request) -> Response:
    """Do what he said."""
    fields, person = await read_form(request), await signed_in(request)
    if person is None:
        return sign_in_first(place_of(request))
    pages = pages_of(request)
    pages.check(request, pages.reader(request, binding=person.binding), fields)
    allows = given(fields, "decision") == "allow"
    return await _answer(request, Decision(allows, fields.get("place")))


@router.get(APPLICATIONS)
async def applications(request: Request) -> Response:
    """List the applications that the person let in."""
    oauth, pages = _oauth(request), pages_of(request)
    person = await signed_in(request)
    if person is None:
        return sign_in_first(APPLICATIONS)
    async with oauth.database.login(caller=caller_of(request)) as session:
        found = await consents.applications(session, person.user_id)
    reader = pages.reader(request, binding=person.binding, locale=person.locale)
    return pages.render(
        request,
        reader,
        "applications.html",
        applications=[
            {
                "client_id": encode("client", one.client_id),
                "name": one.name,
                "owner": one.owner,
                "granted_at": one.granted_at,
                "last_at": one.last_at,
                "scopes": _in_order(one.scopes),
            }
            for one in found
        ],
    )


@router.post(APPLICATIONS)
async def end_application(request: Request) -> Response:
    """End all that the person granted to one of them."""
    fields, person = await read_form(request), await signed_in(request)
    if person is None:
        return sign_in_first(APPLICATIONS)
    pages, people = pages_of(request), people_of(request)
    pages.check(request, pages.reader(request, binding=person.binding), fields)
    try:
        client_id = decode("client", given(fields, "client_id"))
    except InvalidIdError:
        raise NotFoundError from None
    async with people.database.login(caller=caller_of(request)) as session:
        if await people.sessions.hold(session, person) is not None:
            await consents.take_back(session, person.user_id, client_id, system_now())
    return see_other(APPLICATIONS)


async def _answer(request: Request, decision: Decision | None) -> Response:
    oauth, raw = _oauth(request), request.scope["query_string"]
    # In a transaction of its own: it notes that the session is in use, and the one that lets the
    # application in locks the account before the session.
    person = await signed_in(request)
    try:
        async with oauth.database.login(caller=caller_of(request)) as session:
            outcome = await oauth.authorizer.answer(
                session, raw.decode("latin-1"), person, system_now(), decision
            )
    except UnanswerableError as error:
        pages = pages_of(request)
        return pages.render(
            request,
            pages.reader(request),
            "unanswerable.html",
            status=BAD_REQUEST,
            reason=error.reason,
        )
    return _respond(request, outcome, person)


def _respond(request: Request, outcome: Outcome, person: SignedIn | None) -> Response:
    match outcome:
        case Ask() if person is not None:
            return _page(request, outcome, person)
        case GoTo(uri=uri):
            # As it is: what makes the response would write some characters of it in another way.
            return Response(status_code=SEE_OTHER, headers={"Location": uri, **NOT_STORED})
        case Enrol():
            return see_other(enrolment_link(place_of(request)))
        case SignIn(query=query, anew=anew):
            return sign_in_first(f"{AUTHORIZE}?{query}", anew=anew)
        case _:
            return sign_in_first(place_of(request))


def _page(request: Request, ask: Ask, person: SignedIn) -> Response:
    pages, destination = pages_of(request), urlsplit(ask.redirect_uri)
    return pages.render(
        request,
        pages.reader(request, binding=person.binding, locale=person.locale),
        "consent.html",
        form_action=source_of(ask.redirect_uri),
        name=ask.client.name,
        owner=ask.owner,
        person=person,
        offers=ask.offers,
        chosen=None if ask.chosen is None else ask.chosen.place.id,
        scopes=_in_order(ask.scopes),
        destination=destination.hostname or destination.scheme,
        another=sign_in_link(place_of(request), other=True),
    )


def _in_order(scopes: Collection[str]) -> list[str]:
    """As the catalogue has them: who somebody is first, then what belongs together."""
    return [scope for scope in _SCOPES if scope in scopes]


def _oauth(request: Request) -> OAuth:
    found: OAuth = request.app.state.oauth
    return found
