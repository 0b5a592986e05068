"""How Stripe says no."""

from typing import Any, Final

OBJECT_NAMES: Final = {
    "checkout.session": "checkout.session",
    "credit_note": "credit note",
    "invoice_payment": "invoice payment",
    "payment_method": "PaymentMethod",
    "tax_id": "tax ID",
}


class ApiError(Exception):
    """An answer of Stripe's that is an error.

    ``began``: the operation had begun, so that the answer is kept under the idempotency key;
    parameters are checked before that. ``keeps``: what was changed before it stays so.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        kind: str = "invalid_request_error",
        began: bool = False,
        keeps: bool = False,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.param = param
        self.kind = kind
        self.began = began
        self.keeps = keeps

    def body(self) -> dict[str, Any]:
        """The JSON of the answer."""
        members = {"code": self.code, "message": self.message, "param": self.param}
        given = {name: text for name, text in members.items() if text is not None}
        return {"error": {"type": self.kind, **given}}


def missing(kind: str, given: str, param: str = "id") -> ApiError:
    """No such object: 404 where the path names it, 400 where a parameter does."""
    name = OBJECT_NAMES.get(kind, kind)
    status = 404 if param == "id" else 400
    message = f"No such {name}: '{given}'"
    return ApiError(status, message, code="resource_missing", param=param)


def invalid(param: str, message: str, code: str | None = None) -> ApiError:
    """A parameter that is wrong in itself."""
    return ApiError(400, message, code=code, param=param)


def forbidden(message: str, code: str | None = None, param: str | None = None) -> ApiError:
    """What the state of an object does not allow."""
    return ApiError(400, message, code=code, param=param, began=True)


def declined() -> ApiError:
    """The bank says no; the attempt itself counts."""
    return ApiError(
        402,
        "Your card was declined.",
        code="card_declined",
        kind="card_error",
        began=True,
        keeps=True,
    )


def internal() -> ApiError:
    """Something failed inside of Stripe; this is kept under the key."""
    return ApiError(
        500, "An unknown error occurred. Please try again later.", kind="api_error", began=True
    )
