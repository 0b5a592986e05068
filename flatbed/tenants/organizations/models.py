"""The tables of ISVs and agency staff."""

from uuid import UUID

from sqlalchemy import CheckConstraint, Index, UniqueConstraint
from sqlalchemy.orm import Mapped

from flatbed.tenants.kit.database.columns import AGENCY, VERSIONED, of_realm, one_of
from flatbed.tenants.kit.database.tables import AgencyRow, Base, Resource


class Organization(AgencyRow, Resource, Base):
    """An ISV. Its id is the tenant id, and unique over all realms."""

    __tablename__ = "organization"
    __table_args__ = (
        of_realm(),
        UniqueConstraint("id"),
        UniqueConstraint("realm_id", "slug"),
        one_of("status", "active", "suspended"),
        CheckConstraint("country ~ '^[A-Z]{2}$'", name="country"),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),
        Index(None, "realm_id", "updated_at", "id"),
        AGENCY,
    )
    __mapper_args__ = VERSIONED

    slug: Mapped[str]
    name: Mapped[str]
    country: Mapped[str]
    time_zone: Mapped[str]
    currency: Mapped[str]
    status: Mapped[str]


class Staff(AgencyRow, Resource, Base):
    """A person of the agency in one role; ``user_id`` once he has accepted the invitation.

    The e-mail is kept in lower case.
    """

    __tablename__ = "staff"
    __table_args__ = (
        of_realm(),
        UniqueConstraint("realm_id", "email"),
        UniqueConstraint("realm_id", "user_id"),
        CheckConstraint("email = lower(email)", name="email"),
        one_of("role", "hunter", "lead", "finance", "compliance", "admin"),
        Index(None, "realm_id", "updated_at", "id"),
        Index(None, "user_id"),
        AGENCY,
    )
    __mapper_args__ = VERSIONED

    name: Mapped[str]
    email: Mapped[str]
    role: Mapped[str]
    active: Mapped[bool]
    user_id: Mapped[UUID | None]
