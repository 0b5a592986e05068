"""The files that may enter the agency plane from a tenant's request, each with its reason.

In the agency plane a transaction sees every tenant's registry links and projections, so each
entrance is a place to review. An entry whose file enters nothing is itself a finding.
"""

from typing import Final

ENTRANCES: Final[dict[str, str]] = {
    "flatbed/app/campaigns/orders/service.py": (
        "an order freezes the price of a list that the agency keeps"
    ),
    "flatbed/billing/statements/closing.py": (
        "an invoice is the agency's: its profile is on it, its number is of the agency's series"
    ),
    "flatbed/app/hunting/service.py": (
        "an assignment names an ISV's campaign or candidate and is the agency's row"
    ),
    "flatbed/app/candidates/core/creation.py": (
        "a sourced company is tied to the agency's registry, and its hunter gets the assignment"
    ),
    "flatbed/app/candidates/intelligence/publication.py": (
        "a public fact is copied to the registry, the only kind that crosses tenants"
    ),
    "flatbed/app/candidates/pipeline/cards.py": (
        "the candidate's card in the agency's queue changes with the candidate"
    ),
    "flatbed/app/candidates/pipeline/cases.py": (
        "which companies are billed as one group is the agency's knowledge"
    ),
    "flatbed/tenants/oauth/grants/authorizing/service.py": (
        "an application is let in by a login, the audit of it is the ISV's or the agency's"
    ),
    "flatbed/tenants/oauth/grants/ending/service.py": (
        "a login that ends grants says so in the audit of whoever they were for"
    ),
    "flatbed/tenants/people/acceptance.py": (
        "who accepts an invitation has no token yet; his place is a row of the ISV or the agency"
    ),
    "flatbed/app/demo/scale/batches.py": (
        "made-up candidates come with their links, cards and assignments, or not at all"
    ),
    "flatbed/app/qualifications/cards.py": (
        "the card of what waits for a lead in the agency's list changes with it"
    ),
}
