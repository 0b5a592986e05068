"""Places where a test may kill the process, its database, or the work at hand.

Each stands where an acknowledgement, a charge, a lock, a pair of rows or a job could be lost or
doubled. Armed by the environment variable ``FLATBED_FAILPOINTS`` alone, read once when a process
starts, never by a request: ``ledger.inserted=exit@2;commit.sending=kill:/path/postmaster.pid``.
"""

import os
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

import structlog

log = structlog.get_logger(__name__)

VARIABLE: Final = "FLATBED_FAILPOINTS"
EXIT_CODE: Final = 137
"""What a shell reports of a process that was killed with -9."""
DEATH_SECONDS: Final = 5.0


class Failpoint(StrEnum):
    """Every failpoint; each is placed exactly once in the product."""

    REQUEST_RECEIVED = "request.received"  # nothing of the request was looked at
    REQUEST_ADMITTED = "request.admitted"  # the caller is known and the access is logged
    RESPONSE_STARTED = "response.started"  # the status line is on its way, the body is not
    RESPONSE_ENDED = "response.ended"  # the client holds its whole answer
    ONCE_CLAIMED = "once.claimed"  # the key is claimed and new, the work not begun
    ONCE_WORKED = "once.worked"  # the work is done, its reply not stored
    ONCE_STORED = "once.stored"  # the reply stands under the key, uncommitted
    ONCE_REPLAYED = "once.replayed"  # a stored reply was found
    TRANSACTION_BEGUN = "transaction.begun"  # BEGIN was answered
    TRANSACTION_WORKED = "transaction.worked"  # the block has ended, the last rows not flushed
    COMMIT_SENDING = "commit.sending"  # all is flushed, COMMIT not sent
    COMMIT_ANSWERED = "commit.answered"  # COMMIT was answered, nobody was told
    COMMIT_RETURNED = "commit.returned"  # the session knows, the response is not made
    AFTER_COMMIT_BEGUN = "after_commit.begun"  # what follows the commit was not begun
    AFTER_COMMIT_FINISHED = "after_commit.finished"  # it is done, the response not sent
    PLANE_ENTERED = "plane.entered"  # a tenant's transaction holds the agency plane
    PLANE_LEFT = "plane.left"  # it has flushed and gave the plane back
    AUDIT_WRITTEN = "audit.written"  # the audit row without its wake-up
    EVENT_WRITTEN = "event.written"  # the event row without its wake-up
    WAKEUP_WRITTEN = "wakeup.written"  # the rows and the wake-up, uncommitted
    JOB_ENQUEUED = "job.enqueued"  # a job, uncommitted
    JOB_TAKEN = "job.taken"  # the worker holds a job and has not begun it
    JOB_DONE = "job.done"  # the job has worked and is not acknowledged
    DEADLINE_SCHEDULED = "deadline.scheduled"  # a deadline without its wake-up
    DEADLINE_TAKEN = "deadline.taken"  # a sweep holds its turn and a deadline
    DEADLINE_HANDLED = "deadline.handled"  # what was due has happened, it is still open
    DEADLINE_CLOSED = "deadline.closed"  # it is closed, uncommitted
    POLLER_READ = "poller.read"  # the rings are known, nothing is answered
    POLLER_ANSWERED = "poller.answered"  # sealed or swept, the rings stand
    POLLER_CLEARED = "poller.cleared"  # the rings are deleted and committed
    SEAL_LOCKED = "seal.locked"  # the chain's head is locked and the rows are read
    SEAL_INSERTED = "seal.inserted"  # sealed rows beside the pending ones
    SEAL_DELETED = "seal.deleted"  # the pending ones are gone, the head not moved
    PURGE_DELETED = "purge.deleted"  # old keys are deleted, uncommitted
    GRANT_ANSWERED = "grant.answered"  # a token that nobody has
    SIGNING_KEY_MADE = "signing_key.made"  # a key, uncommitted
    SIGNING_KEY_ROTATED = "signing_key.rotated"  # another key signs, uncommitted
    REALM_OPENED = "realm.opened"  # a realm without its first client
    REGISTRY_LINKED = "registry.linked"  # the ISV's company is tied to the agency's
    ASSIGNMENT_MADE = "assignment.made"  # a hunter is bound to a candidate
    CANDIDATE_CREATED = "candidate.created"  # the row without transition, audit and card
    TOUCHPOINT_WRITTEN = "touchpoint.written"  # the touch without audit and event
    TRANSITION_WRITTEN = "transition.written"  # stage and transition without the card
    CAMPAIGN_MOVED = "campaign.moved"  # an order, a start or another move, uncommitted
    CAMPAIGN_FILLED = "campaign.filled"  # the last acceptance ends the campaign, uncommitted
    DOSSIER_FROZEN = "dossier.frozen"  # the proof is made, nothing is metered
    CAPS_LOCKED = "caps.locked"  # the counters are locked and read
    LEDGER_LOCKED = "ledger.locked"  # the head is locked
    LEDGER_INSERTED = "ledger.inserted"  # an entry that no counter counts and the head not names
    LEDGER_MOVED = "ledger.moved"  # they do, its anchor is not asked for
    USAGE_DECIDED = "usage.decided"  # the ledger knows a decision that nothing else does
    COLLECTION_FROZEN = "collection.frozen"  # what is sent is written, nothing is sent
    CUSTOMER_CREATED = "collection.customer"  # Stripe knows the customer, we do not
    COLLECTION_DRAFTED = "collection.drafted"  # a draft without lines is at Stripe
    COLLECTION_FILLED = "collection.filled"  # the draft has its lines, its sum is not compared
    COLLECTION_COMPARED = "collection.compared"  # the sum is ours, it is not finalized
    COLLECTION_FINALIZED = "collection.finalized"  # Stripe asks for the money, we do not know
    COLLECTION_CREDITED = "collection.credited"  # Stripe gave the money back, we do not know
    COLLECTION_NOTED = "collection.noted"  # what Stripe said is written, nothing committed
    EVENT_KEPT = "inbox.kept"  # the event is in the inbox, nothing committed or answered
    EVENT_APPLIED = "inbox.applied"  # the rows say what Stripe says, the event is not marked
    CLOSING_LOCKED = "closing.locked"  # counters and head are held, nothing is written
    CLOSING_CLOSED = "closing.closed"  # the period is closed and has no statement
    CLOSING_NUMBERED = "closing.numbered"  # the series is moved, no invoice has the numbers
    CLOSING_BILLED = "closing.billed"  # lines stand, what is held is not told
    CLOSING_WRITTEN = "closing.written"  # all is written, nothing committed
    USAGE_REVERSED = "usage.reversed"  # a reversal, the qualification still stands
    WAITING_RESERVED = "waiting.reserved"  # a reservation in the line, without its deadlines
    WAITING_ADMITTED = "waiting.admitted"  # its unit is metered, and it still waits
    WAITING_ENDED = "waiting.ended"  # it waits no more, the line still counts it
    QUALIFICATION_WRITTEN = "qualification.written"  # unit, stage and row without deadlines
    QUALIFICATION_ACCEPTED = "qualification.accepted"  # accepted, the campaign has not counted it
    QUALIFICATION_SIGNED = "qualification.signed"  # contracted, its unit is not accepted
    QUALIFICATION_VOIDED = "qualification.voided"  # voided, its dispute is still open
    DISPUTE_OPENED = "dispute.opened"  # the unit is held, nobody must answer yet
    DISPUTE_ANSWERED = "dispute.answered"  # answered, without its event
    DISPUTE_CLOSED = "dispute.closed"  # decided, its card still shows it open
    DISPUTE_WITHDRAWN = "dispute.withdrawn"  # the ledger holds nothing, no term runs
    GUARANTEE_OPENED = "guarantee.opened"  # confirmed, the campaign still counts the partner
    GUARANTEE_REPLACED = "guarantee.replaced"  # a unit for nothing, its case is still open
    REMEDY_CREDITED = "remedy.credited"  # the money is given back, its case does not say so
    FREE_RIDE_METERED = "free_ride.metered"  # a unit that no candidate names
    ANCHOR_WRITING = "anchor.writing"  # the head is read, its line not written
    ANCHOR_WRITTEN = "anchor.written"  # the line is on disk
    CLOCK_MOVED = "clock.moved"  # a sandbox's clock, uncommitted
    CLOCK_SWEPT = "clock.swept"  # all that fell due has happened, the count is not stored


_NAMES: Final = frozenset(one.value for one in Failpoint)


class FailpointSpecError(ValueError):
    """``FLATBED_FAILPOINTS`` cannot be read; the text says why."""


class FailpointError(RuntimeError):
    """The action ``error`` of a failpoint."""


@dataclass(slots=True)
class _Armed:
    """What happens at the ``at``-th passing."""

    action: str
    act: Callable[[], None]
    at: int
    passed: int = 0


_armed: dict[str, _Armed] = {}


def failpoint(name: Failpoint) -> None:
    """Pass a failpoint: nothing, unless this process was started with it armed.

    Raises:
        FailpointError: it is armed with ``error`` and this is the passing.
    """
    if _armed:
        _pass(name)


def arm(spec: str | None = None) -> None:
    """Arm what ``FLATBED_FAILPOINTS`` names; called once, when a process starts.

    Entries ``name=action[@n]`` are separated by ``;``, n counts the passings from 1. Actions:
    ``exit`` (at once, with code 137), ``error`` (raise), ``stop`` (SIGSTOP to this process) and
    ``kill:<postmaster.pid>`` (-9 to the database server of that file; this process goes on).

    Args:
        spec: in place of the environment.

    Raises:
        FailpointSpecError: an unknown name or action, or a number that is none.
    """
    text = os.environ.get(VARIABLE, "") if spec is None else spec
    made = dict(_entry(part.strip()) for part in text.split(";") if part.strip())
    _armed.clear()
    _armed.update(made)
    if made:
        log.warning("failpoints_armed", failpoints=sorted(made))


def passed() -> Mapping[str, int]:
    """How often each armed failpoint was passed in this process."""
    return {name: armed.passed for name, armed in _armed.items()}


def _pass(name: Failpoint) -> None:
    armed = _armed.get(name)
    if armed is None:
        return
    armed.passed += 1
    if armed.passed == armed.at:
        log.warning("failpoint_fired", failpoint=name.value, action=armed.action, at=armed.at)
        armed.act()


def _entry(part: str) -> tuple[str, _Armed]:
    name, equals, rest = part.partition("=")
    if not equals or name not in _NAMES:
        raise FailpointSpecError(f"{VARIABLE}: no failpoint is called {name!r}")
    action, _, number = rest.rpartition("@") if "@" in rest else (rest, "", "1")
    if not number.isdecimal() or int(number) == 0:
        raise FailpointSpecError(f"{VARIABLE}: {part!r} does not say at which passing")
    kind, _, argument = action.partition(":")
    return name, _Armed(kind, _action(kind, argument), int(number))


def _action(kind: str, argument: str) -> Callable[[], None]:
    plain = {"exit": _exit, "error": _error, "stop": _stop}
    if kind == "kill" and argument:
        return lambda: kill_server(Path(argument))
    if kind not in plain or argument:
        raise FailpointSpecError(f"{VARIABLE}: no action is called {kind!r}")
    return plain[kind]


def _exit() -> None:
    os._exit(EXIT_CODE)


def _error() -> None:
    raise FailpointError


def _stop() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def kill_server(pid_file: Path) -> None:
    """Kill a database server with -9, its processes too, and wait until all are gone.

    Its processes would otherwise finish what they were told. A file whose process is no
    PostgreSQL's kills nothing.
    """
    try:
        main = int(pid_file.read_text(encoding="ascii").splitlines()[0])
        if b"postgres" not in Path(f"/proc/{main}/cmdline").read_bytes():
            return
    except (OSError, ValueError, IndexError):
        return
    # The first stops it from starting more of them while we look.
    with suppress(ProcessLookupError):
        os.kill(main, signal.SIGSTOP)
    family = [main, *_children(main)]
    for pid in reversed(family):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    end = time.monotonic() + DEATH_SECONDS
    while any(map(_runs, family)) and time.monotonic() < end:
        time.sleep(0.001)


def _children(parent: int) -> list[int]:
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]
    return [pid for pid in pids if _stat(pid)[1:2] == [str(parent)]]


def _runs(pid: int) -> bool:
    return _stat(pid)[:1] not in ([], ["Z"], ["X"])


def _stat(pid: int) -> list[str]:
    """State, parent and what follows; empty for a process that is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return text.rpartition(")")[2].split()
