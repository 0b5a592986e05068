"""Every table of the program: importing this module fills ``metadata``.

Alembic compares it with the database, and foreign keys that are named by text resolve in it.
"""

from sqlalchemy import MetaData

from flatbed.app.campaigns import models as campaigns
from flatbed.app.candidates import models as candidates
from flatbed.app.hunting import models as hunting
from flatbed.app.qualifications import models as qualifications
from flatbed.app.qualifications.free_rides import models as free_rides
from flatbed.app.qualifications.guarantee import models as guarantee
from flatbed.app.registry import models as registry
from flatbed.billing.accounts import models as accounts
from flatbed.billing.collection import models as collection
from flatbed.billing.pricing import models as pricing
from flatbed.billing.reconciliation import models as reconciliation
from flatbed.billing.statements import models as statements
from flatbed.billing.stripe_events import models as stripe_events
from flatbed.billing.usage import models as usage
from flatbed.tenants.kit.database import kernel_tables as kernel
from flatbed.tenants.kit.database.tables import Base
from flatbed.tenants.oauth import models as oauth
from flatbed.tenants.oauth.grants import models as grants
from flatbed.tenants.organizations import models as organizations
from flatbed.tenants.people import models as people

__all__ = [
    "accounts",
    "campaigns",
    "candidates",
    "collection",
    "free_rides",
    "grants",
    "guarantee",
    "hunting",
    "kernel",
    "metadata",
    "oauth",
    "organizations",
    "people",
    "pricing",
    "qualifications",
    "reconciliation",
    "registry",
    "statements",
    "stripe_events",
    "usage",
]

metadata: MetaData = Base.metadata
