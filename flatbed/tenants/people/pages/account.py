"""The pages on which a person sees his account and the browsers that he is signed in with."""

from datetime import datetime
from typing import Final

from fastapi import APIRouter, Request, Response

from flatbed.tenants.kit.edge.forms import given
from flatbed.tenants.kit.ids import InvalidIdError, decode, encode
from flatbed.tenants.kit.problems import NotFoundError
from flatbed.tenants.pages.pages import see_other
from flatbed.tenants.pages.route import PageRoute, pages_of
from flatbed.tenants.pages.texts import LANGUAGES, NAMES
from flatbed.tenants.people.accounts.service import rename
from flatbed.tenants.people.pages.support import WRONG, Visit, caller_of, people_of, sent, visit
from flatbed.tenants.people.rules.names import proper

router = APIRouter(route_class=PageRoute, include_in_schema=False)

ACCOUNT: Final = "/account"
SESSIONS: Final = "/account/sessions"
SAID: Final = "said"
SAVED: Final = "saved"


@router.get(ACCOUNT)
async def show_account(request: Request) -> Response:
    """Who he is here."""
    found = await visit(request)
    return _account(request, found, said=found.query.get(SAID) == SAVED)


@router.post(ACCOUNT)
async def change_account(request: Request) -> Response:
    """Change name and language."""
    found = await sent(request)
    name, locale = proper(given(found.fields, "name")), given(found.fields, "locale")
    if name is None or locale not in LANGUAGES:
        return _account(request, found, alarm="account.bad_name")
    async with people_of(request).database.login(caller=caller_of(request)) as session:
        await rename(session, found.person.user_id, name, locale)
    return see_other(f"{ACCOUNT}?{SAID}={SAVED}")


@router.get(SESSIONS)
async def show_sessions(request: Request) -> Response:
    """The browsers that he is signed in with."""
    found, people = await visit(request), people_of(request)
    async with people.database.login(caller=caller_of(request)) as session:
        rows = await people.sessions.live(session, found.person.user_id)
    browsers: list[dict[str, str | datetime | bool]] = [
        {
            "id": encode("ses", row.id),
            "agent": row.agent,
            "since": row.created_at,
            "seen": row.seen_at,
            "is_this": row.id == found.person.session_id,
        }
        for row in rows
    ]
    return pages_of(request).render(request, found.reader, "sessions.html", browsers=browsers)


@router.post(SESSIONS)
async def end_sessions(request: Request) -> Response:
    """Sign one of them out, or all but this one, and end what was lent from there."""
    found, people = await sent(request), people_of(request)
    mine = found.person
    which = given(found.fields, "session")
    try:
        session_id = None if which == "others" else decode("ses", which)
    except InvalidIdError:
        raise NotFoundError from None
    async with people.database.login(caller=caller_of(request)) as session:
        if session_id is None:
            await people.sessions.end_others(session, mine.user_id, mine.session_id)
        elif not await people.sessions.end_one(session, mine.user_id, session_id):
            raise NotFoundError
    return see_other(SESSIONS)


def _account(request: Request, found: Visit, *, alarm: str = "", said: bool = False) -> Response:
    return pages_of(request).render(
        request,
        found.reader,
        "account.html",
        status=WRONG if alarm else 200,
        person=found.person,
        languages=[(code, NAMES[code]) for code in LANGUAGES],
        alarm_key=alarm,
        said_key="account.saved" if said else "",
    )
