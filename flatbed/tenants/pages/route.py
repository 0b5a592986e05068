"""Routes that answer people: a refusal is a page, not a problem document."""

from collections.abc import Callable, Coroutine
from typing import Any, Final

from fastapi import Request, Response
from fastapi.routing import APIRoute

from flatbed.tenants.kit.edge.forms import MalformedFormError
from flatbed.tenants.kit.problems import Problem
from flatbed.tenants.pages.csrf import ForgedFormError
from flatbed.tenants.pages.pages import Pages, see_other

_KEYS: Final = {
    400: "refused.malformed",
    403: "refused.forbidden",
    404: "refused.missing",
    429: "refused.too_many",
    503: "refused.busy",
}
_OTHER: Final = "refused.other"
BAD_REQUEST: Final = 400


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
    reader = pages.reader(request)
    return pages.render(
        request, reader, "refused.html", status=status, headers=headers, message_key=key
    )


class PageRoute(APIRoute):
    """Answers what an endpoint refuses with a page in the person's language."""

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
            except ForgedFormError as error:
                return refused(request, error.status, "refused.forged")
            except Problem as error:
                key = _KEYS.get(error.status, _OTHER)
                return refused(request, error.status, key, dict(error.headers or {}))

        return answered
