"""All pages of people, as one router: none is an operation of the API."""

from fastapi import APIRouter

from flatbed.tenants.people.pages.account import router as account
from flatbed.tenants.people.pages.invitation import router as invitation
from flatbed.tenants.people.pages.password import router as password
from flatbed.tenants.people.pages.second_factor import router as second_factor
from flatbed.tenants.people.pages.sign_in import router as sign_in

router = APIRouter(include_in_schema=False)
for pages in (sign_in, account, second_factor, password, invitation):
    router.include_router(pages)
