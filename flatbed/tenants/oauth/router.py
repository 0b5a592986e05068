"""HTTP for OAuth clients."""

import json
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from flatbed.tenants.access.calls import EitherCall, EitherRead
from flatbed.tenants.access.require import require
from flatbed.tenants.kit.http import Listed, reply, required_version
from flatbed.tenants.kit.ids import ClientId, OrganizationId, SecretId, StaffId, encode
from flatbed.tenants.oauth.clients.authority import Authority
from flatbed.tenants.oauth.clients.schemas import (
    ClientSecretCreate,
    ClientSecretCreated,
    ClientSecretRoll,
    OAuthClientCreate,
    OAuthClientCreated,
    OAuthClientPage,
    OAuthClientRead,
    OAuthClientUpdate,
)
from flatbed.tenants.oauth.clients.service import Clients
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
    call: Annotated[EitherCall, require("clients:manage").either],
) -> Response:
    """Make a client of an ISV, of the agency or of a staff member; a secret is shown once."""

    async def work() -> Response:
        made, version = await service.create(call.session, Authority.of(call.principal), body)
        location = f"/v1/oauth-clients/{encode('client', made.id)}"
        return reply(made, status=201, version=version, location=location)

    return await call.once(work, remembered=_without_secret)


@router.get("", operation_id="list_oauth_clients", response_model=OAuthClientPage)
async def list_oauth_clients(
    service: Annotated[Clients, Depends(clients)],
    call: Annotated[EitherRead, require("clients:manage").either_read],
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
    call: Annotated[EitherRead, require("clients:manage").either_read],
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
    call: Annotated[EitherCall, require("clients:manage").either],
) -> Response:
    """Rename a client, change its scopes, how and from where it signs in, switch it off or on."""
    found, new_version = await service.update(
        call.session, Authority.of(call.principal), client_id, version, body
    )
    return reply(found, version=new_version)


@router.delete("/{client_id}", operation_id="delete_oauth_client", status_code=204)
async def delete_oauth_client(
    client_id: ClientId,
    version: Annotated[int, Depends(required_version)],
    service: Annotated[Clients, Depends(clients)],
    call: Annotated[EitherCall, require("clients:manage").either],
) -> Response:
    """Delete a client: it can never sign in nor act again. Its id stays in the audit."""
    await service.delete(call.session, Authority.of(call.principal), client_id, version)
    return Response(status_code=204)


@router.post(
    "/{client_id}/secrets",
    operation_id="create_client_secret",
    response_model=ClientSecretCreated,
    status_code=201,
)
async def create_client_secret(
    client_id: ClientId,
    body: ClientSecretCreate,
    service: Annotated[Clients, Depends(clients)],
    call: Annotated[EitherCall, require("clients:manage").either],
) -> Response:
    """Give a client a second secret; it is shown once."""

    async def work() -> Response:
        made = await service.secrets.create(
            call.session, Authority.of(call.principal), client_id, body
        )
        return reply(made, status=201)

    return await call.once(work, remembered=_without_secret)


@router.post(
    "/{client_id}/secrets/{secret_id}/roll",
    operation_id="roll_client_secret",
    response_model=ClientSecretCreated,
    status_code=201,
)
async def roll_client_secret(
    client_id: ClientId,
    secret_id: SecretId,
    body: ClientSecretRoll,
    service: Annotated[Clients, Depends(clients)],
    call: Annotated[EitherCall, require("clients:manage").either],
) -> Response:
    """Put a new secret in place of one that goes on for a while; the new one is shown once."""

    async def work() -> Response:
        made = await service.secrets.roll(
            call.session, Authority.of(call.principal), client_id, secret_id, body
        )
        return reply(made, status=201)

    return await call.once(work, remembered=_without_secret)


@router.delete(
    "/{client_id}/secrets/{secret_id}", operation_id="revoke_client_secret", status_code=204
)
async def revoke_client_secret(
    client_id: ClientId,
    secret_id: SecretId,
    version: Annotated[int, Depends(required_version)],
    service: Annotated[Clients, Depends(clients)],
    call: Annotated[EitherCall, require("clients:manage").either],
) -> Response:
    """Revoke a secret: within a second nobody gets a token by it any more.

    `If-Match` is the client's ETag: a secret has none of its own.
    """
    await service.secrets.revoke(call.session, client_id, secret_id, version)
    return Response(status_code=204)


def _without_secret(body: str) -> str:
    """What is stored for a replay: the secret is shown once and kept nowhere."""
    return json.dumps({**json.loads(body), "client_secret": None})
