#!/usr/bin/env python3
"""What lane aarch64 asks of its build and its results (scripts/aarch64.sh):

aarch64_checks.py left-out             an expression of the tests that qemu cannot run, for ctest -E; each with its reason on stderr
aarch64_checks.py machine FILE...      every file is an ELF file for aarch64
aarch64_checks.py ran RESULTS.xml      the tests said themselves that they ran as aarch64

Exit status 1, and the finding on stderr, when that is not so.
"""

import pathlib
import re
import struct
import sys
import xml.etree.ElementTree as ElementTree

import run_suites

LEFT_OUT = run_suites.ROOT / "tests" / "aarch64" / "left_out.txt"
EM_AARCH64 = 183  # elf.h


def lines_of(path):
    """[(expression, reason)]"""
    found = []
    for line in path.read_text("ascii").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        expression, _, reason = (part.strip() for part in line.partition("  # "))
        if not expression or not reason:
            sys.exit(f"{path.name}: '{line}' names no test or no reason; expected EXPRESSION, two spaces, # and why")
        found.append((expression, reason))
    return found


def left_out(lines, names):
    """One expression of all lines; says what each leaves out."""
    for expression, reason in lines:
        count = sum(re.search(expression, name) is not None for name in names)
        if not count:
            sys.exit(f"tests/aarch64/left_out.txt: no test is called {expression}; remove the line")
        print(f"left out: {count} tests {expression}: {reason}", file=sys.stderr)
    return "|".join(expression for expression, _ in lines)


def machine_of(path):
    """The number that an ELF file names its processor by, or None."""
    with path.open("rb") as stream:
        head = stream.read(20)
    return struct.unpack_from("<H", head, 18)[0] if len(head) == 20 and head[:4] == b"\x7fELF" else None


def check_machines(paths):
    wrong = [f"{path}: expected an ELF file for machine {EM_AARCH64} (aarch64), found {machine_of(path)}"
             for path in paths if machine_of(path) != EM_AARCH64]
    if wrong or not paths:
        sys.exit("\n".join(wrong) or "no file to look at; was anything built?")
    print(f"{len(paths)} built files are for aarch64")


def check_ran(path):
    said = {entry.get("value") for entry in ElementTree.parse(path).iter("property") if entry.get("name") == "machine"}
    if said != {"aarch64"}:
        sys.exit(f"{path}: tests that ran as aarch64 would have said so (HostProbe.TheMachineIsTheOneThatThisIsBuiltFor), "
                 f"found {', '.join(sorted(said)) or 'nothing'}")
    print("the tests ran as aarch64")


def main():
    what, arguments = sys.argv[1], [pathlib.Path(argument) for argument in sys.argv[2:]]
    if what == "left-out":
        tests = run_suites.ours(run_suites.listed("aarch64", []))
        print(left_out(lines_of(LEFT_OUT), [test["name"] for test in tests]))
    elif what == "machine":
        check_machines(arguments)
    elif what == "ran":
        check_ran(arguments[0])
    else:
        sys.exit(f"aarch64_checks: unknown '{what}' (left-out, machine or ran)")


if __name__ == "__main__":
    main()
