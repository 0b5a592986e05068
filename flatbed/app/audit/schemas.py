"""What the API gives of the audit trail."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, Field, JsonValue

from flatbed.tenants.kit.cursors import Page
from flatbed.tenants.kit.ids import annotations
from flatbed.tenants.kit.schemas import Output, storable

AuditId = Annotated[UUID, *annotations("aud")]
Action = Annotated[
    str, Field(max_length=100, examples=["campaign.ordered"]), AfterValidator(storable)
]
ObjectId = Annotated[
    str,
    Field(max_length=100, description="The object's id, of any kind."),
    AfterValidator(storable),
]


class AuditEntryRead(Output):
    """Who did what to which object; numbered without a gap and chained to the entry before."""

    sequence: int
    id: AuditId
    at: Annotated[datetime, Field(description="By the realm's clock.")]
    actor: Annotated[str, Field(examples=["client:client_01h455vb4pex5vsknk084sn02q"])]
    action: Action
    object_type: Annotated[str, Field(examples=["camp"])]
    object_id: str
    detail: Annotated[
        dict[str, JsonValue],
        Field(description="Ids, names of changed fields, states and figures; nothing personal."),
    ]
    request_id: str | None
    previous_hash: Annotated[str, Field(description="64 zeros for the first entry.")]
    hash: Annotated[str, Field(description="SHA-256 over the previous hash and this entry.")]


class AuditPage(Page):
    """A page of audit entries, oldest first."""

    data: list[AuditEntryRead]
