"""The scopes, as oauth.md lists them. A scope is never spelt in another place but a router."""

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
        "clients:manage",
    }
)
SCOPES = TENANT_SCOPES | AGENCY_SCOPES

SIGNALS = "signals:write"
"""Never given to a staff member's client: what it delivers counts as ``system``."""
