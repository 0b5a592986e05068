"""Candidates who are ready to be qualified, written as the slices before would leave them.

Leading one there over HTTP takes forty requests (``factory.ready`` does it); tests of what comes
afterwards, and of two hundred at once, start from these rows.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from flatbed.app.candidates.models import (
    Candidate,
    ChannelRight,
    Contact,
    CriterionJudgement,
    Evidence,
    Fact,
    PlanVersion,
    TenantCompany,
    Touchpoint,
)
from flatbed.app.hunting.models import Assignment
from flatbed.app.registry.models import Company, CompanyLink
from flatbed.tenants.kit.clock import Clock
from flatbed.tenants.kit.database.session import agency_plane
from flatbed.tenants.kit.ids import decode, encode, uuid7
from tests.candidates.factory import CALLER, Site, Worked

CLIENT = uuid7()
PLAN = {
    "revenue_target": 60_000_000,
    "resources": "two consultants",
    "investment": 5_000_000,
    "start_date": "2027-01-01",
}


async def stock(
    site: Site, number: int = 1, *, group_id: UUID | None = None, provenance: str = "system"
) -> list[Worked]:
    """Ready candidates of the site's hunter; those with a ``group_id`` are one company group.

    ``provenance`` is that of the partner's touches.
    """
    made = [_Ready(site, provenance) for _ in range(number)]
    world, clock = site.world, Clock().at(site.now())
    realm, tenant = world.realm_id, site.isv.tenant_id
    async with world.program.database.tenant(
        realm_id=realm, tenant_id=tenant, caller=CALLER, clock=clock
    ) as session:
        for one in made:
            for step in one.rows():
                session.add_all(step)
                await session.flush()
        # In the same transaction: where a server is killed, no candidate may stand unassigned.
        async with agency_plane(session) as agency:
            agency.add_all([one.company(group_id) for one in made])
            await agency.flush()
            agency.add_all([row for one in made for row in one.of_the_agency()])
    return [one.worked() for one in made]


class _Ready:
    """One of them: a partner who moved by himself for a month, and was left alone at its end."""

    def __init__(self, site: Site, provenance: str) -> None:
        self.site = site
        self.provenance = provenance
        self.now = site.now()
        self.id, self.company_id, self.registry_id = uuid7(), uuid7(), uuid7()
        self.chief, self.decision, self.numbers = uuid7(), uuid7(), uuid7()
        self.domain = f"partner-{self.id.hex[-14:]}.example"
        self.tenant_id = site.isv.tenant_id
        self.campaign_id = decode("camp", site.campaign["id"])
        self.hunter_id = decode("staff", site.hunter_staff.id)

    def worked(self) -> Worked:
        id_ = encode("cand", self.id)
        return Worked(self.site, id_, {"id": id_}, chief=encode("cont", self.chief))

    def ago(self, days: float) -> datetime:
        return self.now - timedelta(days=days)

    def company(self, group_id: UUID | None) -> Company:
        return Company(
            realm_id=self.site.world.realm_id,
            id=self.registry_id,
            name="Partner",
            domain=self.domain,
            country="DE",
            attributes={},
            group_id=group_id,
            metadata_={},
            created_at=self.ago(60),
            updated_at=self.ago(60),
        )

    def of_the_agency(self) -> list[Any]:
        realm = self.site.world.realm_id
        link = CompanyLink(
            realm_id=realm,
            id=uuid7(),
            tenant_id=self.tenant_id,
            tenant_company_id=self.company_id,
            company_id=self.registry_id,
        )
        assignment = Assignment(
            realm_id=realm,
            id=uuid7(),
            kind="candidate",
            staff_id=self.hunter_id,
            tenant_id=self.tenant_id,
            campaign_id=self.campaign_id,
            candidate_id=self.id,
            started_at=self.ago(40),
        )
        return [link, assignment]

    def rows(self) -> Iterator[list[Any]]:
        """Its rows, parents first."""
        yield [self._tenant_company()]
        yield [self._candidate()]
        yield [self._contact()]
        yield [*self._touches(), *self._facts(), self._right(), self._judgement()]
        yield [*self._evidence(), self._plan()]

    def _own(self, id_: UUID | None = None) -> dict[str, Any]:
        return {"tenant_id": self.tenant_id, "id": id_ or uuid7(), "candidate_id": self.id}

    def _tenant_company(self) -> TenantCompany:
        return TenantCompany(
            tenant_id=self.tenant_id,
            id=self.company_id,
            name="Partner",
            domain=self.domain,
            country="DE",
            employees=140,
            attributes={},
            created_at=self.ago(40),
            updated_at=self.ago(40),
        )

    def _candidate(self) -> Candidate:
        return Candidate(
            tenant_id=self.tenant_id,
            id=self.id,
            campaign_id=self.campaign_id,
            company_id=self.company_id,
            programme_id=decode("prog", self.site.campaign["programme_id"]),
            source="trade register",
            stage="business_planning",
            status="active",
            stage_entered_at=self.ago(9),
            core_argument="Projects alone do not carry your payroll.",
            hunter_id=self.hunter_id,
            metadata_={},
            created_at=self.ago(40),
            updated_at=self.ago(9),
        )

    def _contact(self) -> Contact:
        return Contact(
            **self._own(self.chief),
            name="A. Person",
            job_title="CEO",
            c_level=True,
            metadata_={},
            created_at=self.ago(39),
            updated_at=self.ago(39),
        )

    def _right(self) -> ChannelRight:
        return ChannelRight(
            **self._own(),
            contact_id=self.chief,
            channel="email",
            country="DE",
            basis="consent",
            source="form",
            recorded_at=self.ago(39),
        )

    def _facts(self) -> list[Fact]:
        return [
            Fact(
                **self._own(),
                statement=f"It has opened branch {number}.",
                source_kind="press",
                source_url="https://press.example/1",
                provenance="public",
                observed_on=self.ago(30 + number).date(),
                trigger_on=self.ago(30).date() if number == 1 else None,
                recorded_by="staff:test",
                recorded_at=self.ago(30),
            )
            for number in (1, 2, 3)
        ]

    def _judgement(self) -> CriterionJudgement:
        return CriterionJudgement(
            **self._own(),
            criterion="reach",
            value=950,
            reason="It names its customers.",
            source_kind="official_register",
            judged_by="staff:test",
            at=self.ago(30),
        )

    def _touches(self) -> list[Touchpoint]:
        return [
            self._touch("P2", 28),
            self._touch("answer", 27, side="agency"),
            self._touch("P3", 20),
            self._touch("P3", 10, self.decision),
            self._touch("P3", 9, self.numbers),
            self._touch("P2", 2),
        ]

    def _touch(
        self, cls: str, days: float, id_: UUID | None = None, side: str = "partner"
    ) -> Touchpoint:
        return Touchpoint(
            **self._own(id_),
            side=side,
            class_=cls,
            channel="email",
            contact_id=self.chief,
            occurred_at=self.ago(days),
            recorded_at=self.ago(days),
            text="Words.",
            provenance=self.provenance if side == "partner" else "attested",
            unrequested_ask=False,
            recorded_by="client:test",
            client_id=CLIENT,
            metadata_={},
        )

    def _evidence(self) -> list[Evidence]:
        return [
            Evidence(
                **self._own(),
                kind="decision_statement",
                touchpoint_id=self.decision,
                contact_id=self.chief,
                occurred_at=self.ago(10),
                statement="We become a partner.",
                data={"role": "managing director"},
                provenance="attested",
                recorded_by="staff:test",
                recorded_at=self.ago(10),
                metadata_={},
            )
        ]

    def _plan(self) -> PlanVersion:
        own = {"author": "partner", "source_touchpoint_id": str(self.numbers)}
        return PlanVersion(
            **self._own(),
            number=1,
            fields=[{"name": name, "value": value, **own} for name, value in PLAN.items()],
            recorded_by="staff:test",
            at=self.ago(9),
        )
