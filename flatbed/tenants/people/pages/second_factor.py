"""The page on which a person gets a second factor, new recovery codes, or gives it up."""

from fastapi import APIRouter, Request, Response

from flatbed.tenants.kit.edge.forms import given
from flatbed.tenants.pages.csrf import place_of
from flatbed.tenants.pages.pages import see_other, set_cookie
from flatbed.tenants.pages.route import PageRoute, pages_of
from flatbed.tenants.people import totp
from flatbed.tenants.people.failures.errors import TooManyFailuresError
from flatbed.tenants.people.pages.support import (
    CONTINUE,
    ENROL,
    WRONG,
    Visit,
    browser_of,
    caller_of,
    people_of,
    sent,
    visit,
)
from flatbed.tenants.people.second_factor.service import Offer
from flatbed.tenants.people.sessions.service import COOKIE
from flatbed.tenants.people.signing_in.places import own_place

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get(ENROL)
async def show(request: Request) -> Response:
    """How it stands, and what may be done."""
    return await _page(request, await visit(request, fresh=True))


@router.post(ENROL)
async def act(request: Request) -> Response:
    """Do one of the three."""
    found = await sent(request, fresh=True)
    try:
        match given(found.fields, "act"):
            case "enrol":
                return await _enrol(request, found)
            case "renew":
                return await _renew(request, found)
            case "remove":
                return await _remove(request, found)
            case _:
                return await _page(request, found)
    except TooManyFailuresError as error:
        return await _page(request, found, refused=error)


async def _enrol(request: Request, found: Visit) -> Response:
    service, sealed = people_of(request).second_factors, given(found.fields, "offer")
    made = await service.enrol(
        caller_of(request), browser_of(request), found.person, sealed, given(found.fields, "code")
    )
    if made is None:
        offer = service.again(found.person, sealed)
        return await _page(request, found, alarm="code.wrong", offer=offer)
    response = _codes(request, found, made.codes)
    set_cookie(response, COOKIE, made.cookie)
    return response


async def _renew(request: Request, found: Visit) -> Response:
    codes = await people_of(request).second_factors.renew_codes(
        caller_of(request), browser_of(request), found.person, given(found.fields, "code")
    )
    if codes is None:
        return await _page(request, found, alarm="code.wrong")
    return _codes(request, found, codes)


async def _remove(request: Request, found: Visit) -> Response:
    cookie = await people_of(request).second_factors.remove(
        caller_of(request),
        browser_of(request),
        found.person,
        given(found.fields, "password"),
        given(found.fields, "code"),
    )
    if cookie is None:
        return await _page(request, found, alarm="second_factor.kept")
    response = see_other(place_of(request))
    set_cookie(response, COOKIE, cookie)
    return response


def _codes(request: Request, found: Visit, codes: list[str]) -> Response:
    return pages_of(request).render(
        request,
        found.reader,
        "recovery_codes.html",
        codes=codes,
        onward=own_place(given(found.query, CONTINUE)),
    )


async def _page(
    request: Request,
    found: Visit,
    *,
    alarm: str = "",
    offer: Offer | None = None,
    refused: TooManyFailuresError | None = None,
) -> Response:
    people = people_of(request)
    async with people.database.login(caller=caller_of(request)) as session:
        standing = await people.second_factors.standing(session, found.person.user_id)
    if offer is None and not standing.has_one:
        offer = people.second_factors.offer(found.person)
    if refused is not None:
        alarm = "refused.too_many"
    status = WRONG if alarm else 200
    return pages_of(request).render(
        request,
        found.reader,
        "second_factor.html",
        status=status if refused is None else refused.status,
        headers=None if refused is None else refused.headers,
        alarm_key=alarm,
        standing=standing,
        offer=None if standing.has_one else offer,
        picture=totp.qr_code(offer.uri) if offer else "",
        email=found.person.email,
    )
