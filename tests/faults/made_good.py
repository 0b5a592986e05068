"""What must hold of units that did not last, and of partners whom the ISV contracted itself."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

MADE_GOOD: Final[Mapping[str, str]] = MappingProxyType(
    {
        "who replaces a paid unit costs nothing, and both name each other": """
            SELECT g.id FROM guarantee_case g JOIN mine USING (tenant_id)
            LEFT JOIN qualification r ON r.tenant_id = g.tenant_id AND r.id = g.replacement_id
            LEFT JOIN usage_entry e ON e.tenant_id = r.tenant_id AND e.id = r.entry_id
            WHERE g.status = 'replaced' AND (r.replaces_id IS DISTINCT FROM g.qualification_id
                OR r.status = 'voided' OR e.replaces_id IS DISTINCT FROM
                    CASE g.cause WHEN 'withdrawal' THEN g.entry_id END)""",
        "a unit for nothing has its case": """
            SELECT l.id FROM live l WHERE l.replaces_id IS NOT NULL AND NOT EXISTS (
                SELECT FROM guarantee_case g WHERE g.tenant_id = l.tenant_id
                AND g.entry_id = l.replaces_id AND g.status = 'replaced')""",
        "a credit is that of one case": """
            SELECT e.id FROM usage_entry e JOIN mine USING (tenant_id)
            WHERE e.kind = 'credit' AND (
                SELECT count(*) FROM guarantee_case g WHERE g.tenant_id = e.tenant_id
                AND g.credit_entry_id = e.id AND g.paid_entry_id = e.credits_id
                AND g.credited_amount = -e.amount) <> 1""",
        "what is owed has its deadline": """
            SELECT g.id FROM guarantee_case g JOIN mine USING (tenant_id)
            WHERE g.status IN ('open', 'due') AND NOT EXISTS (
                SELECT FROM deadline d WHERE d.tenant_id = g.tenant_id AND d.subject_id = g.id
                AND d.kind = 'guarantee.remedy' AND d.done_at IS NULL)""",
        "a free ride is billed by its own unit": """
            SELECT q.id FROM qualification q JOIN mine USING (tenant_id)
            WHERE (q.origin = 'free_ride') <> EXISTS (
                SELECT FROM free_ride f WHERE f.tenant_id = q.tenant_id
                AND f.qualification_id = q.id AND f.status = 'confirmed')""",
    }
)
"""Queries whose rows are findings, as those of ``invariants.STATE``."""
