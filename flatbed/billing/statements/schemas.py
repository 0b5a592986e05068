"""What the API gives for periods, statements and invoices. Money is integer minor units."""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field

from flatbed.billing.ids import InvoiceId, PeriodId, StatementId, UsageEntryId
from flatbed.billing.statements.rules.rating import Fate, LineKind
from flatbed.billing.usage.schemas import CampaignRef, Minor
from flatbed.tenants.kit.cursors import Page
from flatbed.tenants.kit.schemas import Input, Output, Text

LocalInstant = Annotated[datetime, Field(description="In the ISV's time zone.")]
Credited = Annotated[int, Field(description="Integer minor units that go back, not positive.")]


class PeriodRead(Output):
    """A billing period: from `starts_at` on, up to `ends_at`, which is outside."""

    id: PeriodId
    starts_at: datetime
    ends_at: datetime
    status: Annotated[str, Field(examples=["open", "closed"])]
    closes_at: Annotated[datetime, Field(description="When it is closed: its end and the grace.")]


class PeriodPage(Page):
    """A page of periods, by their start."""

    data: list[PeriodRead]


class LineRead(Output):
    """A line: a charge bills a unit, a credit takes money of an earlier line back."""

    position: int
    entry_id: UsageEntryId
    kind: LineKind
    campaign_id: CampaignRef
    amount: Minor
    rank: Annotated[
        int | None, Field(description="The unit's place in its campaign, which makes its price.")
    ]
    price_text: str
    qualification_id: Annotated[str, Field(examples=["qual_01h455vb4pex5vsknk084sn02q"])]
    dossier: Annotated[str, Field(description="Where the evidence is read.")]
    dossier_hash: str
    occurred_at: datetime
    accepted_at: datetime | None
    late: Annotated[bool, Field(description="It occurred before the period of its entry.")]
    carried_over: Annotated[bool, Field(description="Its entry is of an earlier period.")]
    corrects_entry_id: Annotated[
        UsageEntryId | None, Field(description="The unit whose money goes back.")
    ]
    replaces_entry_id: Annotated[
        UsageEntryId | None,
        Field(description="The unit that a charge of 0 replaces under the guarantee."),
    ]


class RestRead(Output):
    """A unit that is not billed: held, cancelled or written off. The amount is at most."""

    entry_id: UsageEntryId
    fate: Fate
    amount: Minor
    qualification_id: str
    dossier: str


class Figures(Output):
    """The sums of a statement in its currency."""

    currency: str
    units: int
    charges: Minor
    credits: Credited
    total: Minor
    held_units: int
    held_amount: Minor


class StatementDraft(Figures):
    """What a statement would hold if the period were closed now."""

    lines: list[LineRead]
    rest: list[RestRead]


class StatementPreview(Output):
    """What closing the period now would bill, one draft a currency; asking closes nothing."""

    period_id: PeriodId | None
    starts_at: LocalInstant
    ends_at: Annotated[datetime, Field(description="Exclusive.")]
    time_zone: Annotated[str, Field(description="The bounds are midnights in this zone.")]
    statements: list[StatementDraft]


class InvoiceRead(Output):
    """An invoice for a statement's charges, or a credit note on an earlier invoice."""

    id: InvoiceId
    statement_id: StatementId
    kind: Annotated[str, Field(examples=["invoice", "credit_note"])]
    number: Annotated[str, Field(description="Gapless in the agency's series.")]
    corrects_id: InvoiceId | None
    currency: str
    net: Minor
    tax: Minor
    gross: Minor
    tax_category: Annotated[str, Field(description="EN 16931: S, AE, O.")]
    tax_rate: Annotated[int, Field(description="Hundredths of a percent.", examples=[1900])]
    issued_at: datetime
    issued_on: date
    due_on: date


class DocumentFormat(StrEnum):
    """The file that is wanted."""

    PDF = "pdf"
    XML = "xml"


class InvoicePage(Page):
    """A page of invoices and credit notes, by issue."""

    data: list[InvoiceRead]


class StatementRead(Figures):
    """A closed statement: it never changes. Its lines are read by page."""

    id: StatementId
    number: Annotated[int, Field(description="Counts the ISV's statements.")]
    period_id: PeriodId
    starts_at: datetime
    ends_at: datetime
    time_zone: str
    closed_at: datetime
    seller: dict[str, Any]
    customer: dict[str, Any]
    invoices: list[InvoiceRead]
    ledger_from: Annotated[int, Field(description="The ledger's entries behind this one,")]
    ledger_to: Annotated[int, Field(description="up to this one, are in its proof.")]
    previous_hash: str
    hash: Annotated[str, Field(description="Over the whole content and the statement before.")]


class StatementPage(Page):
    """A page of statements, by closing."""

    data: list[StatementRead]


class LinePage(Page):
    """A page of lines, by position."""

    data: list[LineRead]


class ClosingRead(Output):
    """A closed period with its statements."""

    period_id: PeriodId
    statements: list[StatementRead]


class Step(Output):
    """How a line came to its amount."""

    position: int
    entry_id: UsageEntryId
    kind: LineKind
    rank: int | None
    tier_from_unit: Annotated[int | None, Field(description="The tier that the unit falls into.")]
    unit_price: Annotated[int | None, Field(description="The tier's price, in minor units.")]
    amount: Minor
    running_total: Minor


class StatementExplanation(Output):
    """A statement computed again from entries and prices."""

    statement_id: StatementId
    steps: list[Step]
    total: Minor
    hash: Annotated[str, Field(description="Of the content computed again.")]
    matches: Annotated[bool, Field(description="It is the statement's own hash.")]


class WriteOff(Input):
    """The agency gives up the money for a unit that is not billed."""

    reason: Text


class WrittenOff(Output):
    """The unit after it."""

    entry_id: UsageEntryId
    state: str
