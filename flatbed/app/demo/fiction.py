"""The fictitious names and numbers of the demo; every domain ends in `.example`."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from flatbed.app.demo.client import JSON

ISVS: Final[Sequence[JSON]] = (
    {
        "slug": "leuchtturm-software",
        "name": "Leuchtturm Software GmbH",
        "country": "DE",
        "time_zone": "Europe/Berlin",
        "currency": "EUR",
    },
    {
        "slug": "donau-analytics",
        "name": "Donau Analytics GmbH",
        "country": "AT",
        "time_zone": "Europe/Vienna",
        "currency": "EUR",
    },
    {
        "slug": "gotthard-cloud",
        "name": "Gotthard Cloud AG",
        "country": "CH",
        "time_zone": "Europe/Zurich",
        "currency": "CHF",
    },
)
LEADS: Final = ("Anna Lindner", "Bernd Kastner")
HUNTERS: Final = ("Clara Vogt", "Deniz Aydin", "Emil Brandt", "Frieda Holl")
OFFERINGS: Final[Sequence[JSON]] = (
    {"name": "Leuchtturm Backup", "category": "data protection"},
    {"name": "Donau Insight", "category": "analytics"},
    {"name": "Gotthard Workspace", "category": "collaboration"},
)
PRICES: Final[Sequence[JSON]] = (
    {"name": "Qualified partner, euro", "currency": "EUR", "unit_price": 450_000},
    {"name": "Qualified partner, franc", "currency": "CHF", "unit_price": 480_000},
)
PLACES: Final = (
    *("Nordhessen", "Ostsee", "Bergisch", "Allgäu", "Emsland", "Spreewald", "Saar", "Harz"),
    *("Vogtland", "Eifel", "Uckermark", "Lausitz", "Taunus", "Chiemgau", "Altmark", "Sauerland"),
    *("Pinzgau", "Wachau", "Mostviertel", "Zillertal", "Montafon", "Lavanttal"),
    *("Emmental", "Engadin", "Aargau", "Toggenburg", "Rheintal", "Wallis"),
)
KINDS: Final = ("Systemhaus", "Datentechnik", "Netzwerke", "IT-Service")
SUFFIX_OF: Final = {"DE": "GmbH", "AT": "GmbH", "CH": "AG"}
FIRST_AT, FIRST_CH = PLACES.index("Pinzgau"), PLACES.index("Emmental")
FORENAMES: Final = ("Martin", "Sabine", "Jonas", "Petra", "Lukas", "Heike", "Stefan", "Carla")
SURNAMES: Final = ("Ahrens", "Bichler", "Conrad", "Dreher", "Egger", "Fuchs", "Gruber", "Hauser")
FULL_FIT: Final = 60
"""Employees from which capacity is full."""


@dataclass(frozen=True)
class Company:
    """A company of the demo's world, and two of its people."""

    name: str
    domain: str
    country: str
    employees: int
    customers: int
    engineers: int
    managed: bool
    chief: str
    second: str

    def registry(self, group_id: str | None = None) -> JSON:
        """What the agency's registry holds of it."""
        return {
            "name": self.name,
            "domain": self.domain,
            "country": self.country,
            "industry": "IT services",
            "employees": self.employees,
            "group_id": group_id,
        }

    def sourced(self) -> JSON:
        """What the hunter writes down when he finds it."""
        return {
            "name": self.name,
            "domain": self.domain,
            "country": self.country,
            "industry": "IT services",
            "employees": self.employees,
            "attributes": {"engineers": self.engineers},
        }


def domain_of(name: str) -> str:
    """The company's domain."""
    plain = name.lower().replace("ä", "ae").replace("ö", "oe").replace("ü", "ue")
    return "-".join(plain.split()) + ".example"


def companies(number: int, dice: random.Random, tag: str = "") -> list[Company]:
    """So many different companies; the same dice give the same ones.

    Args:
        number: how many.
        dice: the seeded source of chance.
        tag: set apart from companies made before in the realm.
    """
    return [_company(n, dice, tag) for n in range(number)]


def _company(n: int, dice: random.Random, tag: str) -> Company:
    place = PLACES[n % len(PLACES)]
    kind = KINDS[(n + n // len(PLACES)) % len(KINDS)]
    found = n % len(PLACES)
    country = "DE" if found < FIRST_AT else "AT" if found < FIRST_CH else "CH"
    people = dice.sample(SURNAMES, 2)
    return Company(
        name=f"{place} {kind}{tag} {SUFFIX_OF[country]}",
        domain=domain_of(f"{place} {kind}{tag}"),
        country=country,
        employees=dice.randint(40, 90),
        customers=dice.randint(45, 120),
        engineers=dice.randint(6, 12),
        managed=True,
        chief=f"{dice.choice(FORENAMES)} {people[0]}",
        second=f"{dice.choice(FORENAMES)} {people[1]}",
    )
