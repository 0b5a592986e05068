"""What a request has made permanent so far: the one thing that decides if it may be run again."""

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final


@dataclass(slots=True)
class Progress:
    """One run of a request.

    ``permanent`` is True once something is, or may be, committed that must not be done twice.
    """

    permanent: bool = False
    after_loss: bool = False
    """The run before lost its connection, and its transaction may still be ending."""


_RUN: Final[ContextVar[Progress | None]] = ContextVar("flatbed_progress", default=None)


def begin(*, after_loss: bool = False) -> Progress:
    """Follow what this task, and those that it starts, commit from now on."""
    progress = Progress(after_loss=after_loss)
    _RUN.set(progress)
    return progress


def made_permanent() -> None:
    """Note a commit that must not be repeated; outside a request nobody asks."""
    progress = _RUN.get()
    if progress is not None:
        progress.permanent = True


def follows_loss() -> bool:
    """Whether this is a request's second run, since the first one lost its connection."""
    progress = _RUN.get()
    return progress is not None and progress.after_loss
