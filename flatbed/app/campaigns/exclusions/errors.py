"""Refusals about exclusions."""

from flatbed.tenants.kit.problems import Problem


class ExclusionDecidedError(Problem):
    """Nobody waits for a lead's consent to this exclusion; ``state`` is its present state."""

    status = 409
    code = "exclusion-decided"
    title = "The exclusion does not wait for consent"
    advice = "Read the exclusion; `status` is its present state."


class ExclusionRefusedError(Problem):
    """A lead refused this exclusion; the refusal is kept."""

    status = 409
    code = "exclusion-refused"
    title = "A refused exclusion is kept"
    advice = "Nothing is left to do: a refused exclusion excludes nobody."
