"""SQL for what is collected."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import and_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import aliased

from flatbed.billing.collection.models import Collection
from flatbed.billing.statements.models import Invoice, Statement
from flatbed.billing.usage.models import StatementLine
from flatbed.tenants.kit.database.session import TenantReadSession, TenantSession

_Corrected: Final = aliased(StatementLine, name="corrected")


async def parts(session: TenantReadSession, invoice_id: UUID) -> Sequence[Collection]:
    """The rows of an invoice as they are now, by part."""
    statement = (
        select(Collection)
        .where(Collection.tenant_id == session.tenant_id, Collection.invoice_id == invoice_id)
        .order_by(Collection.part)
        .execution_options(populate_existing=True)
    )
    return (await session.scalars(statement)).all()


async def part(session: TenantSession, invoice_id: UUID, number: int) -> Collection:
    """One row, locked until the transaction ends."""
    statement = (
        select(Collection)
        .where(
            Collection.tenant_id == session.tenant_id,
            Collection.invoice_id == invoice_id,
            Collection.part == number,
        )
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    return (await session.scalars(statement)).one()


async def everything(session: TenantReadSession) -> Sequence[Collection]:
    """All rows of the tenant, by invoice and part."""
    statement = (
        select(Collection)
        .where(Collection.tenant_id == session.tenant_id)
        .order_by(Collection.invoice_id, Collection.part)
    )
    return (await session.scalars(statement)).all()


async def add(session: TenantSession, rows: Sequence[dict[str, Any]]) -> None:
    """Write rows that are not there yet; another run of the job may have written them."""
    values = [{**row, "tenant_id": session.tenant_id} for row in rows]
    await session.execute(upsert(Collection).values(values).on_conflict_do_nothing())


async def change(session: TenantSession, found: Collection, **values: object) -> bool:
    """Write values unless the row was written since it was read. Returns whether it was done."""
    statement = (
        update(Collection)
        .where(
            Collection.tenant_id == session.tenant_id,
            Collection.invoice_id == found.invoice_id,
            Collection.part == found.part,
            Collection.revision == found.revision,
        )
        .values(**values, updated_at=session.now(), revision=found.revision + 1)
        .returning(Collection.part)
        .execution_options(synchronize_session=False)
    )
    return await session.scalar(statement) is not None


async def invoice(session: TenantReadSession, invoice_id: UUID) -> tuple[Invoice, Statement] | None:
    """An invoice with its statement."""
    statement = (
        select(Invoice, Statement)
        .join(
            Statement,
            and_(Statement.tenant_id == Invoice.tenant_id, Statement.id == Invoice.statement_id),
        )
        .where(Invoice.tenant_id == session.tenant_id, Invoice.id == invoice_id)
    )
    row = (await session.execute(statement)).one_or_none()
    return None if row is None else (row[0], row[1])


async def lines(
    session: TenantReadSession, invoice_id: UUID
) -> Sequence[tuple[StatementLine, UUID | None]]:
    """An invoice's lines by position, each with the entry that it corrects."""
    statement = (
        select(StatementLine, _Corrected.entry_id)
        .outerjoin(
            _Corrected,
            and_(
                _Corrected.tenant_id == StatementLine.tenant_id,
                _Corrected.id == StatementLine.corrects_id,
            ),
        )
        .where(StatementLine.tenant_id == session.tenant_id, StatementLine.invoice_id == invoice_id)
        .order_by(StatementLine.position)
    )
    return [(row[0], row[1]) for row in await session.execute(statement)]
