"""A touchpoint with the later words on it, as the API shows it and as the rules judge it."""

from collections.abc import Sequence
from datetime import UTC
from uuid import UUID

from flatbed.app.campaigns.readers import actor_shown
from flatbed.app.candidates.models import Candidate, Touchpoint, TouchpointVerdict
from flatbed.app.candidates.records.errors import ReferenceNotFoundError
from flatbed.app.candidates.rules.touches import EffectiveTouch, Side, TouchClass, effective
from flatbed.app.candidates.snapshots.service import to_touch
from flatbed.app.candidates.touchpoints import repository
from flatbed.app.candidates.touchpoints.schemas import TouchpointRead, VerdictRead
from flatbed.tenants.access.principal import Principal
from flatbed.tenants.kit.database.session import TenantReadSession
from flatbed.tenants.kit.problems import InvalidError


def judged(row: Touchpoint, verdicts: Sequence[TouchpointVerdict]) -> EffectiveTouch:
    """Class, provenance and elicitation of the one touch; whether it counts needs them all."""
    # Alone it meets no other touch of its day: the zone decides nothing.
    return effective([to_touch(row, verdicts, c_level=False)], UTC)[0]


def is_agency_push(row: Touchpoint, verdicts: Sequence[TouchpointVerdict]) -> bool:
    """Whether hunter or agency pushed, by now."""
    return judged(row, verdicts).is_our_push


async def source_of(
    session: TenantReadSession,
    candidate: Candidate,
    pointer: str,
    source_id: UUID | None,
    touch: Touchpoint,
) -> Touchpoint | None:
    """The earlier touch of the candidate that the body names at ``pointer``; None if none.

    Raises:
        ReferenceNotFoundError: it is not one of this candidate, or the touch itself.
        InvalidError: it is later than the touch.
    """
    if source_id is None:
        return None
    source = await repository.find(session, candidate.id, source_id)
    if source is None or source.id == touch.id:
        raise ReferenceNotFoundError.at_pointer(pointer)
    if source.occurred_at > touch.occurred_at:
        raise InvalidError.at(pointer, "not-earlier", "It names a later touch.")
    return source


async def eliciting(
    session: TenantReadSession,
    candidate: Candidate,
    source_id: UUID | None,
    touch: Touchpoint,
) -> Touchpoint | None:
    """The message of ours that asked for what the partner's touch supplies.

    Raises:
        ReferenceNotFoundError: it is not a touch of this candidate.
        InvalidError: the touch is not the partner's, or its source is not an earlier one of ours.
    """
    pointer = "/elicited_by"
    source = await source_of(session, candidate, pointer, source_id, touch)
    if source is None:
        return None
    if Side(touch.side) is not Side.PARTNER:
        raise InvalidError.at(pointer, "not-a-partner-touch", "Only the partner is elicited.")
    if Side(source.side) is Side.PARTNER:
        raise InvalidError.at(pointer, "not-outbound", "Only a message of ours elicits.")
    return source


def read(
    row: Touchpoint, verdicts: Sequence[TouchpointVerdict], principal: Principal
) -> TouchpointRead:
    """The touch for the API; ``verdicts`` may hold those of others too."""
    own = [one for one in verdicts if one.touchpoint_id == row.id]
    left = judged(row, own)
    return TouchpointRead(
        id=row.id,
        candidate_id=row.candidate_id,
        side=Side(row.side),
        class_=TouchClass(row.class_),
        effective_class=left.cls,
        provenance=left.provenance,
        channel=row.channel,
        contact_id=row.contact_id,
        occurred_at=row.occurred_at,
        recorded_at=row.recorded_at,
        text=row.text,
        elicited_by=row.elicited_by,
        elicited=left.elicited,
        in_reply_to=row.in_reply_to,
        unrequested_ask=row.unrequested_ask,
        recorded_by=actor_shown(row.recorded_by, principal),
        verdicts=[_read_verdict(one, principal) for one in own],
        external_ref=row.external_ref,
        metadata=row.metadata_,
    )


def _read_verdict(row: TouchpointVerdict, principal: Principal) -> VerdictRead:
    shown = VerdictRead.model_validate(row)
    return shown.model_copy(update={"actor": actor_shown(row.actor, principal)})
