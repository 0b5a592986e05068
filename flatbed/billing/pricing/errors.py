"""Refusals about prices."""

from flatbed.tenants.kit.problems import Problem


class NoPriceError(Problem):
    """There is no active price list that fits: the id is unknown, inactive, or of no list."""

    status = 409
    code = "no-price"
    title = "No active price list fits"
    advice = "Ask the agency for an active price list in the campaign's currency."
