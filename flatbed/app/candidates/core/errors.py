"""Refusals about candidates."""

from flatbed.tenants.kit.problems import Problem


class CandidateExistsError(Problem):
    """The company is a candidate of this campaign already; nothing more is told about it."""

    status = 409
    code = "candidate-exists"
    title = "The company is a candidate of this campaign already"
    advice = "Source another company, or ask a lead about this one."
