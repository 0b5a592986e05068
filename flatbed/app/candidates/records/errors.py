"""Refusals that several records of a candidate share."""

from flatbed.tenants.kit.problems import FieldError, InvalidError, Problem


class ReferenceNotFoundError(InvalidError):
    """An id in the body names nothing of this candidate.

    Another candidate's row, another tenant's and a missing one all answer exactly like this.
    """

    code = "reference-not-found"
    title = "A reference names nothing of this candidate"
    advice = "Name rows that this candidate's lists show."

    @classmethod
    def at_pointer(cls, pointer: str) -> "ReferenceNotFoundError":
        """The reference at this place of the body."""
        message = "No such row of this candidate."
        return cls(errors=[FieldError(pointer, "reference-not-found", message)])


class AuditorInvolvedError(Problem):
    """Who works a candidate, or recorded what is to be judged, does not judge it."""

    status = 403
    code = "auditor-involved"
    title = "The judge is involved"
    advice = "Let a lead do it who neither works this candidate nor recorded any of it."


class CampaignNotOrderedError(Problem):
    """The campaign has no frozen profile and rubric yet."""

    status = 409
    code = "campaign-not-ordered"
    title = "The campaign is not ordered"
    advice = "Order the campaign first: its profile and rubric are frozen then."
