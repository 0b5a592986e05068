"""What the server says of itself, from the configured issuer alone: never from a request."""

from collections.abc import Mapping
from typing import Any, Final

from flatbed.tenants.access.scopes import IDENTITY_SCOPES, SCOPES
from flatbed.tenants.oauth.clients.keys import ALGORITHMS
from flatbed.tenants.oauth.grants.exchange import GRANT_TYPES
from flatbed.tenants.oauth.keys.keyset import ALGORITHM
from flatbed.tenants.oauth.models import AUTH_METHODS, PUBLIC
from flatbed.tenants.oauth.rules.authorization import METHOD, PROMPTS
from flatbed.tenants.pages.texts import LANGUAGES
from flatbed.tenants.people.models import ONE_FACTOR, TWO_FACTORS

PROTECTED_RESOURCE: Final = "/.well-known/oauth-protected-resource"
CLAIMS: Final = (
    "sub",
    "iss",
    "aud",
    "exp",
    "iat",
    "auth_time",
    "acr",
    "nonce",
    "at_hash",
    "name",
    "locale",
    "email",
    "email_verified",
)


def server_metadata(issuer: str) -> dict[str, Any]:
    """RFC 8414 and OpenID Connect Discovery in one: it names what exists and nothing else."""
    algorithms = sorted(ALGORITHMS.values())
    proving = [method for method in AUTH_METHODS if method != PUBLIC]
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/oauth/authorize",
        "token_endpoint": f"{issuer}/oauth/token",
        "revocation_endpoint": f"{issuer}/oauth/revoke",
        "introspection_endpoint": f"{issuer}/oauth/introspect",
        "userinfo_endpoint": f"{issuer}/oauth/userinfo",
        "jwks_uri": f"{issuer}/oauth/jwks",
        "scopes_supported": sorted(SCOPES | IDENTITY_SCOPES),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": sorted(frozenset().union(*GRANT_TYPES.values())),
        "token_endpoint_auth_methods_supported": list(AUTH_METHODS),
        "token_endpoint_auth_signing_alg_values_supported": algorithms,
        "revocation_endpoint_auth_methods_supported": list(AUTH_METHODS),
        "revocation_endpoint_auth_signing_alg_values_supported": algorithms,
        "introspection_endpoint_auth_methods_supported": proving,
        "introspection_endpoint_auth_signing_alg_values_supported": algorithms,
        "code_challenge_methods_supported": [METHOD],
        "authorization_response_iss_parameter_supported": True,
        "prompt_values_supported": list(PROMPTS),
        "acr_values_supported": [ONE_FACTOR, TWO_FACTORS],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [ALGORITHM],
        "claims_supported": list(CLAIMS),
        "claims_parameter_supported": False,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
        "ui_locales_supported": list(LANGUAGES),
        "protected_resources": [issuer],
        "service_documentation": f"{issuer}/docs",
    }


def resource_metadata(issuer: str) -> Mapping[str, Any]:
    """RFC 9728: the API, and who issues tokens for it."""
    return {
        "resource": issuer,
        "resource_name": "Flatbed",
        "resource_documentation": f"{issuer}/docs",
        "authorization_servers": [issuer],
        "scopes_supported": sorted(SCOPES),
        "bearer_methods_supported": ["header"],
    }


def resource_metadata_url(issuer: str) -> str:
    """Where a client without a token learns how to get one."""
    return f"{issuer}{PROTECTED_RESOURCE}"
