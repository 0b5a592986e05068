"""HTTP for OAuth clients."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from flatbed.tenants.access.calls import AgencyCall, AgencyRead
from flatbed.tenants.access.require import require
from flatbed.tenants.kit.http import Listed, reply, required_version
from flatbed.tenants.kit.ids import ClientId, OrganizationId, StaffId, encode
from flatbed.tenants.oauth.schemas import (
    OAuthClientCreate,
    OAuthClientCreated,
    OAuthClientPage,
    OAuthClientRead,
    OAuthClientUpdate,
)
from flatbed.tenants.oauth.service import Clients
from flatbed.tenants.oauth.wiring import OAuth

router = APIRouter(prefix="/v1/oauth-clients", tags=["oauth clients"])


async def clients(request: Request) -> Clients:
    """The service, with the keys and the permission table of this program."""
    oauth: OAuth = request.app.state.oauth
    return oauth.clients


@router.post(
    "", operation_id="create_oauth_client", response_model=OAuthClientCreated, status_code=201
)
async def create_oauth_client(
    body: OAuthClientCreate,
    service: Annotated[Clients, Depends(clients)],
    call: Annotated[AgencyCall, require("clients:manage").agency],
) -> Response:
    """Make a client of an ISV, of the agency or of a staff member; its secret is shown once."""

    async def work() -> Response:
        made, version = await service.create(call.session, body)
        location = f"/v1/oauth-clients/{encode('client', made.id)}"
        return reply(made, status=201, version=version, location=location)

    return await call.once(work, remembered=_without_secret)


@router.get("", operation_id="list_oauth_clients", response_model=OAuthClientPage)
async def list_oauth_clients(
    service: Annotated[Clients, Depends(clients)],
    call: Annotated[AgencyRead, require("clients:manage").agency_read],
    listing: Listed,
    organization_id: OrganizationId | None = None,
    staff_id: StaffId | None = None,
) -> Response:
    """List clients by last change, of one ISV or staff member if asked."""
    cursors = call.cursors(organization_id=organization_id, staff_id=staff_id)
    return reply(
        await service.page(
            call.session,
            cursors,
            cursor=listing.cursor,
            limit=listing.limit,
            organization_id=organization_id,
            staff_id=staff_id,
        )
    )


@router.get("/{client_id}", operation_id="get_oauth_client", response_model=OAuthClientRead)
async def get_oauth_client(
    client_id: ClientId,
    service: Annotated[Clients, Depends(clients)],
    call: Annotated[AgencyRead, require("clients:manage").agency_read],
) -> Response:
    """Read one client; never its secret."""
    found, version = await service.get(call.session, client_id)
    return reply(found, version=version)


@router.patch("/{client_id}", operation_id="update_oauth_client", response_model=OAuthClientRead)
async def update_oauth_client(
    client_id: ClientId,
    body: OAuthClientUpdate,
    version: Annotated[int, Depends(required_version)],
    service: Annotated[Clients, Depends(clients)],
    call: Annotated[AgencyCall, require("clients:manage").agency],
) -> Response:
    """Rename a client, change its scopes, switch it off or on."""
    found, new_version = await service.update(call.session, client_id, version, body)
    return reply(found, version=new_version)


def _without_secret(body: str) -> str:
    """What is stored for a replay: the secret is shown once and kept nowhere."""
    made = OAuthClientCreated.model_validate_json(body)
    return made.model_copy(update={"client_secret": None}).model_dump_json()
