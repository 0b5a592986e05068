"""People of a candidate's company, the rights to reach them, and objections."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index
from sqlalchemy.orm import Mapped

from flatbed.tenants.kit.database.columns import (
    CANDIDATE,
    VERSIONED,
    CandidateRow,
    has_siblings,
    of_candidate,
    sibling,
)
from flatbed.tenants.kit.database.tables import Base, Resource


class Contact(CandidateRow, Resource, Base):
    """A person. Personal data stands here and nowhere else: no log, event or audit row holds it."""

    __tablename__ = "contact"
    __table_args__ = (of_candidate(), has_siblings(), CANDIDATE)
    __mapper_args__ = VERSIONED

    name: Mapped[str]
    job_title: Mapped[str | None]
    c_level: Mapped[bool]
    email: Mapped[str | None]
    phone: Mapped[str | None]


class ChannelRight(CandidateRow, Base):
    """Why a person may be reached on a channel in a country; never changed.

    Channels and bases are words of the rules table, which is data: no check names them here.
    """

    __tablename__ = "channel_right"
    __table_args__ = (
        of_candidate(),
        sibling("contact", "contact_id"),
        Index(None, "tenant_id", "candidate_id", "contact_id"),
        CANDIDATE,
    )

    contact_id: Mapped[UUID]
    channel: Mapped[str]
    country: Mapped[str]
    basis: Mapped[str]
    source: Mapped[str]
    recorded_at: Mapped[datetime]


class Objection(CandidateRow, Base):
    """A person, or the company (``contact_id`` null), objects to a channel or to all (null).

    Only ``resolved_at`` may change.
    """

    __tablename__ = "objection"
    __table_args__ = (
        of_candidate(),
        sibling("contact", "contact_id"),
        Index(None, "tenant_id", "candidate_id", "at"),
        CANDIDATE,
    )

    contact_id: Mapped[UUID | None]
    channel: Mapped[str | None]
    source: Mapped[str]
    at: Mapped[datetime]
    resolved_at: Mapped[datetime | None]
