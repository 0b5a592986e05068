"""Refusals about qualifications that wait for room."""

from flatbed.tenants.kit.problems import Problem


class UnitWaitingError(Problem):
    """Another candidate of the same company group waits over a cap in this programme."""

    status = 409
    code = "unit-waiting"
    title = "Another candidate of this company group waits already"
    advice = (
        "A company group is billed once per programme: wait until that one is admitted or ends."
    )


class WaitingStateError(Problem):
    """The reservation waits no more; ``state`` is the present one."""

    status = 409
    code = "waiting-state"
    title = "The qualification does not wait any more"
    advice = "Read it; `state` is what became of it."
