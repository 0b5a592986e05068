"""Refusals about campaigns."""

from flatbed.tenants.kit.problems import Problem


class CampaignStateError(Problem):
    """The campaign's state does not allow it; ``state`` is the present one."""

    status = 409
    code = "campaign-state"
    title = "The campaign's state does not allow that"
    advice = "Read the campaign; `state` is its present state."


class PriceChangedError(Problem):
    """The price is another one than the order expected; ``unit_price`` is the present one."""

    status = 409
    code = "price-changed"
    title = "The price is not the expected one"
    advice = "Look at `unit_price` and order again with it as `expected_unit_price`."
