"""What may go wrong with the payment provider, by what the caller can do about it.

No text of the provider or of a driver is kept: a code, the parameter's name and the provider's
request id say where to look, and none of them holds a secret or a person's data.
"""

from typing import ClassVar


class GatewayError(Exception):
    """A call to the payment provider has not succeeded.

    ``code`` is the provider's own where it gave one, else ours; ``request_ref`` is the
    provider's id of the request.
    """

    kind: ClassVar[str] = "gateway"

    def __init__(self, code: str, *, request_ref: str | None = None) -> None:
        super().__init__(f"{self.kind}: {code}")
        self.code = code
        self.request_ref = request_ref


class GatewayUnavailable(GatewayError):
    """Try again later: network, timeout, 5xx, 429 after the back-off, or the circuit is open.

    ``in_doubt``: the call may have taken effect; read before it is written again.
    ``is_stored``: the provider keeps this failure under the idempotency key and will repeat it;
    read, and write what is missing under another key.
    ``retry_after_s``: seconds that the provider, or the circuit, asked to wait.
    """

    kind = "unavailable"

    def __init__(
        self,
        code: str,
        *,
        in_doubt: bool,
        is_stored: bool = False,
        retry_after_s: int | None = None,
        request_ref: str | None = None,
    ) -> None:
        super().__init__(code, request_ref=request_ref)
        self.in_doubt = in_doubt
        self.is_stored = is_stored
        self.retry_after_s = retry_after_s


class GatewayRefused(GatewayError):
    """The provider understood and says no (4xx); nothing took effect, repeating changes nothing.

    ``param`` names the parameter it objects to.
    """

    kind = "refused"

    def __init__(
        self, code: str, *, status: int, param: str | None = None, request_ref: str | None = None
    ) -> None:
        super().__init__(code, request_ref=request_ref)
        self.status = status
        self.param = param


class GatewayMissing(GatewayRefused):
    """There is no object of the id that the call is about (404)."""

    kind = "missing"


class GatewayDenied(GatewayRefused):
    """Our key is wrong, revoked or lacks a right (401, 403): nothing is wrong with the call."""

    kind = "denied"


class GatewayConflict(GatewayError):
    """The idempotency key is used: with other parameters, or at this moment (``is_running``)."""

    kind = "conflict"

    def __init__(self, code: str, *, is_running: bool, request_ref: str | None = None) -> None:
        super().__init__(code, request_ref=request_ref)
        self.is_running = is_running


class BadSignature(GatewayError):
    """A webhook that the provider has not signed, or not just now. The code says which."""

    kind = "signature"


class BadEvent(GatewayError):
    """A webhook with a good signature that is no event we can read; sending it again is in vain."""

    kind = "event"
