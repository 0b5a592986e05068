"""The deadlines of this package, for wiring."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from flatbed.app.qualifications import acceptance, clocks, disputes
from flatbed.app.qualifications.guarantee import cases, remedy
from flatbed.tenants.kit.deadlines import DeadlineHandler

DEADLINES: Final[Mapping[str, DeadlineHandler]] = MappingProxyType(
    {
        clocks.ACCEPTANCE: acceptance.silence,
        **dict.fromkeys(clocks.REMINDERS, acceptance.remind),
        clocks.ANSWER: disputes.unanswered,
        clocks.DECISION: disputes.overdue,
        cases.REMEDY: remedy.remedy,
    }
)
"""What each kind of deadline does at its own instant."""
