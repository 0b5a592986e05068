"""``/oauth/userinfo``: what a person let the client learn of him."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from flatbed.tenants.access.principal import Claims
from flatbed.tenants.access.require import challenge
from flatbed.tenants.access.scopes import EMAIL, OPENID, PROFILE
from flatbed.tenants.kit.edge.addresses import Address
from flatbed.tenants.kit.ids import encode
from flatbed.tenants.kit.problems import InsufficientScopeError
from flatbed.tenants.oauth import repository as clients
from flatbed.tenants.oauth.clients.networks import admits
from flatbed.tenants.oauth.grants.redeeming.lending import lent_by
from flatbed.tenants.oauth.grants.redeeming.repository import find_person
from flatbed.tenants.oauth.grants.standing import Lendings


def userinfo(
    session: Session, lendings: Lendings, claims: Claims, address: Address | None, now: datetime
) -> Mapping[str, Any] | None:
    """The claims that the token's scopes allow; synchronous, in the login plane.

    None: the token is a machine's, or its grant, client or person is no longer good.

    Raises:
        InsufficientScopeError: the token lacks ``openid``.
    """
    standing = lendings.standings.of(clients.find_owned(session, claims.client_id))
    if standing is None or claims.grant_id is None or claims.user_id is None:
        return None
    if not admits(standing.client.allowed_cidrs, address):
        return None
    lent = lent_by(session, lendings, claims.grant_id, standing, now)
    if lent is None or lent.grant.user_id != claims.user_id:
        return None
    scopes = claims.scopes & lent.scopes
    if OPENID not in scopes:
        raise InsufficientScopeError(headers=challenge("insufficient_scope", (OPENID,)))
    person = find_person(session, claims.user_id)
    told: dict[str, Any] = {"sub": encode("usr", person.id)}
    if PROFILE in scopes:
        told |= {"name": person.name, "locale": person.locale}
    if EMAIL in scopes:
        # He answered a mail that was sent there, or an operator vouched for it.
        told |= {"email": person.email, "email_verified": True}
    return told
