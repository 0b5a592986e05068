"""The state of a unit in SQL: what its decisions, its reversal and its line make of it.

In two forms that say the same. ``SUMMED`` is for statements that read all units: the planner joins
as it likes. ``PAGED`` is for those that read a page in the order of an index: one look-up a line,
so that no join takes the order away and no limit comes too late.
"""

from typing import Any, Final, TypeAlias

from sqlalchemy import ColumnElement, FromClause, Select, and_, case, func, select, true

from flatbed.billing.usage.models import StatementLine, UsageDecision, UsageEntry
from flatbed.billing.usage.states import Decision, UsageState

Rows: TypeAlias = Select[*tuple[Any, ...]]
"""A statement of any columns."""
_TAKEN: Final = (Decision.ACCEPTED.value, Decision.CONFIRMED.value)


class States:
    """What is joined to entries to tell their states.

    Args:
        void: the reversal of an entry, joined where ``on_void``.
        line: what bills it, joined where ``on_line``.

    Attributes:
        last: the last decision of an entry that is neither billed nor reversed, else null: then
            no decision matters, and the look-up is saved.
    """

    def __init__(
        self,
        void: FromClause,
        line: FromClause,
        on_void: ColumnElement[bool],
        on_line: ColumnElement[bool],
    ) -> None:
        self.void, self.line = void, line
        self._on_void, self._on_line = on_void, on_line
        self.last = (
            select(UsageDecision.decision, UsageDecision.at)
            .where(
                UsageDecision.tenant_id == UsageEntry.tenant_id,
                UsageDecision.entry_id == UsageEntry.id,
                line.c.id.is_(None),
                void.c.id.is_(None),
            )
            .order_by(UsageDecision.at.desc(), UsageDecision.id.desc())
            .limit(1)
            .correlate(UsageEntry, line, void)
            .lateral("last")
        )

    @property
    def state(self) -> ColumnElement[str]:
        """The state of an entry: the rule of ``states.usage_state``, as a test says."""
        is_void, is_billed = self.void.c.id.is_not(None), self.line.c.id.is_not(None)
        decision = self.last.c.decision
        return case(
            (and_(is_void, is_billed), UsageState.REVERSED.value),
            (is_void, UsageState.CANCELLED.value),
            (is_billed, UsageState.BILLED.value),
            (decision == Decision.WRITTEN_OFF.value, UsageState.WRITTEN_OFF.value),
            (decision == Decision.DISPUTED.value, UsageState.DISPUTED.value),
            (decision.in_(_TAKEN), UsageState.ACCEPTED.value),
            else_=UsageState.PENDING.value,
        )

    @property
    def amount(self) -> ColumnElement[int]:
        """What was billed, or else what is billed at most."""
        return func.coalesce(self.line.c.amount, UsageEntry.amount)

    def join(self, statement: Rows) -> Rows:
        """A statement on entries, with all of these joined to it."""
        return (
            statement.select_from(UsageEntry)
            .outerjoin(self.void, self._on_void)
            .outerjoin(self.line, self._on_line)
            .outerjoin(self.last, true())
        )


_void: Final = UsageEntry.__table__.alias("reversal")
_line: Final = StatementLine.__table__.alias("line")
_of_void: Final = and_(
    _void.c.tenant_id == UsageEntry.tenant_id, _void.c.reverses_id == UsageEntry.id
)
_of_line: Final = and_(_line.c.tenant_id == UsageEntry.tenant_id, _line.c.entry_id == UsageEntry.id)
SUMMED: Final = States(_void, _line, _of_void, _of_line)
PAGED: Final = States(
    select(_void.c.id).where(_of_void).limit(1).correlate(UsageEntry).lateral("reversed"),
    select(_line.c.id, _line.c.amount)
    .where(_of_line)
    .limit(1)
    .correlate(UsageEntry)
    .lateral("billed"),
    true(),
    true(),
)
