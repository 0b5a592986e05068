"""What each operation that writes leaves behind it: which audit rows and events, and where."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import httpx

from flatbed.tenants.kit.database.urls import Plain
from flatbed.tenants.kit.ids import uuid7
from tests.api.support import Client

DOCUMENT: Final = Path(__file__).parents[2] / "openapi" / "openapi.json"
UNSAFE: Final = ("post", "put", "patch", "delete")


@dataclass(frozen=True, slots=True)
class Left:
    """The actions of a write: audited and told in the tenant, audited in the agency plane.

    ``events`` is what subscribers are told, the same as ``audit`` unless it says otherwise.
    """

    audit: tuple[str, ...] = ()
    agency: tuple[str, ...] = ()
    events: tuple[str, ...] | None = None

    @property
    def told(self) -> tuple[str, ...]:
        """The types of the events."""
        return self.audit if self.events is None else self.events


def tenant(*actions: str, agency: tuple[str, ...] = ()) -> Left:
    """Audited and told in the tenant."""
    return Left(actions, agency)


def agency(*actions: str) -> Left:
    """Audited in the agency plane, which tells nobody."""
    return Left(agency=actions)


LEFT: Final[dict[str, Left]] = {
    "create_offering": tenant("offering.created"),
    "update_offering": tenant("offering.updated"),
    "create_profile": tenant("profile.created"),
    "update_profile": tenant("profile.updated"),
    "create_profile_version": tenant("profile.version_created"),
    "create_exclusion": tenant("exclusion.created"),
    "delete_exclusion": tenant("exclusion.deleted"),
    "consent_exclusion": tenant("exclusion.consented"),
    "create_campaign": tenant("campaign.created"),
    "update_campaign": tenant("campaign.updated"),
    "order_campaign": tenant("campaign.ordered"),
    "start_campaign": tenant("campaign.started"),
    "pause_campaign": tenant("campaign.paused"),
    "resume_campaign": tenant("campaign.resumed"),
    "close_campaign": tenant("campaign.closed"),
    "cancel_campaign": tenant("campaign.cancelled"),
    "create_candidate": tenant(
        "candidate.created", agency=("company.created", "assignment.created")
    ),
    "update_candidate": tenant("candidate.updated"),
    "create_contact": tenant("contact.created"),
    "update_contact": tenant("contact.updated"),
    "create_channel_right": tenant("channel_right.recorded"),
    "create_objection": tenant("objection.recorded"),
    "resolve_objection": tenant("objection.resolved"),
    "create_fact": tenant("fact.recorded", agency=("registry_fact.created",)),
    "create_judgement": tenant("criterion.judged"),
    "create_touchpoint": tenant("touchpoint.recorded"),
    "lower_touchpoint": tenant("touchpoint.lowered"),
    "audit_touchpoint": tenant("touchpoint.audited"),
    "create_evidence": tenant("evidence.recorded"),
    "confirm_evidence": tenant("evidence.confirmed"),
    "create_plan_version": tenant("plan.version_recorded"),
    "create_transition": tenant("candidate.exited"),
    "create_qualification": tenant(
        "usage.recorded", "candidate.stage_changed", "qualification.submitted"
    ),
    "dispute_qualification": tenant("usage.disputed", "dispute.opened"),
    "withdraw_dispute": tenant("usage.withdrawn", "dispute.withdrawn"),
    "create_terms_change": tenant("programme.terms_changed"),
    "create_partner_request": tenant("partner_request.marked"),
    "create_guarantee_case": tenant("guarantee_case.reported"),
    "decide_guarantee_case": tenant("guarantee_case.opened"),
    "create_free_ride": tenant("free_ride.reported"),
    "decide_free_ride": tenant("usage.recorded", "qualification.submitted", "free_ride.confirmed"),
    "answer_dispute": tenant("dispute.answered"),
    "decide_dispute": tenant("usage.confirmed", "qualification.accepted", "dispute.confirmed"),
    "admit_waiting_qualification": tenant(
        "usage.recorded",
        "candidate.stage_changed",
        "qualification.submitted",
        "waiting_qualification.admitted",
    ),
    "accept_qualification": tenant("usage.accepted", "qualification.accepted"),
    "create_company": agency("company.created"),
    "update_company": agency("company.updated"),
    "create_company_group": agency("company_group.created"),
    "merge_company_group": agency("company_group.merged"),
    "create_assignment": agency("assignment.created"),
    "end_assignment": agency("assignment.ended"),
    "create_price_list": agency("price_list.created"),
    "update_price_list": agency("price_list.updated"),
    "close_period": tenant("period.closed", "statement.closed"),
    "write_off_usage": tenant("usage.written_off"),
    "create_payment_setup": tenant("billing_account.updated"),
    "update_billing_account": tenant("billing_account.updated"),
    "set_billing_terms": tenant("billing_account.updated"),
    "put_billing_profile": agency("billing_profile.updated"),
    "create_organization": agency("organization.created"),
    "update_organization": agency("organization.updated"),
    "create_staff": agency("staff.created"),
    "update_staff": agency("staff.updated"),
    "invite_staff": agency("staff.invited"),
    "create_member": tenant("member.invited"),
    "update_member": tenant("member.updated"),
    "resend_invitation": tenant("member.reinvited"),
    "put_sign_in_policy": tenant("sign_in_policy.updated"),
    "create_oauth_client": agency("oauth_client.created", "client_secret.created"),
    "update_oauth_client": agency("oauth_client.updated"),
    "delete_oauth_client": agency("oauth_client.deleted"),
    "create_client_secret": agency("client_secret.created"),
    "roll_client_secret": agency("client_secret.created", "client_secret.rolled"),
    "revoke_client_secret": agency("client_secret.revoked"),
    "advance_sandbox_clock": agency("realm.clock_advanced"),
}

NOTHING: Final[dict[str, str]] = {
    "create_portal_session": "asks the payment provider for a page; the customer was there",
    "check_exclusion": "asks whether a company is excluded, by POST to keep its name out of logs",
}
"""Operations of unsafe methods that change nothing, and why they have that method."""

OUTSIDE: Final = "/oauth/"
"""Tokens are issued by the login plane, which no tenant's audit records."""


def unsafe() -> dict[str, tuple[str, str, bool]]:
    """Method, path and whether it takes an Idempotency-Key, of each operation that may write."""
    document = json.loads(DOCUMENT.read_text(encoding="utf-8"))
    return {
        found["operationId"]: (
            method.upper(),
            path,
            any(one["name"] == "Idempotency-Key" for one in found.get("parameters", ())),
        )
        for path, item in document["paths"].items()
        if not path.startswith(OUTSIDE)
        for method in UNSAFE
        if (found := item.get(method)) is not None
    }


@dataclass(frozen=True, slots=True)
class Row:
    """An audit row or event: what it says, its request, and the transaction that wrote it."""

    action: str
    request: str | None
    written_by: str


_AUDIT = "SELECT id, action, request_id, {x} AS writer FROM {table} WHERE {owner} = $1"
_EVENT = "SELECT id, type, NULL, {x} AS writer FROM {table} WHERE {owner} = $1"
_SOURCES: Final = {
    "audit": (_AUDIT, "tenant_id", ("audit_pending", "audit_entry")),
    "told": (_EVENT, "tenant_id", ("event_pending", "event")),
    "agency": (_AUDIT, "realm_id", ("agency_audit_pending", "agency_audit_entry")),
}
Rows = dict[str, dict[UUID, Row]]


@dataclass
class Trail:
    """Sends operations and looks at what each of them left."""

    admin: Plain
    realm_id: UUID
    tenant_id: UUID
    seen: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    async def done(
        self,
        operation: str,
        client: Client,
        body: Any = None,
        *ids: str,
        version: str | int | None = None,
    ) -> dict[str, Any]:
        """Send it once, and under a key once more; the body of the answer.

        ``ids`` fill the parameters of the path in their order.
        """
        method, path, keyed = unsafe()[operation]
        for id_ in ids:
            path = path[: path.index("{")] + id_ + path[path.index("}") + 1 :]
        key = uuid7().hex if keyed else None
        before = await self.rows()

        async def send() -> httpx.Response:
            return await client.request(method, path, json=body, key=key, version=version)

        answer = await send()
        assert answer.is_success, f"{operation}: {answer.status_code} {answer.text}"
        after = await self.rows()
        self._judge(operation, new(before, after), answer.headers["x-request-id"])
        if keyed:
            replayed = await send()
            assert replayed.headers["idempotent-replayed"] == "true", operation
            if await self.rows() != after:
                self.wrong.append(f"{operation}: its replay left rows")
        self.seen.append(operation)
        found: dict[str, Any] = answer.json() if answer.content else {}
        return found

    async def rows(self) -> Rows:
        """Every audit row and event of the tenant and the realm, sealed or not."""
        found: Rows = {}
        for part, (query, owner, tables) in _SOURCES.items():
            whose = self.tenant_id if owner == "tenant_id" else self.realm_id
            found[part] = {}
            for table in tables:
                # Sealing writes a row anew: then it says nothing of the transaction.
                writer = "xmin::text" if table.endswith("_pending") else "''"
                text = query.format(table=table, owner=owner, x=writer)
                for id_, action, request, by in await self.admin.fetch(text, whose):
                    found[part][id_] = Row(action, request, by)
        return found

    def _judge(self, operation: str, left: dict[str, list[Row]], request_id: str) -> None:
        expected = LEFT.get(operation, Left())
        wanted = {"audit": expected.audit, "told": expected.told, "agency": expected.agency}
        for part, actions in wanted.items():
            found = sorted(row.action for row in left[part])
            if found != sorted(actions):
                self.wrong.append(f"{operation}: {part} {found}, not {sorted(actions)}")
        writers = {row.written_by for row in _all(left) if row.written_by}
        if len(writers) > 1:
            self.wrong.append(f"{operation}: written by {len(writers)} transactions")
        requests = {row.request for part in ("audit", "agency") for row in left[part]}
        if requests - {request_id}:
            self.wrong.append(f"{operation}: of the requests {requests}, not {request_id}")


def new(before: Rows, after: Rows) -> dict[str, list[Row]]:
    """What came between two looks, by part."""
    return {
        part: [row for id_, row in rows.items() if id_ not in before[part]]
        for part, rows in after.items()
    }


def _all(left: dict[str, list[Row]]) -> Iterable[Row]:
    return (row for rows in left.values() for row in rows)
