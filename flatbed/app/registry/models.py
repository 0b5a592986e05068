"""The agency's registry: companies, their groups, public facts, and links to tenants' own views."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Index, Integer, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from flatbed.tenants.kit.database.columns import (
    AGENCY,
    OPTIONAL_JSON,
    VERSIONED,
    has_reference,
    of_realm,
    realm_parent,
)
from flatbed.tenants.kit.database.tables import AgencyRow, Base, Resource


class CompanyGroup(AgencyRow, Base):
    """Companies billed as one. A merged group points at the one that goes on."""

    __tablename__ = "company_group"
    __table_args__ = (
        of_realm(),
        realm_parent("company_group", "merged_into_id"),
        Index(None, "realm_id", "created_at", "id"),
        AGENCY,
    )

    name: Mapped[str]
    merged_into_id: Mapped[UUID | None]
    created_at: Mapped[datetime]


class Company(AgencyRow, Resource, Base):
    """A company as the agency knows it; one per registrable domain. Revenue in minor units."""

    __tablename__ = "company"
    __table_args__ = (
        of_realm(),
        UniqueConstraint("realm_id", "domain"),
        realm_parent("company_group", "group_id"),
        Index(None, "realm_id", "group_id"),
        Index(None, "realm_id", "updated_at", "id"),
        has_reference("realm_id"),
        AGENCY,
    )
    __mapper_args__ = VERSIONED

    name: Mapped[str]
    domain: Mapped[str]
    country: Mapped[str | None]
    industry: Mapped[str | None]
    employees: Mapped[int | None] = mapped_column(Integer)
    revenue: Mapped[int | None] = mapped_column(BigInteger)
    attributes: Mapped[dict[str, Any]] = mapped_column(
        JSONB, default=dict, server_default=text("'{}'::jsonb")
    )
    group_id: Mapped[UUID | None]


class RegistryFact(AgencyRow, Base):
    """A public, sourced statement about a company, which tenants' views are fed from."""

    __tablename__ = "registry_fact"
    __table_args__ = (
        realm_parent("company", "company_id"),
        Index(None, "realm_id", "company_id", "observed_on"),
        AGENCY,
    )

    company_id: Mapped[UUID]
    attribute: Mapped[str | None]
    statement: Mapped[str]
    value: Mapped[Any | None] = mapped_column(OPTIONAL_JSON)
    source_kind: Mapped[str]
    source_url: Mapped[str | None]
    observed_on: Mapped[date]
    recorded_at: Mapped[datetime]


class CompanyLink(AgencyRow, Base):
    """Which registry company a tenant's own company row means. No tenant can read it.

    No foreign key to the tenant's row: none leads from the agency to a tenant's table.
    """

    __tablename__ = "company_link"
    __table_args__ = (
        UniqueConstraint("realm_id", "tenant_id", "tenant_company_id"),
        UniqueConstraint("realm_id", "tenant_id", "company_id"),
        realm_parent("company", "company_id"),
        realm_parent("organization", "tenant_id"),
        Index(None, "realm_id", "company_id"),
        AGENCY,
    )

    tenant_id: Mapped[UUID]
    tenant_company_id: Mapped[UUID]
    company_id: Mapped[UUID]
