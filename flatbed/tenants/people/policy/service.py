"""What an ISV asks of those who sign in for it."""

from typing import Final

from flatbed.tenants.kit.audit import mutation
from flatbed.tenants.kit.database.session import TenantReadSession, TenantSession
from flatbed.tenants.kit.http import match
from flatbed.tenants.people.models import SignInPolicy
from flatbed.tenants.people.policy import repository
from flatbed.tenants.people.policy.schemas import SignInPolicyRead, SignInPolicyUpdate

UNCHANGED: Final = 0
"""The version of a policy that was never set and has no row."""


async def policy(session: TenantReadSession) -> tuple[SignInPolicyRead, int]:
    """The policy with its ETag; nothing is asked until the ISV says so."""
    row = await repository.find_policy(session)
    if row is None:
        return SignInPolicyRead(owners_need_totp=False), UNCHANGED
    return SignInPolicyRead.model_validate(row), row.version


async def put_policy(
    session: TenantSession, version: int, body: SignInPolicyUpdate
) -> tuple[SignInPolicyRead, int]:
    """Set the policy.

    Raises:
        PreconditionFailedError: another version is stored than the one named.
    """
    row = await repository.find_policy(session, lock=True)
    match(UNCHANGED if row is None else row.version, version)
    now = session.now()
    if row is None:
        row = SignInPolicy(realm_id=session.realm_id, tenant_id=session.tenant_id, created_at=now)
        repository.add(session, row)
    row.owners_need_totp, row.updated_at = body.owners_need_totp, now
    detail = {"owners_need_totp": row.owners_need_totp}
    mutation(session, "sign_in_policy.updated", "org", session.tenant_id, detail)
    await session.flush()
    return SignInPolicyRead.model_validate(row), row.version
