"""The states of a campaign: which action leads from which to which, and who may take it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from flatbed.app.campaigns.method import CampaignState


class Action(StrEnum):
    """What is done to a campaign. ``fill`` and ``reopen`` follow from acceptances and voids."""

    ORDER = "order"
    START = "start"
    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"
    CLOSE = "close"
    FILL = "fill"
    REOPEN = "reopen"


class Actor(StrEnum):
    """Who may do it: the ISV's client, a lead of the agency, or the program itself."""

    ISV = "isv"
    LEAD = "lead"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Move:
    """One line of the table."""

    sources: frozenset[CampaignState]
    target: CampaignState
    actors: frozenset[Actor]
    past: str
    """The verb of the audit row and the event."""


def _move(
    sources: set[CampaignState], target: CampaignState, actors: set[Actor], past: str
) -> Move:
    return Move(frozenset(sources), target, frozenset(actors), past)


_S = CampaignState
LIVE: Final = frozenset({_S.DRAFT, _S.ORDERED, _S.RUNNING, _S.PAUSED})
"""Not ended: caps may change, and the ISV may cancel."""
LAUNCHED: Final = frozenset({_S.RUNNING, _S.PAUSED, _S.FILLED})
"""Started and not given up: what the ISV excludes from now on comes after the launch."""
ENDED: Final = frozenset({_S.FILLED, _S.CLOSED, _S.CANCELLED})

MOVES: Final[Mapping[Action, Move]] = MappingProxyType(
    {
        Action.ORDER: _move({_S.DRAFT}, _S.ORDERED, {Actor.ISV}, "ordered"),
        Action.START: _move({_S.ORDERED}, _S.RUNNING, {Actor.LEAD}, "started"),
        Action.PAUSE: _move({_S.RUNNING}, _S.PAUSED, {Actor.ISV, Actor.LEAD}, "paused"),
        Action.RESUME: _move({_S.PAUSED}, _S.RUNNING, {Actor.ISV, Actor.LEAD}, "resumed"),
        Action.CANCEL: _move(set(LIVE), _S.CANCELLED, {Actor.ISV}, "cancelled"),
        Action.CLOSE: _move({_S.RUNNING, _S.PAUSED}, _S.CLOSED, {Actor.LEAD}, "closed"),
        Action.FILL: _move({_S.RUNNING, _S.PAUSED}, _S.FILLED, {Actor.SYSTEM}, "filled"),
        Action.REOPEN: _move({_S.FILLED}, _S.RUNNING, {Actor.SYSTEM}, "reopened"),
    }
)


def may(actor: Actor, action: Action) -> bool:
    """Say whether the actor ever takes this action."""
    return actor in MOVES[action].actors


def following(state: CampaignState, action: Action) -> CampaignState | None:
    """Return the state after the action; None where the state does not allow it."""
    move = MOVES[action]
    return move.target if state in move.sources else None
