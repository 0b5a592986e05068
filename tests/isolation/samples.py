"""A valid body of every operation that takes one, from an estate's ids.

An operation with a body that stands here not at all, or an id slot that no body here reaches,
fails the build (test_matrix.py).
"""

from collections.abc import Callable, Mapping
from typing import Any

from tests.billing.statements.closed import PROFILE as PROFILE_OF_AGENCY
from tests.isolation.estate import PROFILE

Ids = Mapping[str, str]
NOW = "2026-11-22T12:00:00Z"
TODAY = "2026-11-22"

BODIES: dict[str, Callable[[Ids], list[dict[str, Any]]]] = {
    "create_offering": lambda _: [
        {"name": "n", "programmes": [{"code": "c", "countries": ["DE"]}]}
    ],
    "update_offering": lambda _: [{"name": "n"}],
    "create_profile": lambda i: [{"offering_id": i["off"], "name": "n", **PROFILE}],
    "update_profile": lambda _: [{"name": "n"}],
    "create_profile_version": lambda _: [PROFILE],
    "create_exclusion": lambda _: [{"domain": "somebody.example"}],
    "consent_exclusion": lambda _: [{"consent": True, "reason": "agreed"}],
    "check_exclusion": lambda _: [{"domain": "somebody.example"}],
    "create_member": lambda _: [{"name": "n", "email": "n@isv.example", "role": "viewer"}],
    "update_member": lambda _: [{"name": "n"}],
    "put_sign_in_policy": lambda _: [{"owners_need_totp": False}],
    "create_campaign": lambda i: [
        {
            "name": "n",
            "offering_id": i["off"],
            "programme": "dach",
            "profile_id": i["ipp"],
            "quantity": 1,
        }
    ],
    "update_campaign": lambda i: [{"profile_id": i["ipp"]}],
    "order_campaign": lambda _: [{"expected_unit_price": 1}],
    "create_candidate": lambda _: [
        {"company": {"name": "n", "domain": "new.example", "country": "DE"}, "source": "s"}
    ],
    "update_candidate": lambda _: [{"core_argument": "a"}],
    "create_contact": lambda _: [{"name": "n"}],
    "update_contact": lambda _: [{"name": "n"}],
    "create_channel_right": lambda _: [
        {"channel": "post", "country": "DE", "basis": "b", "source": "s"}
    ],
    "create_objection": lambda i: [{"contact_id": i["cont"], "source": "s"}],
    "create_fact": lambda _: [
        {"statement": "s", "source_kind": "press", "provenance": "tenant", "observed_on": TODAY}
    ],
    "create_judgement": lambda _: [{"criterion": "focus", "value": 500, "reason": "r"}],
    "create_touchpoint": lambda i: [
        {
            "side": "partner",
            "class": "P1",
            "channel": "email",
            "contact_id": i["cont"],
            "occurred_at": NOW,
            "elicited_by": i["touch"],
            "in_reply_to": i["touch"],
        }
    ],
    "lower_touchpoint": lambda i: [{"elicited_by": i["touch"], "reason": "r"}],
    "audit_touchpoint": lambda i: [
        {"class": "push", "elicited_by": i["touch"], "source_seen": "s"}
    ],
    "create_evidence": lambda i: [
        {
            "kind": "outreach_delivered",
            "touchpoint_id": i["touch"],
            "fact_ids": [i["fact"]],
        },
        {
            "kind": "interest_statement",
            "touchpoint_id": i["touch"],
            "contact_id": i["cont"],
            "statement": "s",
        },
        {"kind": "meeting_held", "occurred_at": NOW, "partner_attendees": [i["cont"]]},
    ],
    "confirm_evidence": lambda _: [{"note": "n"}],
    "create_plan_version": lambda i: [
        {
            "fields": [
                {
                    "name": "start_date",
                    "value": TODAY,
                    "author": "partner",
                    "source_touchpoint_id": i["touch"],
                }
            ]
        }
    ],
    "create_transition": lambda _: [{"to": "exited", "reason": "duplicate"}],
    "create_qualification": lambda _: [{}],
    "dispute_qualification": lambda i: [
        {
            "criterion": "qualified.msi",
            "statement": "s",
            "evidence": [{"kind": "touchpoint", "description": "d", "touchpoint_id": i["touch"]}],
        }
    ],
    "answer_dispute": lambda i: [
        {
            "statement": "s",
            "evidence": [{"kind": "touchpoint", "description": "d", "touchpoint_id": i["touch"]}],
        }
    ],
    "decide_dispute": lambda _: [{"decision": "confirmed", "reason": "r"}],
    "create_terms_change": lambda _: [{"description": "d"}],
    "create_partner_request": lambda i: [{"touchpoint_id": i["touch"]}],
    "create_guarantee_case": lambda i: [
        {
            "withdrew_at": NOW,
            "reason": "r",
            "evidence": [{"kind": "touchpoint", "description": "d", "touchpoint_id": i["touch"]}],
        }
    ],
    "decide_guarantee_case": lambda _: [{"decision": "refused", "reason": "r"}],
    "create_free_ride": lambda i: [
        {
            "contracted_on": TODAY,
            "statement": "s",
            "evidence": [{"kind": "touchpoint", "description": "d", "touchpoint_id": i["touch"]}],
        }
    ],
    "decide_free_ride": lambda _: [{"decision": "refused", "reason": "r"}],
    "create_company": lambda i: [{"name": "n", "domain": "c.example", "group_id": i["grp"]}],
    "update_company": lambda i: [{"group_id": i["grp"]}],
    "create_company_group": lambda _: [{"name": "n"}],
    "merge_company_group": lambda i: [{"into": i["grp"]}],
    "create_assignment": lambda i: [
        {"kind": "sourcing", "staff_id": i["staff"], "campaign_id": i["camp"]},
        {"kind": "candidate", "staff_id": i["staff"], "candidate_id": i["cand"]},
    ],
    "create_price_list": lambda _: [{"name": "n", "currency": "EUR", "unit_price": 1}],
    "update_price_list": lambda _: [{"active": False}],
    "write_off_usage": lambda _: [{"reason": "r"}],
    "update_billing_account": lambda _: [{"purchase_order": "4711"}],
    "create_payment_setup": lambda _: [
        {"success_url": "https://isv.example/ok", "cancel_url": "https://isv.example/no"}
    ],
    "create_portal_session": lambda _: [{"return_url": "https://isv.example/"}],
    "set_billing_terms": lambda _: [{"payment_terms_days": 30}],
    "put_billing_profile": lambda _: [PROFILE_OF_AGENCY],
    "create_organization": lambda _: [
        {
            "slug": "another",
            "name": "n",
            "country": "DE",
            "time_zone": "Europe/Berlin",
            "currency": "EUR",
        }
    ],
    "update_organization": lambda _: [{"name": "n"}],
    "create_staff": lambda _: [{"name": "n", "email": "n@agency.example", "role": "hunter"}],
    "update_staff": lambda _: [{"name": "n"}],
    "create_oauth_client": lambda i: [
        {
            "name": "n",
            "owner": {"kind": "isv", "organization_id": i["org"]},
            "scopes": ["usage:read"],
        },
        {
            "name": "n",
            "owner": {"kind": "staff", "staff_id": i["staff"]},
            "scopes": ["pipeline:read"],
        },
    ],
    "update_oauth_client": lambda _: [{"name": "n"}],
    "create_client_secret": lambda _: [{"label": "n"}],
    "roll_client_secret": lambda _: [{"overlap": "0"}],
    "advance_sandbox_clock": lambda _: [{"advance_seconds": 1}],
}


def reaches(body: Any, name: str) -> bool:
    """Whether the body holds something at a slot (``fields.[].source_touchpoint_id``)."""
    head, _, rest = name.partition(".")
    if head == "[]":
        return isinstance(body, list) and bool(body) and (not rest or reaches(body[0], rest))
    if not isinstance(body, dict) or head not in body:
        return False
    return not rest or reaches(body[head], rest)


def planted(body: Any, name: str, value: str) -> Any:
    """A copy of the body with the value at the slot, in a list's first item."""
    head, _, rest = name.partition(".")
    if head == "[]":
        return [planted(body[0], rest, value) if rest else value, *body[1:]]
    return {**body, head: planted(body[head], rest, value) if rest else value}
