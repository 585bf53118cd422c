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


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="soak", description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--made", type=Path, required=True, help="networks, keys and set; kept from one soak to the next")
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--fast", action="store_true", help="10 Hz instead of 3")
    parser.add_argument("--control", choices=CONTROLS, default="", help="spoil something: the soak has to fail")
    return parser.parse_args()


def main() -> int:
    wanted = arguments()
    if not is_own_namespace():
        sys.exit("soak: expected a mount namespace of its own, because /sys is covered; start it by scripts/soak.sh")
    seed = wanted.seed if wanted.seed is not None else int(time.time())
    pace = plan.FAST if wanted.fast else plan.STEADY
    print(f"soak: seed {seed}, {wanted.minutes:g} minutes at {pace.rate_hz:g} Hz", file=sys.stderr, flush=True)
    supervisor = Supervisor(World(wanted.made, wanted.out), Soak(seed, wanted.minutes * 60, pace, wanted.control))
    try:
        supervisor.run()
    finally:
        status = results.write(supervisor, wanted.out)
    return status


if __name__ == "__main__":
    sys.exit(main())
