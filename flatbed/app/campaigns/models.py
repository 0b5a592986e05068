"""The tables of offerings, programmes, ideal partner profiles, campaigns and exclusions."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    Index,
    Integer,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from flatbed.tenants.kit.database.columns import (
    OPTIONAL_JSON,
    SHARED,
    VERSIONED,
    has_reference,
    of_candidate,
    one_of,
    parent,
)
from flatbed.tenants.kit.database.tables import Base, Resource, TenantRow


class Offering(TenantRow, Resource, Base):
    """The ISV's product for which it wants partners."""

    __tablename__ = "offering"
    __table_args__ = (Index(None, "tenant_id", "updated_at", "id"), SHARED)
    __mapper_args__ = VERSIONED

    name: Mapped[str]
    category: Mapped[str | None]
    description: Mapped[str | None]
    archived_at: Mapped[datetime | None]


class Programme(TenantRow, Base):
    """Offering and country group: within it a company group is billed once.

    A country is in at most one programme of an offering: the service checks it under the lock
    of the offering's row.
    """

    __tablename__ = "programme"
    __table_args__ = (
        parent("offering", "offering_id"),
        UniqueConstraint("tenant_id", "offering_id", "code"),
        CheckConstraint("cardinality(countries) > 0", name="countries"),
        SHARED,
    )

    offering_id: Mapped[UUID]
    code: Mapped[str]
    countries: Mapped[list[str]] = mapped_column(ARRAY(Text))
    created_at: Mapped[datetime]


class ProgrammeTermsChange(TenantRow, Base):
    """The ISV changed the terms of its programme: guarantees of before end with it."""

    __tablename__ = "programme_terms_change"
    __table_args__ = (
        parent("programme", "programme_id"),
        Index(None, "tenant_id", "programme_id", "changed_at", "id"),
        SHARED,
    )

    programme_id: Mapped[UUID]
    description: Mapped[str]
    recorded_by: Mapped[str]
    changed_at: Mapped[datetime]


class Profile(TenantRow, Resource, Base):
    """An ideal partner profile; its criteria stand in its versions."""

    __tablename__ = "profile"
    __table_args__ = (
        parent("offering", "offering_id"),
        CheckConstraint("current_number > 0", name="current_number"),
        Index(None, "tenant_id", "offering_id"),
        Index(None, "tenant_id", "updated_at", "id"),
        SHARED,
    )
    __mapper_args__ = VERSIONED

    offering_id: Mapped[UUID]
    name: Mapped[str]
    current_number: Mapped[int] = mapped_column(Integer)


class ProfileVersion(TenantRow, Base):
    """Hard and weighted soft criteria as they stood from ``created_at``; never changed."""

    __tablename__ = "profile_version"
    __table_args__ = (
        parent("profile", "profile_id"),
        UniqueConstraint("tenant_id", "profile_id", "number"),
        SHARED,
    )

    profile_id: Mapped[UUID]
    number: Mapped[int] = mapped_column(Integer)
    hard: Mapped[list[dict[str, Any]]]
    soft: Mapped[list[dict[str, Any]]]
    created_at: Mapped[datetime]


class Campaign(TenantRow, Resource, Base):
    """An order for a quantity of qualified partners. Money in minor units of ``currency``.

    Price, profile version, rubric and fit floor are frozen when it is ordered. A cap that is
    null is none.
    """

    __tablename__ = "campaign"
    __table_args__ = (
        parent("offering", "offering_id"),
        parent("programme", "programme_id"),
        parent("profile", "profile_id"),
        parent("profile_version", "profile_version_id"),
        one_of("status", "draft", "ordered", "running", "paused", "filled", "closed", "cancelled"),
        one_of("shared_partners", "allow", "deny"),
        CheckConstraint(
            "status IN ('draft', 'cancelled') OR (profile_version_id IS NOT NULL"
            " AND price_list_id IS NOT NULL AND unit_price IS NOT NULL"
            " AND rubric IS NOT NULL AND ordered_at IS NOT NULL)",
            name="order",
        ),
        CheckConstraint("quantity > 0", name="quantity"),
        CheckConstraint("unit_price > 0", name="unit_price"),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),
        CheckConstraint(
            "cap_units_total >= 0 AND cap_units_month >= 0"
            " AND cap_money_total >= 0 AND cap_money_month >= 0",
            name="caps",
        ),
        CheckConstraint("fit_floor BETWEEN 0 AND 100", name="fit_floor"),
        CheckConstraint("revenue_floor >= 0", name="revenue_floor"),
        CheckConstraint("accepted_count >= 0", name="accepted_count"),
        Index(None, "tenant_id", "updated_at", "id"),
        Index(None, "tenant_id", "status", "updated_at", "id"),
        SHARED,
    )
    __mapper_args__ = VERSIONED

    name: Mapped[str]
    offering_id: Mapped[UUID]
    programme_id: Mapped[UUID]
    profile_id: Mapped[UUID]
    profile_version_id: Mapped[UUID | None]
    price_list_id: Mapped[UUID | None]
    status: Mapped[str]
    quantity: Mapped[int] = mapped_column(Integer)
    unit_price: Mapped[int | None] = mapped_column(BigInteger)
    currency: Mapped[str]
    price_tiers: Mapped[list[dict[str, Any]] | None] = mapped_column(OPTIONAL_JSON)
    cap_units_total: Mapped[int | None] = mapped_column(Integer)
    cap_units_month: Mapped[int | None] = mapped_column(Integer)
    cap_money_total: Mapped[int | None] = mapped_column(BigInteger)
    cap_money_month: Mapped[int | None] = mapped_column(BigInteger)
    fit_floor: Mapped[int] = mapped_column(Integer)
    revenue_floor: Mapped[int] = mapped_column(BigInteger)
    shared_partners: Mapped[str]
    continue_after_fill: Mapped[bool]
    rubric: Mapped[dict[str, Any] | None] = mapped_column(OPTIONAL_JSON)
    ordered_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    accepted_count: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))


class Exclusion(TenantRow, Resource, Base):
    """A company that the ISV keeps for itself; one worked far already needs a lead's consent.

    ``name_key`` is the name as it is compared: see ``exclusions/names.py``.
    """

    __tablename__ = "exclusion"
    __table_args__ = (
        of_candidate(),
        one_of("status", "active", "pending_consent", "refused"),
        CheckConstraint("domain IS NOT NULL OR company_name IS NOT NULL", name="company"),
        Index(None, "tenant_id", "domain"),
        Index(None, "tenant_id", "name_key"),
        Index(None, "tenant_id", "candidate_id"),
        Index(None, "tenant_id", "updated_at", "id"),
        Index(None, "tenant_id", "status", "updated_at", "id"),
        has_reference(),
        SHARED,
    )
    __mapper_args__ = VERSIONED

    domain: Mapped[str | None]
    company_name: Mapped[str | None]
    name_key: Mapped[str | None]
    reason: Mapped[str | None]
    status: Mapped[str]
    candidate_id: Mapped[UUID | None]
    before_launch: Mapped[bool]
    consented_by: Mapped[str | None]
    consented_at: Mapped[datetime | None]
    consent_reason: Mapped[str | None]
