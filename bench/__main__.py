"""``python -m bench tokens``: measure, and say with the exit code whether the promises hold."""

import argparse
import sys

import uvloop

from bench.tokens import Plan, measure


def main() -> int:
    """0: every promise is kept. 1: one is not."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("what", choices=["tokens"], help="what is measured")
    parser.add_argument("--rounds", type=int, default=Plan().rounds, help="how often each")
    parser.add_argument("--seconds", type=float, default=Plan().seconds, help="how long one load")
    wanted = parser.parse_args()
    return uvloop.run(measure(Plan(wanted.rounds, wanted.seconds), _tell))


def _tell(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
