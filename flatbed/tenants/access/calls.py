"""One request, one transaction: what an endpoint receives instead of a bare session."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

from fastapi import Request, Response

from flatbed.tenants.access.principal import Principal
from flatbed.tenants.kit import idempotency
from flatbed.tenants.kit.crypto import Keyring
from flatbed.tenants.kit.cursors import Cursors
from flatbed.tenants.kit.database.session import (
    AgencyReadSession,
    AgencySession,
    EitherSession,
    TenantReadSession,
    TenantSession,
)
from flatbed.tenants.kit.failpoints import Failpoint, failpoint

REPLAYED = "Idempotent-Replayed"
KEPT_HEADERS = ("etag", "location", "content-type")


@dataclass(frozen=True, slots=True)
class Call:
    """Who calls, and with what request."""

    principal: Principal
    request: Request
    keyring: Keyring
    operation: str

    def _cursors(self, owner: UUID, filters: dict[str, object]) -> Cursors:
        binding = {"owner": owner, "operation": self.operation, "filters": filters}
        return Cursors(self.keyring, binding)


@dataclass(frozen=True, slots=True)
class TenantRead(Call):
    """A read of one tenant's rows."""

    session: TenantReadSession

    def cursors(self, **filters: object) -> Cursors:
        """The cursors of this list under these filters (the sort among them)."""
        return self._cursors(self.session.tenant_id, filters)


@dataclass(frozen=True, slots=True)
class TenantCall(Call):
    """A write on one tenant's rows.

    ``fresh_candidate_id`` is the id of a candidate that this request may create: the only one
    that a hunter's transaction can see.
    """

    session: TenantSession
    fresh_candidate_id: UUID

    async def once(
        self,
        work: Callable[[], Awaitable[Response]],
        *,
        remembered: Callable[[str], str] = str,
    ) -> Response:
        """Do the work, or answer again what the same Idempotency-Key was answered.

        ``remembered`` makes of the body what is stored for a replay: a secret that is shown once
        must not be.
        """
        return await _once(self, self.session, work, remembered)


@dataclass(frozen=True, slots=True)
class AgencyRead(Call):
    """A read of the agency plane."""

    session: AgencyReadSession

    def cursors(self, **filters: object) -> Cursors:
        """The cursors of this list under these filters (the sort among them)."""
        return self._cursors(self.session.realm_id, filters)


@dataclass(frozen=True, slots=True)
class AgencyCall(Call):
    """A write on the agency plane."""

    session: AgencySession

    async def once(
        self,
        work: Callable[[], Awaitable[Response]],
        *,
        remembered: Callable[[str], str] = str,
    ) -> Response:
        """As of a :class:`TenantCall`."""
        return await _once(self, self.session, work, remembered)


EitherCall = TenantCall | AgencyCall
EitherRead = TenantRead | AgencyRead


async def _once(
    call: Call,
    session: EitherSession,
    work: Callable[[], Awaitable[Response]],
    remembered: Callable[[str], str],
) -> Response:
    sent = call.request.headers.get("idempotency-key")
    if sent is None:
        return await work()
    url = call.request.url
    key = idempotency.Key.of(
        call.principal.key_owner,
        sent,
        call.request.method,
        f"{url.path}?{url.query}",
        await call.request.body(),
    )
    stored = await idempotency.find(session, key)
    if stored is not None:
        failpoint(Failpoint.ONCE_REPLAYED)
        headers = {**stored.headers, REPLAYED: "true"}
        return Response(stored.body, stored.status, headers=headers)
    failpoint(Failpoint.ONCE_CLAIMED)
    response = await work()
    failpoint(Failpoint.ONCE_WORKED)
    kept = {name: response.headers[name] for name in KEPT_HEADERS if name in response.headers}
    body = remembered(bytes(response.body).decode())
    idempotency.store(session, key, idempotency.StoredReply(response.status_code, kept, body))
    failpoint(Failpoint.ONCE_STORED)
    return response
