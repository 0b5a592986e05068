"""Refusals about contacts and objections."""

from flatbed.tenants.kit.problems import Problem


class ObjectionResolvedError(Problem):
    """An objection is resolved once."""

    status = 409
    code = "objection-resolved"
    title = "The objection is already resolved"
    advice = "Nothing is left to do; a new objection is recorded as such."
