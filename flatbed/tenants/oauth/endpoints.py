"""The OAuth endpoints that standards define; errors by RFC 6749, not by RFC 9457.

They are described by ``/.well-known/oauth-authorization-server``, not by the OpenAPI document,
whose operations all need a token.
"""

from typing import Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from flatbed.tenants.oauth.metadata import (
    PROTECTED_RESOURCE,
    resource_metadata,
    server_metadata,
)
from flatbed.tenants.oauth.replies import Reply
from flatbed.tenants.oauth.rules.rotation import MAX_AGE
from flatbed.tenants.oauth.wiring import OAuth

router = APIRouter(tags=["oauth"], include_in_schema=False)

NOT_STORED = {"Cache-Control": "no-store", "Pragma": "no-cache"}
PUBLIC = {"Cache-Control": f"public, max-age={int(MAX_AGE.total_seconds())}"}


class TokenEndpoint:
    """Gives an access token; an ASGI application, and what is logged and counted as its route.

    What FastAPI does for an operation costs as much as signing the token.
    """

    path: Final = "/oauth/token"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a POST."""
        scope["route"] = self
        request = Request(scope, receive)
        oauth: OAuth = request.app.state.oauth
        reply = await oauth.token(request)
        await _answer(reply)(scope, receive, send)


router.routes.append(Route(TokenEndpoint.path, TokenEndpoint(), methods=["POST"]))


@router.post("/oauth/revoke")
async def revoke(request: Request) -> Response:
    """End the grant of a token (RFC 7009)."""
    oauth: OAuth = request.app.state.oauth
    return _answer(await oauth.revoke(request))


@router.post("/oauth/introspect")
async def introspect(request: Request) -> Response:
    """Say whether a token is good now (RFC 7662)."""
    oauth: OAuth = request.app.state.oauth
    return _answer(await oauth.introspect(request))


@router.get("/oauth/userinfo")
@router.post("/oauth/userinfo")
async def userinfo(request: Request) -> Response:
    """Say who the person is, as far as he let the client learn it."""
    oauth: OAuth = request.app.state.oauth
    return JSONResponse(await oauth.userinfo(request), headers=NOT_STORED)


@router.get("/oauth/jwks")
async def jwks(request: Request) -> Response:
    """The public keys that verify access tokens."""
    oauth: OAuth = request.app.state.oauth
    return JSONResponse({"keys": await oauth.keys.published()}, headers=PUBLIC)


@router.get("/.well-known/oauth-authorization-server")
@router.get("/.well-known/openid-configuration")
async def metadata(request: Request) -> Response:
    """What this authorization server can do (RFC 8414, OpenID Connect Discovery)."""
    oauth: OAuth = request.app.state.oauth
    return JSONResponse(server_metadata(oauth.issuer), headers=PUBLIC)


@router.get(PROTECTED_RESOURCE)
async def protected_resource(request: Request) -> Response:
    """What the API needs of a client (RFC 9728)."""
    oauth: OAuth = request.app.state.oauth
    return JSONResponse(resource_metadata(oauth.issuer), headers=PUBLIC)


def _answer(reply: Reply) -> Response:
    return JSONResponse(reply.body, reply.status, headers={**NOT_STORED, **reply.headers})
