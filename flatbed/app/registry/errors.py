"""Refusals about the registry."""

from flatbed.tenants.kit.problems import Problem


class DomainTakenError(Problem):
    """A registrable domain names one company of the registry."""

    status = 409
    code = "domain-taken"
    title = "The registry has a company with this domain"
    advice = "Look the company up by its domain."


class GroupMergeError(Problem):
    """A group cannot be merged into itself, directly or round a circle."""

    status = 409
    code = "group-merge"
    title = "The groups are one already"
    advice = "Name two groups that are not merged yet."
