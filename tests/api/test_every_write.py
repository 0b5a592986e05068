"""Every operation that writes leaves exactly its audit rows and events, in its transaction."""

from dataclasses import dataclass
from typing import Any

from flatbed.tenants.kit.database.urls import Plain
from flatbed.tenants.kit.ids import encode
from tests.api.support import Client, World
from tests.api.writes import LEFT, NOTHING, Trail, unsafe
from tests.billing.statements.closed import PROFILE as BILLING_PROFILE
from tests.billing.statements.closed import march
from tests.candidates.factory import PROFILE, Site, company, site
from tests.qualifications.factory import ANSWER, DISPUTE
from tests.qualifications.guarantee.claims import FOUND, PROOF, accepted, today
from tests.qualifications.stock import stock

DACH = {"code": "dach", "countries": ["DE", "AT"]}
CONSENT = {"consent": True, "reason": "Known since May."}


class TestMapping:
    def test_every_operation_says_what_it_leaves(self) -> None:
        assert set(unsafe()) == set(LEFT) | set(NOTHING)
        assert len(LEFT) > 50
        assert all(left.audit or left.agency for left in LEFT.values())


@dataclass
class Story:
    """Who does it, and where what each step did is looked at."""

    place: Site
    trail: Trail

    @property
    def isv(self) -> Client:
        """The ISV."""
        return self.place.isv.client

    async def offer(self) -> None:
        """What an ISV prepares and orders."""
        done, isv, lead = self.trail.done, self.isv, self.place.lead
        body: dict[str, Any] = {"name": "DMS", "programmes": [DACH]}
        offering = (await done("create_offering", isv, body))["id"]
        await done("update_offering", isv, {"name": "New"}, offering, version=1)
        body = {"offering_id": offering, "name": "Systemhaus", **PROFILE}
        profile = (await done("create_profile", isv, body))["id"]
        await done("update_profile", isv, {"name": "Other"}, profile, version=1)
        await done("create_profile_version", isv, PROFILE, profile)
        draft = {
            "name": "Autumn",
            "offering_id": offering,
            "programme": "dach",
            "profile_id": profile,
            "quantity": 3,
        }
        campaign = (await done("create_campaign", isv, draft))["id"]
        await done("update_campaign", isv, {"name": "Winter"}, campaign, version=1)
        for operation, by in (
            ("order_campaign", isv),
            ("start_campaign", lead),
            ("pause_campaign", isv),
            ("resume_campaign", isv),
            ("close_campaign", lead),
        ):
            await done(operation, by, None, campaign)
        other = await isv.made("/v1/campaigns", draft)
        await isv.made(f"/v1/campaigns/{other['id']}/order")
        await done("cancel_campaign", isv, None, other["id"])

    async def exclude(self) -> None:
        """Companies that the ISV keeps for itself."""
        done, isv = self.trail.done, self.isv
        made = await done("create_exclusion", isv, {"domain": "kept.example"})
        await done("delete_exclusion", isv, None, made["id"], version=1)
        body = {"domain": "asked.example"}
        await done("check_exclusion", self.place.hunter, body, self.place.campaign["id"])
        (worked,) = await stock(self.place)
        domain = (await worked.read(self.place.lead))["company"]["domain"]
        waiting = await isv.made("/v1/exclusions", {"domain": domain})
        await done("consent_exclusion", self.place.lead, CONSENT, waiting["id"])

    async def work(self) -> None:
        """A hunter's day with a candidate."""
        done, hunter, lead = self.trail.done, self.place.hunter, self.place.lead
        body = {"company": company(), "source": "trade register"}
        made = await done("create_candidate", hunter, body, self.place.campaign["id"])
        cand = made["id"]
        await done("update_candidate", hunter, {"core_argument": "a"}, cand, version=1)
        contact = (await done("create_contact", hunter, {"name": "A. Person"}, cand))["id"]
        await done("update_contact", hunter, {"name": "B. Person"}, cand, contact, version=1)
        right = {"channel": "email", "country": "DE", "basis": "consent", "source": "form"}
        await done("create_channel_right", hunter, right, cand, contact)
        objection = await done("create_objection", hunter, {"channel": "post", "source": "s"}, cand)
        compliance = (await self.place.world.staff("compliance")).at(self.place.isv)
        await done("resolve_objection", compliance, None, cand, objection["id"])
        today = self.place.now().date().isoformat()
        fact = {
            "statement": "It has a branch in Kassel.",
            "source_kind": "press",
            "source_url": "https://press.example/1",
            "provenance": "public",
            "observed_on": today,
        }
        await done("create_fact", hunter, fact, cand)
        judgement = {"criterion": "reach", "value": 700, "reason": "It names its customers."}
        await done("create_judgement", hunter, judgement, cand)
        touch = {"channel": "email", "contact_id": contact, "occurred_at": made["created_at"]}
        push = await done(
            "create_touchpoint", hunter, {"side": "agency", "class": "push", **touch}, cand
        )
        own = await hunter.made(
            f"/v1/candidates/{cand}/touchpoints", {"side": "partner", "class": "P2", **touch}
        )
        lowering = {"class": "P1", "reason": "He was asked."}
        await done("lower_touchpoint", self.isv, lowering, cand, own["id"])
        audit = {"class": "P2", "source_seen": "headers"}
        await done("audit_touchpoint", lead, audit, own["id"])
        delivered = {"kind": "outreach_delivered", "touchpoint_id": push["id"], "fact_ids": []}
        evidence = (await done("create_evidence", hunter, delivered, cand))["id"]
        await done("confirm_evidence", lead, {"note": "Seen."}, cand, evidence)
        plan = {"fields": [{"name": "start_date", "value": today, "author": "hunter"}]}
        await done("create_plan_version", hunter, plan, cand)
        etag = (await hunter.get(f"/v1/candidates/{cand}")).headers["etag"]
        leaving = {"to": "exited", "reason": "duplicate"}
        await done("create_transition", hunter, leaving, cand, version=etag)

    async def bill(self) -> None:
        """One unit that is disputed and confirmed, one that is accepted."""
        done, isv = self.trail.done, self.isv
        disputed, accepted = await stock(self.place, 2)
        one = (await done("create_qualification", disputed.site.hunter, None, disputed.id))["id"]
        await done("dispute_qualification", isv, DISPUTE, one)
        await done("answer_dispute", self.place.lead, ANSWER, one)
        decision = {"decision": "confirmed", "reason": "I looked at every touch."}
        await done("decide_dispute", self.place.lead, decision, one)
        two = await accepted.site.hunter.made(f"{accepted.path}/qualifications")
        await done("accept_qualification", isv, None, two["id"])
        full = await site(self.place.world, isv=self.place.isv, caps={"units_total": 1})
        first, second = await stock(full, 2)
        await full.hunter.made(f"{first.path}/qualifications")
        waiting = await full.hunter.post(f"{second.path}/qualifications")
        await done("admit_waiting_qualification", isv, None, waiting.json()["id"])

    async def make_good(self) -> None:
        """A dispute that is taken back, a partner who withdrew, and one who was contracted."""
        done, isv, lead = self.trail.done, self.isv, self.place.lead
        place = await site(self.place.world, isv=self.place.isv, quantity=9)
        contested, ridden = await stock(place, 2)
        (unit,) = await accepted(place)
        one = await contested.site.hunter.made(f"{contested.path}/qualifications")
        await isv.made(f"/v1/qualifications/{one['id']}/disputes", DISPUTE)
        await done("withdraw_dispute", isv, None, one["id"])
        touches = await isv.read(f"{unit.worked.path}/touchpoints")
        request = {"touchpoint_id": touches["data"][0]["id"]}
        await done("create_partner_request", lead, request, unit.id)
        left = {"withdrew_at": place.now().isoformat(), "reason": "r", "evidence": [PROOF]}
        case = (await done("create_guarantee_case", isv, left, unit.id))["id"]
        other = (await place.world.staff("lead", new=True)).at(place.isv)
        await done("decide_guarantee_case", other, FOUND, case)
        signed = {
            "contracted_on": today(place).isoformat(),
            "statement": "We signed.",
            "evidence": [PROOF],
        }
        ride = (await done("create_free_ride", isv, signed, ridden.id))["id"]
        await done("decide_free_ride", lead, FOUND, ride)
        programme = place.campaign["programme_id"]
        await done("create_terms_change", isv, {"description": "The margin falls."}, programme)

    async def settle(self) -> None:
        """How the ISV is billed, what is given up, and a month that is closed."""
        done, place = self.trail.done, self.place
        finance = await place.world.staff("finance")
        await done("put_billing_profile", finance.client, BILLING_PROFILE, version=0)
        body: dict[str, Any] = {"purchase_order": "4711"}
        await done("update_billing_account", self.isv, body, version=0)
        terms = {"payment_terms_days": 30}
        await done("set_billing_terms", finance.at(place.isv), terms, version=1)
        links = {"success_url": "https://isv.example/a", "cancel_url": "https://isv.example/b"}
        await done("create_payment_setup", self.isv, links)
        await done("create_portal_session", self.isv, {"return_url": "https://isv.example/"})
        entry = await march(place.world, place.isv)
        reason = {"reason": "goodwill"}
        await done("write_off_usage", finance.at(place.isv), reason, encode("use", entry.entry_id))
        period = encode("per", entry.period_id)
        await done("close_period", finance.at(place.isv), None, period)

    async def belong(self) -> None:
        """The ISV's own people."""
        done, isv = self.trail.done, self.isv
        body = {"name": "A Person", "email": "p@isv.example", "role": "viewer"}
        member = (await done("create_member", isv, body))["id"]
        await done("update_member", isv, {"role": "manager"}, member, version=1)
        await done("resend_invitation", isv, None, member)
        await done("put_sign_in_policy", isv, {"owners_need_totp": True}, version=0)

    async def administer(self) -> None:
        """The agency's own house."""
        done, world = self.trail.done, self.place.world
        admin, finance = world.admin, (await world.staff("finance")).client
        group = (await done("create_company_group", admin, {"name": "Nord"}))["id"]
        into = await admin.made("/v1/company-groups", {"name": "South"})
        await done("merge_company_group", (await world.staff("lead")).client, into_(into), group)
        body: dict[str, Any] = {"name": "Firm", "domain": f"firm-{world.realm[-6:]}.example"}
        firm = (await done("create_company", admin, body))["id"]
        await done("update_company", admin, {"name": "Other"}, firm, version=1)
        heir = await world.staff("hunter", new=True)
        body = {"kind": "sourcing", "staff_id": heir.id, "campaign_id": self.place.campaign["id"]}
        sourcing = (await done("create_assignment", self.place.lead, body))["id"]
        await done("end_assignment", (await world.staff("lead")).client, None, sourcing)
        body = {"name": "List", "currency": "CHF", "unit_price": 450_000}
        price = (await done("create_price_list", finance, body))["id"]
        await done("update_price_list", finance, {"active": False}, price, version=1)
        body = {
            "slug": "another",
            "name": "Another",
            "country": "DE",
            "time_zone": "Europe/Berlin",
            "currency": "EUR",
        }
        isv = (await done("create_organization", admin, body))["id"]
        await done("update_organization", admin, {"name": "New"}, isv, version=1)
        body = {"name": "A hunter", "email": "h@agency.example", "role": "hunter"}
        staff = (await done("create_staff", admin, body))["id"]
        await done("update_staff", admin, {"name": "New"}, staff, version=1)
        await done("invite_staff", admin, None, staff)
        owner = {"kind": "isv", "organization_id": isv}
        body = {"name": "c", "owner": owner, "scopes": ["usage:read"]}
        client = (await done("create_oauth_client", admin, body))["client_id"]
        await done("update_oauth_client", admin, {"name": "d"}, client, version=1)
        secret = (await done("create_client_secret", admin, {"label": "s"}, client))["id"]
        body = {"overlap": "0"}
        secret = (await done("roll_client_secret", admin, body, client, secret))["id"]
        await done("revoke_client_secret", admin, None, client, secret, version=4)
        await done("delete_oauth_client", admin, None, client, version=5)
        await done("advance_sandbox_clock", admin, {"advance_seconds": 1})


def into_(group: dict[str, Any]) -> dict[str, Any]:
    """The body of a merge."""
    return {"into": group["id"]}


class TestEveryWrite:
    async def test_each_leaves_its_audit_and_events_once_in_one_transaction(
        self, world: World, admin_connection: Plain
    ) -> None:
        """A replay under the same key leaves nothing more."""
        place = await site(world)
        story = Story(place, Trail(admin_connection, world.realm_id, place.isv.tenant_id))
        for chapter in (
            story.settle,
            story.offer,
            story.exclude,
            story.work,
            story.bill,
            story.make_good,
            story.belong,
            story.administer,
        ):
            await chapter()
        assert not story.trail.wrong, "\n".join(story.trail.wrong)
        assert set(story.trail.seen) == set(unsafe())
