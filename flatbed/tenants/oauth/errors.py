"""Refusals about OAuth clients."""

from flatbed.tenants.kit.problems import ConflictError


class TooManySecretsError(ConflictError):
    """A client has at most two live secrets: the new one and the one it replaces."""

    code = "too-many-secrets"
    title = "The client has two live secrets"
    advice = "Revoke one of them first."
