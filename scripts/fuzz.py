#!/usr/bin/env python3
"""Runs the built fuzz targets for scripts/fuzz.sh and prints one table; exit 1 unless all ran without a finding.

Inputs: tests/fuzz/corpus/<target>, and what earlier runs found worth keeping (out/fuzz/<target>/corpus). A finding is
a file out/fuzz/<target>/crash-..., timeout-..., oom-... or leak-...; `build/fuzz/tests/fuzz_<target> FILE` shows it.
"""

import argparse
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
FUZZ = ROOT / "tests" / "fuzz"
PROGRAMS = ROOT / "build" / "fuzz" / "tests"
OUT = ROOT / "out" / "fuzz"
sys.path.insert(0, str(ROOT / "tests" / "support"))

import counts  # noqa: E402  (its folder is only known from here on)

FOUND_NAME = re.compile("[0-9a-f]{40}")  # as libFuzzer names them; others have a name for what they are
MOST_FILES, MOST_BYTES = 64, 32768  # of those, for each target
KINDS = ("crash", "timeout", "oom", "leak")
CONTROL, CONTROL_RUNS = "seeded_overrun", 5_000_000
MOST_STALLS = 5  # more are no chance
# One input may take a second and 256 MiB. The address sanitizer keeps freed memory aside, to notice its use: of that
# 16 MiB, since it counts here.
LIMITS = ["-timeout=1", "-rss_limit_mb=256", "-seed=1"]
ENVIRONMENT = os.environ | {
    "ASAN_OPTIONS": "quarantine_size_mb=16:allocator_may_return_null=0:detect_leaks=1",
    "UBSAN_OPTIONS": "print_stacktrace=1",
}


def targets():
    """{name: longest input in bytes} of tests/fuzz/targets.txt."""
    lines = (FUZZ / "targets.txt").read_text(encoding="ascii").splitlines()
    rows = [line.split(None, 2) for line in lines if line.strip() and not line.startswith("#")]
    return {name: int(limit) for name, limit, _what in rows}


def findings(target):
    return sorted(file for file in (OUT / target).iterdir() if file.name.startswith(tuple(f"{kind}-" for kind in KINDS)))


def names_of(found):
    return " ".join(str(file.relative_to(ROOT)) for file in found)


def is_stall(target, file):
    """A timeout that does not come again was the machine's: others used its processors."""
    if not file.name.startswith("timeout-"):
        return False
    command = [PROGRAMS / f"fuzz_{target}", *LIMITS, file]
    again = [subprocess.run(command, env=ENVIRONMENT, capture_output=True, cwd=OUT / target, check=False) for _ in range(3)]
    return not any(done.returncode for done in again)


def run(target, limit, amount):
    """Fuzzes one target; (executions, executions a second, findings, exit status)."""
    folder = OUT / target
    (folder / "corpus").mkdir(parents=True, exist_ok=True)
    (FUZZ / "corpus" / target).mkdir(parents=True, exist_ok=True)
    command = [PROGRAMS / f"fuzz_{target}", *LIMITS, *amount, f"-max_len={limit}", f"-dict={FUZZ}/words.dict",
               f"-artifact_prefix={folder}/", "-print_final_stats=1", folder / "corpus", FUZZ / "corpus" / target]
    with (folder / "log").open("wb") as log:
        status = subprocess.run(command, env=ENVIRONMENT, stdout=log, stderr=log, cwd=folder, check=False).returncode
    text = (folder / "log").read_text(encoding="utf-8", errors="replace")
    figures = [re.search(rf"stat::{name}:\s*(\d+)", text) for name in ("number_of_executed_units", "average_exec_per_sec")]
    executed, per_second = (int(figure.group(1)) if figure else 0 for figure in figures)
    return executed, per_second, findings(target), status


def old_findings(target):
    """What earlier runs found and is not mended: it stays. What nobody can show any more goes."""
    (OUT / target).mkdir(parents=True, exist_ok=True)
    for file in findings(target):
        command = [PROGRAMS / f"fuzz_{target}", *LIMITS, file]
        if subprocess.run(command, env=ENVIRONMENT, capture_output=True, cwd=OUT / target, check=False).returncode == 0:
            file.unlink()
    return [file for file in findings(target) if not is_stall(target, file)]


def run_whole(target, limit, amount):
    """run(), begun again with the time that is left after each stall; (executions, executions a second, findings, exit
    status, stalls)."""
    executed, stalls = 0, 0
    option, number = amount.split("=")
    ends = time.monotonic() + int(number)
    while True:
        more, per_second, found, status = run(target, limit, [amount])
        executed += more
        stalled = [file for file in found if is_stall(target, file)]
        found = [file for file in found if file not in stalled]
        for file in stalled:
            file.unlink()
        stalls += len(stalled)
        left = round(ends - time.monotonic())
        if found or not stalled or stalls > MOST_STALLS or option != "-max_total_time" or left < 1:
            return executed, per_second, found, 0 if stalled and stalls <= MOST_STALLS else status, stalls
        amount = f"{option}={left}"


def judge(target, limit, amount):
    """One line of the table and whether it is good."""
    if found := old_findings(target):
        return f"{target:<20} {0:>12} {0:>10}  {names_of(found)} (of an earlier run)", False
    executed, per_second, found, status, stalls = run_whole(target, limit, amount)
    is_good = not found and executed > 0 and status == 0
    verdict = names_of(found) or ("0" if is_good else f"exit status {status}, see {(OUT / target / 'log').relative_to(ROOT)}")
    if stalls:
        verdict += f" ({stalls} stalls of the machine)"
    return f"{target:<20} {executed:>12} {per_second:>10}  {verdict}", is_good


def control():
    """The seeded defect must be found, from nothing."""
    (OUT / CONTROL).mkdir(parents=True, exist_ok=True)
    for old in [*(OUT / CONTROL / "corpus").glob("*"), *findings(CONTROL)]:
        old.unlink()
    executed, per_second, found, _status = run(CONTROL, 64, [f"-runs={CONTROL_RUNS}"])
    log = (OUT / CONTROL / "log").read_text(encoding="utf-8", errors="replace")
    is_good = bool(found) and "AddressSanitizer: heap-buffer-overflow" in log
    verdict = "found, as it must be" if is_good else f"NOT FOUND in {CONTROL_RUNS} runs: these runs mean nothing"
    return f"{CONTROL:<20} {executed:>12} {per_second:>10}  {verdict}", is_good


def keep(target, limit):
    """Adds to the tree's corpus what reaches code that it does not reach; of all that was added the smallest stay."""
    folder = FUZZ / "corpus" / target
    # The least files, by the code reached alone: how often it was reached would keep ten times as many.
    command = [PROGRAMS / f"fuzz_{target}", "-set_cover_merge=1", "-use_counters=0", f"-max_len={limit}"]
    subprocess.run([*command, folder, OUT / target / "corpus"], env=ENVIRONMENT, capture_output=True, check=True,
                   cwd=OUT / target)
    added = sorted((file for file in folder.iterdir() if FOUND_NAME.fullmatch(file.name)), key=lambda file: file.stat().st_size)
    total = 0
    for count, file in enumerate(added):
        total += file.stat().st_size
        if count >= MOST_FILES or total > MOST_BYTES:
            file.unlink()


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/fuzz.sh")
    parser.add_argument("target", nargs="*")
    parser.add_argument("--seconds", type=int, default=None)
    parser.add_argument("--runs", type=int, default=None)
    parser.add_argument("--keep", action="store_true")
    given = parser.parse_args()
    unknown = set(given.target) - set(targets())
    if unknown:
        parser.error(f"unknown targets: {', '.join(sorted(unknown))}; tests/fuzz/targets.txt has: {', '.join(targets())}")
    return given


def amount_of(given):
    if given.runs is not None:
        return f"-runs={given.runs}"
    seconds = counts.count("fuzz_seconds") if given.seconds is None else given.seconds
    return f"-max_total_time={seconds}" if seconds > 0 else "-runs=0"


def main():
    given = arguments()
    chosen = {name: limit for name, limit in targets().items() if not given.target or name in given.target}
    amount = amount_of(given)
    with concurrent.futures.ThreadPoolExecutor(max_workers=min(2, os.cpu_count() or 1)) as pool:
        jobs = [pool.submit(judge, name, limit, amount) for name, limit in chosen.items()]
        results = [] if given.target else [control()]
        done = [job.result() for job in jobs]
        results += done
    print(f"{'target':<20} {'executions':>12} {'a second':>10}  findings")
    print("\n".join(line for line, _ in results))
    counts.reached("fuzz_targets", sum(is_good for _, is_good in done))
    if given.keep:
        for name, limit in chosen.items():
            keep(name, limit)
    sys.exit(0 if all(is_good for _, is_good in results) else 1)


if __name__ == "__main__":
    main()
