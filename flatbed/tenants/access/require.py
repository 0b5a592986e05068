"""``require(scope)``: admit in a short transaction, then open the request's own.

An endpoint says ``call: Annotated[TenantCall, require("campaigns:write").tenant]`` and receives a
transaction that is already bound. It is committed before the response starts
(``scope="function"``) and rolled back on any error.
"""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog
from fastapi import Depends, Request
from fastapi.params import Depends as Dependency

from flatbed.tenants.access.access_log import log_access
from flatbed.tenants.access.calls import AgencyCall, AgencyRead, TenantCall, TenantRead
from flatbed.tenants.access.permissions import (
    HunterBinding,
    OperationPlane,
    Permission,
    Permissions,
)
from flatbed.tenants.access.principal import (
    Assignments,
    Authenticator,
    Principal,
    Role,
    Tenants,
)
from flatbed.tenants.kit.clock import Clock
from flatbed.tenants.kit.crypto import Keyring
from flatbed.tenants.kit.database.context import CandidateRange
from flatbed.tenants.kit.database.engine import Database
from flatbed.tenants.kit.database.session import AgencySession, Caller
from flatbed.tenants.kit.edge.addresses import caller_address
from flatbed.tenants.kit.failpoints import Failpoint, failpoint
from flatbed.tenants.kit.ids import InvalidIdError, decode, uuid7
from flatbed.tenants.kit.problems import (
    ForbiddenError,
    InsufficientScopeError,
    NotFoundError,
    RepeatedHeaderError,
    RepeatedParameterError,
    TenantRequiredError,
    UnauthenticatedError,
)

TENANT_HEADER = "Flatbed-Tenant"
ONCE = ("authorization", TENANT_HEADER, "idempotency-key")
"""A proxy and we might each read another one of two."""


@dataclass(frozen=True)
class Gate:
    """All that deciding about a request needs; made in the composition root (``app.state.gate``).

    ``permissions`` is the whole table; the three ports are bound to the floors above.
    """

    database: Database
    keyring: Keyring
    permissions: Permissions
    authenticator: Authenticator
    tenants: Tenants
    assignments: Assignments


@dataclass(frozen=True, slots=True)
class Admission:
    """A request that may go on: who, and what its transaction is bound to."""

    principal: Principal
    permission: Permission
    caller: Caller
    tenant_id: UUID | None
    candidates: CandidateRange
    fresh_candidate_id: UUID


@dataclass(frozen=True, slots=True)
class Requirement:
    """The dependencies of one scope, by the transaction that the endpoint wants."""

    scopes: tuple[str, ...]

    @property
    def tenant(self) -> Dependency:
        """A :class:`TenantCall`: read and write one tenant's rows."""
        return _dependency(self._tenant)

    @property
    def tenant_read(self) -> Dependency:
        """A :class:`TenantRead`."""
        return _dependency(self._tenant_read)

    @property
    def agency(self) -> Dependency:
        """An :class:`AgencyCall`: read and write the agency plane."""
        return _dependency(self._agency)

    @property
    def agency_read(self) -> Dependency:
        """An :class:`AgencyRead`."""
        return _dependency(self._agency_read)

    @property
    def either_read(self) -> Dependency:
        """A :class:`TenantRead` where an ISV is named, else an :class:`AgencyRead`."""
        return _dependency(self._either_read)

    async def _tenant(self, request: Request) -> AsyncIterator[TenantCall]:
        gate, admission = await self._admit(request)
        async with gate.database.tenant(**_binding(admission)) as session:
            yield TenantCall(
                **_call(request, gate, admission),
                session=session,
                fresh_candidate_id=admission.fresh_candidate_id,
            )

    async def _tenant_read(self, request: Request) -> AsyncIterator[TenantRead]:
        gate, admission = await self._admit(request)
        async with gate.database.tenant_read(**_binding(admission)) as session:
            yield TenantRead(**_call(request, gate, admission), session=session)

    async def _agency(self, request: Request) -> AsyncIterator[AgencyCall]:
        gate, admission = await self._admit(request)
        async with gate.database.agency(**_realm(admission)) as session:
            yield AgencyCall(**_call(request, gate, admission), session=session)

    async def _agency_read(self, request: Request) -> AsyncIterator[AgencyRead]:
        gate, admission = await self._admit(request)
        async with gate.database.agency_read(**_realm(admission)) as session:
            yield AgencyRead(**_call(request, gate, admission), session=session)

    async def _either_read(self, request: Request) -> AsyncIterator[TenantRead | AgencyRead]:
        gate, admission = await self._admit(request)
        call = _call(request, gate, admission)
        if admission.tenant_id is None:
            async with gate.database.agency_read(**_realm(admission)) as agency:
                yield AgencyRead(**call, session=agency)
        else:
            async with gate.database.tenant_read(**_binding(admission)) as tenant:
                yield TenantRead(**call, session=tenant)

    async def _admit(self, request: Request) -> tuple[Gate, Admission]:
        gate: Gate = request.app.state.gate
        permission = gate.permissions[request.scope["route"].operation_id]
        claims = await gate.authenticator.verify(_bearer(request))
        request_id: str = request.state.request_id
        login = Caller(f"client:{claims.client_id}", request_id, claims.client_id)
        async with gate.database.agency(
            realm_id=claims.realm_id, caller=login, clock=Clock(), repeatable=True
        ) as session:
            principal = await gate.authenticator.principal(session, claims, caller_address(request))
            if principal.role not in permission.roles:
                raise ForbiddenError
            if not principal.scopes.intersection(self.scopes):
                raise InsufficientScopeError(headers=_challenge("insufficient_scope", self.scopes))
            fresh = uuid7()
            tenant_id, candidates = await _bind(
                gate, session, principal, permission, request, fresh
            )
            if tenant_id is not None and principal.tenant_id is None:
                log_access(session, principal, tenant_id, permission.operation)
        structlog.contextvars.bind_contextvars(
            client_id=str(principal.client_id), tenant_id=str(tenant_id) if tenant_id else None
        )
        failpoint(Failpoint.REQUEST_ADMITTED)
        caller = principal.caller(request_id)
        return gate, Admission(principal, permission, caller, tenant_id, candidates, fresh)


def require(*scopes: str) -> Requirement:
    """The requirement of an operation: a token with one of these scopes.

    The permission table names the same scopes; the program does not start where they differ.
    """
    return Requirement(scopes)


def _dependency(opener: Callable[[Request], AsyncIterator[Any]]) -> Dependency:
    found: Dependency = Depends(opener, scope="function")
    return found


def _bearer(request: Request) -> str:
    for name in ONCE:
        if len(request.headers.getlist(name)) > 1:
            raise RepeatedHeaderError
    # No parameter of ours is a list: of two values one would be passed over in silence.
    if len(request.query_params) < len(request.query_params.multi_items()):
        raise RepeatedParameterError
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer" or not token:
        raise UnauthenticatedError(headers={"WWW-Authenticate": "Bearer"})
    return token


def _challenge(error: str, scopes: tuple[str, ...]) -> dict[str, str]:
    return {"WWW-Authenticate": f'Bearer error="{error}", scope="{" ".join(scopes)}"'}


async def _bind(
    gate: Gate,
    session: AgencySession,
    principal: Principal,
    permission: Permission,
    request: Request,
    fresh: UUID,
) -> tuple[UUID | None, CandidateRange]:
    """The tenant and the candidates that the request's transaction may see."""
    named = request.headers.get(TENANT_HEADER)
    if permission.plane is OperationPlane.AGENCY:
        return None, CandidateRange.none()
    if principal.tenant_id is not None:
        if named is not None and _id("org", named) != principal.tenant_id:
            raise NotFoundError
        return principal.tenant_id, CandidateRange.whole()
    if principal.role is Role.HUNTER:
        return await _bind_hunter(gate, session, principal, permission, request, fresh)
    if named is None:
        if permission.plane is OperationPlane.EITHER:
            return None, CandidateRange.none()
        raise TenantRequiredError
    tenant_id = _id("org", named)
    if not await gate.tenants.exists(session, tenant_id):
        raise NotFoundError
    return tenant_id, CandidateRange.whole()


async def _bind_hunter(
    gate: Gate,
    session: AgencySession,
    principal: Principal,
    permission: Permission,
    request: Request,
    fresh: UUID,
) -> tuple[UUID, CandidateRange]:
    if principal.staff_id is None:
        raise ForbiddenError
    if permission.hunter is HunterBinding.CANDIDATE:
        candidate_id = _id("cand", request.path_params["candidate_id"])
        tenant_id = await gate.assignments.of_candidate(session, principal.staff_id, candidate_id)
        candidates = CandidateRange.one(candidate_id)
    elif permission.hunter is HunterBinding.CAMPAIGN:
        campaign_id = _id("camp", request.path_params["campaign_id"])
        tenant_id = await gate.assignments.of_campaign(session, principal.staff_id, campaign_id)
        # The one candidate that he may create here; none that exists.
        candidates = CandidateRange.one(fresh)
    else:
        raise ForbiddenError
    if tenant_id is None:
        raise NotFoundError
    return tenant_id, candidates


def _id(prefix: str, text: str) -> UUID:
    try:
        return decode(prefix, text)
    except InvalidIdError:
        raise NotFoundError from None


def _call(request: Request, gate: Gate, admission: Admission) -> dict[str, Any]:
    return {
        "principal": admission.principal,
        "request": request,
        "keyring": gate.keyring,
        "operation": admission.permission.operation,
    }


def _realm(admission: Admission) -> dict[str, Any]:
    return {
        "realm_id": admission.principal.realm_id,
        "caller": admission.caller,
        "clock": admission.principal.clock,
    }


def _binding(admission: Admission) -> dict[str, Any]:
    return {
        **_realm(admission),
        "tenant_id": admission.tenant_id,
        "candidates": admission.candidates,
    }
