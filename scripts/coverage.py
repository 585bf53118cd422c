#!/usr/bin/env python3
"""Reads the counters of build/coverage with gcovr for scripts/coverage.sh and judges them by tests/coverage.txt.

Prints a table and the decisions that were not taken both ways; exit 1 below a mark, or when a file of the table has no
counters. out/coverage/report.json holds gcovr's own report.

What counts is the ways out of a decision: of a block of code that control leaves in two or more ways. A call, which
control leaves by returning or by an exception, is none; nor is the choice of a handler by the exception's type, nor
what only an exception reaches in a line that was run otherwise: memory that runs out is the test of fault_real. What
the compiler decides at a closing brace is which objects are there to be destroyed.
"""

import collections
import json
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))

import counts  # noqa: E402  (its folder is only known from here on)

REPORT = ROOT / "out" / "coverage" / "report.json"
TABLE = ROOT / "tests" / "coverage.txt"


def read_table(path=TABLE):
    """({group: least percent}, {file: group})."""
    marks, files = {}, {}
    for number, line in enumerate(pathlib.Path(path).read_text(encoding="ascii").splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if words[0] == "mark" and len(words) == 3:
            marks[words[1]] = float(words[2])
        elif len(words) == 2 and words[0] in marks and words[1] not in files:
            files[words[1]] = words[0]
        else:
            raise ValueError(f"{path}:{number}: want 'mark GROUP PERCENT' or 'GROUP FILE', each file once")
    return marks, files


def without_calls(ways):
    """A call is two ways in turn, back and out by an exception; gcovr gives several blocks of a line one number."""
    kept = []
    for way in ways:
        if way["throw"]:
            kept = kept[:-1]
        else:
            kept.append(way)
    return kept


def decisions_in(line):
    """[count of each way] of the decisions in a line of gcovr's report."""
    blocks = collections.defaultdict(list)
    for branch in line.get("branches", []):
        blocks[branch.get("source_block_id")].append(branch)
    for ways in blocks.values():
        counts_of = [way["count"] for way in without_calls(ways)]
        is_cleanup = line["count"] > 0 and not any(counts_of)
        if len(counts_of) > 1 and not is_cleanup:
            yield counts_of


def has_decisions(text):
    """Whether somebody wrote a decision into this line of a source."""
    return "catch (" not in text and text.strip(" });") != ""


def branches_of(report, files, root=ROOT):
    """{file: [(line, taken or not), ...]} of a gcovr report; no entry for a file without counters."""
    found = {}
    for entry in report["files"]:
        if entry["file"] not in files:
            continue
        text = (root / entry["file"]).read_text(encoding="utf-8").splitlines()
        found[entry["file"]] = [
            (line["line_number"], count > 0)
            for line in entry["lines"]
            if not line.get("gcovr/noncode") and has_decisions(text[line["line_number"] - 1])
            for ways in decisions_in(line)
            for count in ways
        ]
    return found


def percent(taken, total):
    return 100.0 * taken / total if total else 100.0


def judge(marks, files, found):
    """(lines of the table, lines about what is missing, whether all is well)."""
    table, missing, is_good = [], [], True
    for group, mark in marks.items():
        taken = total = 0
        for file in (file for file, of in files.items() if of == group):
            if file not in found:
                missing.append(f"{file}: no counters: it was not built, or not one of its lines ran")
                is_good = False
                continue
            hits = [hit for _, hit in found[file]]
            taken, total = taken + sum(hits), total + len(hits)
            table.append(f"  {file:<52} {sum(hits):>5} of {len(hits):>5}  {percent(sum(hits), len(hits)):6.1f} %")
            lost = sorted({number for number, hit in found[file] if not hit})
            if lost:
                missing.append(f"{file}: not taken, in lines {', '.join(map(str, lost))}")
        verdict = percent(taken, total) >= mark and total > 0
        is_good = is_good and verdict
        table.append(f"{group:<54} {taken:>5} of {total:>5}  {percent(taken, total):6.1f} %  "
                     f"asked {mark:g} %: {'reached' if verdict else 'NOT REACHED'}")
    return table, missing, is_good


def main():
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "gcovr", "--root", ROOT, "--object-directory", ROOT / "build/coverage",
               "--gcov-executable", "gcov-11", "--filter", "src/", "--merge-mode-functions", "separate", "--gcov-ignore-parse-errors", "all", "-j", "2",
               "--json", REPORT, ROOT / "build/coverage"]
    subprocess.run(command, cwd=ROOT, check=True)
    marks, files = read_table()
    found = branches_of(json.loads(REPORT.read_text("utf-8")), files)
    table, missing, is_good = judge(marks, files, found)
    print("ways taken out of decisions:")
    print("\n".join(table))
    print("\n".join(missing))
    for group in marks:
        hits = [hit for file, branches in found.items() if files[file] == group for _, hit in branches]
        counts.reached(f"coverage_{group}", int(percent(sum(hits), len(hits))) if hits else 0)
    sys.exit(0 if is_good else 1)


if __name__ == "__main__":
    main()
