"""One metered unit as its tenant reads it."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from flatbed.billing.usage.schemas import GroupBy, UsageLine
from flatbed.billing.usage.states import UsageState
from flatbed.tenants.kit.crypto import Keyring
from flatbed.tenants.kit.ids import encode

DOSSIERS: Final = {"qual": "/v1/qualifications"}
"""Where the public API shows the evidence of a unit, by its source."""
_KINDS: Final = {GroupBy.CAMPAIGN: "camp", GroupBy.PROGRAMME: "prog", GroupBy.HUNTER: "staff"}
"""The groups that are named by an id, and its kind."""


def dossier_of(source: str, source_id: UUID) -> str:
    """Where the public API shows the evidence of a unit."""
    return f"{DOSSIERS[source]}/{encode(source, source_id)}"


def usage_line(tenant_id: UUID, keyring: Keyring, row: Mapping[str, Any]) -> UsageLine:
    """A stored unit for the API."""
    # Under the tenant's own key: equal units of two tenants must not look equal.
    mac = keyring.mac(f"unit-key:{tenant_id}", row["unit_key"].encode())
    return UsageLine(
        entry_id=row["id"],
        unit_key=mac.hex(),
        generation=row["generation"],
        qualification_id=encode(row["source"], row["source_id"]),
        campaign_id=row["campaign_ref"],
        price_list_id=row["price_ref"],
        occurred_at=row["occurred_at"],
        amount=row["amount"],
        currency=row["currency"],
        dossier=dossier_of(row["source"], row["source_id"]),
        dossier_hash=row["evidence_hash"],
        hash=row["hash"],
        state=UsageState(row["state"]),
        late=row["late"],
        credited=row["credited"],
        replaces_entry_id=row["replaces_id"],
    )


def group_key(group_by: GroupBy, key: str | None) -> str | None:
    """The key of a group as the API shows it: a TypeID, or the text itself."""
    kind = _KINDS.get(group_by)
    return key if key is None or kind is None else encode(kind, UUID(key))
