"""Refusals about guarantee cases."""

from flatbed.tenants.kit.problems import Problem


class NotGuaranteedError(Problem):
    """The guarantee does not cover a withdrawal at that instant; ``guarantee`` says why.

    ``none`` (not accepted, voided or a free ride), ``not_begun``, ``stopped``, ``over`` or
    ``ended``.
    """

    status = 409
    code = "not-guaranteed"
    title = "The guarantee does not cover that"
    advice = "Read the qualification: `guarantee` says since when, until when and where it stands."


class GuaranteeCaseExistsError(Problem):
    """A unit is reported once, unless a report was refused; ``guarantee_case_id`` names it."""

    status = 409
    code = "guarantee-case-exists"
    title = "The withdrawal was reported already"
    advice = "Read the guarantee case; it says how it stands."


class GuaranteeCaseStateError(Problem):
    """Only a reported case is decided; ``state`` is the present one."""

    status = 409
    code = "guarantee-case-state"
    title = "The guarantee case is decided already"
    advice = "Read the guarantee case; `status` is its present state."
