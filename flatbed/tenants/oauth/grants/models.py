"""The tables of grants: what a person let a client do, and what it was given for that."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from flatbed.tenants.kit.database.columns import AGENCY, OWN, of_realm, one_of, realm_parent
from flatbed.tenants.kit.database.tables import AgencyRow, Base


class Grant(AgencyRow, Base):
    """A person's authority, lent to a client: as member of one ISV, or as staff of the agency.

    Every code, token and refresh token of one authorization hangs on it and ends with it.
    """

    __tablename__ = "oauth_grant"
    __table_args__ = (
        of_realm(),
        UniqueConstraint("id"),
        realm_parent("oauth_client", "oauth_client_id"),
        realm_parent("organization", "tenant_id"),
        realm_parent("membership", "membership_id"),
        realm_parent("staff", "staff_id"),
        one_of("acr", "pwd", "mfa"),
        CheckConstraint(
            "(membership_id IS NULL) = (tenant_id IS NULL)"
            " AND (membership_id IS NULL) <> (staff_id IS NULL)",
            name="whose",
        ),
        CheckConstraint("(revoked_at IS NULL) = (revoke_reason IS NULL)", name="revoked"),
        Index(None, "user_id", "oauth_client_id"),
        Index(None, "session_id"),
        Index(None, "ends_at"),
        Index(None, "realm_id", "membership_id"),
        Index(None, "realm_id", "staff_id"),
        Index(None, "realm_id", "oauth_client_id"),
        AGENCY,
    )

    oauth_client_id: Mapped[UUID]
    user_id: Mapped[UUID]
    tenant_id: Mapped[UUID | None]
    membership_id: Mapped[UUID | None]
    staff_id: Mapped[UUID | None]
    session_id: Mapped[UUID]
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text))
    acr: Mapped[str]
    auth_at: Mapped[datetime]
    created_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    revoke_reason: Mapped[str | None]


class AuthorizationCode(Base):
    """A code as HMAC, bound to all that it was asked for with; good once, for 60 s."""

    __tablename__ = "authorization_code"
    __table_args__ = (Index(None, "expires_at"), OWN)

    digest: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    grant_id: Mapped[UUID]
    oauth_client_id: Mapped[UUID]
    session_id: Mapped[UUID]
    redirect_uri: Mapped[str]
    challenge: Mapped[str]
    nonce: Mapped[str | None]
    resource: Mapped[str | None]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class RefreshToken(Base):
    """A refresh token as HMAC. ``siblings``: how many a rotated one was exchanged for."""

    __tablename__ = "refresh_token"
    __table_args__ = (Index(None, "grant_id"), Index(None, "idle_until"), OWN)

    digest: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    grant_id: Mapped[UUID]
    oauth_client_id: Mapped[UUID]
    issued_at: Mapped[datetime]
    first_used_at: Mapped[datetime | None]
    siblings: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    idle_until: Mapped[datetime]
    ends_at: Mapped[datetime]


class Consent(Base):
    """The scopes to which a person agreed for a client."""

    __tablename__ = "consent"
    __table_args__ = (ForeignKeyConstraint(["user_id"], ["user_account.id"]), OWN)

    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    oauth_client_id: Mapped[UUID] = mapped_column(primary_key=True)
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text))
    granted_at: Mapped[datetime]
