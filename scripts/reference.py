#!/usr/bin/env python3
"""docs/reference, the parts that code decides: reference.py [--write] [--build DIR]

Compares the generated parts of docs/reference with what the code says now: each program's `--help`, the tables of reasons,
configuration fields and events that a build was compiled with, headers and docstrings. Prints what differs: status 1. With
--write the pages are brought up to date; columns that people write stay, and one that is empty and may not be is a complaint.
`make reference` builds what this needs.
"""

import argparse
import difflib
import sys
from pathlib import Path

import reference_blocks
import reference_tables
from reference_tables import ROOT, Sources


def problems(name: str, page: str, expected: list[str]) -> list[str]:
    """What generating cannot mend: a block too few or too many, a cell that waits for its text."""
    found = reference_blocks.names(page)
    lacking = [f"{name}: no block `<!-- generated: {block} -->`" for block in expected if block not in found]
    foreign = [f"{name}: nothing makes the block '{block}'" for block in found if block not in expected]
    twice = [f"{name}: the block '{block}' stands twice" for block in {b for b in found if found.count(b) > 1}]
    empty = [f"{name}: '{line.split('|')[1].strip()}' has no text in the last column"
             for line in page.splitlines() if reference_blocks.UNWRITTEN in line]
    return lacking + foreign + twice + empty


def check(sources: Sources, root: Path, is_writing: bool) -> list[str]:
    """The lines that say what is wrong; pages below `root` are rewritten first, if so asked."""
    wrong = []
    for name, expected in reference_tables.expected_blocks(sources).items():
        page = (root / name).read_text("utf-8")
        foreign = [block for block in reference_blocks.names(page) if block not in expected]
        made = page if foreign else reference_blocks.regenerated(page, lambda b, body: reference_tables.make(sources, b, body))
        if is_writing and made != page:
            (root / name).write_text(made, "utf-8")
            page = made
        wrong += problems(name, made, expected)
        wrong += difflib.unified_diff(page.splitlines(), made.splitlines(), name, f"{name}, as generated now", lineterm="", n=0)
    return wrong


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/reference.py", description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="bring the pages up to date")
    parser.add_argument("--build", type=Path, default=reference_tables.default_build(), help="a build of preset dev")
    arguments = parser.parse_args()
    build = arguments.build.resolve()
    if not (build / "tests/reference_tables").exists():
        sys.exit(f"{build}/tests/reference_tables: expected the program that prints the tables, found none; run `make reference`")
    wrong = check(Sources(build), ROOT, arguments.write)
    print("\n".join(wrong), end="\n" if wrong else "")
    if wrong:
        sys.exit("docs/reference differs from the code: run `make reference`, and write what it asks for")


if __name__ == "__main__":
    main()
