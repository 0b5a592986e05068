"""What the process counts, by Prometheus' names: base units, ``_total`` for what only grows.

No label ever holds an id, a path or a tenant: the number of label values is fixed by the code.
"""

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import QueuePool

REGISTRY: Final = CollectorRegistry()
ProcessCollector(registry=REGISTRY)

REQUESTS = Counter(
    "flatbed_http_requests",
    "Requests answered, by method, route template and status class.",
    ["method", "route", "status"],
    registry=REGISTRY,
)
DURATION = Histogram(
    "flatbed_http_request_duration_seconds",
    "Seconds from the request's headers to the end of its answer.",
    ["method", "route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
    registry=REGISTRY,
)
IN_FLIGHT = Gauge(
    "flatbed_http_requests_in_flight", "Requests being answered now.", registry=REGISTRY
)
RETRIES = Counter(
    "flatbed_transaction_retries",
    "Transactions done again, by reason.",
    ["reason"],
    registry=REGISTRY,
)
JOBS = Counter(
    "flatbed_jobs",
    "Jobs ended, by name and outcome: done, failed (to be tried again), dead, handed-back.",
    ["job", "outcome"],
    registry=REGISTRY,
)
DEADLINES = Counter(
    "flatbed_deadlines",
    "Deadlines met, by kind and outcome: handled, failed (to be tried again), dead.",
    ["kind", "outcome"],
    registry=REGISTRY,
)
SEALED = Counter(
    "flatbed_sealed_rows", "Audit entries and events numbered and sealed.", registry=REGISTRY
)
WAKEUPS = Counter(
    "flatbed_wakeups",
    "Owners whose wake-ups were worked on, by topic and outcome: answered, failed.",
    ["topic", "outcome"],
    registry=REGISTRY,
)
OLDEST_WAKEUP = Gauge(
    "flatbed_oldest_wakeup_age_seconds",
    "How long the oldest due wake-up waits for a worker; 0 when none waits.",
    registry=None,
)
QUEUED_JOBS = Gauge("flatbed_jobs_queued", "Jobs that wait for a worker.", registry=None)
DEAD_JOBS = Gauge(
    "flatbed_jobs_dead", "Jobs that are no longer tried: `flatbed jobs dead`.", registry=None
)
DEAD_DEADLINES = Gauge(
    "flatbed_deadlines_dead",
    "Deadlines that are no longer tried: `flatbed jobs dead`.",
    registry=None,
)
COUNTED: Final = (OLDEST_WAKEUP, QUEUED_JOBS, DEAD_JOBS, DEAD_DEADLINES)
"""Of the whole database: whoever does not count them must not export a 0, which means all is well.
"""


@contextmanager
def exported() -> Iterator[None]:
    """Show what is counted of the whole database, for as long as this process counts it."""
    for gauge in COUNTED:
        gauge.set(math.nan)  # until it has been counted
        REGISTRY.register(gauge)
    try:
        yield
    finally:
        for gauge in COUNTED:
            REGISTRY.unregister(gauge)


@contextmanager
def counting(*gauges: Gauge) -> Iterator[None]:
    """Count within: where that fails nothing is known, and what was true before must not stand."""
    try:
        yield
    except Exception:
        for gauge in gauges:
            gauge.set(math.nan)
        raise


class PoolCollector(Collector):
    """The connections of one engine, read when somebody asks."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    def collect(self) -> Iterable[Metric]:
        """Two gauges."""
        pool = self._engine.pool
        if not isinstance(pool, QueuePool):
            return
        yield GaugeMetricFamily(
            "flatbed_database_connections_checked_out",
            "Connections of the pool that a transaction holds now.",
            pool.checkedout(),
        )
        yield GaugeMetricFamily(
            "flatbed_database_connections_limit", "Connections of the pool at most.", pool.size()
        )


class _Together(Collector):
    def __init__(self, collectors: Iterable[Collector]) -> None:
        self._collectors = (REGISTRY, *collectors)

    def collect(self) -> Iterable[Metric]:
        for collector in self._collectors:
            yield from collector.collect()


def together(*collectors: Collector) -> Collector:
    """The process's own figures and these."""
    return _Together(collectors)


def page(*collectors: Collector) -> bytes:
    """The process's own figures and these, in Prometheus' text format."""
    return generate_latest(together(*collectors))
