"""The short words in which models say their keys, checks and optional JSON.

Foreign keys are composite and lead with the tenant (or the realm): a simple one answers
differently for a foreign and a missing parent.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BindParameter,
    CheckConstraint,
    CollectionAggregate,
    ForeignKeyConstraint,
    Index,
    Integer,
    Text,
    UniqueConstraint,
    Uuid,
    any_,
    literal,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from flatbed.tenants.kit.database.tables import Resource, TenantRow

SHARED: Final = {"comment": "flatbed:shared"}
CANDIDATE: Final = {"comment": "flatbed:candidate"}
CLOSED: Final = {"comment": "flatbed:closed"}
AGENCY: Final = {"comment": "flatbed:agency"}
OWN: Final = {"comment": "flatbed:own"}
"""Who may see a row of the table (see ``schema.py``, which makes the policies that say so)."""

OPTIONAL_JSON: Final = JSONB(none_as_null=True)
"""For a nullable JSON column: without it None is stored as the JSON value ``null``."""

VERSIONED: Final[dict[str, Any]] = {"version_id_col": Resource.version}
"""``__mapper_args__`` of a :class:`Resource`: an update by the ORM raises the version."""


class Tracked:
    """A row with an ETag and its times, without an integrator's reference."""

    created_at: Mapped[datetime] = mapped_column(sort_order=92)
    updated_at: Mapped[datetime] = mapped_column(sort_order=93)
    version: Mapped[int] = mapped_column(
        Integer, default=1, server_default=text("1"), sort_order=94
    )


TRACKED: Final[dict[str, Any]] = {"version_id_col": Tracked.version}
"""``__mapper_args__`` of a :class:`Tracked` row."""


class CandidateRow(TenantRow):
    """A row that belongs to one candidate; a hunter sees it with the candidate he is bound to."""

    candidate_id: Mapped[UUID] = mapped_column(sort_order=-98)


def one_of(column: str, *values: str) -> CheckConstraint:
    """The column holds one of these words. States are text: enums cost index use under RLS."""
    words = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f'"{column}" IN ({words})', name=column)


def has_reference(owner: str = "tenant_id") -> Index:
    """Rows of a large table are found by their integrator's own reference."""
    return Index(
        None,
        owner,
        "external_ref",
        "updated_at",
        "id",
        postgresql_where=text("external_ref IS NOT NULL"),
    )


def word(value: str) -> BindParameter[str]:
    """A word of ours, rendered into the statement instead of sent beside it.

    A partial index serves a generic plan only where its condition stands in the statement itself:
    ``kind = $2`` might be any kind.
    """
    return literal(value, Text(), literal_execute=True)


def any_of(ids: Collection[UUID]) -> CollectionAggregate[Any]:
    """One array, however many: a statement takes no more than 32,767 single values."""
    return any_(literal(list(ids), ARRAY(Uuid())))


def parent(table: str, column: str) -> ForeignKeyConstraint:
    """The column names a row of the same tenant."""
    return ForeignKeyConstraint(["tenant_id", column], [f"{table}.tenant_id", f"{table}.id"])


def realm_parent(table: str, column: str) -> ForeignKeyConstraint:
    """The column names an agency row of the same realm."""
    return ForeignKeyConstraint(["realm_id", column], [f"{table}.realm_id", f"{table}.id"])


def of_realm() -> ForeignKeyConstraint:
    """The row belongs to a realm that exists."""
    return ForeignKeyConstraint(["realm_id"], ["realm.id"])


def of_candidate() -> ForeignKeyConstraint:
    """The row belongs to a candidate that exists."""
    return parent("candidate", "candidate_id")


def sibling(table: str, column: str) -> ForeignKeyConstraint:
    """The column names a row of the same candidate."""
    return ForeignKeyConstraint(
        ["tenant_id", "candidate_id", column],
        [f"{table}.tenant_id", f"{table}.candidate_id", f"{table}.id"],
    )


def has_siblings() -> UniqueConstraint:
    """What :func:`sibling` points at. Unique keys below a candidate contain it."""
    return UniqueConstraint("tenant_id", "candidate_id", "id")
