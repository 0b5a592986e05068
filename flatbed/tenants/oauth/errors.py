"""Refusals about OAuth clients."""

from flatbed.tenants.kit.problems import ConflictError


class TooManySecretsError(ConflictError):
    """A client has at most two live secrets: the new one and the one it replaces."""

    code = "too-many-secrets"
    title = "The client has two live secrets"
    advice = "Revoke one of them first."


class ClientHasKeysError(ConflictError):
    """A client that signs in with ``private_key_jwt`` has keys and no secret."""

    code = "client-has-keys"
    title = "The client signs in with its own keys"
    advice = "Change its token_endpoint_auth_method first, or change its jwks instead."
