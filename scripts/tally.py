#!/usr/bin/env python3
"""Adds up what really ran: tally.py RESULTS_DIR. Names every failure again, with its first line, where the end of a
long log is read, and says why tests were skipped; closes with 'N passed, N failed, N skipped'; exit 1 on a failure.

RESULTS_DIR holds JUnit files (*.xml) of ctest and pytest, *.failed of lanes that never reached their tests, and
*.checks with lines 'pass NAME' or 'fail NAME'.
"""

import collections
import pathlib
import re
import sys
import xml.etree.ElementTree as ElementTree


def report_failure(stem, case):
    """The name and the first line of a failed case; ctest puts the test's output elsewhere."""
    texts = [child.get("message") or child.text or "" for child in case if child.tag in ("failure", "error")]
    reason = " ".join(texts).strip().partition("\n")[0]
    print(f"  FAILED in {stem}: {case.get('classname', '')}::{case.get('name', '')}: {reason[:300]}")


def skip_reason(case):
    """Why a case was skipped, without what differs from case to case: lines that say where, numbers."""
    texts = [child.get("message") or child.text or "" for child in case if child.tag == "skipped"]
    lines = [line for line in " ".join(texts).splitlines() if line.strip() and not re.match(r"\S+:\d+$", line.strip())]
    return re.sub(r"\d+", "N", lines[0].strip())[:160] if lines else case.get("status") or "no reason given"


def count_junit(path, skips):
    passed = failed = skipped = 0
    for case in ElementTree.parse(path).iter("testcase"):
        kinds = {child.tag for child in case}
        if kinds & {"failure", "error"} or case.get("status") == "fail":
            failed += 1
            report_failure(path.stem, case)
        elif "skipped" in kinds or case.get("status") in ("notrun", "disabled"):
            skipped += 1
            skips[path.stem, skip_reason(case)] += 1
        else:
            passed += 1
    return passed, failed, skipped


def count_checks(path, _):
    marks = [line.split()[0] for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    return marks.count("pass"), len(marks) - marks.count("pass"), 0


def main():
    counters = {".xml": count_junit, ".checks": count_checks, ".failed": lambda path, _: (0, 1, 0)}
    total, skips = (0, 0, 0), collections.Counter()
    for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):
        if path.suffix not in counters:
            continue
        counts = counters[path.suffix](path, skips)
        stage = f" (stopped at: {path.read_text(encoding='utf-8').strip()})" if path.suffix == ".failed" else ""
        print(f"  {path.stem:<12} {counts[0]:>6} passed {counts[1]:>4} failed {counts[2]:>4} skipped{stage}")
        total = tuple(sum(pair) for pair in zip(total, counts))
    for (stem, reason), number in sorted(skips.items()):
        print(f"  skipped {number:>4} of {stem}: {reason}")
    print(f"{total[0]} passed, {total[1]} failed, {total[2]} skipped")
    sys.exit(1 if total[1] or not total[0] else 0)


if __name__ == "__main__":
    main()
