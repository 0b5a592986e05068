"""Refusals of an authorization request: on a page of ours, or to the application."""


class UnanswerableError(Exception):
    """It is not known to whom an answer may go: it is told to the person, on a page, and no more.

    ``reason``: ``malformed``, ``client`` or ``redirect_uri``.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class RefusedError(Exception):
    """An error of RFC 6749 4.1.2.1, RFC 8707 or OpenID Connect, told to the application."""

    def __init__(self, error: str) -> None:
        super().__init__(error)
        self.error = error
