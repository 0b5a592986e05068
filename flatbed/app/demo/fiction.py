"""The fictitious names and numbers of the demo; every domain ends in `.example`."""

import random
from dataclasses import dataclass, replace
from typing import Final

from flatbed.app.demo.client import JSON

HUNTERS: Final = (
    *("Clara Vogt", "Deniz Aydin", "Emil Brandt", "Frieda Holl", "Georg Imhof", "Hanna Jost"),
    *("Ivo Keller", "Jule Lorenz", "Kilian Moser", "Lena Nowak", "Mats Obermaier", "Nora Pohl"),
)
LEADS: Final = ("Anna Lindner", "Bernd Kastner")
FINANCE: Final = "Gesa Thiel"
COMPLIANCE: Final = "Henrik Maas"
PLACES: Final = (
    *("Nordhessen", "Ostsee", "Bergisch", "Allgäu", "Emsland", "Spreewald", "Saar", "Harz"),
    *("Vogtland", "Eifel", "Uckermark", "Lausitz", "Taunus", "Chiemgau", "Altmark", "Sauerland"),
    *("Pinzgau", "Wachau", "Mostviertel", "Zillertal", "Montafon", "Lavanttal"),
    *("Emmental", "Engadin", "Aargau", "Toggenburg", "Rheintal", "Wallis"),
)
KINDS: Final = ("Systemhaus", "Datentechnik", "Netzwerke", "IT-Service")
MORE_KINDS: Final = ("Informatik", "Rechenzentrum", "Software", "Digital")
SUFFIX_OF: Final = {"DE": "GmbH", "AT": "GmbH", "CH": "AG"}
FIRST_AT, FIRST_CH = PLACES.index("Pinzgau"), PLACES.index("Emmental")
FORENAMES: Final = ("Martin", "Sabine", "Jonas", "Petra", "Lukas", "Heike", "Stefan", "Carla")
SURNAMES: Final = ("Ahrens", "Bichler", "Conrad", "Dreher", "Egger", "Fuchs", "Gruber", "Hauser")
ALL_KINDS: Final = (*KINDS, *MORE_KINDS)
FULL_FIT: Final = 60
"""Employees from which capacity is full."""


@dataclass(frozen=True)
class Company:
    """A company of the demo's world, and three of its people."""

    name: str
    domain: str
    country: str
    employees: int
    customers: int
    engineers: int
    managed: bool
    chief: str
    second: str
    third: str

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
    kind = ALL_KINDS[(n + n // len(PLACES)) % len(ALL_KINDS)]
    found = n % len(PLACES)
    country = "DE" if found < FIRST_AT else "AT" if found < FIRST_CH else "CH"
    people = dice.sample(SURNAMES, 3)
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
        third=f"{dice.choice(FORENAMES)} {people[2]}",
    )


def twin(company: Company) -> Company:
    """The same company as somebody else has written it down."""
    name = company.name.removesuffix(" GmbH").removesuffix(" AG")
    domain = company.domain.removesuffix(".example")
    return replace(company, name=f"{name} Gruppe", domain=f"{domain}-gruppe.example")
