"""Touchpoints and the later words on them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from flatbed.app.candidates.rules.touches import Side, TouchClass
from flatbed.tenants.kit.database.columns import (
    CANDIDATE,
    CandidateRow,
    has_siblings,
    of_candidate,
    one_of,
    sibling,
)
from flatbed.tenants.kit.database.tables import Base


class Touchpoint(CandidateRow, Base):
    """One contact in either direction as recorded; never changed, verdicts are appended.

    ``client_id`` is who sent it, the OAuth client or one person at it (``Principal.key_owner``):
    his own references are unique.
    """

    __tablename__ = "touchpoint"
    __table_args__ = (
        of_candidate(),
        has_siblings(),
        sibling("contact", "contact_id"),
        sibling("touchpoint", "elicited_by"),
        sibling("touchpoint", "in_reply_to"),
        one_of("side", *Side),
        one_of("class", *TouchClass),
        CheckConstraint(
            "(side = 'partner') = (class IN ('P0', 'P1', 'P2', 'P3'))", name="side_class"
        ),
        one_of("provenance", "attested", "system"),
        Index(
            "touchpoint_external_ref_key",
            "tenant_id",
            "client_id",
            "external_ref",
            unique=True,
            postgresql_where=sql("external_ref IS NOT NULL"),
        ),
        Index(None, "tenant_id", "candidate_id", "occurred_at", "id"),
        CANDIDATE,
    )

    side: Mapped[str]
    class_: Mapped[str] = mapped_column("class")
    channel: Mapped[str]
    contact_id: Mapped[UUID | None]
    occurred_at: Mapped[datetime]
    recorded_at: Mapped[datetime]
    text: Mapped[str | None]
    provenance: Mapped[str]
    elicited_by: Mapped[UUID | None]
    in_reply_to: Mapped[UUID | None]
    unrequested_ask: Mapped[bool]
    recorded_by: Mapped[str]
    client_id: Mapped[UUID]
    external_ref: Mapped[str | None]
    metadata_: Mapped[dict[str, Any]] = mapped_column(
        "metadata", JSONB, server_default=sql("'{}'::jsonb"), default=dict
    )


class TouchpointVerdict(CandidateRow, Base):
    """An auditor's word, which replaces, or anybody's lowering; never changed."""

    __tablename__ = "touchpoint_verdict"
    __table_args__ = (
        of_candidate(),
        sibling("touchpoint", "touchpoint_id"),
        sibling("touchpoint", "elicited_by"),
        one_of("kind", "audit", "lowering"),
        one_of("class", *TouchClass),
        CheckConstraint("kind <> 'audit' OR source_seen IS NOT NULL", name="source_seen"),
        Index(None, "tenant_id", "candidate_id", "touchpoint_id", "at"),
        CANDIDATE,
    )

    touchpoint_id: Mapped[UUID]
    kind: Mapped[str]
    class_: Mapped[str] = mapped_column("class")
    elicited_by: Mapped[UUID | None]
    source_seen: Mapped[str | None]
    reason: Mapped[str | None]
    actor: Mapped[str]
    at: Mapped[datetime]
