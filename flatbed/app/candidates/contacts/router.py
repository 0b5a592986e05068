"""HTTP for contacts, channel rights and objections."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from flatbed.app.candidates.contacts import service
from flatbed.app.candidates.contacts.schemas import (
    ChannelRightCreate,
    ChannelRightRead,
    ContactCreate,
    ContactPage,
    ContactRead,
    ContactUpdate,
    ObjectionCreate,
    ObjectionPage,
    ObjectionRead,
)
from flatbed.app.ids import CandidateId, ContactId, ObjectionId
from flatbed.tenants.access.calls import TenantCall, TenantRead
from flatbed.tenants.access.require import require
from flatbed.tenants.kit.http import Listed, reply, required_version

router = APIRouter(prefix="/v1/candidates/{candidate_id}", tags=["contacts"])


@router.post(
    "/contacts", operation_id="create_contact", response_model=ContactRead, status_code=201
)
async def create_contact(
    candidate_id: CandidateId,
    body: ContactCreate,
    call: Annotated[TenantCall, require("pipeline:write").tenant],
) -> Response:
    """Record a person of the candidate's company."""

    async def work() -> Response:
        contact, version = await service.create(call.session, candidate_id, body)
        return reply(contact, status=201, version=version)

    return await call.once(work)


@router.get("/contacts", operation_id="list_contacts", response_model=ContactPage)
async def list_contacts(
    candidate_id: CandidateId,
    call: Annotated[TenantRead, require("contacts:read").tenant_read],
    listing: Listed,
) -> Response:
    """List the candidate's contacts with the rights to reach them, in the order of recording."""
    return reply(
        await service.page(
            call.session,
            call.cursors(candidate_id=candidate_id),
            candidate_id,
            cursor=listing.cursor,
            limit=listing.limit,
        )
    )


@router.patch("/contacts/{contact_id}", operation_id="update_contact", response_model=ContactRead)
async def update_contact(
    candidate_id: CandidateId,
    contact_id: ContactId,
    body: ContactUpdate,
    version: Annotated[int, Depends(required_version)],
    call: Annotated[TenantCall, require("pipeline:write").tenant],
) -> Response:
    """Change a contact."""
    contact, new_version = await service.update(
        call.session, candidate_id, contact_id, version, body
    )
    return reply(contact, version=new_version)


@router.post(
    "/contacts/{contact_id}/channel-rights",
    operation_id="create_channel_right",
    response_model=ChannelRightRead,
    status_code=201,
)
async def create_channel_right(
    candidate_id: CandidateId,
    contact_id: ContactId,
    body: ChannelRightCreate,
    call: Annotated[TenantCall, require("pipeline:write").tenant],
) -> Response:
    """Record why the person may be reached on a channel, from now on."""

    async def work() -> Response:
        right = await service.add_right(call.session, candidate_id, contact_id, body)
        return reply(right, status=201)

    return await call.once(work)


@router.post(
    "/objections", operation_id="create_objection", response_model=ObjectionRead, status_code=201
)
async def create_objection(
    candidate_id: CandidateId,
    body: ObjectionCreate,
    call: Annotated[TenantCall, require("pipeline:write").tenant],
) -> Response:
    """Record that a person or the company objects; it binds at once."""

    async def work() -> Response:
        return reply(await service.object_(call.session, candidate_id, body), status=201)

    return await call.once(work)


@router.get("/objections", operation_id="list_objections", response_model=ObjectionPage)
async def list_objections(
    candidate_id: CandidateId,
    call: Annotated[TenantRead, require("pipeline:read").tenant_read],
    listing: Listed,
) -> Response:
    """List the candidate's objections, resolved ones too, in the order of recording."""
    return reply(
        await service.objections(
            call.session,
            call.cursors(candidate_id=candidate_id),
            candidate_id,
            cursor=listing.cursor,
            limit=listing.limit,
        )
    )


@router.post(
    "/objections/{objection_id}/resolution",
    operation_id="resolve_objection",
    response_model=ObjectionRead,
)
async def resolve_objection(
    candidate_id: CandidateId,
    objection_id: ObjectionId,
    call: Annotated[TenantCall, require("pipeline:write").tenant],
) -> Response:
    """End an objection: compliance has settled it."""

    async def work() -> Response:
        return reply(await service.resolve(call.session, candidate_id, objection_id))

    return await call.once(work)
