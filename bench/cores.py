"""One core for the server that is measured, another one for everything else.

``python -m bench.cores CORE COMMAND…`` runs a command on one core.
"""

import os
import sys
from pathlib import Path
from typing import Final

_CAN_PIN: Final = hasattr(os, "sched_setaffinity")
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_GROUP, _USER, _SYSTEM = 2, 11, 12
"""Fields of /proc/PID/stat behind the program's name."""


def shared_out() -> tuple[int, int] | None:
    """The server's core and the others', the same one where there is but one.

    None: this system cannot hold a process to a core.
    """
    if not _CAN_PIN:
        return None
    cores = sorted(os.sched_getaffinity(0))
    return cores[0], cores[-1]


def pin(core: int | None) -> None:
    """Hold this process, and what it starts from now on, to a core."""
    if core is not None:
        os.sched_setaffinity(0, {core})


def pinned(core: int | None, command: list[str]) -> list[str]:
    """The command, held to a core."""
    if core is None:
        return command
    return [sys.executable, "-m", "bench.cores", str(core), *command]


def cpu_seconds(group: int) -> float:
    """What the living processes of a process group have used of a processor; 0 where unknown."""
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it ended meanwhile
        if int(fields[_GROUP]) == group:
            ticks += int(fields[_USER]) + int(fields[_SYSTEM])
    return ticks / _TICKS


if __name__ == "__main__":
    pin(int(sys.argv[1]))
    os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606 - the bench's own command, no shell
