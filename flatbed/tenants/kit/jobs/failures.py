"""How a job says that its failure is not mended in seconds."""

from datetime import timedelta
from typing import ClassVar


class SlowError(Exception):
    """A failure of which only time, or a person, rids the job.

    ``first_pause``: before the second attempt, in place of the runner's; then twice as long each.
    """

    first_pause: ClassVar[timedelta]
