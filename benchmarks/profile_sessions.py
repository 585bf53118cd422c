#!/usr/bin/env python3
"""Where the instructions of making a session go, by shared object and function.

    python benchmarks/profile_sessions.py --build build/bench --out out/bench [--model demo_vpr] [--count 20]

Runs load_sessions --profile under callgrind, which counts only while Skua's runtime deserialises: not the hash, not
the golden run. Makes the set of the demo networks where it is missing. It counts instructions, which are no times:
a share of them says who works, not how fast.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import load  # beside this file

COLLECTED = "*OnnxTrtEpRuntime::deserialize*"
NAME = re.compile(r"\((\d+)\)(?: (.*))?")
MOST_FUNCTIONS = 8


class Names:
    """callgrind writes a name once, with a number, and the number from then on."""

    def __init__(self) -> None:
        self.known: dict[str, str] = {}

    def of(self, text: str) -> str:
        number, name = NAME.fullmatch(text).groups()
        if name is not None:
            self.known[number] = name
        return self.known[number]


@dataclass
class Profile:
    """Instructions: by (object, function) without what they called, and of calls by (caller's object, callee's)."""

    own: Counter[tuple[str, str]] = field(default_factory=Counter)
    calls: Counter[tuple[str, str]] = field(default_factory=Counter)


def read_profile(text: str) -> Profile:
    objects, functions = Names(), Names()
    found = Profile()
    ob = fn = callee = "?"
    is_called = False
    for line in text.splitlines():
        key, _, value = line.partition("=")
        if key == "ob":
            ob = callee = objects.of(value)
        elif key == "cob":
            callee = objects.of(value)
        elif key == "fn":
            fn = functions.of(value)
        elif key == "cfn":
            functions.of(value)
        elif key == "calls":
            is_called = True  # the next line has what the callee cost, and all that it called
        elif line[:1] in set("+-*0123456789"):
            cost = int(line.split()[1])
            if is_called:
                found.calls[ob, callee] += cost
                callee = ob  # a callee of another object is named each time
            else:
                found.own[ob, fn] += cost
            is_called = False
    return found


def share_outside_sdk(found: Profile) -> float:
    """Of what making a session takes, what is not spent inside the runtime module's calls of the SDK."""
    inside = sum(cost for (caller, callee), cost in found.calls.items()
                 if "skua_runtime" in caller and "libonnxruntime" in callee)
    return 1 - inside / sum(found.own.values())


def table(found: Profile) -> list[str]:
    total = sum(found.own.values())
    by_object: Counter[str] = Counter()
    for (where, _), cost in found.own.items():
        by_object[Path(where).name] += cost
    lines = ["| share | shared object |", "|---|---|"]
    lines += [f"| {cost / total:.2%} | {name} |" for name, cost in by_object.most_common()]
    lines += ["", "| share | function | of |", "|---|---|---|"]
    lines += [f"| {cost / total:.2%} | {name[:80]} | {Path(where).name} |"
              for (where, name), cost in found.own.most_common(MOST_FUNCTIONS)]
    return [*lines, "", f"outside of the SDK's calls {share_outside_sdk(found):.2%}, of {total} instructions"]


def profile(program: Path, set_dir: Path, cache: Path, model: str, count: int) -> Profile:
    with tempfile.TemporaryDirectory() as folder:
        found = Path(folder) / "callgrind.out"
        command = ["valgrind", "--tool=callgrind", "--collect-atstart=no", f"--toggle-collect={COLLECTED}",
                   f"--callgrind-out-file={found}", program, "--set-dir", set_dir, "--cache", cache, "--model", model,
                   "--profile", count, "--builds", 0, "--out", Path(folder) / "none"]
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
        if done.returncode != 0 or not found.is_file():
            raise SystemExit(f"profile: {' '.join(map(str, command))}\nended with {done.returncode}\n{done.stderr}")
        return read_profile(found.read_text("utf-8", "replace"))


def main() -> int:
    parser = argparse.ArgumentParser(description="Where the instructions of making a session go.")
    parser.add_argument("--build", type=Path, required=True, help="built with SKUA_BUILD_BENCHMARKS=ON")
    parser.add_argument("--out", type=Path, required=True, help="folder of the benchmarks' sets")
    parser.add_argument("--model", default="demo_vpr", help="a demo network")
    parser.add_argument("--count", type=int, default=20, help="sessions to make")
    arguments = parser.parse_args()
    build = arguments.build.resolve()
    place = load.make_demo_place(build / "bin/skua", arguments.out.resolve() / "demo")
    found = profile(build / "benchmarks/load_sessions", place.current(), place.cache, arguments.model, arguments.count)
    if not found.own:
        raise SystemExit(f"profile: nothing was counted; is {COLLECTED} still what makes a session?")
    print("\n".join(table(found)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
