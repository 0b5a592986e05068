"""Evidence that ISV and agency bring: as it comes, as it is stored."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, Protocol, Self
from uuid import UUID

from pydantic import BaseModel, Field, model_validator

from flatbed.app.candidates.models import Candidate, Touchpoint
from flatbed.app.candidates.records.service import check_references
from flatbed.app.ids import TouchpointId
from flatbed.tenants.kit.database.session import TenantReadSession
from flatbed.tenants.kit.schemas import Input, Output, Text

ProofWord = Literal["document", "touchpoint"]


class ProofInput(Input):
    """One piece of evidence of a report."""

    kind: ProofWord
    description: Text
    touchpoint_id: Annotated[
        TouchpointId | None,
        Field(description="The candidate's touch that kind `touchpoint` means."),
    ] = None

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        if (self.kind == "touchpoint") != (self.touchpoint_id is not None):
            raise ValueError("touchpoint_id comes with kind touchpoint, and with no other.")
        return self


class ProofRead(Output):
    """One piece of evidence of a report."""

    kind: ProofWord
    description: str
    touchpoint_id: TouchpointId | None


Proofs = Annotated[list[ProofInput], Field(min_length=1, max_length=20)]


class Piece(Protocol):
    """Evidence that may name a touch."""

    @property
    def touchpoint_id(self) -> UUID | None:
        """The touch."""
        ...


async def check(
    session: TenantReadSession, candidate: Candidate, evidence: Sequence[Piece]
) -> None:
    """Refuse a touch of somebody else.

    Raises:
        ReferenceNotFoundError: a touch is none of this candidate.
    """
    touches = {
        f"/evidence/{place}/touchpoint_id": one.touchpoint_id for place, one in enumerate(evidence)
    }
    await check_references(session, Touchpoint, candidate, touches)


async def check_touch(
    session: TenantReadSession, candidate: Candidate, touchpoint_id: UUID
) -> None:
    """Refuse a touch of somebody else, named by the body itself.

    Raises:
        ReferenceNotFoundError: it is none of this candidate.
    """
    await check_references(session, Touchpoint, candidate, {"/touchpoint_id": touchpoint_id})


def stored(evidence: Sequence[BaseModel]) -> list[dict[str, Any]]:
    """As it is kept."""
    return [one.model_dump(mode="json") for one in evidence]
