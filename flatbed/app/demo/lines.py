"""What the people of the demo write. No text of ours sells anything."""

from typing import Final

from flatbed.app.demo.client import JSON
from flatbed.app.demo.fiction import Company

ARGUMENT: Final = (
    "Maintenance margins shrink while renewals come due: the base that the house looks after "
    "could carry a service under its own name."
)
INTEREST: Final = (
    "We lose evenings to failed night runs at forty clinics. If my own people sold a watched "
    "recovery to those clinics by spring, I would put two of them on it myself."
)
ECHO: Final = (
    "Yes, maintenance margins shrink while renewals come due, and the base that the house looks "
    "after could carry a service under its own name."
)
DECISION: Final = (
    "The board has agreed: we will build this practice, Ms Ahrens leads it, and we begin in spring."
)
PLAN: Final = (
    "Our figures: 600,000 in the second year, two consultants and one seller from us, 40,000 for "
    "training and the lab, start on the first of the quarter after next."
)

_OURS: Final = {
    "push": (
        "Your report names a growing base of customers. Which of them ask about recovery first?",
        "The second site that you opened needs people. What would they do for your customers?",
    ),
    "answer": (
        "You asked for the figures of a house like yours: they are in the sheet.",
        "Here is what you asked for; the two open points are marked.",
    ),
}
_THEIRS: Final = {
    "P0": ("I am out of the office until Monday.",),
    "P1": ("Thank you for your letter. I have read it.", "Yes, that is how we do it today."),
    "P2": (
        INTEREST,
        "I have asked two of our customers. Could we see the numbers of a house our size?",
    ),
    "P3": (
        "I bring our head of finance to the next call and we decide whom we set free for this.",
        DECISION,
        PLAN,
    ),
}


def ours(cls: str, number: int, company: Company) -> str:
    """The hunter's words; the number varies them."""
    choices = _OURS[cls]
    return f"Dear {company.chief}, {choices[number % len(choices)]}"


def theirs(cls: str, number: int) -> str:
    """The partner's words; the number varies them."""
    choices = _THEIRS[cls]
    return choices[number % len(choices)]


def facts(company: Company, trigger_on: str) -> list[JSON]:
    """What the press, the register and its own pages say of a company, the weightiest first."""
    site = f"https://{company.domain}"
    paper = "https://handelsblatt-nord.example"
    return [
        {
            "attribute": "customers",
            "value": company.customers,
            "statement": f"{company.customers} customers are named in the annual report.",
            "source_kind": "annual_report",
            "source_url": f"{site}/report",
            "angle": "the base that is already there",
        },
        {
            "attribute": "managed_services",
            "value": company.managed,
            "statement": "It runs servers for its customers under contract.",
            "source_kind": "company_website",
            "source_url": f"{site}/services",
            "angle": "contracts instead of projects",
        },
        {
            "statement": "It opened a second site and looks for people.",
            "source_kind": "press",
            "source_url": f"{paper}/branche",
            "trigger_on": trigger_on,
            "angle": "growth",
        },
        {
            "statement": "Its chief spoke at the regional fair about recurring income.",
            "source_kind": "press",
            "source_url": f"{paper}/messe",
            "angle": "recurring income",
        },
        {
            "statement": "It names partners for storage, and none for what lies above it.",
            "source_kind": "company_website",
            "source_url": f"{site}/partner",
            "angle": "a gap that its own customers see",
        },
        {
            "statement": "The branch of its largest customers has a new duty to report outages.",
            "source_kind": "press",
            "source_url": f"{paper}/pflichten",
            "angle": "what its customers will be asked for",
        },
    ]
