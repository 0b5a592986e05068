"""The pages for a new password: by the old one, or by a link in a mail."""

from typing import Final

from fastapi import APIRouter, Request, Response

from flatbed.tenants.kit.edge.forms import given, read_form, read_query
from flatbed.tenants.kit.problems import NotFoundError, Problem
from flatbed.tenants.pages.pages import Reader, see_other, set_cookie
from flatbed.tenants.pages.route import PageRoute, pages_of
from flatbed.tenants.people.failures.errors import TooManyFailuresError
from flatbed.tenants.people.new_password.service import Changed
from flatbed.tenants.people.pages.support import (
    WRONG,
    Visit,
    browser_of,
    caller_of,
    people_of,
    sent,
    visit,
)
from flatbed.tenants.people.rules.passwords import Weakness
from flatbed.tenants.people.sessions.service import COOKIE

router = APIRouter(route_class=PageRoute, include_in_schema=False)

PASSWORD: Final = "/account/password"  # noqa: S105  # pragma: allowlist secret - a path
RESET: Final = "/password-reset"
SAID: Final = "said"
CHANGED: Final = "changed"


@router.get(PASSWORD)
async def show_change(request: Request) -> Response:
    """Ask for the current and the new one."""
    found = await visit(request, fresh=True)
    return _change(request, found, said=found.query.get(SAID) == CHANGED)


@router.post(PASSWORD)
async def change(request: Request) -> Response:
    """Change it."""
    found = await sent(request, fresh=True)
    try:
        done = await people_of(request).new_passwords.change(
            caller_of(request),
            browser_of(request),
            found.person,
            given(found.fields, "current"),
            given(found.fields, "new"),
        )
    except TooManyFailuresError as error:
        return _change(request, found, refused=error)
    match done:
        case Changed(cookie=cookie):
            response = see_other(f"{PASSWORD}?{SAID}={CHANGED}")
            set_cookie(response, COOKIE, cookie)
            return response
        case Weakness():
            return _change(request, found, weak=done)
        case None:
            return _change(request, found, alarm="password.wrong")


@router.get(RESET)
async def show_ask(request: Request) -> Response:
    """Ask for the address."""
    read_query(request)
    pages = pages_of(request)
    return pages.render(request, pages.reader(request), "password_reset.html", is_sent=False)


@router.post(RESET)
async def ask(request: Request) -> Response:
    """Have a link mailed; the answer is the same whoever has the address, or nobody."""
    read_query(request)
    pages, fields = pages_of(request), await read_form(request)
    reader = pages.reader(request)
    pages.check(request, reader, fields)
    await people_of(request).new_passwords.ask(
        caller_of(request), browser_of(request), given(fields, "email")
    )
    return pages.render(request, reader, "password_reset.html", is_sent=True)


@router.get(RESET + "/{token}")
async def show_reset(request: Request, token: str) -> Response:
    """Ask for the new one."""
    read_query(request)
    people = people_of(request)
    async with people.database.login(caller=caller_of(request)) as session:
        found = await people.new_passwords.open(session, token)
    if found is None:
        raise NotFoundError
    return _reset(request, pages_of(request).reader(request), found.email)


@router.post(RESET + "/{token}")
async def reset(request: Request, token: str) -> Response:
    """Use the link up."""
    read_query(request)
    people, pages, fields = people_of(request), pages_of(request), await read_form(request)
    reader = pages.reader(request)
    pages.check(request, reader, fields)
    done = await people.new_passwords.reset(caller_of(request), token, given(fields, "new"))
    if done is None:
        raise NotFoundError
    if isinstance(done, Weakness):
        async with people.database.login(caller=caller_of(request)) as session:
            found = await people.new_passwords.open(session, token)
        return _reset(request, reader, "" if found is None else found.email, weak=done)
    return pages.render(request, reader, "password_done.html", email=done.email)


def _reset(
    request: Request, reader: Reader, email: str, *, weak: Weakness | None = None
) -> Response:
    return pages_of(request).render(
        request,
        reader,
        "new_password.html",
        status=WRONG if weak else 200,
        email=email,
        weak_key=f"weak.{weak}" if weak else "",
    )


def _change(
    request: Request,
    found: Visit,
    *,
    alarm: str = "",
    weak: Weakness | None = None,
    said: bool = False,
    refused: Problem | None = None,
) -> Response:
    status = WRONG if alarm or weak else 200
    return pages_of(request).render(
        request,
        found.reader,
        "password.html",
        status=status if refused is None else refused.status,
        headers=None if refused is None else refused.headers,
        email=found.person.email,
        alarm_key=alarm if refused is None else "refused.too_many",
        weak_key=f"weak.{weak}" if weak else "",
        said_key="password.changed" if said else "",
    )
