"""Usage as a file: all units at once, with their evidence, as CSV, XLSX or PDF.

What is needed is read in the request's transaction; the file is made of plain values afterwards.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias
from uuid import UUID

from flatbed.billing.documents.csv_file import as_csv
from flatbed.billing.documents.errors import AmountTooLargeError
from flatbed.billing.documents.languages import Language
from flatbed.billing.documents.usage_pdf import usage_pdf
from flatbed.billing.documents.xlsx import usage_xlsx
from flatbed.billing.usage.errors import ExportTooLargeError, TooManyDigitsError
from flatbed.billing.usage.ports import Campaigns
from flatbed.billing.usage.reports.document import Facts, document
from flatbed.billing.usage.reports.forecasting import forecast_of
from flatbed.billing.usage.reports.lines import usage_line
from flatbed.billing.usage.repository import reports as repository
from flatbed.billing.usage.repository.reports import Filters
from flatbed.billing.usage.schemas import Format, GroupBy, UsageLine
from flatbed.tenants.kit.crypto import Keyring
from flatbed.tenants.kit.database.session import TenantReadSession
from flatbed.tenants.kit.realms import find_realm
from flatbed.tenants.organizations.service import organization_of

MOST: Final = {Format.CSV: 20_000, Format.XLSX: 20_000, Format.PDF: 2_000}
"""Lines of a file. On a page one takes a millisecond and 150 kB of memory while it is set."""
Work: TypeAlias = Callable[[], bytes]


async def as_table(session: TenantReadSession, keyring: Keyring, filters: Filters) -> Work:
    """What makes CSV of all units that the filters let through.

    Raises:
        ExportTooLargeError: more than 20,000 lines.
    """
    rows = await _rows(session, filters, Format.CSV)
    tenant_id = session.tenant_id
    return lambda: _csv(tenant_id, keyring, rows)


async def as_document(
    session: TenantReadSession,
    campaigns: Campaigns,
    filters: Filters,
    *,
    wanted: Format,
    language: Language,
    group_by: GroupBy,
    public_url: str,
) -> Work:
    """What makes a workbook or pages of all units that the filters let through.

    Args:
        session: the tenant's.
        campaigns: knows their names.
        filters: which units.
        wanted: XLSX or PDF.
        language: of the document.
        group_by: what its groups are made by.
        public_url: where clients reach the API: a document's links are whole.

    Raises:
        ExportTooLargeError: more than 20,000 lines, in a PDF more than 2,000.
        TooManyDigitsError: by the work, of a workbook: a sum has more than 15 digits.
    """
    rows = await _rows(session, filters, wanted)
    known = await campaigns.facts(session, {row["campaign_ref"] for row in rows})
    organization = await organization_of(session)
    realm = await find_realm(session, session.realm_id)
    is_past = filters.occurred_to is not None and filters.occurred_to <= session.now()
    facts = Facts(
        rows=rows,
        names={id_: one.name for id_, one in known.items()},
        customer=organization.name,
        seller="" if realm is None else realm.name,
        zone=organization.zone,
        now=session.now(),
        filters=filters,
        group_by=group_by,
        language=language,
        forecast=None if is_past else await forecast_of(session, campaigns, filters.campaign_ref),
        public_url=public_url,
    )
    return lambda: _pages(facts) if wanted is Format.PDF else _workbook(facts)


def _pages(facts: Facts) -> bytes:
    return usage_pdf(document(facts))


def _workbook(facts: Facts) -> bytes:
    try:
        return usage_xlsx(document(facts))
    except AmountTooLargeError:
        raise TooManyDigitsError from None


async def _rows(
    session: TenantReadSession, filters: Filters, wanted: Format
) -> Sequence[Mapping[str, Any]]:
    most = MOST[wanted]
    rows = await repository.all_lines(session, filters, most + 1)
    if len(rows) > most:
        raise ExportTooLargeError(extra={"most": most})
    return rows


def _csv(tenant_id: UUID, keyring: Keyring, rows: Sequence[Mapping[str, Any]]) -> bytes:
    lines = (usage_line(tenant_id, keyring, row) for row in rows)
    return as_csv(UsageLine, (line.model_dump(mode="json") for line in lines)).encode()
