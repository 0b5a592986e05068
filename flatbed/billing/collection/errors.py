"""Refusals about paying."""

from flatbed.tenants.kit.problems import Problem


class NotCollectedError(Problem):
    """Nothing is collected here: no key for the payment provider, or none for this realm."""

    status = 409
    code = "not-collected"
    title = "Payments are not collected here"
    advice = "Pay by transfer with the invoice's number."


class ProviderUnavailableError(Problem):
    """The payment provider could not be asked, or refused; nothing was changed."""

    status = 503
    code = "payment-provider-unavailable"
    title = "The payment provider does not answer"
    advice = "Try again in a minute."

    def __init__(self) -> None:
        super().__init__(headers={"Retry-After": "60"})
