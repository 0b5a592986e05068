"""Refusals about the registry."""

from flatbed.tenants.kit.problems import Problem


class DomainTakenError(Problem):
    """A registrable domain names one company of the registry."""

    status = 409
    code = "domain-taken"
    title = "The registry has a company with this domain"
    advice = "Look the company up by its domain."


class GroupKeptError(Problem):
    """A company stays in the group that it may have been billed with."""

    status = 409
    code = "group-kept"
    title = "The company cannot leave its group"
    advice = "Merge the groups if they are one; a company is never billed a second time alone."


class GroupMergeError(Problem):
    """A group cannot be merged into itself, directly or round a circle."""

    status = 409
    code = "group-merge"
    title = "The groups are one already"
    advice = "Name two groups that are not merged yet."
