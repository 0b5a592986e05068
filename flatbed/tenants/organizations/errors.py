"""Refusals about organizations and staff."""

from flatbed.tenants.kit.problems import ConflictError


class SlugTakenError(ConflictError):
    """Another ISV of the agency has this slug."""

    code = "slug-taken"
    title = "The slug is taken"
    advice = "Choose another slug."


class EmailTakenError(ConflictError):
    """Another staff member of the agency has this e-mail address."""

    code = "email-taken"
    title = "The e-mail address is taken"
    advice = "Use another address, or change the staff member who has it."
