#!/usr/bin/env python3
"""Every public type, function and macro of include/skua has a comment, and what can fail says with what.

check_headers.py [FILE...]; exit 1 with one line per problem. Fields, aliases and what the language defines (copies, moves,
comparisons) need no comment; overloads that stand together and cannot fail share one.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import header_docs

ROOT = Path(__file__).resolve().parents[1]
COMMENTED = {"type", "function", "macro"}
# An error class, or the word where a page or another function has the list.
SAYS_ERRORS = re.compile(r"\b\w*Error\b|\berrors?\b|\bErrors?\b")


def problems(path: Path) -> Iterator[str]:
    header = header_docs.read(path)
    name = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path.name
    if not header.about:
        yield f"{name}:1: no comment at the top that says what the header is for"
    for before, made in zip([None, *header.declarations], header.declarations, strict=False):
        if made.kind not in COMMENTED or made.is_special:
            continue
        if before and before.name == made.name and before.doc and not made.is_fallible:
            made.doc = made.doc or before.doc  # overloads that stand together share a comment
        if not made.doc:
            yield f"{name}:{made.line}: {made.kind} {made.name} has no comment (///)"
        elif made.is_fallible and not SAYS_ERRORS.search(made.doc):
            yield f"{name}:{made.line}: {made.name} can fail and its comment names no error"


def main() -> None:
    files = [Path(name).resolve() for name in sys.argv[1:]] or sorted((ROOT / "include/skua").glob("*.h"))
    found = [problem for file in files for problem in problems(file)]
    print("\n".join(found), end="\n" if found else "")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
