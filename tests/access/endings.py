"""Everything that ends what a person lent to an application, as one statement each."""

from collections.abc import Mapping
from typing import Final
from uuid import UUID

from flatbed.tenants.kit.database.urls import Plain
from tests.api.support import Person

OF_GRANT: Final = {
    "the grant is revoked": "oauth_grant SET revoked_at = now(), revoke_reason = 'person'",
    "the grant is over": "oauth_grant SET ends_at = now()",
}
OF_CLIENT: Final = {
    "the application is disabled": "oauth_client SET active = false",
    "the application is deleted": "oauth_client SET active = false, deleted_at = now()",
    "the application is a machine's": "oauth_client SET kind = 'service', redirect_uris = '{}'",
    "the application is called from elsewhere": "oauth_client SET allowed_cidrs = '{192.0.2.0/24}'",
}
OF_MEMBER: Final = {
    "the membership is inactive": "membership SET active = false",
    "the membership is nobody's yet": "membership SET user_id = NULL",
}
OF_STAFF: Final = {
    "the staff member is inactive": "staff SET active = false",
    "the staff member is nobody yet": "staff SET user_id = NULL",
}
OF_ISV: Final = {"the ISV is suspended": "organization SET status = 'suspended'"}

MEMBERS: Final = {**OF_GRANT, **OF_CLIENT, **OF_MEMBER, **OF_ISV}
STAFFS: Final = {**OF_GRANT, **OF_CLIENT, **OF_STAFF}


def named(one: Person) -> Mapping[str, UUID | None]:
    """The row of each table that an ending of this person changes."""
    lender = one.lender
    return {
        "oauth_grant": lender.grant_id,
        "oauth_client": lender.client_id,
        "membership": lender.place_id,
        "staff": lender.place_id,
        "organization": lender.tenant_id,
    }


async def end(connection: Plain, one: Person, ending: str) -> None:
    """Let it happen, as a superuser who is held up by nothing."""
    table = ending.partition(" ")[0]
    done = await connection.execute(f"UPDATE {ending} WHERE id = $1", named(one)[table])
    assert done == "UPDATE 1"
