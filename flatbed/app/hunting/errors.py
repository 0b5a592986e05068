"""Refusals about assignments."""

from flatbed.tenants.kit.problems import Problem


class NotAHunterError(Problem):
    """Only an active hunter of the realm can be assigned."""

    status = 422
    code = "not-a-hunter"
    title = "The staff member is not an active hunter"
    advice = "Name an active staff member with the role hunter."


class AlreadyAssignedError(Problem):
    """A candidate has one live hunter; a hunter sources a campaign once."""

    status = 409
    code = "already-assigned"
    title = "There is a live assignment already"
    advice = "End the live assignment first."


class AssignmentEndedError(Problem):
    """The assignment has been ended before."""

    status = 409
    code = "assignment-ended"
    title = "The assignment has ended"
    advice = "Make a new assignment."
