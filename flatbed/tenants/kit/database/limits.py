"""How long the program's own work may hold the database, and how its statements are planned.

Times are milliseconds; all by PostgreSQL's names.

Constants, not settings: the answer's time limits, the sweep's turns and the retries are made for
them. They are sent when a connection is opened, and stand at the role for poolers that do not
hand start parameters on; `guard.py` looks whether they are in force. Migrations, provisioning and
dumps sign in as other roles and keep their own.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

LIMITS: Final[Mapping[str, int]] = MappingProxyType(
    {
        "statement_timeout": 5_000,
        # Above PostgreSQL's default `deadlock_timeout` (1 s, for superusers to change): at the
        # same instant a deadlock would be reported as a lock that took too long, and not retried.
        "lock_timeout": 1_500,
        "idle_in_transaction_session_timeout": 10_000,
        "client_connection_check_interval": 2_000,
    }
)
PATIENT: Final[Mapping[str, int]] = MappingProxyType(
    {"statement_timeout": 900_000, "idle_in_transaction_session_timeout": 900_000}
)
"""In place of these for one transaction of work that is long by nature, and that nobody waits for
in a request: verification, filling a database with data."""
PLANNING: Final[Mapping[str, float]] = MappingProxyType({"random_page_cost": 1.1})
"""How statements are planned. Data lies in memory or on an SSD, where a page out of order costs
little more than the next one; PostgreSQL's default (4) is made for turning disks and lets it read
and sort thousands of a large tenant's rows rather than fetch one page of them by index."""
PATIENT_POOL: Final = 4
"""Connections of such work."""
CONNECT_SECONDS: Final = 3.0
"""To open a connection; a server that needs longer is as good as away."""
ANSWER_SECONDS: Final = 10.0
"""For an answer to come back at all: longer than any statement may run."""


def server_settings(application: str, limits: Mapping[str, int] = LIMITS) -> dict[str, str]:
    """What a connection of the program is opened with."""
    made = {name: str(value) for name, value in {**limits, **PLANNING}.items()}
    return {"application_name": application, "timezone": "UTC", **made}
