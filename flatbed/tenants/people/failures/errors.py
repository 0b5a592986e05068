"""The refusal of whoever failed too often."""

from flatbed.tenants.kit.problems import Problem


class TooManyFailuresError(Problem):
    """Ten failures within a minute, for one account or client from one network."""

    status = 429
    code = "too-many-failures"
    title = "Too many failures"
    advice = "Wait for the time in Retry-After; it is never more than a minute."

    def __init__(self, seconds: int) -> None:
        super().__init__(headers={"Retry-After": str(seconds)})
        self.seconds = seconds
