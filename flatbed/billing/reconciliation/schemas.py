"""What the API gives of the reconciliation."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from flatbed.tenants.kit.cursors import Page
from flatbed.tenants.kit.schemas import Output


class ReconciliationRead(Output):
    """Whether ledger, statements and Stripe agree; an open finding blocks the next closing."""

    ran_at: Annotated[datetime | None, Field(description="The newest run; null before the first.")]
    collects: Annotated[bool, Field(description="Stripe was asked too.")]
    statements: int
    invoices: int
    open_findings: int


class FindingRead(Output):
    """A disagreement; it is resolved by the run that no longer sees it."""

    kind: Annotated[str, Field(examples=["missing", "amount_drift", "status_drift"])]
    subject: Annotated[str, Field(description="The invoice and its part, a statement, or an id.")]
    detail: dict[str, Any]
    found_at: datetime
    seen_at: datetime
    resolved_at: datetime | None


class FindingPage(Page):
    """A page of findings, by when they were found."""

    data: list[FindingRead]
