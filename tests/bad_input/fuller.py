"""What the isolation tests' samples leave out."""

from typing import Any

# What the samples leave out, so that every place has a parent with all it needs.
FULLER: dict[str, dict[str, Any]] = {
    "update_offering": {"add_programmes": [{"code": "more", "countries": ["AT"]}]},
    "create_campaign": {"caps": {"units_total": 5}},
    "update_campaign": {"caps": {"units_total": 5}},
    "update_candidate": {"nurture": {"until": "2027-02-01", "trigger": "budget"}},
    "create_candidate": {"company": {"attributes": {}}},
    "create_company": {"attributes": {}},
    "update_company": {"attributes": {}},
    "dispute_qualification": {
        "evidence": [
            {
                "kind": "document",
                "description": "d",
                "contacts": [{"on": "2026-11-02", "direction": "to_partner"}],
            }
        ]
    },
    "update_oauth_client": {"scopes": ["usage:read"]},
}
FULLER["answer_dispute"] = FULLER["dispute_qualification"]
