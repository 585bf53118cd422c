#!/usr/bin/env python3
"""Checks on the text of the tree: check_text.py ascii|todo|size|python. Exit 1 with one line per problem.

ascii   sources hold ASCII only
todo    what is left to do names its issue: TODO(#12)
size    headers up to 200 lines, sources up to 400; a longer one stands with its reason in size_exceptions.txt
python  every Python file parses
"""

import ast
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
SOURCES = {".h", ".cpp", ".py", ".sh", ".cmake", ".in"}
LIMITS = {".h": 200, ".cpp": 400, ".py": 400}
EXCEPTIONS = "scripts/size_exceptions.txt"
UNFINISHED = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|X" + r"XX)\b(?!\(#\d+\))")


def tree_files():
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout.decode().split("\0")
    return sorted(name for name in names if name and (ROOT / name).is_file())


def sources():
    for name in tree_files():
        if pathlib.Path(name).suffix in SOURCES or name.endswith("CMakeLists.txt"):
            yield name, (ROOT / name).read_bytes()


def check_ascii():
    for name, text in sources():
        for number, line in enumerate(text.splitlines(), 1):
            if not line.isascii():
                yield f"{name}:{number}: not ASCII"


def check_todo():
    for name, text in sources():
        for number, line in enumerate(text.decode("utf-8", "replace").splitlines(), 1):
            if UNFINISHED.search(line):
                yield f"{name}:{number}: name the issue, as in TO" + "DO(#12)"


def size_exceptions():
    """{path: most lines} from lines 'path  lines  reason'."""
    allowed = {}
    for line in (ROOT / EXCEPTIONS).read_text(encoding="ascii").splitlines():
        if line.strip() and not line.startswith("#"):
            name, limit, _reason = line.split(None, 2)
            allowed[name] = int(limit)
    return allowed


def check_size():
    allowed = size_exceptions()
    for name, text in sources():
        limit = LIMITS.get(pathlib.Path(name).suffix)
        lines = text.count(b"\n")
        if limit and lines > allowed.get(name, limit):
            yield f"{name}: {lines} lines, at most {allowed.get(name, limit)}; split it or give a reason in {EXCEPTIONS}"
    for name in allowed:
        if not (ROOT / name).is_file():
            yield f"{EXCEPTIONS}: {name} is gone"


def check_python():
    for name, text in sources():
        if name.endswith(".py"):
            try:
                ast.parse(text, name)
            except SyntaxError as error:
                yield f"{name}:{error.lineno}: {error.msg}"


def main():
    checks = {"ascii": check_ascii, "todo": check_todo, "size": check_size, "python": check_python}
    if len(sys.argv) != 2 or sys.argv[1] not in checks:
        sys.exit("usage: check_text.py " + "|".join(checks))
    problems = list(checks[sys.argv[1]]())
    print("\n".join(problems), end="\n" if problems else "")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
