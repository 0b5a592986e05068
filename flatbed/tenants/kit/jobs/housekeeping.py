"""What PgQueuer writes and never deletes: a row of its log for each step of each job."""

from datetime import timedelta
from typing import Final

from flatbed.tenants.kit.database.session import PlaneSession

LIFETIME: Final = timedelta(days=7)
PURGED_AT_ONCE: Final = 5000
# Rows that are not in the statistics yet are left to be counted. What happened to a job that is
# still there, dead perhaps, stays for the person who looks at it. Another worker that tidies at
# the same time has other rows, and nobody waits.
_PURGE: Final = """
DELETE FROM pgqueuer_log WHERE id IN (
    SELECT old.id FROM pgqueuer_log AS old
    WHERE old.aggregated AND old.created < NOW() - $1::interval
        AND NOT EXISTS (SELECT FROM pgqueuer AS job WHERE job.id = old.job_id)
    LIMIT $2
    FOR UPDATE OF old SKIP LOCKED
)
"""


async def purge_log(session: PlaneSession) -> bool:
    """Delete rows of the log past their days, as many as fit a statement.

    Returns whether some may be left.
    """
    connection = await session.connection()
    gone = await connection.exec_driver_sql(_PURGE, (LIFETIME, PURGED_AT_ONCE))
    return gone.rowcount == PURGED_AT_ONCE
