"""What the schema promises, written down apart from the code that makes it.

Adding a table or a right means changing this file too: that is its purpose.
"""


def setting(name: str) -> str:
    """A setting of the transaction as PostgreSQL writes our expression back."""
    return f"(NULLIF(current_setting('flatbed.{name}'::text, true), ''::text))::uuid"


def plane(name: str) -> str:
    """The transaction holds this plane."""
    return f"(current_setting('flatbed.plane'::text, true) = '{name}'::text)"


TENANT = f"(tenant_id = {setting('tenant_id')})"
REALM = f"(realm_id = {setting('realm_id')})"
AGENCY = f"({REALM} AND {plane('agency')})"
LOGIN = plane("login")
WORKER = plane("worker")
IS_TENANT = f"(id = {setting('tenant_id')})"
IS_REALM = f"(id = {setting('realm_id')})"
REALM_IN_AGENCY = f"({IS_REALM} AND {plane('agency')})"
CLOSED = (
    f"(({setting('candidate_from')} = '00000000-0000-0000-0000-000000000000'::uuid)"
    f" AND ({setting('candidate_to')} = 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid))"
)


OF_TENANT = f"({REALM} AND {TENANT} AND {CLOSED[1:-1]})"


def in_range(column: str) -> str:
    """The candidate lies in the transaction's range."""
    return (
        f"(({column} >= {setting('candidate_from')}) AND ({column} <= {setting('candidate_to')}))"
    )


TENANT_KINDS = {"shared", "candidate", "closed"}
FEWEST_TENANT_TABLES = 36

# Neither tenant nor realm stands in them, so row security has nothing to compare.
INFRASTRUCTURE = {
    "alembic_version": "one row: the newest migration",
    "pgqueuer": "jobs of all tenants; they carry opaque ids only",
    "pgqueuer_log": "outcomes of jobs, as codes",
    "pgqueuer_schedules": "the clockwork of recurring jobs",
    "pgqueuer_statistics": "counts of jobs",
}

# Of a table: name → (command, USING, WITH CHECK); * is all commands.
OWN_POLICIES: dict[str, dict[str, tuple[str, str | None, str | None]]] = {
    "realm": {
        "own": ("SELECT", IS_REALM, None),
        "login": ("SELECT", LOGIN, None),
        "worker": ("SELECT", WORKER, None),
        "opened": ("INSERT", None, REALM_IN_AGENCY),
        "changed": ("UPDATE", REALM_IN_AGENCY, REALM_IN_AGENCY),
    },
    "wakeup": {
        "tenant": ("INSERT", None, f"({TENANT} AND {REALM})"),
        "agency": ("INSERT", None, f"((tenant_id IS NULL) AND {REALM} AND {plane('agency')})"),
        "seen": ("SELECT", WORKER, None),
        "handled": ("DELETE", WORKER, None),
    },
    "signing_key": {"login": ("*", LOGIN, LOGIN)},
    "used_assertion": {"login": ("*", LOGIN, LOGIN)},
    "gateway_event": {
        "received": ("INSERT", None, f"({LOGIN} OR {WORKER})"),
        "seen": ("SELECT", f"({LOGIN} OR {WORKER})", None),
        "handled": ("UPDATE", WORKER, WORKER),
    },
    "organization": {
        "own": ("SELECT", IS_TENANT, None),
        "login": ("SELECT", LOGIN, None),
        "worker": ("SELECT", WORKER, None),
    },
    "staff": {"login": ("SELECT", LOGIN, None)},
    "user_account": {"login": ("*", LOGIN, LOGIN)},
    "recovery_code": {"login": ("*", LOGIN, LOGIN)},
    "user_session": {"login": ("*", LOGIN, LOGIN)},
    "password_reset": {"login": ("*", LOGIN, LOGIN)},
    "failure_count": {"login": ("*", LOGIN, LOGIN)},
    "consent": {"login": ("*", LOGIN, LOGIN)},
    "authorization_code": {"login": ("*", LOGIN, LOGIN)},
    "refresh_token": {"login": ("*", LOGIN, LOGIN)},
    "membership": {"login": ("SELECT", LOGIN, None), "tenant": ("*", OF_TENANT, OF_TENANT)},
    "invitation": {"login": ("SELECT", LOGIN, None), "tenant": ("*", OF_TENANT, OF_TENANT)},
    "sign_in_policy": {"login": ("SELECT", LOGIN, None), "tenant": ("*", OF_TENANT, OF_TENANT)},
    "oauth_grant": {"login": ("*", LOGIN, LOGIN), "tenant": ("*", OF_TENANT, OF_TENANT)},
    "oauth_client": {"login": ("SELECT", LOGIN, None), "tenant": ("*", OF_TENANT, OF_TENANT)},
    "client_secret": {
        "login": ("SELECT", LOGIN, None),
        "tenant": ("*", OF_TENANT, OF_TENANT),
        "last_used": ("UPDATE", LOGIN, LOGIN),
    },
}

# Found by id before the realm is known, so the id alone is unique as well.
GLOBAL_IDS = {"invitation", "oauth_client", "oauth_grant", "organization"}

# Rights of flatbed_app: S, I, U, D, or U of the named columns only.
GRANTS = {
    "access_log": "SI",
    "agency_audit_entry": "SI",
    "agency_audit_head": "SIU",
    "agency_audit_pending": "SID",
    "agency_idempotency_key": "SIUD",
    "alembic_version": "S",
    "assignment": "SI U(ended_at)",
    "audit_entry": "SI",
    "audit_head": "SIU",
    "audit_pending": "SID",
    "authorization_code": "SID U(used_at)",
    "billing_account": "SIU",
    "billing_finding": "SI U(detail resolved_at seen_at)",
    "billing_profile": "SIU",
    "campaign": "SIU",
    "candidate": "SIU",
    "candidate_card": "SIU",
    "cap_counter": "SIU",
    "channel_right": "SI",
    "client_secret": "SIUD",
    "collection": "SIU",
    "company": "SIU",
    "company_group": "SIU",
    "company_link": "SI",
    "consent": "SID U(granted_at scopes)",
    "contact": "SIU",
    "criterion_judgement": "SI",
    "deadline": "SIU",
    "dispute": "SIU",
    "dispute_card": "SIU",
    "event": "SI",
    "event_head": "SIU",
    "event_pending": "SID",
    "evidence": "SI",
    "evidence_confirmation": "SI",
    "exclusion": "SIUD",
    "fact": "SI",
    "failure_count": "SIUD",
    "free_ride": (
        "SI U(decided_at decided_by decision_reason qualification_id status updated_at version)"
    ),
    "gateway_event": "SI U(handled_at outcome)",
    "guarantee_case": (
        "SI U(credit_entry_id credited_amount day decided_at decided_by decision_reason ended_at"
        " percent replace_by replacement_id status updated_at version)"
    ),
    "idempotency_key": "SIUD",
    "invitation": "SI U(accepted_at revoked_at)",
    "invoice": "SI",
    "invoice_series": "SIU",
    "ledger_head": "SIU",
    "membership": "SIU",
    "oauth_client": "SIU",
    "oauth_grant": "SID U(revoke_reason revoked_at)",
    "objection": "SI U(resolved_at)",
    "offering": "SIU",
    "organization": "SIU",
    "partner_request": "SI",
    "password_reset": "SID U(used_at)",  # pragma: allowlist secret - a table and its rights
    "period": "SI U(status)",
    "pgqueuer": "SIUD",
    "pgqueuer_log": "SIUD",
    "pgqueuer_schedules": "SIUD",
    "pgqueuer_statistics": "SIU",
    "plan_version": "SI",
    "price_list": "SIU",
    "profile": "SIU",
    "profile_version": "SI",
    "programme": "SIU",
    "programme_terms_change": "SI",
    "qualification": (
        "SI U(accept_by accepted_at accepted_basis accepted_by external_ref metadata status"
        " updated_at version void_reason voided_at)"
    ),
    "qualification_review": "SIU",
    "realm": "SI U(clock_offset_us name)",
    "reconciliation": "SI",
    "recovery_code": "SID U(used_at)",
    "refresh_token": "SID U(first_used_at idle_until siblings)",
    "registry_fact": "SI",
    "sign_in_policy": "SIU",
    "signing_key": "SIU",
    "staff": "SIU",
    "statement": "SI",
    "statement_line": "SI",
    "statement_rest": "SI",
    "tenant_company": "SIU",
    "touchpoint": "SI",
    "touchpoint_verdict": "SI",
    "transition": "SI",
    "usage_decision": "SI",
    "usage_entry": "SI",
    "used_assertion": "SID U(request_id)",
    "user_account": "SIU",
    "user_session": "SID U(revoked_at seen_at)",
    "waiting_line": "SIU",
    "waiting_qualification": (
        "SI U(end_reason ended_at qualification_id status updated_at version)"
    ),
    "wakeup": "SID",
}

SEQUENCES = {"pgqueuer_id_seq", "pgqueuer_schedules_id_seq", "pgqueuer_statistics_id_seq"}
APPEND_ONLY = {
    "agency_audit_entry",
    "audit_entry",
    "invoice",
    "statement",
    "statement_line",
    "statement_rest",
    "usage_decision",
    "usage_entry",
}
