#!/usr/bin/env python3
"""Runs the benchmarks and leaves one report: out/bench/report.json and report.md, which it also prints.

    python benchmarks/run.py --build build/bench [--only control,call,load] [--full] [--quick]

Started by scripts/bench.sh after the build. Networks are generated below out/bench as needed. Exit status: 1 when a
program fails or the negative control is not caught; a bar that is missed is printed as "not reached" and is no
failure. README.md beside this file says what would make each figure lie.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import load  # beside this file

ROOT = Path(__file__).resolve().parents[1]
HERE = ROOT / "benchmarks"
GROUPS = ("control", "call", "load")
LOAD_REPORTS = ("load-verify", "load-sessions", "load-memory", "load-growth")


@dataclass(frozen=True)
class Run:
    """What all parts need: where programs are, where reports go, how much is asked."""

    build: Path
    out: Path
    is_quick: bool
    is_full: bool

    def program(self, name: str, report: str, *arguments: object) -> str:
        """Runs one program; answers with the stem of its report."""
        print(f"bench: {report}", file=sys.stderr, flush=True)
        load.run(self.build / "benchmarks" / name, "--out", self.out / report, *arguments)
        return report


@dataclass(frozen=True)
class MeasuredSet:
    """A set whose engines are called, and how long that may take."""

    name: str
    folder: Path
    rounds: int
    most_seconds: int  # per network


def one_node(run: Run) -> MeasuredSet:
    place = load.Place(run.out / "one_node")
    load.run(sys.executable, HERE / "make_one_node.py", "--out", place.models)
    load.provision(run.build / "bin/skua", place)
    return MeasuredSet("one_node", place.current(), 12 if run.is_quick else 101, 20)


def demo(run: Run) -> MeasuredSet:
    place = load.make_demo_place(run.build / "bin/skua", run.out / "demo")
    return MeasuredSet("demo", place.current(), 6 if run.is_quick else 51, 1 if run.is_quick else 20)


def standins(run: Run, scale: str) -> MeasuredSet:
    """Stand-ins of the networks that fly, of random weights: nano as fp32, full in the precision that flies."""
    place = load.Place(run.out / f"standins-{scale}")
    precision = "fp32" if scale == "nano" else "fp16"
    load.run(sys.executable, ROOT / "models/make_standins.py", "--scale", scale, "--out", place.models,
             "--precision", "fp32" if scale == "nano" else "fp32,fp16")
    if precision == "fp32":
        shutil.copyfile(place.models / "set_fp32.yaml", place.models / "set.yaml")
    load.provision(run.build / "bin/skua", place)
    return MeasuredSet(f"standins-{scale}", place.current(), 21 if scale == "nano" else 7, 5 if scale == "nano" else 60)


def measure_control(run: Run) -> list[str]:
    if run.is_quick:  # the one-node call keeps to registers and the first cache: known well within a second
        return [run.program("bench_control", "control", "--set-dir", one_node(run).folder)]
    return [run.program("bench_control", "control", "--set-dir", demo(run).folder, "--model", "demo_matcher",
                        "--most-seconds", 120)]


def measure_set(run: Run, measured: MeasuredSet) -> list[str]:
    name, where = measured.name, ("--set-dir", measured.folder)
    stems = [run.program("bench_call", f"call-{name}", *where, "--rounds", measured.rounds, "--most-seconds",
                         measured.most_seconds)]
    stems.append(run.program("bench_count", f"count-{name}", *where))
    if name in ("one_node", "demo"):
        stems.append(run.program("bench_lanes", f"lanes-{name}", *where, "--rounds", 6 if run.is_quick else 15))
        load.run(sys.executable, HERE / "python_onnxruntime.py", *where, "--beside", run.out / f"call-{name}.json",
                 "--out", run.out / f"python-{name}", "--rounds", 6 if run.is_quick else 21)
        stems.append(f"python-{name}")
    return stems


def measure_call(run: Run) -> list[str]:
    sets = [one_node, demo]
    if not run.is_quick:
        sets.append(lambda with_run: standins(with_run, "nano"))
    if run.is_full:
        sets.append(lambda with_run: standins(with_run, "full"))
    return [stem for make in sets for stem in measure_set(run, make(run))]


def measure_load(run: Run) -> list[str]:
    quick = ["--quick"] if run.is_quick else []
    load.run(sys.executable, HERE / "load.py", "--build", run.build, "--out", run.out, *quick)
    folder = "quick/" if run.is_quick else ""
    return [folder + stem for stem in LOAD_REPORTS if (run.out / f"{folder}{stem}.json").is_file()]


def commit() -> str:
    answer = subprocess.run(["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=12"],
                            capture_output=True, text=True, check=False)
    return answer.stdout.strip() or "unknown"


def join(run: Run, stems: list[str], started: float, table: int) -> None:
    """The one report, with what is true of all of it; its table goes to the descriptor `table`."""
    import onnx
    import onnxruntime

    said = {"commit": commit(), "python onnxruntime": onnxruntime.__version__, "onnx": onnx.__version__,
            "load average at the end": " ".join(f"{value:.2f}" for value in os.getloadavg()),
            "seconds": f"{time.monotonic() - started:.0f}", "depth": "quick: figures of no worth" if run.is_quick else "full"}
    machine = [part for key, value in said.items() for part in ("--machine", f"{key}={value}")]
    command = [run.build / "benchmarks/bench_report", "--out", run.out / "report", *machine,
               *(run.out / f"{stem}.json" for stem in stems)]
    subprocess.run([str(part) for part in command], check=True, stdout=table)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Runs the benchmarks and leaves one report.")
    parser.add_argument("--build", type=Path, default=ROOT / "build/bench")
    parser.add_argument("--out", type=Path, default=ROOT / "out/bench")
    parser.add_argument("--only", default=",".join(GROUPS), help="groups to measure, separated by commas")
    parser.add_argument("--full", action="store_true", help="also the stand-ins in the real networks' size")
    parser.add_argument("--quick", action="store_true", help="small and short: does it run at all?")
    arguments = parser.parse_args()
    if not set(arguments.only.split(",")) <= set(GROUPS):
        parser.error(f"--only: expected some of {', '.join(GROUPS)}")
    return arguments


def main() -> int:
    arguments = parse()
    started = time.monotonic()
    table = os.dup(1)
    os.dup2(2, 1)  # what the programs say on the way is no part of the result
    run = Run(arguments.build.resolve(), arguments.out.resolve(), arguments.quick, arguments.full)
    run.out.mkdir(parents=True, exist_ok=True)
    measures = {"control": measure_control, "call": measure_call, "load": measure_load}
    try:
        stems = [stem for group in GROUPS if group in arguments.only.split(",") for stem in measures[group](run)]
        join(run, stems, started, table)
    except subprocess.CalledProcessError as error:
        print(f"bench: failed with exit status {error.returncode}: {' '.join(map(str, error.cmd))}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
