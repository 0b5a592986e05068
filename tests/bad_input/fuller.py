"""What the isolation tests' samples leave out."""

from typing import Any

from joserfc.jwk import ECKey

from tests.oauth.signing import public

EC = public(ECKey.generate_key("P-256", {"kid": "k"}))
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
    "create_oauth_client": {
        "kind": "web",
        "redirect_uris": ["https://isv.example/callback"],
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks": {"keys": [EC]},
        "allowed_cidrs": ["192.0.2.0/24"],
    },
    "update_oauth_client": {
        "scopes": ["usage:read"],
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks": {"keys": [EC]},
        "allowed_cidrs": ["192.0.2.0/24"],
    },
    "create_client_secret": {"expires_at": "2027-06-01T00:00:00Z"},
    "roll_client_secret": {"label": "n"},
}
FULLER["answer_dispute"] = FULLER["dispute_qualification"]
