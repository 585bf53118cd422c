"""python -m soak --out DIR --made DIR --minutes N [--seed S] [--fast] [--control NAME], as scripts/soak.sh starts it.

Exit status 1 when an invariant did not hold or was never checked, or a kind of fault never happened.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from . import plan, results
from .supervisor import Soak, Supervisor
from .world import World, is_own_namespace

CONTROLS = ("no-restart", "set-changed", "wrong-picture")


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="soak", description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--made", type=Path, required=True, help="networks, keys and set; kept from one soak to the next")
    parser.add_argument("--minutes", type=float, help="fewer than 3 at 3 Hz, or 2 at 10, may lack a kind of fault, which fails")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--fast", action="store_true", help="10 Hz instead of 3")
    parser.add_argument("--control", choices=CONTROLS, default="", help="spoil something: the soak has to fail")
    return parser.parse_args(given)


def soak_of(wanted: argparse.Namespace) -> Soak:
    pace = plan.FAST if wanted.fast else plan.STEADY
    minutes = wanted.minutes if wanted.minutes is not None else pace.minutes
    return Soak(wanted.seed if wanted.seed is not None else int(time.time()), minutes * 60, pace, wanted.control)


def main() -> int:
    wanted = arguments()
    if not is_own_namespace():
        sys.exit("soak: expected a mount namespace of its own, because /sys is covered; start it by scripts/soak.sh")
    soak = soak_of(wanted)
    print(f"soak: seed {soak.seed}, {soak.seconds / 60:g} minutes at {soak.pace.rate_hz:g} Hz", file=sys.stderr, flush=True)
    supervisor = Supervisor(World(wanted.made, wanted.out), soak)
    try:
        supervisor.run()
    finally:
        status = results.write(supervisor, wanted.out)
    return status


if __name__ == "__main__":
    sys.exit(main())
