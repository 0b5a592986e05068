"""The TypeIDs of billing."""

from typing import Annotated
from uuid import UUID

from flatbed.tenants.kit.ids import annotations

PriceListId = Annotated[UUID, *annotations("price")]
UsageEntryId = Annotated[UUID, *annotations("use")]
UsageDecisionId = Annotated[UUID, *annotations("udec")]
StatementId = Annotated[UUID, *annotations("stmt")]
InvoiceId = Annotated[UUID, *annotations("inv")]
PeriodId = Annotated[UUID, *annotations("per")]
