"""The job that applies an event."""

from collections.abc import Mapping
from uuid import UUID

from flatbed.billing.collection.collector import Collector
from flatbed.billing.stripe_events.applying import apply_event
from flatbed.tenants.kit.jobs.runner import JobHandler


def applying(collector: Collector) -> JobHandler:
    """Apply one event of the inbox."""

    async def apply(ids: Mapping[str, UUID]) -> None:
        await apply_event(collector, ids["event_id"])

    return apply
