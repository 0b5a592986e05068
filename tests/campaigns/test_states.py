"""The table of a campaign's states: every state, action and actor."""

import pytest

from flatbed.app.campaigns.method import CampaignState
from flatbed.app.campaigns.orders.states import MOVES, Action, Actor, following, may

ALLOWED = {
    ("draft", "order"): "ordered",
    ("ordered", "start"): "running",
    ("running", "pause"): "paused",
    ("paused", "resume"): "running",
    ("draft", "cancel"): "cancelled",
    ("ordered", "cancel"): "cancelled",
    ("running", "cancel"): "cancelled",
    ("paused", "cancel"): "cancelled",
    ("running", "close"): "closed",
    ("paused", "close"): "closed",
    ("running", "fill"): "filled",
    ("paused", "fill"): "filled",
    ("filled", "reopen"): "running",
}
WHO = {
    "order": {"isv"},
    "start": {"lead"},
    "pause": {"isv", "lead"},
    "resume": {"isv", "lead"},
    "cancel": {"isv"},
    "close": {"lead"},
    "fill": {"system"},
    "reopen": {"system"},
}


class TestFollowing:
    @pytest.mark.parametrize("state", CampaignState)
    @pytest.mark.parametrize("action", Action)
    def test_an_action_leads_where_the_data_model_says_and_nowhere_else(
        self, state: CampaignState, action: Action
    ) -> None:
        assert following(state, action) == ALLOWED.get((state.value, action.value))

    def test_every_action_has_a_line(self) -> None:
        assert set(MOVES) == set(Action)


class TestMay:
    @pytest.mark.parametrize("action", Action)
    @pytest.mark.parametrize("actor", Actor)
    def test_an_action_is_taken_by_the_actors_of_product_md(
        self, action: Action, actor: Actor
    ) -> None:
        """The ISV orders a quantity → a lead starts it → the ISV may cancel."""
        assert may(actor, action) == (actor.value in WHO[action.value])
