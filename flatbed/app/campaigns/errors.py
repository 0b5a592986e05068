"""Refusals that several slices of this room share."""

from flatbed.tenants.kit.problems import Problem


class OfferingArchivedError(Problem):
    """The offering was archived: nothing new is made for it."""

    status = 409
    code = "offering-archived"
    title = "The offering is archived"
    advice = "Restore the offering, or choose another one."
