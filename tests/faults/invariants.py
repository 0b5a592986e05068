"""What must hold whenever the dust has settled, whoever was killed before.

Cheap SQL as the server's superuser, in one connection, for the realms of a test; and the
program's own verifiers. Each returns its findings in words; none means that it holds.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final
from uuid import UUID

from flatbed.app.wiring import Program
from flatbed.billing.facade import read_anchor, verify_ledger
from flatbed.tenants.kit.clock import Clock
from flatbed.tenants.kit.database.session import Caller
from flatbed.tenants.kit.database.urls import Plain
from flatbed.tenants.kit.sealing import verify_audit
from tests.faults.books import statements_again
from tests.faults.made_good import MADE_GOOD
from tests.faults.nursery import LEASE

CALLER: Final = Caller("system:invariants", "")
STUCK_SECONDS: Final = int(LEASE.total_seconds()) + 30
"""A job that is there for longer is stuck."""

_LIVE: Final = """
SELECT e.* FROM usage_entry e JOIN mine ON mine.tenant_id = e.tenant_id
WHERE e.kind = 'qualified' AND NOT EXISTS (
    SELECT FROM usage_entry r WHERE r.tenant_id = e.tenant_id AND r.reverses_id = e.id)
"""

STATE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "a source is metered once": """
            SELECT e.source_id FROM usage_entry e JOIN mine USING (tenant_id)
            WHERE e.kind = 'qualified' GROUP BY e.tenant_id, e.source, e.source_id
            HAVING count(*) > 1""",
        "a unit is live once": """
            SELECT unit_key FROM live GROUP BY tenant_id, unit_key HAVING count(*) > 1""",
        "an entry is reversed once": """
            SELECT e.reverses_id FROM usage_entry e JOIN mine USING (tenant_id)
            WHERE e.reverses_id IS NOT NULL GROUP BY e.tenant_id, e.reverses_id
            HAVING count(*) > 1""",
        "a live entry is named by one candidate": """
            SELECT l.id FROM live l WHERE (
                SELECT count(*) FROM candidate c
                WHERE c.tenant_id = l.tenant_id AND c.entry_id = l.id) <> 1""",
        "a candidate names a live entry": """
            SELECT c.id FROM candidate c JOIN mine USING (tenant_id)
            WHERE c.entry_id IS NOT NULL AND NOT EXISTS (
                SELECT FROM live l WHERE l.tenant_id = c.tenant_id AND l.id = c.entry_id)""",
        "a candidate who holds a unit is qualified": """
            SELECT c.id FROM candidate c JOIN mine USING (tenant_id)
            WHERE (c.entry_id IS NOT NULL) <> (c.stage IN ('qualified', 'contracted'))
              AND NOT EXISTS (SELECT FROM qualification q WHERE q.tenant_id = c.tenant_id
                  AND q.entry_id = c.entry_id AND q.origin = 'free_ride')""",
        "a qualification that stands has a live entry, a voided one has none": """
            SELECT q.id, q.status FROM qualification q JOIN mine USING (tenant_id)
            WHERE (q.status <> 'voided') <> EXISTS (
                SELECT FROM live l WHERE l.tenant_id = q.tenant_id AND l.id = q.entry_id)""",
        "an entry has its qualification": """
            SELECT e.id FROM usage_entry e JOIN mine USING (tenant_id)
            WHERE e.kind = 'qualified' AND NOT EXISTS (
                SELECT FROM qualification q WHERE q.tenant_id = e.tenant_id
                AND q.id = e.source_id AND q.entry_id = e.id)""",
        "ledger and qualification agree on what was decided": """
            SELECT q.id, q.status, d.last FROM qualification q JOIN mine USING (tenant_id)
            LEFT JOIN LATERAL (
                SELECT decision AS last FROM usage_decision u
                WHERE u.tenant_id = q.tenant_id AND u.entry_id = q.entry_id
                ORDER BY at DESC, id DESC LIMIT 1) d ON true
            WHERE q.status <> 'voided' AND q.status <> CASE coalesce(d.last, 'withdrawn')
                WHEN 'withdrawn' THEN 'pending' WHEN 'disputed' THEN 'disputed'
                ELSE 'accepted' END""",
        "a decision is taken once": """
            SELECT u.entry_id, u.decision FROM usage_decision u JOIN mine USING (tenant_id)
            GROUP BY u.tenant_id, u.entry_id, u.decision HAVING count(*) > 1""",
        "a campaign counts what was accepted, and is filled by it": """
            SELECT c.id, c.accepted_count, c.status FROM campaign c JOIN mine USING (tenant_id)
            CROSS JOIN LATERAL (
                SELECT count(*) AS n FROM qualification q WHERE q.tenant_id = c.tenant_id
                AND q.campaign_id = c.id AND q.status = 'accepted' AND NOT EXISTS (
                    SELECT FROM guarantee_case g WHERE g.tenant_id = q.tenant_id
                    AND g.qualification_id = q.id
                    AND g.status IN ('open', 'held', 'replaced'))) a
            WHERE c.accepted_count <> a.n
               OR (c.accepted_count >= c.quantity AND c.status IN ('running', 'paused'))
               OR (c.accepted_count < c.quantity AND c.status = 'filled')""",
        "caps count the live units": """
            SELECT coalesce(k.campaign_ref, l.campaign_ref), k.units, l.units
            FROM (SELECT k.* FROM cap_counter k JOIN mine USING (tenant_id)
                  WHERE bucket = 'total') k
            FULL JOIN (SELECT live.tenant_id, campaign_ref, count(*) AS units,
                              sum(coalesce(s.amount, live.amount)) AS amount
                       FROM live LEFT JOIN (
                           SELECT tenant_id, entry_id, amount FROM statement_line) s
                         ON s.tenant_id = live.tenant_id AND s.entry_id = live.id
                       WHERE live.replaces_id IS NULL
                       GROUP BY live.tenant_id, campaign_ref) l
              ON l.tenant_id = k.tenant_id AND l.campaign_ref = k.campaign_ref
            WHERE coalesce(k.units, 0) <> coalesce(l.units, 0)
               OR coalesce(k.amount, 0) <> coalesce(l.amount, 0)""",
        "a closed period has its statement, an open one none": """
            SELECT p.id FROM period p JOIN mine USING (tenant_id)
            WHERE (p.status = 'closed') <> EXISTS (
                SELECT FROM statement s WHERE s.tenant_id = p.tenant_id AND s.period_id = p.id)""",
        "a statement is the sum of its lines": """
            SELECT s.id FROM statement s JOIN mine USING (tenant_id)
            LEFT JOIN LATERAL (
                SELECT coalesce(sum(amount), 0) AS amount,
                       count(*) FILTER (WHERE kind = 'charge') AS units
                FROM statement_line l WHERE l.tenant_id = s.tenant_id AND l.statement_id = s.id
            ) lines ON true
            WHERE s.total <> lines.amount OR s.units <> lines.units""",
        "invoices ask for what the lines say": """
            SELECT i.id, i.net, lines.amount FROM invoice i JOIN mine USING (tenant_id)
            LEFT JOIN LATERAL (
                SELECT coalesce(sum(amount), 0) AS amount FROM statement_line l
                WHERE l.tenant_id = i.tenant_id AND l.invoice_id = i.id) lines ON true
            WHERE i.net <> CASE i.kind WHEN 'invoice' THEN lines.amount ELSE -lines.amount END""",
        "money that was billed is in the ledger": """
            SELECT l.id FROM statement_line l JOIN mine USING (tenant_id)
            JOIN usage_entry e ON e.tenant_id = l.tenant_id AND e.id = l.entry_id
            WHERE l.currency <> e.currency OR (l.kind = 'credit' AND l.amount <> e.amount)
               OR (l.kind = 'charge' AND l.amount > e.amount)""",
        "what an earlier period held is billed, held, cancelled or written off": """
            SELECT e.id FROM usage_entry e JOIN mine USING (tenant_id)
            JOIN period p ON p.tenant_id = e.tenant_id AND p.id = e.period_id
            WHERE p.status = 'closed' AND e.kind = 'qualified' AND (
                (SELECT count(*) FROM statement_line l
                 WHERE l.tenant_id = e.tenant_id AND l.entry_id = e.id) +
                (SELECT least(1, count(*)) FROM statement_rest r
                 WHERE r.tenant_id = e.tenant_id AND r.entry_id = e.id)) = 0""",
        "invoice numbers have no gap": """
            SELECT s.realm_id, s.last_number FROM invoice_series s
            JOIN realms ON realms.id = s.realm_id
            WHERE s.last_number <> (
                SELECT count(DISTINCT i.number) FROM invoice i
                JOIN organization o ON o.id = i.tenant_id WHERE o.realm_id = s.realm_id)""",
        "what is asked for is at Stripe": """
            SELECT i.id, c.state, c.error FROM invoice i JOIN mine USING (tenant_id)
            LEFT JOIN collection c ON c.tenant_id = i.tenant_id AND c.invoice_id = i.id
            WHERE c.state IS DISTINCT FROM 'done' AND c.state IS DISTINCT FROM 'not_collected'""",
        "the head names the last entry": """
            SELECT h.tenant_id FROM ledger_head h JOIN mine USING (tenant_id)
            WHERE h.sequence <> (SELECT coalesce(max(sequence), 0) FROM usage_entry e
                                 WHERE e.tenant_id = h.tenant_id)""",
        "a candidate stands where his last transition led": """
            SELECT c.id, c.stage, t.to_stage FROM candidate c JOIN mine USING (tenant_id)
            CROSS JOIN LATERAL (
                SELECT to_stage FROM transition t WHERE t.tenant_id = c.tenant_id
                AND t.candidate_id = c.id ORDER BY t.id DESC LIMIT 1) t
            WHERE t.to_stage <> c.stage""",
        "a found candidate has one assignment, one card and one link": """
            SELECT c.id FROM candidate c JOIN mine USING (tenant_id)
            WHERE c.hunter_id IS NOT NULL AND (
                (SELECT count(*) FROM assignment a WHERE a.candidate_id = c.id
                 AND a.kind = 'candidate' AND a.ended_at IS NULL) <> 1
                OR (SELECT count(*) FROM company_link l WHERE l.tenant_id = c.tenant_id
                    AND l.tenant_company_id = c.company_id) <> 1
                OR (SELECT count(*) FROM candidate_card k WHERE k.candidate_id = c.id
                    AND k.stage = c.stage AND k.status = c.status) <>
                   (SELECT least(1, count(*)) FROM transition t
                    WHERE t.tenant_id = c.tenant_id AND t.candidate_id = c.id))""",
        "a mutation has its audit row and its event": """
            WITH audited AS (
                SELECT tenant_id, action, object_id FROM audit_entry
                UNION ALL SELECT tenant_id, action, object_id FROM audit_pending),
            told AS (
                SELECT tenant_id, type AS action, object_id FROM event
                UNION ALL SELECT tenant_id, type, object_id FROM event_pending)
            SELECT action, object_id FROM (
                SELECT tenant_id, action, object_id, 1 AS a, 0 AS t FROM audited
                UNION ALL SELECT tenant_id, action, object_id, 0, 1 FROM told) both_
            JOIN mine USING (tenant_id)
            WHERE action NOT IN ('qualification.acceptance_reminder', 'dispute.decision_overdue',
                'period.closing_blocked')
            GROUP BY tenant_id, action, object_id HAVING sum(a) <> sum(t)""",
        "a row that is written once is audited once": """
            SELECT action, object_id FROM (
                SELECT tenant_id, action, object_id FROM audit_entry
                UNION ALL SELECT tenant_id, action, object_id FROM audit_pending) audited
            JOIN mine USING (tenant_id)
            WHERE action IN ('candidate.created', 'touchpoint.recorded', 'usage.recorded',
                'usage.reversed', 'usage.accepted', 'usage.confirmed', 'usage.disputed',
                'qualification.submitted', 'qualification.accepted', 'qualification.voided',
                'waiting_qualification.reserved', 'waiting_qualification.admitted',
                'guarantee_case.opened', 'guarantee_case.credited', 'usage.credited',
                'free_ride.confirmed', 'dispute.withdrawn', 'dispute.opened',
                'dispute.answered', 'campaign.created', 'campaign.ordered', 'campaign.started')
            GROUP BY tenant_id, action, object_id HAVING count(*) > 1""",
        "what is billed, decided or ordered is in the audit": """
            WITH written AS (
                SELECT tenant_id, 'usage.recorded' AS action FROM usage_entry
                WHERE kind = 'qualified'
                UNION ALL SELECT tenant_id, 'usage.reversed' FROM usage_entry
                WHERE kind = 'reversal'
                UNION ALL SELECT tenant_id, 'usage.credited' FROM usage_entry
                WHERE kind = 'credit'
                UNION ALL SELECT tenant_id, 'usage.' || decision FROM usage_decision
                UNION ALL SELECT tenant_id, 'qualification.submitted' FROM qualification
                UNION ALL SELECT tenant_id, 'waiting_qualification.reserved'
                FROM waiting_qualification
                UNION ALL SELECT tenant_id, 'waiting_qualification.' || status
                FROM waiting_qualification WHERE status <> 'waiting'
                UNION ALL SELECT tenant_id, 'dispute.opened' FROM dispute
                UNION ALL SELECT tenant_id, 'campaign.created' FROM campaign),
            audited AS (
                SELECT tenant_id, action FROM audit_entry
                UNION ALL SELECT tenant_id, action FROM audit_pending)
            SELECT w.tenant_id, w.action, count(*) FROM written w JOIN mine USING (tenant_id)
            GROUP BY w.tenant_id, w.action HAVING count(*) <> (
                SELECT count(*) FROM audited a
                WHERE a.tenant_id = w.tenant_id AND a.action = w.action)""",
        "what waits for the ISV has its deadline": """
            SELECT q.id FROM qualification q JOIN mine USING (tenant_id)
            WHERE q.status = 'pending' AND NOT EXISTS (
                SELECT FROM deadline d WHERE d.tenant_id = q.tenant_id AND d.subject_id = q.id
                AND d.kind = 'qualification.acceptance' AND d.done_at IS NULL)""",
        "what is decided has no deadline": """
            SELECT d.id, d.kind FROM deadline d JOIN mine USING (tenant_id)
            JOIN qualification q ON q.tenant_id = d.tenant_id AND q.id = d.subject_id
            WHERE d.done_at IS NULL AND q.status IN ('accepted', 'voided')""",
        "a line counts who waits": """
            SELECT l.campaign_id, l.waiting, w.n FROM waiting_line l JOIN mine USING (tenant_id)
            CROSS JOIN LATERAL (
                SELECT count(*) AS n FROM waiting_qualification w WHERE w.tenant_id = l.tenant_id
                AND w.campaign_id = l.campaign_id AND w.status = 'waiting') w
            WHERE l.waiting <> w.n""",
        "who waits over a cap is in planning, unbilled, and has its deadline": """
            SELECT w.id FROM waiting_qualification w JOIN mine USING (tenant_id)
            JOIN candidate c ON c.tenant_id = w.tenant_id AND c.id = w.candidate_id
            WHERE w.status = 'waiting' AND (c.stage <> 'business_planning'
                OR c.status <> 'active' OR c.entry_id IS NOT NULL OR NOT EXISTS (
                    SELECT FROM deadline d WHERE d.tenant_id = w.tenant_id
                    AND d.subject_id = w.id AND d.kind = 'waiting.expiry'
                    AND d.done_at IS NULL))""",
        "who waits no more has no deadline": """
            SELECT d.id, d.kind FROM deadline d JOIN mine USING (tenant_id)
            JOIN waiting_qualification w ON w.tenant_id = d.tenant_id AND w.id = d.subject_id
            WHERE d.done_at IS NULL AND w.status <> 'waiting'""",
        **MADE_GOOD,
        "an open dispute waits for its answer": """
            SELECT p.id FROM dispute p JOIN mine USING (tenant_id)
            WHERE p.status = 'open' AND NOT EXISTS (
                SELECT FROM deadline d WHERE d.tenant_id = p.tenant_id AND d.subject_id = p.id
                AND d.kind = 'dispute.answer' AND d.done_at IS NULL)""",
        "a dispute's card says what it is": """
            SELECT p.id FROM dispute p JOIN mine USING (tenant_id)
            LEFT JOIN dispute_card k ON k.dispute_id = p.id
            WHERE (p.decided_at IS NULL AND k.state IS DISTINCT FROM p.status)
               OR (p.decided_at IS NOT NULL AND k.state IN ('open', 'answered'))""",
        "no deadline has failed": """
            SELECT d.id, d.kind, d.attempts FROM deadline d JOIN mine USING (tenant_id)
            WHERE d.attempts > 0 AND d.done_at IS NULL""",
        "no job has died": """
            SELECT j.id, j.entrypoint FROM pgqueuer j JOIN realms ON
                strpos(convert_from(j.payload, 'UTF8'), realms.id::text) > 0
            WHERE j.status IN ('failed', 'exception', 'canceled')""",
        "no job is stuck": f"""
            SELECT j.id, j.entrypoint, j.status FROM pgqueuer j JOIN realms ON
                strpos(convert_from(j.payload, 'UTF8'), realms.id::text) > 0
            WHERE j.execute_after < now() - interval '{STUCK_SECONDS} seconds'""",
        "one key signs": """
            SELECT count(*) FROM signing_key WHERE state = 'active' HAVING count(*) <> 1""",
    }
)
"""Queries whose rows are findings. ``mine`` are the tenants looked at, ``live`` their live
entries, ``realms`` their realms."""

WAITING: Final[Mapping[str, str]] = MappingProxyType(
    {
        "unsealed audit": "SELECT id FROM audit_pending JOIN mine USING (tenant_id)",
        "unsealed events": "SELECT id FROM event_pending JOIN mine USING (tenant_id)",
        "unsealed audit of the agency": """
            SELECT p.id FROM agency_audit_pending p JOIN realms ON realms.id = p.realm_id""",
        "due wake-ups": """
            SELECT w.id FROM wakeup w JOIN realms ON realms.id = w.realm_id
            WHERE w.topic = 'seal' OR w.due_at <= realms.now""",
        "room for who waits": """
            SELECT l.campaign_id FROM waiting_line l JOIN mine USING (tenant_id)
            JOIN campaign c ON c.tenant_id = l.tenant_id AND c.id = l.campaign_id
            JOIN cap_counter k ON k.tenant_id = l.tenant_id AND k.campaign_ref = l.campaign_id
            WHERE l.waiting > 0 AND k.bucket = 'total' AND c.status = 'running'
            AND k.units < least(c.quantity, coalesce(c.cap_units_total, c.quantity))""",
        "due deadlines": """
            SELECT d.id FROM deadline d JOIN mine USING (tenant_id)
            WHERE d.done_at IS NULL AND d.due_at <= mine.now""",
        "jobs": """
            SELECT j.id FROM pgqueuer j JOIN realms ON
                strpos(convert_from(j.payload, 'UTF8'), realms.id::text) > 0""",
    }
)
"""What a running worker brings to nothing."""

IDLE: Final = """
SELECT pid, state, query FROM pg_stat_activity
WHERE application_name LIKE 'flatbed%' AND datname = current_database()
  AND state LIKE 'idle in transaction%' AND state_change < now() - interval '1 second'
"""

_WITH: Final = f"""
WITH realms AS (
    SELECT id, now() + clock_offset_us * interval '1 microsecond' AS now
    FROM realm WHERE id = ANY($1::uuid[])),
mine AS (
    SELECT o.id AS tenant_id, realms.now FROM organization o
    JOIN realms ON realms.id = o.realm_id),
live AS ({_LIVE})
"""


async def state(admin: Plain, realms: Sequence[UUID], *names: str) -> list[str]:
    """What is wrong with the rows of these realms, by all of :data:`STATE` unless named."""
    findings = []
    for name in names or STATE:
        rows = await admin.fetch(f"{_WITH} SELECT * FROM ({STATE[name]}) found", list(realms))
        findings += [f"not so: {name}: {tuple(map(str, row))}" for row in rows]
    return findings


async def waiting(admin: Plain, realms: Sequence[UUID]) -> list[str]:
    """What still waits for the worker."""
    parts = ", ".join(f"(SELECT count(*) FROM ({one}) w)" for one in WAITING.values())
    counts = await admin.fetchrow(f"{_WITH} SELECT {parts}", list(realms))
    found = [] if counts is None else list(counts.values())
    return [f"{name}: {number}" for name, number in zip(WAITING, found, strict=True) if number]


async def idle(admin: Plain) -> list[str]:
    """Sessions of the program that were left in a transaction."""
    return [f"idle in transaction: {row['query']}" for row in await admin.fetch(IDLE)]


async def chains(program: Program, admin: Plain, realms: Sequence[UUID]) -> list[str]:
    """What ``flatbed verify ledger`` and ``flatbed verify audit`` find, the anchors included."""
    findings = []
    for realm_id in realms:
        async with program.database.agency_read(
            realm_id=realm_id, caller=CALLER, clock=Clock()
        ) as agency:
            findings += [f"agency audit: {one}" for one in await verify_audit(agency)]
        tenants = await admin.fetch("SELECT id FROM organization WHERE realm_id = $1", realm_id)
        for row in tenants:
            findings += await _chains_of(program, realm_id, UUID(str(row["id"])))
    return findings


async def _chains_of(program: Program, realm_id: UUID, tenant_id: UUID) -> list[str]:
    file = program.settings.anchor_file
    anchors = [] if file is None else read_anchor(file, tenant_id)
    async with program.database.tenant(
        realm_id=realm_id, tenant_id=tenant_id, caller=CALLER, clock=Clock()
    ) as session:
        ledger = await verify_ledger(session, anchors=anchors, expected=program.qualified_entries)
        statements = await statements_again(session)
    async with program.database.tenant_read(
        realm_id=realm_id, tenant_id=tenant_id, caller=CALLER, clock=Clock()
    ) as reading:
        audit = await verify_audit(reading)
    found = [f"ledger: {one}" for one in ledger] + [f"audit: {one}" for one in audit]
    return found + statements


async def anchored(program: Program, admin: Plain, realms: Sequence[UUID]) -> list[str]:
    """Ledger heads that no line of the anchor file names, once no job waits any more."""
    file = program.settings.anchor_file
    if file is None:
        return []
    heads = await admin.fetch(
        f"{_WITH} SELECT h.tenant_id, h.sequence FROM ledger_head h JOIN mine USING (tenant_id)",
        list(realms),
    )
    return [
        f"not anchored: {row['tenant_id']} at {row['sequence']}"
        for row in heads
        if row["sequence"] not in [one.sequence for one in read_anchor(file, row["tenant_id"])]
    ]
