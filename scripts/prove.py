#!/usr/bin/env python3
"""Runs the steps of tests/counts.txt for scripts/prove.sh and prints one table; exit 1 unless all have passed.

out/prove/<step>.json remembers a step that passed, with a digest of the tree and of the step; out/prove/<step>.log
is what it printed.
"""

import collections
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
OUT = ROOT / "out" / "prove"
sys.path[:0] = [str(ROOT / "tests" / "support"), str(ROOT / "scripts")]

import counts  # noqa: E402  (its folder is only known from here on)
import trust_table  # noqa: E402

TELLING = {row for _, rows in trust_table.STEPS.values() for row in rows}  # which say how far they came


def tree_digest():
    """Digest of all files that git would commit: a step's verdict holds for exactly this tree."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout.split(b"\0")
    digest = hashlib.sha256()
    for name in sorted(set(names) - {b""}):
        path = ROOT / name.decode()
        if path.is_file():
            digest.update(name + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def remembered(name, key):
    path = OUT / f"{name}.json"
    if not path.is_file():
        return None
    result = json.loads(path.read_text(encoding="utf-8"))
    return result if result["key"] == key else None


def run_step(name, command, key):
    print(f"prove: {name}: {command}", file=sys.stderr, flush=True)
    started = time.monotonic()
    with tempfile.NamedTemporaryFile(mode="r", encoding="ascii") as reached, (OUT / f"{name}.log").open("wb") as log:
        environment = os.environ | {"SKUA_REACHED": reached.name}
        status = subprocess.run(["bash", "-c", command], cwd=ROOT, env=environment, stdout=log, stderr=log,
                                check=False).returncode
        found = counts.reached_in(reached.read())
    result = {"key": key, "status": status, "seconds": round(time.monotonic() - started, 1), "reached": found}
    if status == 0:
        partial = OUT / f"{name}.json.partial"
        partial.write_text(json.dumps(result), encoding="utf-8")
        partial.rename(OUT / f"{name}.json")
    return result


def is_of_another(step, row):
    """Steps that run what other rows have steps of their own for: what those reach there is not counted twice."""
    return step in ("suite_repeats", "python_suite") or (step.startswith("coverage_") and not row.startswith("coverage_"))


def line_of(name, row, results, reached):
    """One line of the table, and whether it is good. What a test says that it reached is held against the count."""
    found, result = reached.get(name), results.get(name)
    verdict = "read by the suites" if result is None else "passed" if result["status"] == 0 else f"FAILED ({result['status']})"
    is_few = found < row["prove"] if found is not None else name in TELLING
    took = "" if result is None else f"{result['seconds']:>9.1f} s{' (earlier)' if result.get('is_earlier') else ''}"
    text = f"{name:<28} {row['prove']:>9} {'' if found is None else found:>9}  {'TOO FEW' if is_few else verdict:<20} {took}"
    return text.rstrip(), not is_few and (result is None or result["status"] == 0)


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    tree, results, reached = tree_digest(), {}, collections.Counter()
    rows = counts.rows()
    for name, row in rows.items():
        if row["command"] is None:
            continue
        command = row["command"].replace("{count}", str(row["prove"]))
        key = hashlib.sha256(f"{tree}\n{command}".encode()).hexdigest()
        known = remembered(name, key)
        results[name] = known | {"is_earlier": True} if known else run_step(name, command, key)
        reached.update({row: n for row, n in results[name].get("reached", {}).items() if not is_of_another(name, row)})
    lines = [line_of(name, row, results, reached) for name, row in rows.items()]
    print(f"{'row':<28} {'count':>9} {'reached':>9}  {'verdict':<20} {'time':>11}")
    print("\n".join(text for text, _ in lines))
    failed = sum(not is_good for _, is_good in lines)
    if failed:
        print(f"{failed} rows failed; their output is in {OUT.relative_to(ROOT)}/", file=sys.stderr)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
