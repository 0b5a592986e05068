"""Every router of the program, in the order of the reference."""

from fastapi import APIRouter

from flatbed.app.audit.router import router as audit
from flatbed.app.campaigns.offerings.router import router as offerings
from flatbed.app.campaigns.orders.router import router as campaigns
from flatbed.app.campaigns.profiles.router import router as profiles
from flatbed.app.hunting.router import router as hunting
from flatbed.app.registry.router import router as registry
from flatbed.app.sandbox.router import router as sandbox
from flatbed.billing.pricing.router import router as price_lists
from flatbed.tenants.oauth.router import router as oauth_clients
from flatbed.tenants.organizations.router import router as organizations
from flatbed.tenants.organizations.staff_router import router as staff

ROUTERS: tuple[APIRouter, ...] = (
    offerings,
    profiles,
    campaigns,
    audit,
    registry,
    hunting,
    price_lists,
    organizations,
    staff,
    oauth_clients,
    sandbox,
)
