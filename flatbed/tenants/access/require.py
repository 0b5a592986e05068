"""``require(scope)``: admit in a short transaction, then open the request's own.

An endpoint says ``call: Annotated[TenantCall, require("campaigns:write").tenant]`` and receives a
transaction that is already bound. It is committed before the response starts
(``scope="function"``) and rolled back on any error.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import structlog
from fastapi import Depends, Request
from fastapi.params import Depends as Dependency

from flatbed.tenants.access.access_log import log_access
from flatbed.tenants.access.calls import (
    AgencyCall,
    AgencyRead,
    EitherCall,
    EitherRead,
    TenantCall,
    TenantRead,
)
from flatbed.tenants.access.permissions import (
    HunterBinding,
    OperationPlane,
    Permission,
    Permissions,
)
from flatbed.tenants.access.principal import (
    FRESH_FOR,
    Assignments,
    Authenticator,
    Principal,
    Role,
    Tenants,
)
from flatbed.tenants.kit.clock import Clock, system_now
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
    Problem,
    RepeatedHeaderError,
    RepeatedParameterError,
    StepUpRequiredError,
    TenantRequiredError,
    UnauthenticatedError,
)

TENANT_HEADER = "Flatbed-Tenant"
ONCE = ("authorization", TENANT_HEADER, "idempotency-key")
"""A proxy and we might each read another one of two."""
CHALLENGE: Final = "WWW-Authenticate"
_STEP_UP = {
    CHALLENGE: 'Bearer error="insufficient_user_authentication",'
    f' max_age="{int(FRESH_FOR.total_seconds())}"'
}
"""RFC 9470: the person is to prove anew who he is."""


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
    def either(self) -> Dependency:
        """A :class:`TenantCall` where an ISV is named, else an :class:`AgencyCall`."""
        return _dependency(self._either)

    @property
    def either_read(self) -> Dependency:
        """A :class:`TenantRead` where an ISV is named, else an :class:`AgencyRead`."""
        return _dependency(self._either_read)

    async def _tenant(self, request: Request) -> AsyncIterator[TenantCall]:
        gate, admission = await self._admit(request)
        async with _of_tenant(request, gate, admission) as call:
            yield call

    async def _tenant_read(self, request: Request) -> AsyncIterator[TenantRead]:
        gate, admission = await self._admit(request)
        async with gate.database.tenant_read(**_binding(admission)) as session:
            yield TenantRead(**_call(request, gate, admission), session=session)

    async def _agency(self, request: Request) -> AsyncIterator[AgencyCall]:
        gate, admission = await self._admit(request)
        async with _of_agency(request, gate, admission) as call:
            yield call

    async def _agency_read(self, request: Request) -> AsyncIterator[AgencyRead]:
        gate, admission = await self._admit(request)
        async with gate.database.agency_read(**_realm(admission)) as session:
            yield AgencyRead(**_call(request, gate, admission), session=session)

    async def _either(self, request: Request) -> AsyncIterator[EitherCall]:
        gate, admission = await self._admit(request)
        opened = _of_agency if admission.tenant_id is None else _of_tenant
        async with opened(request, gate, admission) as call:
            yield call

    async def _either_read(self, request: Request) -> AsyncIterator[EitherRead]:
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
        with challenged(gate.authenticator.resource_metadata):
            return gate, await self._admitted(gate, permission, request)

    async def _admitted(self, gate: Gate, permission: Permission, request: Request) -> Admission:
        claims = await gate.authenticator.verify(bearer(request))
        request_id: str = request.state.request_id
        login = Caller(f"client:{claims.client_id}", request_id)
        async with gate.database.agency(
            realm_id=claims.realm_id, caller=login, clock=Clock(), repeatable=True
        ) as session:
            principal = await gate.authenticator.principal(session, claims, caller_address(request))
            if principal.role not in permission.roles:
                raise ForbiddenError
            if not principal.scopes.intersection(self.scopes):
                raise InsufficientScopeError(headers=challenge("insufficient_scope", self.scopes))
            if permission.step_up and not principal.is_fresh(system_now()):
                raise StepUpRequiredError(headers=_STEP_UP)
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
        return Admission(principal, permission, caller, tenant_id, candidates, fresh)


def require(*scopes: str) -> Requirement:
    """The requirement of an operation: a token with one of these scopes.

    The permission table names the same scopes; the program does not start where they differ.
    """
    return Requirement(scopes)


@asynccontextmanager
async def _of_tenant(
    request: Request, gate: Gate, admission: Admission
) -> AsyncIterator[TenantCall]:
    async with gate.database.tenant(**_binding(admission)) as session:
        yield TenantCall(
            **_call(request, gate, admission),
            session=session,
            fresh_candidate_id=admission.fresh_candidate_id,
        )


@asynccontextmanager
async def _of_agency(
    request: Request, gate: Gate, admission: Admission
) -> AsyncIterator[AgencyCall]:
    async with gate.database.agency(**_realm(admission)) as session:
        yield AgencyCall(**_call(request, gate, admission), session=session)


def _dependency(opener: Callable[[Request], AsyncIterator[Any]]) -> Dependency:
    found: Dependency = Depends(opener, scope="function")
    return found


@contextmanager
def challenged(resource_metadata: str) -> Iterator[None]:
    """Say in every challenge where a client learns how to get a token that will do (RFC 9728)."""
    try:
        yield
    except Problem as problem:
        found = problem.headers.get(CHALLENGE)
        if found is not None:
            comma = "," if "=" in found else ""
            problem.headers[CHALLENGE] = f'{found}{comma} resource_metadata="{resource_metadata}"'
        raise


def bearer(request: Request) -> str:
    """The token of a request, whose headers and parameters stand once each.

    Raises:
        RepeatedHeaderError: one that decides about the request stands twice; or
            (`RepeatedParameterError`) a parameter does.
        UnauthenticatedError: there is none.
    """
    for name in ONCE:
        if len(request.headers.getlist(name)) > 1:
            raise RepeatedHeaderError
    # No parameter of ours is a list: of two values one would be passed over in silence.
    if len(request.query_params) < len(request.query_params.multi_items()):
        raise RepeatedParameterError
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer" or not token:
        raise UnauthenticatedError(headers={CHALLENGE: "Bearer"})
    return token


def challenge(error: str, scopes: tuple[str, ...]) -> dict[str, str]:
    """The header that says what is wrong with a token, and which scopes would do (RFC 6750)."""
    return {CHALLENGE: f'Bearer error="{error}", scope="{" ".join(scopes)}"'}


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
