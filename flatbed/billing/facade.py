"""The only door of billing for recruitment: plain values in and out, no rows.

Everything works in the caller's transaction; see the named functions for their rules and errors.
"""

from flatbed.billing.accounts.errors import BadStandingError
from flatbed.billing.accounts.standing import require_good_standing
from flatbed.billing.gateway.errors import GatewayError
from flatbed.billing.pricing.errors import NoPriceError
from flatbed.billing.pricing.rules.tiers import Tier, tiers_from_json, tiers_to_json
from flatbed.billing.pricing.service import PriceView, price_of
from flatbed.billing.reconciliation.service import reconcile
from flatbed.billing.statements.rules.proof import verify_proof
from flatbed.billing.usage.anchor import read as read_anchor
from flatbed.billing.usage.bulk import accept_all, record_all
from flatbed.billing.usage.chain import Finding, Head
from flatbed.billing.usage.decisions import (
    accept_usage,
    confirm_usage,
    dispute_usage,
    state_of,
    withdraw_usage_dispute,
)
from flatbed.billing.usage.errors import (
    AlreadyBilledError,
    AlreadyReplacedError,
    CapReachedError,
    NotBilledError,
    UsageStateError,
)
from flatbed.billing.usage.periods import month_end
from flatbed.billing.usage.ports import CampaignFacts
from flatbed.billing.usage.records import Caps, RecordedUsage, UsageRequest, unit_key
from flatbed.billing.usage.service import (
    billed_before,
    credit_usage,
    record_usage,
    reverse_usage,
)
from flatbed.billing.usage.states import Basis, UsageState
from flatbed.billing.usage.verification import verify_ledger

__all__ = [
    "AlreadyBilledError",
    "AlreadyReplacedError",
    "BadStandingError",
    "Basis",
    "CampaignFacts",
    "CapReachedError",
    "Caps",
    "Finding",
    "GatewayError",
    "Head",
    "NoPriceError",
    "NotBilledError",
    "PriceView",
    "RecordedUsage",
    "Tier",
    "UsageRequest",
    "UsageState",
    "UsageStateError",
    "accept_all",
    "accept_usage",
    "billed_before",
    "confirm_usage",
    "credit_usage",
    "dispute_usage",
    "month_end",
    "price_of",
    "read_anchor",
    "reconcile",
    "record_all",
    "record_usage",
    "require_good_standing",
    "reverse_usage",
    "state_of",
    "tiers_from_json",
    "tiers_to_json",
    "unit_key",
    "verify_ledger",
    "verify_proof",
    "withdraw_usage_dispute",
]
