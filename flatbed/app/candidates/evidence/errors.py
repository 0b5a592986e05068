"""Refusals about evidence."""

from flatbed.tenants.kit.problems import Problem


class EvidenceConfirmedError(Problem):
    """Evidence is confirmed once."""

    status = 409
    code = "evidence-confirmed"
    title = "The evidence is already confirmed"
    advice = "Nothing is left to do: the confirmation stands in the list of evidence."
