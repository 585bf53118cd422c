#!/usr/bin/env python3
"""Runs the steps of tests/counts.txt for scripts/prove.sh and prints one table; exit 1 unless all have passed.

out/prove/<step>.json remembers a step that passed, with a digest of the tree and of the step; out/prove/<step>.log
is what it printed.
"""

import hashlib
import json
import pathlib
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
OUT = ROOT / "out" / "prove"
sys.path.insert(0, str(ROOT / "tests" / "support"))

import counts  # noqa: E402  (its folder is only known from here on)


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
    with (OUT / f"{name}.log").open("wb") as log:
        status = subprocess.run(["bash", "-c", command], cwd=ROOT, stdout=log, stderr=log, check=False).returncode
    result = {"key": key, "status": status, "seconds": round(time.monotonic() - started, 1)}
    if status == 0:
        partial = OUT / f"{name}.json.partial"
        partial.write_text(json.dumps(result), encoding="utf-8")
        partial.rename(OUT / f"{name}.json")
    return result


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    tree = tree_digest()
    lines = []
    failed = 0
    for name, row in counts.rows().items():
        if row["command"] is None:
            lines.append(f"{name:<28} {row['prove']:>9}  {'read by the suites':<20}")
            continue
        command = row["command"].replace("{count}", str(row["prove"]))
        key = hashlib.sha256(f"{tree}\n{command}".encode()).hexdigest()
        known = remembered(name, key)
        result = known or run_step(name, command, key)
        failed += result["status"] != 0
        verdict = "passed" if result["status"] == 0 else f"FAILED ({result['status']})"
        lines.append(f"{name:<28} {row['prove']:>9}  {verdict:<20} {result['seconds']:>9.1f} s{' (earlier)' if known else ''}")
    print(f"{'row':<28} {'count':>9}  {'verdict':<20} {'time':>11}")
    print("\n".join(lines))
    if failed:
        print(f"{failed} steps failed; their output is in {OUT.relative_to(ROOT)}/", file=sys.stderr)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
