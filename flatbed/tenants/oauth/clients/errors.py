"""Refusals about OAuth clients."""

from flatbed.tenants.kit.problems import ConflictError, ForbiddenError


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


class PublicClientError(ConflictError):
    """A native application is on devices of others and can keep no secret."""

    code = "client-is-public"
    title = "A native client has no secret"
    advice = "It proves itself by PKCE alone; make a web or service client for what has a server."


class CallingClientError(ConflictError):
    """Nobody deletes or switches off the client that he calls with."""

    code = "client-in-use"
    title = "This is the client that you call with"
    advice = "Use another client, or ask the agency: with this one you could not undo it."


class ClientBeyondCallerError(ForbiddenError):
    """The client holds scopes that the caller's token does not hold."""

    code = "client-beyond-caller"
    title = "The client may do more than yours"
    advice = (
        "Call with a token that holds all scopes of the client, or let an owner or admin do it."
    )
