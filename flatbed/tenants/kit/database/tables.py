"""The declarative base, and the mixins that give every table its key.

A tenant table's key is ``(tenant_id, id)``, an agency table's ``(realm_id, id)``: every unique
and foreign key leads with the same column, so that a foreign parent and a missing one answer
alike and a table can be sharded by tenant.
"""

from datetime import datetime
from typing import Any, ClassVar, cast
from uuid import UUID

from sqlalchemy import DateTime, Integer, MetaData, Table, Text, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeEngine

from flatbed.tenants.kit.ids import uuid7

NAMING = {
    "ix": "%(table_name)s_%(column_0_N_name)s_idx",
    "uq": "%(table_name)s_%(column_0_N_name)s_key",
    "ck": "%(table_name)s_%(constraint_name)s_check",
    "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
    "pk": "%(table_name)s_pkey",
}


class Base(DeclarativeBase):
    """All tables of the program share one metadata, which ``alembic check`` compares."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map: ClassVar[dict[Any, TypeEngine[Any] | type[TypeEngine[Any]]]] = {
        UUID: Uuid(),
        datetime: DateTime(timezone=True),
        str: Text(),
        dict[str, Any]: JSONB(),
        list[dict[str, Any]]: JSONB(),
    }


def table_of(model: type[Base]) -> Table:
    """The table of a mapped class: a statement of tables costs a fraction of one of classes."""
    return cast("Table", model.__table__)


class TenantRow:
    """A row of one tenant. The id is ours (uuid7), the tenant is the transaction's."""

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True, sort_order=-100)
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7, sort_order=-99)


class AgencyRow:
    """A row of one realm's agency plane."""

    realm_id: Mapped[UUID] = mapped_column(primary_key=True, sort_order=-100)
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7, sort_order=-99)


class Resource:
    """What a main resource carries: its ETag, the integrator's own reference, its times.

    ``updated_at`` is the realm's clock, set by the repository that writes the row.
    """

    external_ref: Mapped[str | None] = mapped_column(sort_order=90)
    metadata_: Mapped[dict[str, Any]] = mapped_column(
        "metadata", server_default=text("'{}'::jsonb"), default=dict, sort_order=91
    )
    created_at: Mapped[datetime] = mapped_column(sort_order=92)
    updated_at: Mapped[datetime] = mapped_column(sort_order=93)
    version: Mapped[int] = mapped_column(
        Integer, default=1, server_default=text("1"), sort_order=94
    )
