"""The page that the link of an invitation opens."""

from typing import Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from flatbed.tenants.kit.edge.forms import given, read_form, read_query
from flatbed.tenants.kit.problems import NotFoundError
from flatbed.tenants.pages.csrf import path_of
from flatbed.tenants.pages.pages import Reader, see_other, set_cookie
from flatbed.tenants.pages.route import PageRoute, pages_of
from flatbed.tenants.people.acceptance import (
    Joined,
    NewAccount,
    OpenInvitation,
    Refused,
)
from flatbed.tenants.people.pages.support import (
    WRONG,
    browser_of,
    caller_of,
    enrolment_link,
    people_of,
    sign_in_link,
    signed_in,
)
from flatbed.tenants.people.rules.names import proper
from flatbed.tenants.people.rules.passwords import judge
from flatbed.tenants.people.second_factor.service import needs_enrolment
from flatbed.tenants.people.sessions.service import COOKIE, SignedIn
from flatbed.tenants.people.signing_in.places import HOME

router = APIRouter(route_class=PageRoute, include_in_schema=False)

PATH: Final = "/invitations/{token}"


@router.get(PATH)
async def show(request: Request, token: str) -> Response:
    """Say who invites whom to what, and how to accept."""
    read_query(request)
    person = await signed_in(request)
    found = await _open(request, token)
    return _page(request, _reader(request, person), found, person)


@router.post(PATH)
async def accept(request: Request, token: str) -> Response:
    """Accept: as whoever is signed in, else as somebody new."""
    read_query(request)
    fields, pages = await read_form(request), pages_of(request)
    person = await signed_in(request)
    reader = _reader(request, person)
    pages.check(request, reader, fields)
    found = await _open(request, token)
    if found.needs_account:
        return await _accept_new(request, reader, token, found, fields)
    if person is None or person.email != found.email:
        return _page(request, reader, found, person)
    people = people_of(request)
    async with people.database.login(caller=caller_of(request)) as session:
        done = await people.invitations.accept_as(session, token, person.user_id)
        must_enrol = await needs_enrolment(session, person.user_id)
    if done is Refused.ALREADY_THERE:
        return _page(request, reader, found, person, alarm="invitation.already_there")
    if isinstance(done, Refused):
        raise NotFoundError
    return _onward(must_enrol=must_enrol)


async def _accept_new(
    request: Request, reader: Reader, token: str, found: OpenInvitation, fields: dict[str, str]
) -> Response:
    name, password = proper(given(fields, "name")), given(fields, "new")
    weakness = judge(password, email=found.email)
    if name is None:
        return _page(request, reader, found, None, alarm="account.bad_name")
    if weakness is not None:
        return _page(request, reader, found, None, weak=f"weak.{weakness}", name=name)
    people = people_of(request)
    account = NewAccount(name, reader.language, await people.passwords.hash(password))
    async with people.database.login(caller=caller_of(request)) as session:
        done = await people.invitations.accept_new(session, token, account)
        entered = None
        if isinstance(done, Joined):
            entered = await people.signing_in.new(session, done.user_id, browser_of(request))
    if done is Refused.SIGN_IN:
        return see_other(path_of(request))
    if entered is None:
        raise NotFoundError
    response = _onward(must_enrol=entered.must_enrol)
    set_cookie(response, COOKIE, entered.cookie)
    return response


def _onward(*, must_enrol: bool) -> RedirectResponse:
    """Where who has joined goes on: for a second factor, where his new place asks for one."""
    return see_other(enrolment_link(HOME) if must_enrol else HOME)


async def _open(request: Request, token: str) -> OpenInvitation:
    people = people_of(request)
    async with people.database.login(caller=caller_of(request)) as session:
        found = await people.invitations.open(session, token)
    if found is None:
        raise NotFoundError
    return found


def _reader(request: Request, person: SignedIn | None) -> Reader:
    pages = pages_of(request)
    if person is None:
        return pages.reader(request)
    return pages.reader(request, binding=person.binding, locale=person.locale)


def _page(
    request: Request,
    reader: Reader,
    found: OpenInvitation,
    person: SignedIn | None,
    *,
    alarm: str = "",
    weak: str = "",
    name: str = "",
) -> Response:
    return pages_of(request).render(
        request,
        reader,
        "invitation.html",
        status=WRONG if alarm or weak else 200,
        found=found,
        role_key=f"{'staff' if found.of_agency else 'role'}.{found.role}",
        is_his=person is not None and person.email == found.email,
        other=person.email if person is not None and person.email != found.email else "",
        sign_in=sign_in_link(path_of(request), anew=person is not None, email=found.email),
        alarm_key=alarm,
        weak_key=weak,
        name=name,
    )
