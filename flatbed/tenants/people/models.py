"""The tables of people: who they are everywhere, and where they belong.

What says who a person is stands in tables of the login plane. An ISV or the agency sees its own
row about him (``membership``, ``staff``) with the name and address that it wrote down itself.
"""

from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from flatbed.tenants.kit.database.columns import (
    AGENCY,
    OWN,
    TRACKED,
    Tracked,
    of_realm,
    one_of,
    realm_parent,
)
from flatbed.tenants.kit.database.tables import AgencyRow, Base
from flatbed.tenants.kit.ids import uuid7

ONE_FACTOR: Final = "pwd"
TWO_FACTORS: Final = "mfa"
"""How a person signed in: by password, or by password and a second factor (`acr` of tokens)."""


def of_user() -> ForeignKeyConstraint:
    """The row belongs to a user that exists."""
    return ForeignKeyConstraint(["user_id"], ["user_account.id"])


class UserAccount(Base):
    """A person, once over all realms. ``totp_at`` is null until the second factor was proved.

    ``totp_step`` is the time step of the last code that was taken: each is good once.
    """

    __tablename__ = "user_account"
    __table_args__ = (
        UniqueConstraint("email"),
        CheckConstraint("email = lower(email)", name="email"),
        one_of("locale", "en", "de"),
        CheckConstraint("totp_at IS NULL OR totp_box IS NOT NULL", name="totp"),
        OWN,
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    email: Mapped[str]
    name: Mapped[str]
    locale: Mapped[str]
    password_hash: Mapped[str]
    password_at: Mapped[datetime]
    totp_box: Mapped[bytes | None] = mapped_column(LargeBinary)
    totp_at: Mapped[datetime | None]
    totp_step: Mapped[int | None] = mapped_column(BigInteger)
    active: Mapped[bool]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class RecoveryCode(Base):
    """A code in place of a lost second factor, as HMAC; good once."""

    __tablename__ = "recovery_code"
    __table_args__ = (of_user(), OWN)

    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    used_at: Mapped[datetime | None]


class UserSession(Base):
    """A browser that a person signed in with; its cookie is kept as HMAC.

    ``auth_at``: when he proved who he is; ``agent``: what the browser says of itself.
    """

    __tablename__ = "user_session"
    __table_args__ = (
        of_user(),
        UniqueConstraint("digest"),
        one_of("acr", ONE_FACTOR, TWO_FACTORS),
        Index(None, "user_id", "created_at"),
        Index(None, "expires_at"),
        OWN,
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    user_id: Mapped[UUID]
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    acr: Mapped[str]
    agent: Mapped[str]
    created_at: Mapped[datetime]
    auth_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class PasswordReset(Base):
    """A way to a new password that was sent by mail; good once."""

    __tablename__ = "password_reset"
    __table_args__ = (of_user(), Index(None, "user_id"), Index(None, "expires_at"), OWN)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    user_id: Mapped[UUID]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class FailureCount(Base):
    """How often somebody failed from one network since ``began_at``; ``key`` is an HMAC."""

    __tablename__ = "failure_count"
    __table_args__ = (Index(None, "began_at"), OWN)

    key: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    began_at: Mapped[datetime]
    count: Mapped[int]


class Membership(AgencyRow, Tracked, Base):
    """A person of an ISV in one role; ``user_id`` once he has accepted the invitation."""

    __tablename__ = "membership"
    __table_args__ = (
        of_realm(),
        realm_parent("organization", "tenant_id"),
        UniqueConstraint("realm_id", "tenant_id", "email"),
        UniqueConstraint("realm_id", "tenant_id", "user_id"),
        CheckConstraint("email = lower(email)", name="email"),
        one_of("role", "owner", "manager", "finance", "viewer"),
        Index(None, "realm_id", "tenant_id", "updated_at", "id"),
        Index(None, "user_id"),
        AGENCY,
    )
    __mapper_args__ = TRACKED

    tenant_id: Mapped[UUID]
    user_id: Mapped[UUID | None]
    email: Mapped[str]
    name: Mapped[str]
    role: Mapped[str]
    active: Mapped[bool]


class Invitation(AgencyRow, Base):
    """A mail that lets a person take his membership, or his place among the staff; good once.

    ``invited_by`` is the actor of the audit.
    """

    __tablename__ = "invitation"
    __table_args__ = (
        of_realm(),
        UniqueConstraint("id"),
        realm_parent("organization", "tenant_id"),
        realm_parent("membership", "membership_id"),
        realm_parent("staff", "staff_id"),
        CheckConstraint(
            "(membership_id IS NULL) = (tenant_id IS NULL)"
            " AND (membership_id IS NULL) <> (staff_id IS NULL)",
            name="whom",
        ),
        Index(None, "realm_id", "membership_id"),
        Index(None, "realm_id", "staff_id"),
        AGENCY,
    )

    tenant_id: Mapped[UUID | None]
    membership_id: Mapped[UUID | None]
    staff_id: Mapped[UUID | None]
    email: Mapped[str]
    invited_by: Mapped[str]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    accepted_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class SignInPolicy(Tracked, Base):
    """What an ISV asks of those who sign in for it."""

    __tablename__ = "sign_in_policy"
    __table_args__ = (of_realm(), realm_parent("organization", "tenant_id"), AGENCY)
    __mapper_args__ = TRACKED

    realm_id: Mapped[UUID] = mapped_column(primary_key=True, sort_order=-100)
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True, sort_order=-99)
    owners_need_totp: Mapped[bool]
