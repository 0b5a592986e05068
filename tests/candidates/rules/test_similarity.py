"""The partner's own voice against an echo of ours."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flatbed.app.candidates.rules.similarity import overlap

OURS = (
    "Ihre Kunden im Maschinenbau fragen nach einem Servicegeschäft, das sich selbst trägt.",
    "Recurring revenue from service contracts would make your consulting business predictable.",
)
phrases = st.lists(st.sampled_from(["umsatz", "service", "kunden", "we", "größe"]), max_size=12)


class TestOverlap:
    @pytest.mark.parametrize("ours", OURS)
    def test_an_echo_is_found_whatever_its_case_and_punctuation(self, ours: str) -> None:
        assert overlap(ours.upper().replace(",", " \u2013"), OURS) == 1
        assert overlap(unicodedata.normalize("NFD", ours), OURS) == 1

    @pytest.mark.parametrize(
        "own",
        [
            "Wir verlieren jedes Quartal zwei Integratoren, weil uns Wartungserlöse fehlen.",
            "We lose two integrators every quarter because maintenance income is missing.",
        ],
    )
    def test_his_own_words_are_his_own(self, own: str) -> None:
        assert overlap(own, OURS) == 0

    def test_it_is_the_share_of_distinct_three_word_shingles(self) -> None:
        """Share of its word 3-shingles found in our core argument and messages."""
        assert overlap("recurring revenue from service partners", OURS) == pytest.approx(2 / 3)

    def test_repeating_one_own_phrase_does_not_dilute_an_echo(self) -> None:
        echo = "recurring revenue from service contracts"
        padded = echo + " yes we do" * 20
        assert overlap(padded, OURS) == overlap(echo + " yes we do" * 2, OURS)

    def test_soft_hyphens_and_apostrophes_hide_nothing(self) -> None:
        ours = ["We don't sell, the partner's interest decides"]
        assert (
            overlap("We don\u2019t sell: the part\u00adner\u00b4s inte\u200brest decides!", ours)
            == 1
        )

    def test_a_sharp_s_is_a_double_s(self) -> None:
        assert overlap("GROSSE FUSSBALLVEREINE FRAGEN", ["große Fußballvereine fragen"]) == 1

    def test_shingles_do_not_cross_from_one_text_to_another(self) -> None:
        assert overlap("eins zwei drei vier", ["eins zwei", "drei vier"]) == 0

    def test_a_short_statement_is_compared_as_a_whole(self) -> None:
        assert overlap("Service contracts", OURS) == 1
        assert overlap("Contracts service", OURS) == 0
        assert overlap("Ja", OURS) == 0
        assert overlap("Kunden?", OURS) == 1

    def test_a_statement_without_a_word_says_nothing_of_its_own(self) -> None:
        assert overlap(" … !", OURS) == 1
        assert overlap("", []) == 1

    def test_without_texts_of_ours_everything_is_his(self) -> None:
        assert overlap("Ja", []) == 0
        assert overlap("wir wollen das", ["", "!"]) == 0

    @settings(deadline=None)  # the machine may be busy
    @given(phrases, st.lists(phrases, max_size=4))
    def test_it_is_a_share_that_more_texts_never_lower(
        self,
        statement: list[str],
        texts: list[list[str]],
    ) -> None:
        ours = [" ".join(text) for text in texts]
        share = overlap(" ".join(statement), ours)
        assert 0 <= share <= 1
        assert overlap(" ".join(statement), [*ours, " ".join(statement)]) == 1
        assert overlap(" ".join(statement), ours[1:]) <= share
