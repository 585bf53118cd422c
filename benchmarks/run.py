#!/usr/bin/env python3
"""Runs the benchmarks and leaves one report: out/bench/report.json, report.md (also printed), report.png, figures.md.

    python benchmarks/run.py --build build/bench [--only control,call,python,...] [--full] [--quick]

Started by scripts/bench.sh after the build. Networks are generated below out/bench as needed. The negative control
runs first, whatever was asked for. Exit status: 1 when a program fails or the control does, and then there is no
report; a bar that is missed is printed as "not reached" and is no failure. README.md beside this file says what would
make each figure lie. Every group has its seconds (BUDGETS): programs are told when to begin no further round, and what
was used stands at the end of the report. `--full` lifts that limit.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import load  # beside this file, as are page, picture, sets
import page
import picture
import sets
from sets import HERE, NETWORKS, ROOT, TORCH, MeasuredSet, Run, demo, large_sets, one_node, one_op_torch, precisions, small_standins

BUDGETS = {NETWORKS: 75, "control": 45, "call": 75, "precision": 60, "python": 45, "torch": 75, "lanes": 65, "load": 75,
           "telemetry": 10, "lightglue": 20, "takeoff": 45}  # seconds on two cores; of one run without --full
GROUPS = tuple(group for group in BUDGETS if group != NETWORKS)
MOST_SECONDS = page.MOST_SECONDS


def measure_control(run: Run) -> list[str]:
    """By both clocks that figures are taken with; a call of some ms, and one of a microsecond, repeated for a ms."""
    small = ("--set-dir", one_node(run).folder)
    # In haste the small one serves twice: it keeps to registers and the first cache, and is known within seconds.
    large = small if run.is_quick else ("--set-dir", demo(run).folder, "--model", "demo_matcher")
    return [run.program("bench_control", "control-cpu", *large, "--most-seconds", 120),
            run.program("bench_control", "control-wall", *small, "--most-seconds", 120, "--wall-clock")]


def measure_set(run: Run, measured: MeasuredSet) -> list[str]:
    name = measured.name
    stems = [run.program("bench_call", f"call-{name}", *measured.chosen(), "--rounds", measured.rounds, "--most-seconds",
                         measured.most_seconds, budget=measured.budget)]
    stems.append(run.program("bench_count", f"count-{name}", *measured.chosen()))
    if name == "one_node" or (name == "demo" and not run.is_quick):
        load.run(sys.executable, HERE / "python_onnxruntime.py", "--set-dir", measured.folder, "--beside", run.out / f"call-{name}.json",
                 "--out", run.out / f"python-{name}", "--rounds", 6 if run.is_quick else 11)
        stems.append(f"python-{name}")
    return stems


def measure_call(run: Run) -> list[str]:
    measured = [one_node(run), demo(run), *([small_standins(run)] if run.is_full else []), *large_sets(run)]
    return [stem for each in measured for stem in measure_set(run, each)]


def measure_precision(run: Run) -> list[str]:
    """fp16 and int8 artifacts of ONNX Runtime; those of PyTorch are half already."""
    measured = precisions(run)
    return [run.program("bench_call", "call-precisions", "--set-dir", measured.folder, "--rounds", measured.rounds,
                        "--most-seconds", measured.most_seconds, "--pair-alone")]


def measure_python(run: Run) -> list[str]:
    """`import skua` beside Python's onnxruntime, in one process."""
    if not has_python(run):
        return []
    stems = []
    for measured in (one_node(run), demo(run)):
        stems.append(f"python-call-{measured.name}")
        print(f"bench: {stems[-1]}", file=sys.stderr, flush=True)
        load.run(sys.executable, HERE / "python_call.py", "--build", run.build, "--set-dir", measured.folder, "--trust",
                 run.out / "bench.pub", "--out", run.out / stems[-1], "--rounds", 12 if run.is_quick else 101,
                 "--most-seconds", 1 if run.is_quick else 60 if run.is_full else run.clock.at_most(8), "--held-rounds", 6 if run.is_quick else 31)
    return stems


def measure_first_inference(run: Run) -> list[str]:
    """Of PyTorch, whose library alone takes longer to open than most networks to run."""
    work = run.out / "first_inference"
    work.mkdir(exist_ok=True)
    return [run.program("first_inference", "first-inference", "--set-dir", demo(run, TORCH).folder, "--model",
                        "demo_vpr" if run.is_quick else "demo_features", "--rounds", 6 if run.is_quick else 21, "--skua", run.skua,
                        "--raw-program", run.build / "benchmarks/raw_first_inference", "--work-dir", work, budget=22)]


def lacking(doctor: dict[str, Any], runtime: str) -> str:
    """"" for a runtime that can be measured. The program is asked: files of an older configuration may lie about in the build."""
    (found,) = [each for each in doctor["runtimes"] if each["label"] == runtime]
    if not found["is_built"]:
        return f"it is not built, {found['build_flag']} is OFF"
    return "" if found["is_loadable"] else "it is built and cannot be loaded; `skua doctor` says why"


def has_torch(run: Run, group: str) -> bool:
    why = lacking(doctor_of(run), TORCH)
    if why:
        run.leave_out(f"{group}, {TORCH}", "libtorch", why)
    return not why


def is_on(build: Path, option: str) -> bool:
    """As the build is configured; what it was configured with before may have left files."""
    return f"{option}:BOOL=ON" in (build / "CMakeCache.txt").read_text("utf-8").splitlines()


def has_python(run: Run) -> bool:
    if is_on(run.build, "SKUA_BUILD_PYTHON"):
        return True
    run.leave_out("python", "Python's `onnxruntime`", "the Python package is not built, SKUA_BUILD_PYTHON is OFF")
    return False


def measure_torch(run: Run) -> list[str]:
    """Calls and counts of PyTorch, beside libtorch."""
    if not has_torch(run, "torch"):
        return []
    stems = []
    for measured in (one_op_torch(run), demo(run, TORCH)):
        stems.append(run.program("bench_call", f"call-{measured.name}", *measured.chosen(), "--rounds", measured.rounds,
                                 "--most-seconds", measured.most_seconds, budget=measured.budget))
        stems.append(run.program("bench_count", f"count-{measured.name}", *measured.chosen()))
    return stems + measure_first_inference(run)


def measure_lanes(run: Run) -> list[str]:
    """1, 2 and 4 of them: runs a second and their slowest, on every runtime that is built; CPU time and memory."""
    matcher = [demo(run), *([demo(run, TORCH)] if has_torch(run, "lanes") else [])]
    stems = [run.program("bench_throughput", f"throughput-{measured.name}", "--set-dir", measured.folder, "--model",
                         "demo_matcher", "--rounds", 6 if run.is_quick else 31, "--slice", 0.02 if run.is_quick else 0.1,
                         budget=20) for measured in matcher]
    for measured in (one_node(run), *([] if run.is_quick else [demo(run)])):
        stems.append(run.program("bench_lanes", f"lanes-{measured.name}", "--set-dir", measured.folder, "--rounds",
                                 6 if run.is_quick else 15 if run.is_full else 9))
    return stems


def measure_load(run: Run) -> list[str]:
    depth = "full" if run.is_full else "quick" if run.is_quick else "default"
    with run.clock.of(NETWORKS):
        load.prepare(run.build, run.out, depth)
    stems = load.measure(run.build, run.out, depth)
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
    runtimes = [*([TORCH] if has_torch(run, "lightglue") else []), "onnx_trt_ep"]
    return [run.program("bench_lightglue", f"lightglue-{runtime}", "--set-dir", demo(run, runtime).folder, "--model", "demo_matcher",
                        "--rounds", 6 if run.is_quick else 101, budget=8) for runtime in runtimes]


def measure_takeoff(run: Run) -> list[str]:
    """Start of the airborne program's part to all engines warm, against the bound of the same run."""
    measured_sets = sets.takeoff_sets(run, has_torch(run, "takeoff"))
    return [run.program("takeoff", f"takeoff-{measured.name}", "--set-dir", measured.folder, "--rounds",
                        6 if run.is_quick else measured.rounds, budget=20) for measured in measured_sets]


MEASURES = {"control": measure_control, "call": measure_call, "precision": measure_precision, "python": measure_python,
            "torch": measure_torch, "lanes": measure_lanes, "load": measure_load, "telemetry": measure_telemetry,
            "lightglue": measure_lightglue, "takeoff": measure_takeoff}


def commit() -> str:
    answer = subprocess.run(["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=12"],
                            capture_output=True, text=True, check=False)
    return answer.stdout.strip() or "unknown"


def must_be_the_same(before: str, after: str) -> None:
    if before != after:
        raise SystemExit(f"bench: the source tree was at {before} when measuring began, and is at {after} now: a report would name code "
                         "that was not measured; leave the tree alone and run `make bench` again")


@functools.cache
def doctor_of(run: Run) -> dict[str, Any]:
    return json.loads(subprocess.run([run.skua, "doctor", "--json"], capture_output=True, check=True).stdout)


def sdk_versions(run: Run) -> str:
    """Of the libraries that the runtimes load, as they say themselves."""
    runtimes = doctor_of(run)["runtimes"]
    return ", ".join(f"{runtime['label']} {runtime['sdk']['version']}" for runtime in runtimes if runtime["is_loadable"])


def depth_text(run: Run) -> str:
    return "quick: figures of no worth" if run.is_quick else "full" if run.is_full else "default"


def budgets_of(run: Run) -> dict[str, dict[str, float]]:
    """None in haste and in full, which have no limit."""
    return {group: {"seconds": run.clock.spent[group], "budget": 0 if run.is_quick or run.is_full else seconds}
            for group, seconds in BUDGETS.items() if group in run.clock.spent}


def join(run: Run, stems: list[str], measured: str) -> None:
    """All figures in one file, figures.json, with what is true of all of them."""
    import onnx
    import onnxruntime

    said = {"commit": measured, "sdk": sdk_versions(run), "python onnxruntime": onnxruntime.__version__, "onnx": onnx.__version__,
            "load average at the end": " ".join(f"{value:.2f}" for value in os.getloadavg()),
            "seconds": f"{sum(run.clock.spent.values()):.0f}", "depth": depth_text(run)}
    machine = [part for key, value in said.items() for part in ("--machine", f"{key}={value}")]
    load.run(run.build / "benchmarks/bench_report", "--out", run.out / "figures", *machine,
             *(run.out / f"{stem}.json" for stem in stems))


def write_report(run: Run, table: int) -> page.Report:
    """The table goes to the descriptor `table`, too. report.json comes last: where it is, the others are."""
    report = page.checked(json.loads((run.out / "figures.json").read_text("utf-8")) | {"budgets": budgets_of(run), "left_out": run.left_out})
    (run.out / "figures.json").unlink()
    text = page.markdown(report)
    (run.out / "report.md").write_text(text, "utf-8")
    if picture.has_any(report):
        picture.draw(report, run.out / "report.png")
    partial = run.out / "report.json.partial"
    partial.write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    partial.rename(run.out / "report.json")
    with open(table, "w", encoding="utf-8") as stream:
        stream.write(text)
    return report


def say_how_long(run: Run, report: page.Report) -> None:
    total = sum(run.clock.spent.values())
    for group, seconds in run.clock.spent.items():
        print(f"bench: {group:10} {seconds:6.0f} s of {BUDGETS[group]}", file=sys.stderr)
    print(f"bench: all        {total:6.0f} s of {MOST_SECONDS}; report.json, report.md and report.png are in {run.out}\n"
          f"bench: into README.md and docs/images: .venv/bin/python benchmarks/readme_table.py --report {run.out / 'report.json'} --write",
          file=sys.stderr)
    if late := page.over_time(report):
        print(f"bench: {late}", file=sys.stderr)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Runs the benchmarks and leaves one report.")
    parser.add_argument("--build", type=Path, default=ROOT / "build/bench")
    parser.add_argument("--out", type=Path, default=ROOT / "out/bench")
    parser.add_argument("--only", default=",".join(GROUPS), help="groups to measure, separated by commas; the control runs before any of them")
    parser.add_argument("--full", action="store_true", help="without limits of time; also the stand-ins in the real networks' size")
    parser.add_argument("--quick", action="store_true", help="small and short: does it run at all?")
    arguments = parser.parse_args()
    if not set(arguments.only.split(",")) <= set(GROUPS):
        parser.error(f"--only: expected some of {', '.join(GROUPS)}")
    return arguments


def main() -> int:
    arguments = parse()
    table = os.dup(1)
    os.dup2(2, 1)  # what the programs say on the way is no part of the result
    clock = sets.Clock({} if arguments.quick or arguments.full else BUDGETS)
    run = Run(arguments.build.resolve(), arguments.out.resolve(), arguments.quick, arguments.full, clock)
    run.out.mkdir(parents=True, exist_ok=True)
    for old in ("report.json", "report.md", "report.png", "figures.json", "figures.md"):  # a run that fails leaves none
        (run.out / old).unlink(missing_ok=True)
    chosen = {"control", *arguments.only.split(",")}
    stems, measured = [], commit()
    try:
        for group in GROUPS:
            if group not in chosen:
                run.leave_out(f"group {group}", "", "it was not asked for")
                continue
            with run.clock.of(group):
                stems += MEASURES[group](run)
        must_be_the_same(measured, commit())
        join(run, stems, measured)
    except subprocess.CalledProcessError as error:
        print(f"bench: failed with exit status {error.returncode}: {' '.join(map(str, error.cmd))}", file=sys.stderr)
        return 1
    say_how_long(run, write_report(run, table))
    return 0


if __name__ == "__main__":
    sys.exit(main())
