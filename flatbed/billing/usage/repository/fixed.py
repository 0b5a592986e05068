"""The statements of metering a unit, made once.

Of tables and not of mapped classes: made anew of these, a statement costs the program several
times what sending it costs, and a unit needs a dozen. They do not flush what is pending.
"""

from typing import Final

from sqlalchemy import (
    ARRAY,
    BigInteger,
    DateTime,
    Integer,
    Text,
    Uuid,
    any_,
    bindparam,
    false,
    func,
    insert,
    literal_column,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert

from flatbed.billing.usage.models import (
    CapCounter,
    LedgerHead,
    Period,
    StatementLine,
    UsageEntry,
)
from flatbed.tenants.kit.database.tables import table_of

QUALIFIED: Final = "qualified"

_counter = table_of(CapCounter)
_head = table_of(LedgerHead)
_entry = table_of(UsageEntry)
_reversal = _entry.alias("reversal")
_period = table_of(Period)
_line = table_of(StatementLine)
_tenant = bindparam("tenant", type_=Uuid())
_campaign = bindparam("campaign", type_=Uuid())

_wanted = (
    _counter.c.tenant_id == _tenant,
    _counter.c.campaign_ref == _campaign,
    _counter.c.bucket == any_(bindparam("buckets", type_=ARRAY(Text()))),
)
LOCK_COUNTERS: Final = (
    select(_counter.c.bucket, _counter.c.units, _counter.c.amount)
    .where(*_wanted)
    .order_by(_counter.c.bucket)
    .with_for_update(key_share=True)
)
ADD_COUNTERS: Final = upsert(_counter).on_conflict_do_nothing()
COUNT: Final = (
    update(_counter)
    .where(*_wanted)
    .values(
        units=_counter.c.units + bindparam("more_units", type_=Integer()),
        amount=_counter.c.amount + bindparam("more_amount", type_=BigInteger()),
    )
)

HEAD: Final = select(_head.c.sequence, _head.c.hash).where(_head.c.tenant_id == _tenant)
# Where another writer opened a period while this one waited for the lock, the joined one is
# none or the one before: it is not seen yet, and never a closed one.
LOCK_HEAD: Final = (
    select(
        _head.c.sequence,
        _head.c.hash,
        _period.c.id.label("period_id"),
        _period.c.starts_at,
        _period.c.ends_at,
    )
    .select_from(
        _head.outerjoin(
            _period,
            (_period.c.tenant_id == _head.c.tenant_id) & (_period.c.id == _head.c.open_period_id),
        )
    )
    .where(_head.c.tenant_id == _tenant)
    .with_for_update(of=_head, key_share=True)
)
ADD_HEAD: Final = upsert(_head).on_conflict_do_nothing()
MOVE_HEAD: Final = (
    update(_head)
    .where(_head.c.tenant_id == _tenant)
    .values(
        sequence=bindparam("to_sequence", type_=BigInteger()),
        hash=bindparam("to_hash", type_=Text()),
    )
)
COUNT_AND_MOVE_HEAD: Final = MOVE_HEAD.add_cte(COUNT.cte("counted"))

ADD_ENTRIES: Final = insert(_entry)

_voided = (
    select(_reversal.c.id)
    .where(_reversal.c.tenant_id == _entry.c.tenant_id, _reversal.c.reverses_id == _entry.c.id)
    .limit(1)
    .correlate(_entry)
    .scalar_subquery()
)
KNOWN: Final = select(
    func.coalesce(func.max(_entry.c.generation), 0).label("generation"),
    func.coalesce(func.bool_or(_voided.is_(None)), false()).label("is_live"),
).where(
    _entry.c.tenant_id == _tenant,
    # In the statement itself: a partial index serves a generic plan only so.
    _entry.c.kind == literal_column(f"'{QUALIFIED}'"),
    _entry.c.unit_key == any_(bindparam("keys", type_=ARRAY(Text()))),
)

_instant = bindparam("instant", type_=DateTime(timezone=True))
_holds = (_period.c.starts_at <= _instant) & (_period.c.ends_at > _instant)
PLACE: Final = select(
    select(func.max(_period.c.ends_at))
    .where(_period.c.tenant_id == _tenant)
    .scalar_subquery()
    .label("last_end"),
    select(_period.c.id)
    .where(_period.c.tenant_id == _tenant, _period.c.status == "open")
    .order_by(_holds.desc(), _period.c.starts_at)
    .limit(1)
    .scalar_subquery()
    .label("open"),
)

LAST_RANK: Final = select(func.coalesce(func.max(_line.c.rank), 0)).where(
    _line.c.tenant_id == _tenant,
    _line.c.campaign_ref == _campaign,
    _line.c.currency == bindparam("currency", type_=Text()),
    _line.c.rank.is_not(None),
)
