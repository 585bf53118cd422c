#!/usr/bin/env python3
"""Runs the benchmarks and leaves one report: out/bench/report.json and report.md, which it also prints.

    python benchmarks/run.py --build build/bench [--only control,call,python,...] [--full] [--quick]

Started by scripts/bench.sh after the build. Networks are generated below out/bench as needed. The negative control
runs first, whatever was asked for. Exit status: 1 when a program fails or the control does, and then there is no
report; a bar that is missed is printed as "not reached" and is no failure. README.md beside this file says what would
make each figure lie.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import load  # beside this file, as is trained
import trained

ROOT = Path(__file__).resolve().parents[1]
HERE = ROOT / "benchmarks"
GROUPS = ("control", "call", "python", "torch", "load", "telemetry", "lightglue", "takeoff")
LOAD_REPORTS = ("load-verify", "load-trust", "load-data-set", "load-sessions", "load-memory", "load-growth")


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
        trust = ("--trust", self.out / "bench.pub") if "--set-dir" in arguments else ()
        load.run(self.build / "benchmarks" / name, "--out", self.out / report, *arguments, *trust)
        return report


@dataclass(frozen=True)
class MeasuredSet:
    """A set whose engines are called, and how long that may take."""

    name: str
    place: load.Place
    rounds: int
    most_seconds: int  # per network
    sources: Path | None = None  # of its models, where the making of its sessions is measured, too
    session_rounds: int = 31

    @property
    def folder(self) -> Path:
        return self.place.current()


@functools.cache
def one_node(run: Run) -> MeasuredSet:
    place = load.Place(run.out / "one_node")
    load.run(sys.executable, HERE / "make_one_node.py", "--out", place.models)
    load.provision(run.build / "bin/skua", place)
    return MeasuredSet("one_node", place, 12 if run.is_quick else 101, 1 if run.is_quick else 20)


@functools.cache
def one_op_torch(run: Run) -> MeasuredSet:
    place = load.Place(run.out / "one_op_torch")
    load.run(sys.executable, HERE / "make_one_node.py", "--out", place.models, "--runtime", "pytorch_fp16")
    load.provision(run.build / "bin/skua", place)
    return MeasuredSet("one_op_torch", place, 12 if run.is_quick else 101, 1 if run.is_quick else 20)


@functools.cache
def demo(run: Run, runtime: str = "onnx_trt_ep") -> MeasuredSet:
    """The making of its sessions is measured by load.py."""
    name = "demo" if runtime == "onnx_trt_ep" else "demo_torch"
    place = load.make_demo_place(run.build / "bin/skua", run.out / name, runtime)
    return MeasuredSet(name, place, 6 if run.is_quick else 51, 1 if run.is_quick else 20)


def make_standins(run: Run, scale: str, precision: str) -> load.Place:
    """Stand-ins of the networks that fly, of random weights."""
    half = "-fp16" if scale == "nano" and precision == "fp16" else ""  # the nano set's set.yaml is that of fp32
    place = load.Place(run.out / f"standins-{scale}{half}")
    load.run(sys.executable, ROOT / "models/make_standins.py", "--scale", scale, "--out", place.models,
             "--precision", "fp32" if precision == "fp32" else "fp32,fp16")
    if precision == "fp32":
        shutil.copyfile(place.models / "set_fp32.yaml", place.models / "set.yaml")
    load.provision(run.build / "bin/skua", place)
    return place


@functools.cache
def small_standins(run: Run) -> MeasuredSet:
    return MeasuredSet("standins-nano", make_standins(run, "nano", "fp32"), 21, 5)


@functools.cache
def full_standins(run: Run) -> MeasuredSet:
    """In the precision that flies. The longest call takes 0.6 s: bounds well within 1 % need some 200 rounds of it."""
    place = make_standins(run, "full", "fp16")
    return MeasuredSet("standins-full", place, 7, 1 if run.is_quick else 400, place.models, 6 if run.is_quick else 11)


@functools.cache
def trained_networks(run: Run) -> MeasuredSet:
    place = load.Place(run.out / "trained")
    trained.write_set(place.models)
    load.provision(run.build / "bin/skua", place)
    return MeasuredSet("trained", place, 6 if run.is_quick else 21, 1 if run.is_quick else 60, trained.SOURCES,
                       6 if run.is_quick else 31)


def large_sets(run: Run) -> list[MeasuredSet]:
    """Networks in the size that flies: those that others trained wherever they lie, stand-ins when asked for."""
    sets = []
    if trained.are_there() and (run.is_full or not run.is_quick):
        sets.append(trained_networks(run))
    if run.is_full:
        sets.append(full_standins(run))
    return sets


def measure_control(run: Run) -> list[str]:
    """By both clocks that figures are taken with; a call of some ms, and one of a microsecond, repeated for a ms."""
    small = ("--set-dir", one_node(run).folder)
    # In haste the small one serves twice: it keeps to registers and the first cache, and is known within seconds.
    large = small if run.is_quick else ("--set-dir", demo(run).folder, "--model", "demo_matcher")
    return [run.program("bench_control", "control-cpu", *large, "--most-seconds", 120),
            run.program("bench_control", "control-wall", *small, "--most-seconds", 120, "--wall-clock")]


def measure_set(run: Run, measured: MeasuredSet) -> list[str]:
    name, where = measured.name, ("--set-dir", measured.folder)
    stems = [run.program("bench_call", f"call-{name}", *where, "--rounds", measured.rounds, "--most-seconds",
                         measured.most_seconds)]
    stems.append(run.program("bench_count", f"count-{name}", *where))
    if name == "one_node" or (name == "demo" and not run.is_quick):
        stems.append(run.program("bench_lanes", f"lanes-{name}", *where, "--rounds", 6 if run.is_quick else 15))
        load.run(sys.executable, HERE / "python_onnxruntime.py", *where, "--beside", run.out / f"call-{name}.json",
                 "--out", run.out / f"python-{name}", "--rounds", 6 if run.is_quick else 21)
        stems.append(f"python-{name}")
    return stems


def measure_python(run: Run) -> list[str]:
    """`import skua` beside Python's onnxruntime, in one process."""
    if not any((run.build / "python/skua").glob("_skua.*.so")):
        print("bench: python: skipped, built with -DSKUA_BUILD_PYTHON=OFF", file=sys.stderr)
        return []
    stems = []
    for measured in (one_node(run), demo(run)):
        stems.append(f"python-call-{measured.name}")
        print(f"bench: {stems[-1]}", file=sys.stderr, flush=True)
        load.run(sys.executable, HERE / "python_call.py", "--build", run.build, "--set-dir", measured.folder, "--trust",
                 run.out / "bench.pub", "--out", run.out / stems[-1], "--rounds", 12 if run.is_quick else 101,
                 "--most-seconds", 1 if run.is_quick else 60)
    return stems


def measure_first_inference(run: Run) -> list[str]:
    """Of PyTorch, whose library alone takes longer to open than most networks to run."""
    work = run.out / "first_inference"
    work.mkdir(exist_ok=True)
    return [run.program("first_inference", "first-inference", "--set-dir", demo(run, "pytorch_fp16").folder, "--model",
                        "demo_features", "--rounds", 6 if run.is_quick else 21, "--skua", run.build / "bin/skua",
                        "--raw-program", run.build / "benchmarks/raw_first_inference", "--work-dir", work)]


def measure_torch(run: Run) -> list[str]:
    """Calls and counts of PyTorch, beside libtorch."""
    if not (run.build / "benchmarks/first_inference").exists():
        print("bench: torch: skipped, built with -DBUILD_PYTORCH_FP16_RUNTIME=OFF", file=sys.stderr)
        return []
    stems = []
    for measured in (one_op_torch(run), demo(run, "pytorch_fp16")):
        where = ("--set-dir", measured.folder)
        stems.append(run.program("bench_call", f"call-{measured.name}", *where, "--rounds", measured.rounds,
                                 "--most-seconds", measured.most_seconds))
        stems.append(run.program("bench_count", f"count-{measured.name}", *where))
    return stems + measure_first_inference(run)


def measure_call(run: Run) -> list[str]:
    sets = [one_node(run), demo(run), *([] if run.is_quick else [small_standins(run)]), *large_sets(run)]
    return [stem for measured in sets for stem in measure_set(run, measured)]


def measure_load(run: Run) -> list[str]:
    quick = ["--quick"] if run.is_quick else []
    load.run(sys.executable, HERE / "load.py", "--build", run.build, "--out", run.out, *quick)
    folder = "quick/" if run.is_quick else ""
    stems = [folder + stem for stem in LOAD_REPORTS]
    for measured in large_sets(run):
        stems.append(run.program("load_sessions", f"sessions-{measured.name}", "--set-dir", measured.folder, "--cache",
                                 measured.place.cache, "--sources", measured.sources, "--rounds",
                                 measured.session_rounds, "--builds", 0))
    return stems


def measure_telemetry(run: Run) -> list[str]:
    """What telling and reading costs the frame loop; a poll of a tree of files that looks like an Orin Nano."""
    sys.path.insert(0, str(ROOT / "tests/support"))
    from sysfs_tree import SysfsTree

    machine = run.out / "machine"
    shutil.rmtree(machine, ignore_errors=True)
    tree = SysfsTree("jetson_orin_nano_jp6", machine)
    reads = 101_000 if run.is_quick else 10_000_000
    return [run.program("bench_telemetry", "telemetry", "--root", tree.root, "--reads", reads),
            run.program("bench_trace", "trace", "--batches", 6 if run.is_quick else 101),
            run.program("bench_events", "events", "--rounds", 6 if run.is_quick else 101)]


def measure_lightglue(run: Run) -> list[str]:
    """Batches of pairs on two lanes, on every runtime that is built."""
    stems = []
    for runtime in ("pytorch_fp16", "onnx_trt_ep"):
        if not any((run.build / "lib").glob(f"libskua_runtime_{runtime}.so*")):
            print(f"bench: lightglue: {runtime} skipped, it is not built", file=sys.stderr)
            continue
        stems.append(run.program("bench_lightglue", f"lightglue-{runtime}", "--set-dir", demo(run, runtime).folder,
                                 "--model", "demo_matcher", "--rounds", 6 if run.is_quick else 101))
    return stems


def takeoff_sets(run: Run) -> list[MeasuredSet]:
    """Sets that may fly, of both runtimes: the demo's, and stand-ins that share their models."""
    if run.is_quick and not run.is_full:
        return [demo(run, "pytorch_fp16")]
    scale, rounds = ("full", 7) if run.is_full else ("nano", 21)
    place = make_standins(run, scale, "fp16")
    of_torch = load.Place(place.folder, "_torch")
    load.provision(run.build / "bin/skua", of_torch)
    return [MeasuredSet(f"standins-{scale}_torch", of_torch, rounds, 0), MeasuredSet(f"standins-{scale}", place, rounds, 0)]


def measure_takeoff(run: Run) -> list[str]:
    """Start of the airborne program's part to all engines warm, against the bound of the same run."""
    if not (run.build / "benchmarks/first_inference").exists():
        print("bench: takeoff: skipped, built with -DBUILD_PYTORCH_FP16_RUNTIME=OFF", file=sys.stderr)
        return []
    return [run.program("takeoff", f"takeoff-{measured.name}", "--set-dir", measured.folder, "--rounds", measured.rounds)
            for measured in takeoff_sets(run)]


def commit() -> str:
    answer = subprocess.run(["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=12"],
                            capture_output=True, text=True, check=False)
    return answer.stdout.strip() or "unknown"


def sdk_versions(run: Run) -> str:
    """Of the libraries that the runtimes load, as they say themselves."""
    doctor = subprocess.run([run.build / "bin/skua", "doctor", "--json"], capture_output=True, check=True)
    runtimes = json.loads(doctor.stdout)["runtimes"]
    return ", ".join(f"{runtime['label']} {runtime['sdk']['version']}" for runtime in runtimes if runtime["is_loadable"])


def join(run: Run, stems: list[str], started: float, table: int) -> None:
    """The one report, with what is true of all of it; its table goes to the descriptor `table`."""
    import onnx
    import onnxruntime

    said = {"commit": commit(), "sdk": sdk_versions(run), "python onnxruntime": onnxruntime.__version__, "onnx": onnx.__version__,
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
    parser.add_argument("--only", default=",".join(GROUPS), help="groups to measure, separated by commas; the control runs before any of them")
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
    for old in ("report.json", "report.md"):  # a run that fails leaves none
        (run.out / old).unlink(missing_ok=True)
    measures = {"control": measure_control, "call": measure_call, "python": measure_python, "torch": measure_torch, "load": measure_load,
                "telemetry": measure_telemetry, "lightglue": measure_lightglue,
                "takeoff": measure_takeoff}
    chosen = {"control", *arguments.only.split(",")}
    try:
        stems = [stem for group in GROUPS if group in chosen for stem in measures[group](run)]
        join(run, stems, started, table)
    except subprocess.CalledProcessError as error:
        print(f"bench: failed with exit status {error.returncode}: {' '.join(map(str, error.cmd))}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
