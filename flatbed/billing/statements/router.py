"""HTTP for periods, statements and invoices."""

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from flatbed.billing.documents.hybrid import invoice_file
from flatbed.billing.ids import InvoiceId, PeriodId, StatementId, UsageEntryId
from flatbed.billing.statements import closing, explaining, paper, reading
from flatbed.billing.statements.errors import NoElectronicInvoiceError
from flatbed.billing.statements.schemas import (
    ClosingRead,
    DocumentFormat,
    InvoicePage,
    InvoiceRead,
    LinePage,
    PeriodPage,
    StatementExplanation,
    StatementPage,
    StatementPreview,
    StatementRead,
    WriteOff,
    WrittenOff,
)
from flatbed.billing.usage import decisions
from flatbed.tenants.access.calls import TenantCall, TenantRead
from flatbed.tenants.access.require import require
from flatbed.tenants.kit.after_commit import AfterCommit
from flatbed.tenants.kit.http import Listed, reply

router = APIRouter(prefix="/v1", tags=["statements"])

Reader = Annotated[TenantRead, require("billing:read").tenant_read]
Writer = Annotated[TenantCall, require("billing:write").tenant]


@router.get("/periods", operation_id="list_periods", response_model=PeriodPage)
async def list_periods(call: Reader, listing: Listed) -> Response:
    """List billing periods by their start."""
    cursors = call.cursors()
    return reply(
        await reading.periods(call.session, cursors, cursor=listing.cursor, limit=listing.limit)
    )


@router.post(
    "/periods/{period_id}/closing",
    operation_id="close_period",
    response_model=ClosingRead,
    status_code=201,
    responses={200: {"model": StatementPreview, "description": "What closing now would bill."}},
)
async def close_period(
    period_id: PeriodId,
    call: Writer,
    *,
    validate_only: Annotated[
        bool, Query(description="Answer what would be billed, and close nothing.")
    ] = False,
) -> Response:
    """Close a period after its grace; the worker does it by itself."""

    async def work() -> Response:
        if validate_only:
            return reply(await reading.preview(call.session, period_id))
        await closing.close(call.session, period_id)
        return reply(await reading.closed(call.session, period_id), status=201)

    return await call.once(work)


@router.get(
    "/statements/preview", operation_id="preview_statement", response_model=StatementPreview
)
async def preview_statement(call: Reader, period_id: PeriodId | None = None) -> Response:
    """Read what closing a period now would bill, the next one to be closed unless one is named."""
    return reply(await reading.preview(call.session, period_id))


@router.get("/statements", operation_id="list_statements", response_model=StatementPage)
async def list_statements(
    call: Reader, listing: Listed, period_id: PeriodId | None = None
) -> Response:
    """List closed statements by closing."""
    return reply(
        await reading.page(
            call.session,
            call.cursors(period_id=period_id),
            cursor=listing.cursor,
            limit=listing.limit,
            period_id=period_id,
        )
    )


@router.get(
    "/statements/{statement_id}", operation_id="get_statement", response_model=StatementRead
)
async def get_statement(statement_id: StatementId, call: Reader) -> Response:
    """Read one statement with its invoices."""
    return reply(await reading.get(call.session, statement_id))


@router.get(
    "/statements/{statement_id}/lines",
    operation_id="list_statement_lines",
    response_model=LinePage,
)
async def list_statement_lines(
    statement_id: StatementId, call: Reader, listing: Listed
) -> Response:
    """List a statement's lines by position, each with the link to its evidence."""
    return reply(
        await reading.lines(
            call.session,
            call.cursors(statement_id=statement_id),
            statement_id,
            cursor=listing.cursor,
            limit=listing.limit,
        )
    )


@router.get(
    "/statements/{statement_id}/explain",
    operation_id="explain_statement",
    response_model=StatementExplanation,
)
async def explain_statement(statement_id: StatementId, call: Reader) -> Response:
    """Compute a statement again from entries and prices, step by step."""
    return reply(await explaining.explain(call.session, statement_id))


@router.get(
    "/statements/{statement_id}/proof",
    operation_id="prove_statement",
    response_model=dict[str, Any],
)
async def prove_statement(statement_id: StatementId, call: Reader) -> Response:
    """Read the file that `flatbed verify statement` checks without any access to us."""
    proof = await explaining.prove(call.session, statement_id)
    headers = {"Content-Disposition": 'attachment; filename="statement-proof.json"'}
    return Response(proof, headers=headers, media_type="application/json")


@router.get("/invoices", operation_id="list_invoices", response_model=InvoicePage)
async def list_invoices(
    call: Reader, listing: Listed, statement_id: StatementId | None = None
) -> Response:
    """List invoices and credit notes by issue."""
    return reply(
        await reading.invoices(
            call.session,
            call.cursors(statement_id=statement_id),
            cursor=listing.cursor,
            limit=listing.limit,
            statement_id=statement_id,
        )
    )


@router.get("/invoices/{invoice_id}", operation_id="get_invoice", response_model=InvoiceRead)
async def get_invoice(invoice_id: InvoiceId, call: Reader) -> Response:
    """Read one invoice or credit note."""
    return reply(await reading.invoice(call.session, invoice_id))


@router.get(
    "/invoices/{invoice_id}/document",
    operation_id="get_invoice_document",
    response_class=Response,
    responses={
        200: {
            "content": {
                "application/pdf": {"schema": {"type": "string", "format": "binary"}},
                "application/xml": {"schema": {"type": "string"}},
            }
        }
    },
)
async def get_invoice_document(
    invoice_id: InvoiceId,
    call: Reader,
    wanted: Annotated[
        DocumentFormat,
        Query(alias="format", description="The PDF carries the EN 16931 XML, where there is one."),
    ] = DocumentFormat.PDF,
) -> Response:
    """Read an invoice or credit note as a file: PDF with EN 16931 data, or these data alone."""
    program = call.request.app.state.program
    base_url = program.settings.public_url.rstrip("/")
    document = await paper.document_of(call.session, invoice_id, base_url=base_url)

    async def finish() -> Response:
        made = await program.press.make(partial(invoice_file, document))
        content = made.pdf if wanted is DocumentFormat.PDF else made.xml
        if content is None:
            raise NoElectronicInvoiceError(extra={"broken_rules": list(made.broken_rules)})
        name = f"{document.number}.{wanted.value}"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return Response(content, headers=headers, media_type=f"application/{wanted.value}")

    return AfterCommit(finish)


@router.post(
    "/usage-entries/{entry_id}/write-off",
    operation_id="write_off_usage",
    response_model=WrittenOff,
)
async def write_off_usage(entry_id: UsageEntryId, body: WriteOff, call: Writer) -> Response:
    """Give up the money for a unit that is not billed, by name and with a reason."""

    async def work() -> Response:
        actor = call.session.caller.actor
        await decisions.write_off(call.session, entry_id, actor=actor, reason=body.reason)
        state = await decisions.state_of(call.session, entry_id)
        return reply(WrittenOff(entry_id=entry_id, state=state.value))

    return await call.once(work)
