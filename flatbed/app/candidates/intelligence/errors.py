"""Refusals about facts and judgements."""

from flatbed.tenants.kit.problems import InvalidError


class CriterionUnknownError(InvalidError):
    """The campaign's frozen profile has no such criterion that a person judges."""

    code = "criterion-unknown"
    title = "The profile has no such criterion to judge"
    advice = "Name a criterion of the campaign's profile version that is judged."
