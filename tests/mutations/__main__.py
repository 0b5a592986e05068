"""``python -m tests.mutations``: plant holes and see whether the suite notices."""

import argparse
import json
import signal
import sys
from dataclasses import asdict

from tests.mutations.catalogue import StaleHoleError, chosen, load
from tests.mutations.trial import BaselineError, Verdict, check, try_all


def main() -> int:
    """Plant what was asked for; 0 when all of it was caught, 1 when not, 2 for a wrong call."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutations", description=__doc__)
    parser.add_argument("names", nargs="*", help="holes to plant; none: the short form")
    parser.add_argument("--all", action="store_true", help="plant every hole")
    parser.add_argument("--list", action="store_true", help="name the holes, plant none")
    parser.add_argument("--check", action="store_true", help="only see whether every hole fits")
    parser.add_argument("--jobs", type=int, default=1, help="holes at once")
    parser.add_argument("--json", action="store_true", help="print JSON")
    wanted = parser.parse_args()
    holes = load()
    try:
        picked = chosen(holes, wanted.names) if wanted.names else holes
    except ValueError as error:
        parser.error(str(error))
    if not wanted.names and not (wanted.all or wanted.list or wanted.check):
        picked = tuple(hole for hole in holes if hole.short)
    if wanted.list:
        for hole in picked:
            _print(f"{hole.name:40} {hole.why}")
        return 0
    if wanted.check:
        stale = check(picked)
        _print("\n".join(stale) or f"{len(picked)} holes fit")
        return 1 if stale else 0
    # What it has started must not outlive it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        verdicts = try_all(picked, jobs=wanted.jobs, tell=_progress)
    except (BaselineError, StaleHoleError) as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return 1
    if wanted.json:
        _print(json.dumps([asdict(verdict) for verdict in verdicts], indent=2))
    else:
        _print(table(verdicts))
    return 0 if all(verdict.said == "caught" for verdict in verdicts) else 1


def table(verdicts: list[Verdict]) -> str:
    """One line a hole, and the sum."""
    lines = [f"{v.hole:40} {v.said:9} {v.seconds:6.1f} s  {v.by}" for v in verdicts]
    caught = sum(verdict.said == "caught" for verdict in verdicts)
    return "\n".join([*lines, f"{caught} of {len(verdicts)} caught"])


def _progress(what: str, seconds: float) -> None:
    sys.stderr.write(f"{seconds:6.1f} s  {what}\n")


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    sys.exit(main())
