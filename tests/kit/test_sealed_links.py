"""A sealed entry's hash covers the one before: mending its neighbour hides no edit."""

import json

from flatbed.tenants.kit.audit import mutation
from flatbed.tenants.kit.canonical import chained
from flatbed.tenants.kit.database.urls import Plain
from flatbed.tenants.kit.ids import uuid7
from flatbed.tenants.kit.sealing import AuditFinding, content, seal_tenant, verify_audit
from tests.support.world import World

EDITED = 3


class TestLinks:
    async def test_an_entry_edited_with_its_hash_and_its_followers_pointer_shows_at_the_follower(
        self, world: World, admin_connection: Plain
    ) -> None:
        tenant = world.tenants[0]
        async with world.tenant() as session:
            for number in range(5):
                mutation(session, "thing.made", "off", uuid7(), {"number": number})
        assert await seal_tenant(world.database, world.realm_id, tenant) == 10
        row = await admin_connection.fetchrow(
            "SELECT * FROM audit_entry WHERE tenant_id = $1 AND sequence = $2", tenant, EDITED
        )
        assert row is not None
        entry = {**row, "detail": json.loads(row["detail"])}
        assert chained(entry["previous_hash"], content(entry)) == entry["hash"]
        forged = chained(entry["previous_hash"], content({**entry, "actor": "nobody"}))
        async with admin_connection.transaction():
            await admin_connection.execute("SET LOCAL session_replication_role = replica")
            await admin_connection.execute(
                "UPDATE audit_entry SET actor = 'nobody', hash = $3"
                " WHERE tenant_id = $1 AND sequence = $2",
                tenant,
                EDITED,
                forged,
            )
            await admin_connection.execute(
                "UPDATE audit_entry SET previous_hash = $3 WHERE tenant_id = $1 AND sequence = $2",
                tenant,
                EDITED + 1,
                forged,
            )
        async with world.reading() as session:
            assert await verify_audit(session) == [AuditFinding("edited", EDITED + 1)]
