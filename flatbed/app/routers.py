"""Every router of the program, in the order of the reference."""

from fastapi import APIRouter

from flatbed.app.audit.router import router as audit
from flatbed.app.campaigns.exclusions.router import router as exclusions
from flatbed.app.campaigns.offerings.router import router as offerings
from flatbed.app.campaigns.orders.router import router as campaigns
from flatbed.app.campaigns.profiles.router import router as profiles
from flatbed.app.candidates.contacts.router import router as contacts
from flatbed.app.candidates.core.router import router as candidates
from flatbed.app.candidates.evidence.router import router as evidence
from flatbed.app.candidates.intelligence.router import router as intelligence
from flatbed.app.candidates.pipeline.router import router as pipeline
from flatbed.app.candidates.plans.router import router as plans
from flatbed.app.candidates.touchpoints.router import router as touchpoints
from flatbed.app.hunting.router import router as hunting
from flatbed.app.qualifications.claims.router import router as claims
from flatbed.app.qualifications.free_rides.router import router as free_rides
from flatbed.app.qualifications.router import router as qualifications
from flatbed.app.qualifications.waiting.router import router as waiting_qualifications
from flatbed.app.registry.router import router as registry
from flatbed.app.sandbox.router import router as sandbox
from flatbed.billing.accounts.router import router as billing_accounts
from flatbed.billing.collection.router import router as collection
from flatbed.billing.pricing.router import router as price_lists
from flatbed.billing.reconciliation.router import router as reconciliation
from flatbed.billing.statements.router import router as statements
from flatbed.billing.usage.router import router as usage
from flatbed.tenants.oauth.router import router as oauth_clients
from flatbed.tenants.organizations.router import router as organizations
from flatbed.tenants.organizations.staff_router import router as staff
from flatbed.tenants.people.invitations.staff_router import router as staff_invitations
from flatbed.tenants.people.members.router import router as members
from flatbed.tenants.people.policy.router import router as sign_in_policy

ROUTERS: tuple[APIRouter, ...] = (
    offerings,
    profiles,
    exclusions,
    campaigns,
    candidates,
    contacts,
    intelligence,
    touchpoints,
    evidence,
    plans,
    pipeline,
    qualifications,
    claims,
    free_rides,
    waiting_qualifications,
    usage,
    statements,
    billing_accounts,
    collection,
    reconciliation,
    audit,
    registry,
    hunting,
    price_lists,
    organizations,
    staff,
    staff_invitations,
    members,
    sign_in_policy,
    oauth_clients,
    sandbox,
)
