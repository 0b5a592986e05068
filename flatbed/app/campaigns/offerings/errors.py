"""Refusals about offerings."""

from flatbed.tenants.kit.problems import Problem


class ProgrammeOverlapError(Problem):
    """A country may stand in one programme of an offering only.

    Otherwise one partner could be billed twice for the same country.
    """

    status = 409
    code = "programme-overlap"
    title = "A country or code is already in another programme of this offering"
    advice = "Leave out the countries that another programme holds, and use a new code."
