#!/usr/bin/env python3
"""Runs what shows that signed sets can be trusted, for scripts/trust_table.sh, and prints one table: what was asked,
what was reached, and the verdict. Exit 1 unless every step passed and every row reached what was asked.

Tests say how far they came with skua_test::reached or counts.reached (tests/support); lines of one row add up. What is
asked stands in tests/counts.txt, for the depth of SKUA_DEPTH.
"""

import argparse
import concurrent.futures
import os
import pathlib
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
OUT = ROOT / "out" / "trust"
RESULTS = ROOT / "out" / "results"
sys.path.insert(0, str(ROOT / "tests" / "support"))

import counts  # noqa: E402  (its folder is only known from here on)

FAULT = "build/dev/tests/fault_real --gtest_filter="
TOLD_LINES = 60  # of a step that failed
STEPS_AT_A_TIME = 2  # most of them keep one core busy
CACHE = "build/dev/tests/unit_cache --gtest_filter="

# What is run, and the rows that it must reach: "row of tests/counts.txt": "what it counts".
STEPS = {
    "crash": (CACHE + "CrashStates.*", {"crash_states": "distinct states after a crash: no bad set, none lost"}),
    "kills": (FAULT + "KillRandom.*:KillSteps.*", {
        "kill_random": "SIGKILLs at random moments of publish, beside a reader",
        "kill_steps": "SIGKILLs, one before each system call",
    }),
    "errno": (FAULT + "ErrnoInjection.*", {"errno_injections": "system calls that fail or are cut short"}),
    "corruption": (FAULT + "Corruption.*", {
        "corruption_bytes": "damaged bytes of an engine, never deserialised",
        "corruption_lengths": "wrong lengths of an engine, never deserialised",
        "corruption_loads": "damaged engines at a runtime's own deserialiser",
        "corruption_sparse_mib": "MiB of a file whose last byte is wrong",
    }),
    "races": (FAULT + "SwapRace.*", {"swap_rounds": "loads of a set whose files are swapped meanwhile"}),
    "memory": (FAULT + "Allocation.* && build/dev/tests/fault_openssl", {
        "allocation_entries": "entry points of cache without memory",
        "allocation_failures": "allocations of theirs that fail",
        "openssl_failures": "allocations of OpenSSL that fail",
    }),
    "mutations": (CACHE + "TrustMutations.*", {"mutations": "named mutations, each with its own refusal"}),
    "golden": (CACHE + "GoldenSets.*", {"golden_sets": "sets of released formats, each with its verdict"}),
    "fuzz": ("scripts/fuzz.sh", {"fuzz_targets": "fuzz targets without a finding"}),
    "coverage": ("scripts/coverage.sh", {
        "coverage_parsers": "percent of the parsers' branches",
        "coverage_gate": "percent of the branches of gate, publish and hash",
    }),
}


def run_step(name, command):
    """(exit status, {row: reached})."""
    print(f"trust: {name}: {command}", file=sys.stderr, flush=True)
    with tempfile.NamedTemporaryFile(mode="r", encoding="ascii") as reached, (OUT / f"{name}.log").open("wb") as log:
        environment = os.environ | {"SKUA_REACHED": reached.name, "SKUA_BUILD_DIR": str(ROOT / "build" / "dev")}
        done = subprocess.run(["bash", "-c", command], cwd=ROOT, env=environment, stdout=log, stderr=log, check=False)
        found = counts.reached_in(reached.read())
    if done.returncode != 0:  # where the machine is gone afterwards, nobody can read the file
        lines = (OUT / f"{name}.log").read_text(encoding="utf-8", errors="replace").splitlines()
        print("\n".join(lines[-TOLD_LINES:]), file=sys.stderr, flush=True)
    return done.returncode, found


def judge(rows, status, reached):
    """[(row, what it counts, asked, reached, verdict)]."""
    lines = []
    for row, what in rows.items():
        asked, found = counts.count(row), reached.get(row, 0)
        verdict = "failed" if status != 0 else "passed" if found >= asked > 0 else "TOO FEW"
        lines.append((row, what, asked, found, verdict))
    return lines


def main():
    parser = argparse.ArgumentParser(prog="scripts/trust_table.sh")
    parser.add_argument("step", nargs="*", help=", ".join(STEPS))
    chosen = parser.parse_args().step or list(STEPS)
    if unknown := set(chosen) - set(STEPS):
        parser.error(f"unknown steps: {', '.join(sorted(unknown))}; there are: {', '.join(STEPS)}")
    OUT.mkdir(parents=True, exist_ok=True)
    lines, started = [], time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(STEPS_AT_A_TIME) as pool:
        for name, found in zip(chosen, pool.map(lambda name: run_step(name, STEPS[name][0]), chosen)):
            lines += judge(STEPS[name][1], *found)
    print(f"{'row':<22} {'asked':>9} {'reached':>9}  verdict")
    for row, what, asked, found, verdict in lines:
        print(f"{row:<22} {asked:>9} {found:>9}  {verdict:<8} {what}")
    failed = [row for row, _, _, _, verdict in lines if verdict != "passed"]
    RESULTS.mkdir(parents=True, exist_ok=True)  # for scripts/tally.py
    (RESULTS / "trust.checks").write_text("".join(f"{'fail' if row in failed else 'pass'} {row}\n" for row, *_ in lines),
                                          encoding="utf-8")
    print(f"{len(lines) - len(failed)} of {len(lines)} rows passed, {time.monotonic() - started:.0f} s"
          + (f"; the output of all steps is in {OUT.relative_to(ROOT)}/" if failed else ""))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
