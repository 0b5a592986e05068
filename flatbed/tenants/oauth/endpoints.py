"""The OAuth endpoints that standards define; errors by RFC 6749, not by RFC 9457.

They are described by ``/.well-known/oauth-authorization-server``, not by the OpenAPI document,
whose operations all need a token.
"""

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from flatbed.tenants.oauth.rules.rotation import MAX_AGE
from flatbed.tenants.oauth.wiring import OAuth

router = APIRouter(tags=["oauth"], include_in_schema=False)

NOT_STORED = {"Cache-Control": "no-store", "Pragma": "no-cache"}
PUBLIC = {"Cache-Control": f"public, max-age={int(MAX_AGE.total_seconds())}"}


@router.post("/oauth/token")
async def token(request: Request) -> Response:
    """Get an access token."""
    oauth: OAuth = request.app.state.oauth
    reply = await oauth.token(request)
    return JSONResponse(reply.body, reply.status, headers={**NOT_STORED, **reply.headers})


@router.get("/oauth/jwks")
async def jwks(request: Request) -> Response:
    """The public keys that verify access tokens."""
    oauth: OAuth = request.app.state.oauth
    return JSONResponse({"keys": await oauth.keys.published()}, headers=PUBLIC)


@router.get("/.well-known/oauth-authorization-server")
async def metadata(request: Request) -> Response:
    """What this authorization server can do (RFC 8414)."""
    oauth: OAuth = request.app.state.oauth
    return JSONResponse(oauth.metadata(), headers=PUBLIC)
