"""The tables of OAuth clients, their secrets, used assertions and the keys that sign tokens."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    CheckConstraint,
    Index,
    Integer,
    LargeBinary,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from flatbed.tenants.kit.database.columns import (
    AGENCY,
    OPTIONAL_JSON,
    OWN,
    TRACKED,
    Tracked,
    of_realm,
    one_of,
    realm_parent,
)
from flatbed.tenants.kit.database.tables import AgencyRow, Base

BASIC: Final = "client_secret_basic"
POST: Final = "client_secret_post"
PRIVATE_KEY: Final = "private_key_jwt"
PUBLIC: Final = "none"
AUTH_METHODS: Final = (BASIC, POST, PRIVATE_KEY, PUBLIC)
SERVICE: Final = "service"
WEB: Final = "web"
NATIVE: Final = "native"
KINDS: Final = (SERVICE, WEB, NATIVE)
"""A machine; an application on a server, which keeps a secret; one on a person's device."""


class OAuthClient(AgencyRow, Tracked, Base):
    """A client of one ISV, of the agency, or of one staff member; its id is unique everywhere.

    A deleted one stays as a row, so that the audit's names can be read; nobody finds it any more.
    """

    __tablename__ = "oauth_client"
    __table_args__ = (
        of_realm(),
        UniqueConstraint("id"),
        realm_parent("organization", "tenant_id"),
        realm_parent("staff", "staff_id"),
        one_of("owner_kind", "isv", "agency", "staff"),
        CheckConstraint(
            "(owner_kind = 'isv') = (tenant_id IS NOT NULL)"
            " AND (owner_kind = 'staff') = (staff_id IS NOT NULL)",
            name="owner",
        ),
        one_of("token_endpoint_auth_method", *AUTH_METHODS),
        CheckConstraint(
            "(token_endpoint_auth_method = 'private_key_jwt') = (jwks IS NOT NULL)", name="jwks"
        ),
        CheckConstraint("deleted_at IS NULL OR NOT active", name="deleted"),
        one_of("kind", *KINDS),
        CheckConstraint("(kind = 'native') = (token_endpoint_auth_method = 'none')", name="public"),
        CheckConstraint("(kind = 'service') = (redirect_uris = '{}')", name="redirects"),
        CheckConstraint("owner_kind <> 'staff' OR kind = 'service'", name="personal"),
        Index(None, "realm_id", "tenant_id"),
        Index(None, "realm_id", "staff_id"),
        Index(None, "realm_id", "updated_at", "id"),
        AGENCY,
    )
    __mapper_args__ = TRACKED

    name: Mapped[str]
    kind: Mapped[str] = mapped_column(server_default=SERVICE)
    owner_kind: Mapped[str]
    tenant_id: Mapped[UUID | None]
    staff_id: Mapped[UUID | None]
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text))
    active: Mapped[bool]
    token_endpoint_auth_method: Mapped[str] = mapped_column(server_default=BASIC)
    jwks: Mapped[dict[str, Any] | None] = mapped_column(OPTIONAL_JSON)
    allowed_cidrs: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    redirect_uris: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    deleted_at: Mapped[datetime | None]


class ClientSecret(AgencyRow, Base):
    """A secret of a client as HMAC; the secret itself is shown once and kept nowhere."""

    __tablename__ = "client_secret"
    __table_args__ = (
        realm_parent("oauth_client", "oauth_client_id"),
        Index(None, "realm_id", "oauth_client_id"),
        AGENCY,
    )

    tenant_id: Mapped[UUID | None]
    oauth_client_id: Mapped[UUID]
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    pepper_version: Mapped[int] = mapped_column(Integer)
    last_four: Mapped[str]
    label: Mapped[str]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]


class UsedAssertion(Base):
    """An assertion that a client signed in with, until it has expired: it is good for one request.

    ``request_id`` is that request's, which may be run again after a lost connection.
    """

    __tablename__ = "used_assertion"
    __table_args__ = (Index(None, "expires_at"), OWN)

    oauth_client_id: Mapped[UUID] = mapped_column(primary_key=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    expires_at: Mapped[datetime]
    request_id: Mapped[str]


class SigningKey(Base):
    """A key that signs tokens, for all realms.

    The private part is encrypted, and erased when the key retires. The row stays.
    """

    __tablename__ = "signing_key"
    __table_args__ = (
        one_of("state", "next", "active", "retired"),
        Index(
            "signing_key_active_key",
            "state",
            unique=True,
            postgresql_where=text("state = 'active'"),
        ),
        Index(
            "signing_key_next_key",
            "state",
            unique=True,
            postgresql_where=text("state = 'next'"),
        ),
        CheckConstraint("(private_box IS NULL) = (state = 'retired')", name="erased"),
        CheckConstraint("revoked_at IS NULL OR state = 'retired'", name="revoked"),
        OWN,
    )

    kid: Mapped[str] = mapped_column(primary_key=True)
    public_jwk: Mapped[dict[str, Any]]
    private_box: Mapped[bytes | None] = mapped_column(LargeBinary)
    state: Mapped[str]
    created_at: Mapped[datetime]
    activated_at: Mapped[datetime | None]
    retired_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
