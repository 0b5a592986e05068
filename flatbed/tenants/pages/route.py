"""Routes that answer people: a refusal is a page, not a problem document."""

from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.types import Receive, Scope, Send

from flatbed.tenants.kit.edge.forms import MalformedFormError
from flatbed.tenants.kit.http import Show, headers_of, render, show_as
from flatbed.tenants.kit.problems import OutcomeUnknownError, Problem
from flatbed.tenants.pages.csrf import ForgedFormError
from flatbed.tenants.pages.pages import Pages, see_other

BAD_REQUEST: Final = 400
_KEYS: Final = {
    BAD_REQUEST: "refused.malformed",
    403: "refused.forbidden",
    404: "refused.missing",
    405: "refused.missing",
    429: "refused.too_many",
    503: "refused.busy",
}


class Elsewhere(Exception):
    """The page is not for this browser now: it is to go to ``place``, one of ours, first."""

    def __init__(self, place: str) -> None:
        super().__init__()
        self.place = place


def pages_of(request: Request) -> Pages:
    """The pages of the running program."""
    found: Pages = request.app.state.pages
    return found


def refused(
    request: Request, status: int, key: str, headers: dict[str, str] | None = None
) -> Response:
    """A page that says only that it does not go on, and why in words of ours."""
    pages = pages_of(request)
    # It has no form that would need the cookie, and another tab's may rest on the one he has.
    reader = replace(pages.reader(request), fresh_cookie=None)
    return pages.render(
        request, reader, "refused.html", status=status, headers=headers, message_key=key
    )


def _as_page(problem: Problem, request: Request) -> Response:
    match problem:
        case ForgedFormError():
            key = "refused.forged"
        case OutcomeUnknownError():
            key = "refused.unknown"
        case _:
            key = _KEYS.get(problem.status, "refused.other")
    return refused(request, problem.status, key, headers_of(problem))


def where_pages_are(*routers: APIRouter) -> Show:
    """How to answer a request that was not routed yet: by a page where these routers have one."""
    found = iter_route_contexts([route for router in routers for route in router.routes])
    # What one shows in overload must not be dear itself.
    patterns = {one.path_regex for one in found}

    def show(problem: Problem, request: Request) -> Response:
        is_page = any(pattern.match(request.scope["path"]) for pattern in patterns)
        return (_as_page if is_page else render)(problem, request)

    return show


class PageRoute(APIRoute):
    """Answers what an endpoint refuses with a page in the person's language."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request of this path, whatever its method."""
        show_as(Request(scope), _as_page)
        await super().handle(scope, receive, send)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The endpoint, with its refusals."""
        answer = super().get_route_handler()

        async def answered(request: Request) -> Response:
            try:
                return await answer(request)
            except Elsewhere as error:
                return see_other(error.place)
            except MalformedFormError:
                return refused(request, BAD_REQUEST, _KEYS[BAD_REQUEST])

        return answered
