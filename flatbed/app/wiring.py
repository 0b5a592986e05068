"""The composition root: which implementation stands behind each port.

The only module that knows all floors. What a lower floor needs from a higher one is a Protocol
declared low and bound here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from flatbed.app.campaigns.exclusions.ports import WorkedCandidates
from flatbed.app.campaigns.orders.bindings import KnownCampaigns
from flatbed.app.campaigns.orders.room import ADMISSION_JOB
from flatbed.app.candidates.core.bindings import CandidateTargets, FurthestCandidates
from flatbed.app.candidates.pipeline import nurture
from flatbed.app.candidates.pipeline.ports import Signings
from flatbed.app.candidates.touchpoints.ports import LatePushes
from flatbed.app.health import Readiness
from flatbed.app.hunting.bindings import LiveAssignments
from flatbed.app.hunting.service import Targets
from flatbed.app.permissions import PERMISSIONS, agree
from flatbed.app.qualifications import deadlines as qualifications
from flatbed.app.qualifications.repository import qualified_entries
from flatbed.app.qualifications.reviews import ReviewsOfLatePushes
from flatbed.app.qualifications.signing import AcceptanceBySigning
from flatbed.app.qualifications.waiting import deadlines as waiting
from flatbed.app.qualifications.waiting.tasks import admit_waiting
from flatbed.app.routers import ROUTERS
from flatbed.billing.collection import tasks as collection
from flatbed.billing.collection.collector import Collector
from flatbed.billing.gateway.client import connect as connect_gateway
from flatbed.billing.gateway.settings import StripeSettings
from flatbed.billing.reconciliation.tasks import reconciling
from flatbed.billing.statements import tasks as statements
from flatbed.billing.statements.jobs import COLLECT_JOB, RECONCILE_JOB, ROOM_JOB
from flatbed.billing.stripe_events.inbox import APPLY_JOB
from flatbed.billing.stripe_events.tasks import applying
from flatbed.billing.usage.opening import CLOSING_JOB
from flatbed.billing.usage.ports import Campaigns
from flatbed.billing.usage.press import Press
from flatbed.billing.usage.service import ANCHOR_JOB
from flatbed.billing.usage.tasks import anchor_ledger
from flatbed.billing.usage.verification import Expected
from flatbed.tenants.access.require import Gate
from flatbed.tenants.kit.crypto import Keyring
from flatbed.tenants.kit.database.engine import Database, create_engine
from flatbed.tenants.kit.database.guard import refuse_unsafe_role, refuse_without_limits
from flatbed.tenants.kit.database.limits import server_settings
from flatbed.tenants.kit.database.urls import connect
from flatbed.tenants.kit.deadlines import DeadlineHandlers
from flatbed.tenants.kit.edge.admission import Admission
from flatbed.tenants.kit.jobs.runner import JobHandler
from flatbed.tenants.kit.settings import KernelSettings
from flatbed.tenants.mail.settings import MailSettings, open_mail
from flatbed.tenants.oauth.grants.ending.service import Ending
from flatbed.tenants.oauth.keys.rotation import Rotor
from flatbed.tenants.oauth.wiring import OAuth, build_oauth, ensure_signing_key
from flatbed.tenants.organizations.service import RealmTenants
from flatbed.tenants.people.mailing.postman import Postman
from flatbed.tenants.people.wiring import People


class SettingsMissingError(Exception):
    """A setting without which the program must not start."""


@dataclass
class Program:
    """All parts of one process, on one engine."""

    settings: KernelSettings
    database: Database
    keyring: Keyring
    oauth: OAuth
    people: People
    gate: Gate
    database_url: str = field(repr=False)
    jobs: Mapping[str, JobHandler]
    readiness: Readiness
    admission: Admission
    collector: Collector
    deadlines: DeadlineHandlers = field(
        default_factory=lambda: {
            **nurture.DEADLINES,
            **qualifications.DEADLINES,
            **waiting.DEADLINES,
            **statements.DEADLINES,
            **collection.DEADLINES,
        }
    )
    targets: Targets = field(default_factory=CandidateTargets)
    worked_candidates: WorkedCandidates = field(default_factory=FurthestCandidates)
    late_pushes: LatePushes = field(default_factory=ReviewsOfLatePushes)
    signings: Signings = field(default_factory=AcceptanceBySigning)
    campaigns: Campaigns = field(default_factory=KnownCampaigns)
    qualified_entries: Expected = qualified_entries
    press: Press = field(default_factory=Press)

    @property
    def rotor(self) -> Rotor:
        """Turns the signing keys by the settings' schedule."""
        period = timedelta(days=self.settings.signing_key_days)
        return Rotor(self.database, self.keyring, period)

    async def start(self) -> None:
        """As `guard`; and make the first signing key."""
        await self.guard()
        await ensure_signing_key(self.database, self.keyring)

    async def guard(self) -> None:
        """Refuse an unsafe database role, or one without limits.

        Raises:
            UnsafeRoleError: row-level security would not bind this role, or
                (`LimitsMissingError`) statements and locks could last for ever.
        """
        connection = await connect(self.database_url, settings=server_settings("flatbed-start"))
        try:
            await refuse_unsafe_role(connection)
            await refuse_without_limits(connection)
        finally:
            await connection.close()

    async def close(self) -> None:
        """Close every connection."""
        self.readiness.close()
        self.press.close()
        self.people.close()
        if self.collector.gateway is not None:
            await self.collector.gateway.close()
        await self.database.close()


def build(settings: KernelSettings) -> Program:
    """Put the program together.

    Raises:
        SettingsMissingError: no database or no secret is configured.
        WeakSecretError: the secret is shorter than 32 bytes.
        PermissionTableError: routes and permission table differ.
    """
    if settings.database_url is None:
        raise SettingsMissingError("FLATBED_DATABASE_URL")
    if settings.secret_key is None:
        raise SettingsMissingError("FLATBED_SECRET_KEY")
    agree(ROUTERS, PERMISSIONS)
    url = settings.database_url.get_secret_value()
    engine = create_engine(url, pool_size=settings.pool_size, pool_timeout=settings.pool_seconds)
    database = Database(engine)
    keyring = Keyring(settings.secret_key.get_secret_value().encode())
    oauth = build_oauth(database, keyring, settings, PERMISSIONS)
    people = People.of(database, keyring, Ending())
    gate = Gate(
        database=database,
        keyring=keyring,
        permissions=PERMISSIONS,
        authenticator=oauth.authenticator,
        tenants=RealmTenants(),
        assignments=LiveAssignments(),
    )
    stripe = StripeSettings()
    collector = Collector(database, connect_gateway(stripe), is_live=stripe.mode == "live")
    mail = open_mail(MailSettings(), settings.data_dir)
    jobs = {
        **Postman(database, keyring, mail, settings.public_url).jobs,
        ADMISSION_JOB: _admitting(database),
        ROOM_JOB: _admitting(database),
        ANCHOR_JOB: _anchoring(database, settings),
        CLOSING_JOB: _closing(database),
        COLLECT_JOB: collection.collecting(collector),
        RECONCILE_JOB: reconciling(collector),
        APPLY_JOB: applying(collector),
    }
    readiness = Readiness(url)
    admission = Admission(settings.pool_size, seconds=settings.admission_seconds)
    return Program(
        settings,
        database,
        keyring,
        oauth,
        people,
        gate,
        url,
        jobs,
        readiness,
        admission,
        collector,
    )


def _admitting(database: Database) -> JobHandler:
    async def admit(ids: Mapping[str, UUID]) -> None:
        await admit_waiting(database, ids)

    return admit


def _closing(database: Database) -> JobHandler:
    async def schedule(ids: Mapping[str, UUID]) -> None:
        await statements.schedule_closings(database, ids["realm_id"], ids["tenant_id"])

    return schedule


def _anchoring(database: Database, settings: KernelSettings) -> JobHandler:
    async def anchor(ids: Mapping[str, UUID]) -> None:
        await anchor_ledger(database, settings, ids["realm_id"], ids["tenant_id"])

    return anchor
