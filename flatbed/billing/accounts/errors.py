"""Refusals about accounts."""

from flatbed.tenants.kit.problems import Problem


class BadStandingError(Problem):
    """The ISV has not paid what was due; nothing new is ordered until it has."""

    status = 409
    code = "bad-standing"
    title = "An invoice is overdue"
    advice = "Pay the open invoices, or talk to the agency; what was ordered goes on."
