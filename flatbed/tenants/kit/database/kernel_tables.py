"""The kernel's own tables: realms, idempotency keys, audit, events, deadlines, wake-ups."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, Integer, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from flatbed.tenants.kit.database.columns import (
    AGENCY,
    CANDIDATE,
    CLOSED,
    OPTIONAL_JSON,
    OWN,
    SHARED,
    CandidateRow,
    one_of,
)
from flatbed.tenants.kit.database.tables import AgencyRow, Base, TenantRow
from flatbed.tenants.kit.ids import uuid7


class Realm(Base):
    """One agency's world. Its clock is the system's plus an offset that only grows."""

    __tablename__ = "realm"
    __table_args__ = (
        UniqueConstraint("slug"),
        one_of("kind", "live", "sandbox"),
        CheckConstraint("clock_offset_us >= 0", name="clock_offset_us"),
        CheckConstraint("kind = 'sandbox' OR clock_offset_us = 0", name="live_clock"),
        OWN,
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    kind: Mapped[str]
    slug: Mapped[str]
    name: Mapped[str]
    clock_offset_us: Mapped[int] = mapped_column(BigInteger, default=0, server_default=text("0"))
    created_at: Mapped[datetime]


class _Remembered:
    """A first request under a key; its answer is null until the same transaction stores it."""

    client_id: Mapped[UUID] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[str]
    status: Mapped[int | None]
    headers: Mapped[dict[str, Any] | None] = mapped_column(OPTIONAL_JSON)
    body: Mapped[str | None]
    created_at: Mapped[datetime]


class IdempotencyKey(_Remembered, Base):
    """An idempotency key of a tenant's client."""

    __tablename__ = "idempotency_key"
    __table_args__ = (Index(None, "tenant_id", "created_at"), SHARED)

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True, sort_order=-100)


class AgencyIdempotencyKey(_Remembered, Base):
    """An idempotency key used in the agency plane."""

    __tablename__ = "agency_idempotency_key"
    __table_args__ = (Index(None, "realm_id", "created_at"), AGENCY)

    realm_id: Mapped[UUID] = mapped_column(primary_key=True, sort_order=-100)


class _Audited:
    """Who did what to which object: ids, field names and non-personal values only."""

    at: Mapped[datetime]
    actor: Mapped[str]
    action: Mapped[str]
    object_type: Mapped[str]
    object_id: Mapped[str]
    detail: Mapped[dict[str, Any]]
    request_id: Mapped[str | None]


class _Sealed:
    """Numbered without a gap and chained to the entry before."""

    sequence: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    id: Mapped[UUID]


class _Chained(_Sealed):
    previous_hash: Mapped[str] = mapped_column(sort_order=80)
    hash: Mapped[str] = mapped_column(sort_order=81)


class AuditPending(_Audited, TenantRow, Base):
    """Written in the transaction of the mutation; waits to be sealed."""

    __tablename__ = "audit_pending"
    __table_args__ = SHARED


class AuditEntry(_Chained, _Audited, Base):
    """A sealed audit row; never changed."""

    __tablename__ = "audit_entry"
    __table_args__ = (
        UniqueConstraint("tenant_id", "id"),
        Index(None, "tenant_id", "object_id", "sequence"),
        Index(None, "tenant_id", "action", "sequence"),
        CLOSED,
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True, sort_order=-100)


class AuditHead(Base):
    """The last sealed entry of a tenant; its lock orders the sealers."""

    __tablename__ = "audit_head"
    __table_args__ = CLOSED

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    sequence: Mapped[int] = mapped_column(BigInteger)
    hash: Mapped[str]


class _Happened:
    """What happened, for those who subscribe; ids and non-personal values only."""

    at: Mapped[datetime]
    type: Mapped[str]
    object_type: Mapped[str]
    object_id: Mapped[str]
    data: Mapped[dict[str, Any]]


class EventPending(_Happened, TenantRow, Base):
    """Written in the transaction of the mutation; waits to be numbered."""

    __tablename__ = "event_pending"
    __table_args__ = SHARED


class Event(_Sealed, _Happened, Base):
    """A numbered event; never changed."""

    __tablename__ = "event"
    __table_args__ = (UniqueConstraint("tenant_id", "id"), CLOSED)

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True, sort_order=-100)


class EventHead(Base):
    """The last number given to a tenant's event."""

    __tablename__ = "event_head"
    __table_args__ = CLOSED

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    sequence: Mapped[int] = mapped_column(BigInteger)


class AgencyAuditPending(_Audited, AgencyRow, Base):
    """As :class:`AuditPending`, for mutations in the agency plane."""

    __tablename__ = "agency_audit_pending"
    __table_args__ = AGENCY


class AgencyAuditEntry(_Chained, _Audited, Base):
    """As :class:`AuditEntry`, for mutations in the agency plane."""

    __tablename__ = "agency_audit_entry"
    __table_args__ = (
        UniqueConstraint("realm_id", "id"),
        Index(None, "realm_id", "object_id", "sequence"),
        Index(None, "realm_id", "action", "sequence"),
        AGENCY,
    )

    realm_id: Mapped[UUID] = mapped_column(primary_key=True, sort_order=-100)


class AgencyAuditHead(Base):
    """As :class:`AuditHead`, for mutations in the agency plane."""

    __tablename__ = "agency_audit_head"
    __table_args__ = AGENCY

    realm_id: Mapped[UUID] = mapped_column(primary_key=True)
    sequence: Mapped[int] = mapped_column(BigInteger)
    hash: Mapped[str]


class AccessLog(AgencyRow, Base):
    """Agency staff acted in, or read from, a tenant."""

    __tablename__ = "access_log"
    __table_args__ = (Index(None, "realm_id", "tenant_id", "at"), AGENCY)

    at: Mapped[datetime]
    actor: Mapped[str]
    tenant_id: Mapped[UUID]
    operation: Mapped[str]
    request_id: Mapped[str | None]


class Deadline(CandidateRow, Base):
    """What happens at ``due_at`` of the realm's clock unless it is done before.

    No foreign key to the candidate: the kernel knows of no table above it.
    """

    __tablename__ = "deadline"
    __table_args__ = (
        Index(
            "deadline_open_key",
            "tenant_id",
            "candidate_id",
            "kind",
            "subject_id",
            unique=True,
            postgresql_where=text("done_at IS NULL"),
        ),
        Index(
            "deadline_due_idx",
            "tenant_id",
            "due_at",
            "id",
            postgresql_where=text("done_at IS NULL"),
        ),
        CANDIDATE,
    )

    kind: Mapped[str]
    subject_id: Mapped[UUID]
    due_at: Mapped[datetime]
    done_at: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))
    retry_at: Mapped[datetime | None]


class Wakeup(Base):
    """Tells the poller which tenant waits, and from when (realm's clock).

    ``tenant_id`` is null when the realm's own agency plane waits. Several rows may say the
    same: writers never wait for each other here, the poller deletes what it has handled.
    """

    __tablename__ = "wakeup"
    __table_args__ = (
        one_of("topic", "seal", "deadline"),
        Index(None, "realm_id", "topic", "due_at"),
        OWN,
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    realm_id: Mapped[UUID]
    tenant_id: Mapped[UUID | None]
    topic: Mapped[str]
    due_at: Mapped[datetime]
