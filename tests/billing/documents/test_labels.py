"""The words of our documents."""

from datetime import date
from string import Formatter

from flatbed.billing.documents.labels import LABELS, day_text, units_text
from flatbed.billing.documents.languages import Language
from flatbed.billing.documents.model import REASONED, Kind
from flatbed.billing.documents.report import Grouping, State
from flatbed.billing.usage.states import UsageState

GERMAN, ENGLISH = LABELS[Language.DE], LABELS[Language.EN]


def fields(text: str) -> set[str | None]:
    return {name for _, name, _, _ in Formatter().parse(text)} - {None}


class TestLabels:
    def test_both_languages_say_the_same_things(self) -> None:
        assert set(LABELS) == set(Language)
        assert GERMAN.keys() == ENGLISH.keys()
        assert {name: fields(text) for name, text in GERMAN.items()} == {
            name: fields(text) for name, text in ENGLISH.items()
        }
        assert all(GERMAN.values())
        assert all(ENGLISH.values())

    def test_everything_that_is_named_has_a_label(self) -> None:
        named = {*State, *Grouping, *Kind, *(f"tax_{one.value}" for one in REASONED)}
        assert named <= GERMAN.keys()

    def test_the_ledgers_states_are_the_reports(self) -> None:
        assert [one.value for one in State] == [one.value for one in UsageState]

    def test_days_are_read_one_way_only(self) -> None:
        assert day_text(date(2026, 3, 5), Language.DE) == "05.03.2026"
        assert day_text(date(2026, 3, 5), Language.EN) == "5 Mar 2026"

    def test_one_unit_is_no_units(self) -> None:
        assert [units_text(n, Language.DE) for n in (0, 1, 2)] == [
            "0 Einheiten",
            "1 Einheit",
            "2 Einheiten",
        ]
        assert units_text(1, Language.EN) == "1 unit"
