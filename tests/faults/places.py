"""Which process passes each failpoint, and what a client does so that it does."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from flatbed.tenants.kit.failpoints import Failpoint


@dataclass(frozen=True, slots=True)
class Place:
    """How a failpoint is reached.

    ``patience`` is how long it may take until it is passed, in seconds; then more is done so
    that it is. A client may have its answer before the API is hit: what is built for it at once
    would meet the dying database. ``later`` is the passing of the second round, in which several
    clients do ``act`` at once; ``at_start`` when it is passed while the process starts; ``alone``
    when a worker would do the same work first.
    """

    act: str
    role: str = "api"
    later: int = 3
    at_start: bool = False
    alone: bool = False
    patience: float = 0.3


def _worker(act: str, later: int = 3) -> Place:
    return Place(act, role="worker", later=later)


def _till(act: str = "closing", role: str = "worker") -> Place:
    """Passed by a job that follows the closing, and by what Stripe then tells."""
    return Place(act, role=role, later=1, patience=8)


_CLOCK: Final = Place("clock", alone=True)

_CLOSING: Final = Place("closing", alone=True, later=1)
"""A month ends while the clock moves; the second client's move finds nothing left to close."""

PLACES: Final[Mapping[Failpoint, Place]] = MappingProxyType(
    {
        Failpoint.REQUEST_RECEIVED: Place("touch"),
        Failpoint.REQUEST_ADMITTED: Place("touch"),
        Failpoint.RESPONSE_STARTED: Place("touch"),
        Failpoint.RESPONSE_ENDED: Place("submission"),
        Failpoint.ONCE_CLAIMED: Place("touch"),
        Failpoint.ONCE_WORKED: Place("submission"),
        Failpoint.ONCE_STORED: Place("submission"),
        Failpoint.ONCE_REPLAYED: Place("replay"),
        Failpoint.TRANSACTION_BEGUN: Place("submission", later=6),
        Failpoint.TRANSACTION_WORKED: Place("submission", later=6),
        Failpoint.COMMIT_SENDING: Place("submission", later=6),
        Failpoint.COMMIT_ANSWERED: Place("submission", later=6),
        Failpoint.COMMIT_RETURNED: Place("submission", later=6),
        Failpoint.AFTER_COMMIT_BEGUN: _CLOCK,
        Failpoint.AFTER_COMMIT_FINISHED: _CLOCK,
        Failpoint.PLANE_ENTERED: Place("candidate", later=6),
        Failpoint.PLANE_LEFT: Place("candidate", later=6),
        Failpoint.AUDIT_WRITTEN: Place("touch"),
        Failpoint.EVENT_WRITTEN: Place("touch"),
        Failpoint.WAKEUP_WRITTEN: Place("touch"),
        Failpoint.JOB_ENQUEUED: Place("submission"),
        Failpoint.JOB_TAKEN: _worker("submission"),
        Failpoint.JOB_DONE: _worker("submission"),
        Failpoint.DEADLINE_SCHEDULED: Place("submission", later=7),
        Failpoint.DEADLINE_TAKEN: _CLOCK,
        Failpoint.DEADLINE_HANDLED: _CLOCK,
        Failpoint.DEADLINE_CLOSED: _CLOCK,
        Failpoint.POLLER_READ: _worker("touch"),
        Failpoint.POLLER_ANSWERED: _worker("touch"),
        Failpoint.POLLER_CLEARED: _worker("touch"),
        Failpoint.SEAL_LOCKED: _worker("touch"),
        Failpoint.SEAL_INSERTED: _worker("touch"),
        Failpoint.SEAL_DELETED: _worker("touch"),
        Failpoint.PURGE_DELETED: Place("touch", role="worker", later=2, at_start=True),
        Failpoint.GRANT_ANSWERED: Place("token"),
        Failpoint.SIGNING_KEY_MADE: Place("token", later=1, at_start=True, alone=True),
        Failpoint.SIGNING_KEY_ROTATED: Place("token", role="keys", later=1, at_start=True),
        Failpoint.REALM_OPENED: Place("touch", role="realm", later=1, at_start=True),
        Failpoint.REGISTRY_LINKED: Place("candidate"),
        Failpoint.ASSIGNMENT_MADE: Place("candidate"),
        Failpoint.CANDIDATE_CREATED: Place("candidate"),
        Failpoint.TOUCHPOINT_WRITTEN: Place("touch"),
        Failpoint.TRANSITION_WRITTEN: Place("transition"),
        Failpoint.CAMPAIGN_MOVED: Place("order"),
        Failpoint.CAMPAIGN_FILLED: Place("filling"),
        Failpoint.DOSSIER_FROZEN: Place("submission"),
        Failpoint.CAPS_LOCKED: Place("submission"),
        Failpoint.LEDGER_LOCKED: Place("submission"),
        Failpoint.LEDGER_INSERTED: Place("submission"),
        Failpoint.LEDGER_MOVED: Place("submission"),
        Failpoint.USAGE_DECIDED: Place("acceptance"),
        Failpoint.USAGE_REVERSED: Place("void"),
        Failpoint.WAITING_RESERVED: Place("reservation"),
        Failpoint.WAITING_ADMITTED: _worker("room"),
        Failpoint.WAITING_ENDED: Place("admission"),
        Failpoint.QUALIFICATION_WRITTEN: Place("submission"),
        Failpoint.QUALIFICATION_ACCEPTED: Place("acceptance"),
        Failpoint.QUALIFICATION_SIGNED: Place("signing"),
        Failpoint.QUALIFICATION_VOIDED: Place("void"),
        Failpoint.DISPUTE_OPENED: Place("dispute"),
        Failpoint.DISPUTE_ANSWERED: Place("answer"),
        Failpoint.DISPUTE_CLOSED: Place("void"),
        Failpoint.DISPUTE_WITHDRAWN: Place("withdrawal"),
        Failpoint.GUARANTEE_OPENED: Place("claim"),
        Failpoint.GUARANTEE_REPLACED: Place("replacement"),
        Failpoint.REMEDY_CREDITED: Place("guarantee_credit", alone=True, later=1),
        Failpoint.FREE_RIDE_METERED: Place("free_ride"),
        Failpoint.ANCHOR_WRITING: _worker("submission"),
        Failpoint.ANCHOR_WRITTEN: _worker("submission"),
        Failpoint.CLOSING_LOCKED: _CLOSING,
        Failpoint.CLOSING_CLOSED: _CLOSING,
        Failpoint.CLOSING_NUMBERED: _CLOSING,
        Failpoint.CLOSING_BILLED: _CLOSING,
        Failpoint.CLOSING_WRITTEN: _CLOSING,
        Failpoint.COLLECTION_FROZEN: _till(),
        Failpoint.CUSTOMER_CREATED: _till("first_closing"),
        Failpoint.COLLECTION_DRAFTED: _till(),
        Failpoint.COLLECTION_FILLED: _till(),
        Failpoint.COLLECTION_COMPARED: _till(),
        Failpoint.COLLECTION_FINALIZED: _till(),
        Failpoint.COLLECTION_NOTED: _till(),
        Failpoint.COLLECTION_CREDITED: _till("crediting"),
        Failpoint.EVENT_KEPT: _till(role="api"),
        Failpoint.EVENT_APPLIED: _till(),
        Failpoint.CLOCK_MOVED: _CLOCK,
        Failpoint.CLOCK_SWEPT: _CLOCK,
    }
)
"""Every failpoint."""
