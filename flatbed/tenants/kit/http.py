"""The edge of HTTP: replies with their ETag, preconditions, and the one handler of problems."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Final
from uuid import UUID

import structlog
from fastapi import Depends, FastAPI, Header, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm.exc import StaleDataError
from starlette.exceptions import HTTPException
from starlette.routing import Match

from flatbed.tenants.kit.canonical import canonical
from flatbed.tenants.kit.failures import (
    CONFLICTS,
    IN_DOUBT,
    READ_ONLY,
    is_lost,
    is_outdated,
    sqlstate_of,
)
from flatbed.tenants.kit.logging import trail
from flatbed.tenants.kit.problems import (
    ConflictError,
    FieldError,
    InternalError,
    InvalidError,
    MalformedError,
    MethodNotAllowedError,
    NotFoundError,
    OutcomeUnknownError,
    PreconditionFailedError,
    PreconditionRequiredError,
    Problem,
    UnavailableError,
)

log = structlog.get_logger(__name__)

PROBLEM_TYPE = "application/problem+json"


class FieldErrorBody(BaseModel):
    """One wrong place of a request."""

    pointer: str
    code: str
    message: str


class ProblemBody(BaseModel):
    """RFC 9457. Extension members (for example `criteria`) stand beside these."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    request_id: str
    errors: Annotated[list[FieldErrorBody], Field(description="Empty unless single places fail.")]


def reply(
    model: BaseModel,
    *,
    status: int = 200,
    version: int | None = None,
    location: str | None = None,
) -> Response:
    """A JSON reply; ``version`` becomes the ETag, for If-Match only."""
    headers: dict[str, str] = {}
    if version is not None:
        headers["ETag"] = f'"{version}"'
    if location is not None:
        headers["Location"] = location
    return Response(model.model_dump_json(), status, headers=headers, media_type="application/json")


@dataclass(frozen=True, slots=True)
class Listing:
    """The page of a list that is asked for; ``limit`` is capped at 200, not refused."""

    limit: int
    cursor: str | None


async def _listing(
    limit: Annotated[int, Query(ge=1, description="Rows on a page, at most 200.")] = 50,
    cursor: Annotated[
        str | None, Query(max_length=500, description="`next_cursor` of the page before.")
    ] = None,
) -> Listing:
    return Listing(limit, cursor)


Listed = Annotated[Listing, Depends(_listing)]
"""The query parameters of every list."""


def read_etag(value: str) -> int:
    """The version in an If-Match header.

    Raises:
        PreconditionFailedError: not one strong ETag of ours: nothing that we have matches it.
    """
    number = value.strip().removeprefix('"').removesuffix('"')
    if value.strip() != f'"{number}"' or not number.isdecimal() or len(number) > 9:  # noqa: PLR2004 - nine digits fit an integer
        raise PreconditionFailedError
    return int(number)


NEEDED = "x-needed"
"""Marks a header that is answered with 428 when it is missing (a missing one is no 422)."""


async def required_version(
    if_match: Annotated[
        str | None,
        Header(description="The ETag of the version you read.", json_schema_extra={NEEDED: True}),
    ] = None,
) -> int:
    """Dependency of operations that change a version."""
    if if_match is None:
        raise PreconditionRequiredError
    return read_etag(if_match)


async def optional_version(
    if_match: Annotated[str | None, Header(description="The ETag of the version you read.")] = None,
) -> int | None:
    """Dependency of state changes that may name a version."""
    return None if if_match is None else read_etag(if_match)


def match(current: int, wanted: int | None) -> None:
    """Refuse a stale version. Compare only after locking the row."""
    if wanted is not None and current != wanted:
        raise PreconditionFailedError


# What SQLSTATEs mean to a caller. A driver's text holds values of rows and is never used.
BY_SQLSTATE: Mapping[str, type[Problem]] = {
    "23505": ConflictError,
    "23503": ConflictError,
    "23P01": ConflictError,
    "23514": ConflictError,
    "40001": UnavailableError,
    "40P01": UnavailableError,
    "55P03": UnavailableError,
    "57014": UnavailableError,
    READ_ONLY: UnavailableError,  # the primary has become a standby
    "25P03": UnavailableError,
    "53100": UnavailableError,
    "53200": UnavailableError,
    IN_DOUBT: OutcomeUnknownError,
    "22003": InvalidError,
    "22007": InvalidError,
    "22008": InvalidError,
    "22021": InvalidError,
    "22P02": InvalidError,
    "22P05": InvalidError,
}


Show = Callable[[Problem, Request], Response]
_SHOW: Final = "show_problem"


def show_as(request: Request, show: Show) -> None:
    """Let ``show`` answer what goes wrong with this request, instead of :func:`render`."""
    setattr(request.state, _SHOW, show)


def shown(problem: Problem, request: Request) -> Response:
    """The answer to what goes wrong with this request."""
    show: Show = getattr(request.state, _SHOW, render)
    return show(problem, request)


def render(problem: Problem, request: Request) -> Response:
    """The way in which a problem becomes a document."""
    request_id = getattr(request.state, "request_id", "")
    body: dict[str, Any] = {
        **problem.extra,
        "type": f"/problems/{problem.code}",
        "title": problem.title,
        "status": problem.status,
        "code": problem.code,
        "detail": problem.detail,
        "request_id": request_id,
        "errors": [
            {"pointer": e.pointer, "code": e.code, "message": e.message} for e in problem.errors
        ],
    }
    return Response(
        canonical(_jsonable(body)),
        problem.status,
        headers=headers_of(problem),
        media_type=PROBLEM_TYPE,
    )


def headers_of(problem: Problem) -> dict[str, str]:
    """What a problem's answer says in its headers, whatever its body is."""
    headers = dict(problem.headers)
    if problem.status == UnavailableError.status:
        headers.setdefault("Retry-After", "1")
    return headers


def _jsonable(value: Any) -> Any:  # noqa: ANN401 - JSON's own type
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, dict):
        return {key: _jsonable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_jsonable(item) for item in value]
    return str(value) if isinstance(value, UUID) else value


def from_database(error: SQLAlchemyError) -> Problem:
    """The problem behind a database error, by SQLSTATE alone."""
    if isinstance(error, StaleDataError):
        return PreconditionFailedError()
    if isinstance(error, PoolTimeoutError):
        return UnavailableError()
    known = BY_SQLSTATE.get(sqlstate_of(error) or "")
    if known is None and (is_lost(error) or is_outdated(error)):
        known = UnavailableError
    return (known or InternalError)()


OF_FRAMEWORK: Mapping[int, type[Problem]] = {
    problem.status: problem for problem in (MalformedError, MethodNotAllowedError)
}


def from_framework(status: int) -> type[Problem]:
    """What the framework refuses by itself, as we say it.

    It has no other refusals on our routes than these and the missing path; whatever a library
    adds one day is the client's as well, and of ours 404 says least.
    """
    if status >= InternalError.status:
        return InternalError
    return OF_FRAMEWORK.get(status, NotFoundError)


class Again(StrEnum):
    """Why the whole request may be worth another run; the handler notes it, `edge/retries` acts."""

    CONFLICT = "conflict"
    """Also where a migration has changed what a statement was prepared on."""
    LOST = "lost"


AGAIN = "again"
"""Its key in the request's state."""


def _again(error: SQLAlchemyError) -> Again | None:
    if sqlstate_of(error) in CONFLICTS or is_outdated(error):
        return Again.CONFLICT
    return Again.LOST if is_lost(error) else None


def install(app: FastAPI) -> None:
    """Register the handlers on the app."""

    @app.exception_handler(Problem)
    async def problem(request: Request, error: Problem) -> Response:
        return shown(error, request)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        return shown(from_validation(error), request)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        headers = dict(error.headers or {})
        if error.status_code == MethodNotAllowedError.status:
            headers["Allow"] = ", ".join(_methods(request))
        return shown(from_framework(error.status_code)(headers=headers), request)

    @app.exception_handler(SQLAlchemyError)
    async def database(request: Request, error: SQLAlchemyError) -> Response:
        found = from_database(error)
        log.warning(
            "database_error",
            kind=type(error).__name__,
            sqlstate=sqlstate_of(error),
            code=found.code,
            trail=trail(error)["trail"],
        )
        request.scope.setdefault("state", {})[AGAIN] = _again(error)
        return shown(found, request)


METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


def _methods(request: Request) -> list[str]:
    """The methods of the path: a route knows its own only, and a path has several routes."""
    return [method for method in METHODS if _matches(request, method)]


def _matches(request: Request, method: str) -> bool:
    scope = {**request.scope, "method": method}
    return any(route.matches(dict(scope))[0] is Match.FULL for route in request.app.router.routes)


def from_validation(error: RequestValidationError) -> Problem:
    """Pydantic's findings as ours: a bad id in a path is a missing row; never the input."""
    findings = error.errors()
    if any(finding["loc"][0] == "path" for finding in findings):
        return NotFoundError()
    if any(finding["type"] == "json_invalid" for finding in findings):
        return MalformedError()
    return InvalidError(
        errors=[
            FieldError(
                _pointer(finding["loc"], error.body, missing=finding["type"] == "missing"),
                finding["type"].replace("_", "-"),
                _words(finding),
            )
            for finding in findings[:MOST_FINDINGS]
        ]
    )


MOST_FINDINGS = 50
"""A body of ten thousand unknown members is answered with the first of them."""
LONGEST_STEP = 100
"""Characters of a member's name in a pointer: names that the caller made up may be long."""


def _pointer(loc: tuple[Any, ...], body: object, *, missing: bool) -> str:
    """Where in the request; pydantic names the tried member of a union too, which nobody sent."""
    where, *path = loc
    if where != "body":
        return f"{where}:{'.'.join(str(p)[:LONGEST_STEP] for p in path)}"
    pointer, value = "", body
    for place, step in enumerate(path, start=1):
        is_item = isinstance(value, list) and isinstance(step, int)
        # What is missing from an object is named too: as the last step.
        is_missing = missing and place == len(path)
        is_member = isinstance(value, dict) and (step in value or is_missing)
        if not is_item and not is_member:
            continue
        name = str(step)[:LONGEST_STEP]
        pointer += f"/{name.replace('~', '~0').replace('/', '~1')}"
        value = _below(value, step)
    return pointer


def _below(value: Any, step: Any) -> Any:  # noqa: ANN401 - JSON's own type
    if isinstance(value, dict):
        return value.get(step)
    return value[step] if step < len(value) else None


REPEATING = frozenset({"json_invalid", "uuid_parsing", "datetime_parsing", "union_tag_invalid"})
"""Pydantic's errors whose message holds a part of the input."""


def _words(finding: Mapping[str, Any]) -> str:
    # Messages of our own validators are fixed texts; pydantic's name types and limits only,
    # except for those that repeat what was sent.
    if finding["type"] == "value_error":
        # A library's finding (an e-mail address) gives a reason with what was sent in it.
        ours = finding.get("ctx", {}).get("error")
        return str(ours) if isinstance(ours, ValueError) else "The value is not valid."
    if finding["type"] in REPEATING:
        return "The value cannot be read."
    return str(finding["msg"])
