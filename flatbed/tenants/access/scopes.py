"""The scopes that there are: what clients may hold and persons may lend.

Each is wanted by a line of the permission table; scopes of operations to come are not known yet.
"""

TENANT_SCOPES = frozenset(
    {
        "campaigns:read",
        "campaigns:write",
        "profiles:read",
        "profiles:write",
        "pipeline:read",
        "pipeline:write",
        "contacts:read",
        "decisions:write",
        "orders:read",
        "orders:write",
        "usage:read",
        "billing:read",
        "billing:write",
        "signals:write",
        "audit:read",
        "sandbox:manage",
        "members:read",
        "members:manage",
        "clients:manage",
    }
)
AGENCY_SCOPES = frozenset(
    {
        "registry:read",
        "registry:write",
        "assignments:manage",
        "disputes:decide",
        "prices:manage",
        "tenants:manage",
    }
)
SCOPES = TENANT_SCOPES | AGENCY_SCOPES
OPENID = "openid"
PROFILE = "profile"
EMAIL = "email"
OFFLINE = "offline_access"
IDENTITY_SCOPES = frozenset({OPENID, PROFILE, EMAIL, OFFLINE})
"""Of OpenID Connect: what an application may learn of the person, and whether it stays."""

SIGNALS = "signals:write"
"""Never given to a person, nor to his client: what it delivers counts as ``system``."""
