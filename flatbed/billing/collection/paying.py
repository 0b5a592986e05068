"""How an ISV leaves a payment method, and what it sees of its payments."""

from collections.abc import Awaitable, Callable
from typing import TypeVar
from uuid import UUID

from flatbed.billing.accounts import repository as accounts
from flatbed.billing.accounts.parties import customer_of
from flatbed.billing.collection import repository
from flatbed.billing.collection.collector import Collector
from flatbed.billing.collection.customers import Customers
from flatbed.billing.collection.errors import NotCollectedError, ProviderUnavailableError
from flatbed.billing.collection.rules.bodies import customer_body
from flatbed.billing.collection.schemas import CollectionList, CollectionRead
from flatbed.billing.gateway.errors import GatewayError
from flatbed.billing.gateway.port import Gateway
from flatbed.billing.gateway.views import Json
from flatbed.tenants.kit.database.session import TenantReadSession, TenantSession
from flatbed.tenants.kit.ids import uuid7
from flatbed.tenants.kit.problems import NotFoundError

T = TypeVar("T")


async def collections_of(session: TenantReadSession, invoice_id: UUID) -> CollectionList:
    """How an invoice is collected; empty until the job has seen it.

    Raises:
        NotFoundError: no such invoice of this tenant.
    """
    if await repository.invoice(session, invoice_id) is None:
        raise NotFoundError
    rows = await repository.parts(session, invoice_id)
    return CollectionList(
        data=[
            CollectionRead(
                invoice_id=row.invoice_id,
                part=row.part,
                state=row.state,
                status=row.external_status,
                amount_due=row.amount_due,
                amount_paid=row.amount_paid,
                url=row.hosted_url,
                overdue_since=row.overdue_since,
            )
            for row in rows
        ]
    )


async def prepare_setup(
    session: TenantSession, collector: Collector, *, success_url: str, cancel_url: str
) -> Callable[[], Awaitable[str]]:
    """What makes the link of a Checkout page, to be called after the commit.

    Raises:
        NotCollectedError: nothing is collected here.
    """
    gateway, customers = await _serving(session, collector)

    async def make() -> str:
        customer = await _asked(lambda: customers.ensure(gateway))
        body: dict[str, Json] = {
            "customer": customer,
            "success_url": success_url,
            "cancel_url": cancel_url,
            "payment_method_types": ["card", "sepa_debit"],
            "metadata": customers.metadata,
        }
        setup = await _asked(lambda: gateway.create_setup(body, f"setup:{uuid7()}"))
        return setup.url or success_url

    return make


async def prepare_portal(
    session: TenantSession, collector: Collector, *, return_url: str
) -> Callable[[], Awaitable[str]]:
    """What makes the link of the provider's own pages, to be called after the commit.

    Raises:
        NotCollectedError: nothing is collected here.
    """
    gateway, customers = await _serving(session, collector)

    async def make() -> str:
        customer = await _asked(lambda: customers.ensure(gateway))
        body = {"customer": customer, "return_url": return_url}
        portal = await _asked(lambda: gateway.create_portal(body, f"portal:{uuid7()}"))
        return portal.url

    return make


async def _serving(session: TenantSession, collector: Collector) -> tuple[Gateway, Customers]:
    if collector.gateway is None or not await collector.serves(session):
        raise NotCollectedError
    account = await accounts.find(session)
    snapshot = (await customer_of(session)).snapshot
    return collector.gateway, Customers(
        collector,
        session.realm_id,
        session.tenant_id,
        known=None if account is None else account.customer_ref,
        body=customer_body(snapshot, session.realm_id, session.tenant_id),
        tax_ids=snapshot["tax_ids"],
        caller=session.caller,
    )


async def _asked(call: Callable[[], Awaitable[T]]) -> T:
    try:
        return await call()
    except GatewayError:
        raise ProviderUnavailableError from None
