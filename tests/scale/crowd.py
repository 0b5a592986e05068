"""What a realm gathers beside its candidates: kept replies and sealed audit entries, many of them.

Written as the superuser, who is bound by nothing: these rows only have to be in the way.
"""

from collections.abc import Sequence
from uuid import UUID

from flatbed.tenants.kit.database.urls import connect
from tests.support.postgres import TestDatabase

REPLIES = """
INSERT INTO idempotency_key (tenant_id, client_id, key, fingerprint, status, headers, body,
                             created_at)
SELECT tenant_id, $3, 'key-' || n, 'f', 201, '{}', '{}', now()
FROM unnest($1::uuid[], $2::int[]) AS wanted (tenant_id, rows)
CROSS JOIN LATERAL generate_series(1, wanted.rows) AS n
"""
AUDIT = """
INSERT INTO audit_entry (tenant_id, sequence, id, at, actor, action, object_type, object_id,
                         detail, request_id, previous_hash, hash)
SELECT tenant_id, 10000000 + n, gen_random_uuid(), now(), 'system:test',
       CASE WHEN n % 5000 = 0 THEN 'candidate.rare' ELSE 'candidate.updated' END,
       'cand', 'cand_' || n / 10, '{}', 'req_test', '', ''
FROM unnest($1::uuid[], $2::int[]) AS wanted (tenant_id, rows)
CROSS JOIN LATERAL generate_series(1, wanted.rows) AS n
"""


async def crowd(
    database: TestDatabase, realm_id: UUID, tenants: Sequence[UUID], sizes: Sequence[int]
) -> None:
    """As many kept replies and audit entries of each tenant as it has candidates."""
    connection = await connect(database.admin_url)
    try:
        await connection.execute(REPLIES, tenants, sizes, realm_id)
        await connection.execute(AUDIT, tenants, sizes)
    finally:
        await connection.close()
