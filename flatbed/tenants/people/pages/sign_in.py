"""The pages that sign a person in and out."""

from typing import Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from flatbed.tenants.kit.edge.cookies import cookie_of
from flatbed.tenants.kit.edge.forms import given, read_form, read_query
from flatbed.tenants.kit.problems import Problem
from flatbed.tenants.kit.schemas import LONGEST_EMAIL
from flatbed.tenants.pages.pages import BEFORE, Reader, drop_cookie, see_other, set_cookie
from flatbed.tenants.pages.route import PageRoute, pages_of
from flatbed.tenants.people.failures.errors import TooManyFailuresError
from flatbed.tenants.people.pages.support import (
    ANEW,
    CONTINUE,
    HINT,
    OTHER,
    SIGN_IN,
    WRONG,
    browser_of,
    caller_of,
    enrolment_link,
    form_target,
    people_of,
    signed_in,
)
from flatbed.tenants.people.sessions.service import COOKIE
from flatbed.tenants.people.signing_in import half
from flatbed.tenants.people.signing_in.places import own_place
from flatbed.tenants.people.signing_in.service import Entered, HalfGoneError, HalfWay

router = APIRouter(route_class=PageRoute, include_in_schema=False)

CODE: Final = "/sign-in/code"


@router.get(SIGN_IN)
async def show_sign_in(request: Request) -> Response:
    """Ask for address and password, unless somebody is signed in and need not prove it anew."""
    query = read_query(request)
    found = await signed_in(request)
    if found is not None and ANEW not in query:
        return see_other(own_place(given(query, CONTINUE)))
    known = found is not None and query[ANEW] != OTHER
    email = found.email if found is not None and known else given(query, HINT)
    return _sign_in(request, pages_of(request).reader(request), email)


@router.post(SIGN_IN)
async def sign_in(request: Request) -> Response:
    """Look at address and password; go on to the second factor, or to where he was going."""
    pages, query, fields = pages_of(request), read_query(request), await read_form(request)
    reader = pages.reader(request)
    pages.check(request, reader, fields)
    email = given(fields, "email")
    try:
        found = await people_of(request).signing_in.by_password(
            caller_of(request), browser_of(request), email, given(fields, "password")
        )
    except TooManyFailuresError as error:
        return _sign_in(request, reader, email, refused=error)
    match found:
        case HalfWay(cookie=cookie):
            response = see_other(_with_query(request, CODE))
            set_cookie(response, half.COOKIE, cookie)
            return response
        case Entered():
            return _entered(query, found)
        case None:
            return _sign_in(request, reader, email, alarm="sign_in.wrong")


@router.get(CODE)
async def show_code(request: Request) -> Response:
    """Ask for the second factor of who has just typed his password."""
    read_query(request)
    people = people_of(request)
    try:
        async with people.database.login(caller=caller_of(request)) as session:
            await people.signing_in.half_way(session, cookie_of(request, half.COOKIE))
    except HalfGoneError:
        return _from_the_start(request)
    return _code(request, pages_of(request).reader(request))


@router.post(CODE)
async def enter_code(request: Request) -> Response:
    """Look at the second factor."""
    pages, query, fields = pages_of(request), read_query(request), await read_form(request)
    reader = pages.reader(request)
    pages.check(request, reader, fields)
    try:
        found = await people_of(request).signing_in.by_code(
            caller_of(request), browser_of(request), given(fields, "code")
        )
    except HalfGoneError:
        return _from_the_start(request)
    except TooManyFailuresError as error:
        return _code(request, reader, refused=error)
    if found is None:
        return _code(request, reader, alarm="code.wrong")
    return _entered(query, found)


@router.post("/sign-out")
async def sign_out(request: Request) -> Response:
    """End the session of this browser."""
    people, pages, fields = people_of(request), pages_of(request), await read_form(request)
    found = await signed_in(request)
    if found is not None:
        pages.check(request, pages.reader(request, binding=found.binding), fields)
        async with people.database.login(caller=caller_of(request)) as session:
            await people.sessions.end(session, cookie_of(request, COOKIE))
    response = see_other(SIGN_IN)
    for name in (COOKIE, half.COOKIE, BEFORE):
        drop_cookie(response, name)
    return response


def _entered(query: dict[str, str], entered: Entered) -> RedirectResponse:
    place = own_place(given(query, CONTINUE))
    if entered.must_enrol:
        place = enrolment_link(place)
    response = see_other(place)
    set_cookie(response, COOKIE, entered.cookie)
    # Whatever another has left or planted in this browser is worth nothing from now on.
    for name in (half.COOKIE, BEFORE):
        drop_cookie(response, name)
    return response


def _with_query(request: Request, page: str) -> str:
    query = request.scope["query_string"].decode()
    return f"{page}?{query}" if query else page


def _from_the_start(request: Request) -> Response:
    return see_other(_with_query(request, SIGN_IN))


def _sign_in(
    request: Request, reader: Reader, email: str, alarm: str = "", refused: Problem | None = None
) -> Response:
    anew = request.query_params.get(ANEW, OTHER) != OTHER
    shown = email[:LONGEST_EMAIL]
    return _step(request, reader, "sign_in.html", alarm, refused, email=shown, anew=anew)


def _code(
    request: Request, reader: Reader, alarm: str = "", refused: Problem | None = None
) -> Response:
    return _step(request, reader, "sign_in_code.html", alarm, refused)


def _step(
    request: Request,
    reader: Reader,
    template: str,
    alarm: str,
    refused: Problem | None,
    **context: str | bool,
) -> Response:
    """The page of a step; after a mistake, or a try too many, once more."""
    status = WRONG if alarm else 200
    return pages_of(request).render(
        request,
        reader,
        template,
        status=status if refused is None else refused.status,
        form_action=form_target(request.query_params),
        headers=None if refused is None else refused.headers,
        alarm_key=alarm if refused is None else "refused.too_many",
        **context,
    )
