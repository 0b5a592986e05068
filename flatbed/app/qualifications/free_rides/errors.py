"""Refusals about free rides."""

from flatbed.tenants.kit.problems import Problem


class NotFreeRideError(Problem):
    """The company was not worked far enough, or not contracted in the time; `criteria` say which.

    Days are the ISV's local dates.
    """

    status = 409
    code = "not-a-free-ride"
    title = "The contract is none that is billed"
    advice = "A company worked to `discovering` or further is billed if contracted within 180 days."


class FreeRideExistsError(Problem):
    """The candidate's report waits for a lead; ``free_ride_id`` names it."""

    status = 409
    code = "free-ride-exists"
    title = "The contract was reported already"
    advice = "Wait for the decision of the report."


class FreeRideStateError(Problem):
    """Only a reported free ride is decided; ``state`` is the present one."""

    status = 409
    code = "free-ride-state"
    title = "The report is decided already"
    advice = "Read the free ride; `status` is its present state."
