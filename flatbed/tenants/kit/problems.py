"""Problem details (RFC 9457): every refusal is a typed class that owns its status, code and title.

Raised anywhere, answered in one place (:mod:`flatbed.tenants.kit.http`). The body never repeats
the input and never holds a driver's or an exception's text.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing wrong with the request: where (JSON pointer or ``parameter:name``) and what."""

    pointer: str
    code: str
    message: str


class Problem(Exception):
    """A refusal that the caller can act on.

    ``detail`` says what to do next. ``extra`` are extension members (for example the failing
    ``criteria``); they hold ids and our own words only.
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal-error"
    title: ClassVar[str] = "Something went wrong on our side"
    advice: ClassVar[str] = (
        "Repeat the request with the same Idempotency-Key: it takes effect at most once."
    )

    def __init__(
        self,
        detail: str | None = None,
        *,
        errors: Sequence[FieldError] = (),
        extra: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(self.code)
        self.detail = detail or self.advice
        self.errors = tuple(errors)
        self.extra = dict(extra or {})
        self.headers = dict(headers or {})


class InternalError(Problem):
    """An error that we did not foresee. The log has it under the request id."""


class NotFoundError(Problem):
    """No such thing for this caller.

    A malformed id, a missing row, another tenant's row and a row that no assignment opens all
    answer exactly like this.
    """

    status = 404
    code = "not-found"
    title = "Not found"
    advice = "Check the id, and that your credentials may see it."


class ConflictError(Problem):
    """The row's state forbids it, or a unique value is taken."""

    status = 409
    code = "conflict"
    title = "The request conflicts with what is stored"
    advice = "Read the resource again; a unique value may be taken or a reference may be missing."


class InvalidError(Problem):
    """The request is understood and breaks a rule; ``errors`` names each place."""

    status = 422
    code = "invalid-request"
    title = "The request is not valid"
    advice = "Mend the places that `errors` names and send the request again."

    @classmethod
    def at(cls, pointer: str, code: str, message: str) -> "InvalidError":
        """One wrong place."""
        return cls(errors=[FieldError(pointer, code, message)])


class MalformedError(Problem):
    """The body is not JSON that every reader reads alike.

    Not UTF-8, a member twice, NaN or an infinite number, nested deeper than 32, or of more than
    50,000 parts.
    """

    status = 400
    code = "malformed-body"
    title = "The body is not JSON"
    advice = (
        "Send one JSON document in UTF-8 with Content-Type: application/json, each member once,"
        " nested at most 32 deep, with at most 50,000 commas and brackets."
    )


class BodyTooLargeError(Problem):
    """The body is larger than one megabyte."""

    status = 413
    code = "body-too-large"
    title = "The body is too large"
    advice = "Send at most 1,000,000 bytes."


class BodyTimeoutError(Problem):
    """The body did not arrive within ten seconds."""

    status = 408
    code = "body-timeout"
    title = "The body did not arrive in time"
    advice = "Send the request again, the whole body within 10 seconds."


class TargetTooLongError(Problem):
    """The path with its query is longer than any that this API gives a meaning to."""

    status = 414
    code = "target-too-long"
    title = "The path and query are too long"
    advice = "Send at most 32,768 bytes of path and query."


class HeadersTooLargeError(Problem):
    """The headers together are larger than any client needs."""

    status = 431
    code = "headers-too-large"
    title = "The headers are too large"
    advice = "Send at most 65,536 bytes of headers."


class UnauthenticatedError(Problem):
    """No valid access token."""

    status = 401
    code = "invalid-token"
    title = "A valid access token is needed"
    advice = "Get a token at /oauth/token and send it as Authorization: Bearer."


class ForbiddenError(Problem):
    """The token is good, but this operation is not for this principal."""

    status = 403
    code = "forbidden"
    title = "This principal may not do that"
    advice = "See the permission table for the principals of this operation."


class StepUpRequiredError(Problem):
    """The person must prove anew who he is (RFC 9470)."""

    status = 401
    code = "step-up-required"
    title = "Sign in anew for this"
    advice = (
        "Send the person to the authorization endpoint with max_age=900, and use the new token."
    )


class InsufficientScopeError(Problem):
    """The token lacks the operation's scope."""

    status = 403
    code = "insufficient-scope"
    title = "The token lacks a scope"
    advice = "Ask for a token with the scope that the operation names."


class TenantRequiredError(Problem):
    """Agency staff must say which ISV they act for."""

    status = 400
    code = "tenant-required"
    title = "The ISV is not named"
    advice = "Send the header Flatbed-Tenant: org_…"


class PreconditionRequiredError(Problem):
    """The operation changes a version: say which."""

    status = 428
    code = "precondition-required"
    title = "If-Match is missing"
    advice = "Read the resource and send its ETag in If-Match."


class PreconditionFailedError(Problem):
    """The resource was changed since it was read."""

    status = 412
    code = "precondition-failed"
    title = "The resource has changed"
    advice = "Read it again, look at the change, and repeat with the new ETag."


class IdempotencyConflictError(Problem):
    """The key is in use by a request that has not finished."""

    status = 409
    code = "idempotency-in-progress"
    title = "A request with this Idempotency-Key is still running"
    advice = "Wait and repeat it with the same key."


class IdempotencyMismatchError(Problem):
    """The key was used for another request."""

    status = 422
    code = "idempotency-mismatch"
    title = "This Idempotency-Key belongs to another request"
    advice = "Use a new key for a new request."


class IdempotencyKeyError(Problem):
    """The key is not usable."""

    status = 400
    code = "idempotency-key-invalid"
    title = "The Idempotency-Key is not valid"
    advice = "Send 1 to 255 visible ASCII characters."


class InvalidCursorError(Problem):
    """The cursor is not ours, or belongs to another list."""

    status = 400
    code = "invalid-cursor"
    title = "The cursor is not valid"
    advice = "Start the list again without a cursor, with the same filters."


class ExpiredCursorError(Problem):
    """The cursor is too old."""

    status = 400
    code = "expired-cursor"
    title = "The cursor has expired"
    advice = "Start the list again without a cursor."


class UnavailableError(Problem):
    """Too many requests wait, or the database did not answer in time. Nothing was changed."""

    status = 503
    code = "unavailable"
    title = "The service is busy"
    advice = "Repeat the request with the same Idempotency-Key after the time in Retry-After."


class OutcomeUnknownError(UnavailableError):
    """The database was lost while the change was being committed, or before its follow-up was done.

    A code of its own, since nothing else leaves open whether the request took effect.
    """

    code = "outcome-unknown"
    title = "It is not known whether the change was made"
    advice = (
        "Repeat the request with the same Idempotency-Key after the time in Retry-After: it takes"
        " effect once. If you sent no key, read the resource first."
    )


class RepeatedHeaderError(Problem):
    """A header that decides about the request was sent twice."""

    status = 400
    code = "repeated-header"
    title = "A header was sent more than once"
    advice = "Send Authorization, Flatbed-Tenant and Idempotency-Key once each at most."


class RepeatedParameterError(Problem):
    """A query parameter was sent twice, so that one of its values would not be looked at."""

    status = 400
    code = "repeated-parameter"
    title = "A query parameter was sent more than once"
    advice = "Send each query parameter once at most."


class MethodNotAllowedError(Problem):
    """The path exists, the method does not."""

    status = 405
    code = "method-not-allowed"
    title = "The method is not allowed here"
    advice = "See the reference at /docs."


def catalogue(root: type[Problem] = Problem) -> Iterator[type[Problem]]:
    """Every problem that the loaded program can answer with, for docs and tests."""
    for problem in root.__subclasses__():
        yield problem
        yield from catalogue(problem)
