#!/usr/bin/env python3
"""Breaks the rules of runtime tensorrt one by one, and sees the tests that show them fail.

    scripts/break_rules.py [BUILD_DIR] [RULE...]       BUILD_DIR: build/sil, built; no RULE: all of them

For each rule of RULES one source is compiled with one statement changed and linked in front of the library it
comes from, into a second unit_tensorrt. The tests that are named must pass in the first and fail in the second.
Nothing of the tree is changed. Exit 1 when a rule can be broken unseen, or when its statement is not there.
"""

import json
import pathlib
import re
import shlex
import subprocess
import sys

from broken_rules import RULES

ROOT = pathlib.Path(__file__).resolve().parents[1]
FOLDER = ROOT / "src" / "runtimes" / "tensorrt"
LONGEST_S = 120  # a test that hangs is one that fails


def tests_of(program, names):
    """Those of the named tests that failed or came to no end; None where no test has such a name."""
    command = [program, f"--gtest_filter={':'.join(names)}"]
    try:
        run = subprocess.run(command, cwd=program.parent, capture_output=True, text=True, errors="replace",
                             timeout=LONGEST_S, check=False)
    except subprocess.TimeoutExpired:
        return set(names)
    begun = set(re.findall(r"^\[ RUN      \] (\S+)", run.stdout, re.MULTILINE))
    passed = set(re.findall(r"^\[       OK \] (\S+)", run.stdout, re.MULTILINE))
    return begun - passed if begun else None


def command_of(build, source):
    """The compiler's command for `source`, without what would make a changed copy's warnings errors."""
    for entry in json.loads((build / "compile_commands.json").read_text("utf-8")):
        if entry["file"] == str(source):
            words = [word for word in shlex.split(entry["command"]) if not word.startswith("-Werror")]
            return words, pathlib.Path(entry["directory"])
    sys.exit(f"break_rules: {build} does not compile {source.name}; build it with the preset sil")


def compiled(build, rule, out):
    """The object of the broken source."""
    source = FOLDER / rule.source
    text = source.read_text("ascii")
    if text.count(rule.statement) != 1:
        sys.exit(f"break_rules: {rule.name}: {rule.source} holds {text.count(rule.statement)} times:\n{rule.statement}")
    broken = out / rule.source
    broken.write_text(text.replace(rule.statement, rule.instead), "ascii")
    words, folder = command_of(build, source)
    target = out / "broken.o"
    words[words.index("-o") + 1] = str(target)
    words[words.index(str(source))] = str(broken)
    subprocess.run([*words, "-Wno-unused"], cwd=folder, check=True)
    return target


def linked(build, broken, program):
    """unit_tensorrt as it is linked, with `broken` before the archive that holds the right one."""
    lines = subprocess.run(["ninja", "-t", "commands", "tests/unit_tensorrt"], cwd=build, capture_output=True,
                           text=True, check=True).stdout.splitlines()
    link = next(line for line in reversed(lines) if " -o tests/unit_tensorrt " in line)
    command = link.replace(" -o tests/unit_tensorrt ", f" -o {shlex.quote(str(program))} {shlex.quote(str(broken))} ")
    command = command.split(f"{program} ", 1)
    # What follows the link (the discovery of tests) is the right one's.
    subprocess.run(f"{command[0]}{program} {command[1].split(' && ')[0]}", shell=True, cwd=build, check=True)


def judge(build, rule, out):
    """'' where the rule is seen to be broken, else what is wrong."""
    right = tests_of(build / "tests" / "unit_tensorrt", rule.tests)
    if right is None or right:
        return f"before it was broken: {', '.join(sorted(right or ['no test of that name ran']))}"
    program = build / "tests" / "broken_unit_tensorrt"  # beside the right one: where its libraries are is relative
    try:
        linked(build, compiled(build, rule, out), program)
        failed = tests_of(program, rule.tests)
    finally:
        program.unlink(missing_ok=True)
    missing = [name for name in rule.tests if not failed or not any(matches(name, each) for each in failed)]
    return f"nobody saw it: {', '.join(missing)}" if missing else ""


def matches(pattern, name):
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), name) is not None


def main():
    build = (ROOT / (sys.argv[1] if len(sys.argv) > 1 else "build/sil")).resolve()
    wanted = sys.argv[2:]
    unknown = set(wanted) - {rule.name for rule in RULES}
    if unknown:
        sys.exit(f"break_rules: no such rule: {', '.join(sorted(unknown))}")
    out = ROOT / "out" / "broken"
    out.mkdir(parents=True, exist_ok=True)
    unseen = 0
    for rule in RULES:
        if wanted and rule.name not in wanted:
            continue
        problem = judge(build, rule, out)
        unseen += bool(problem)
        print(f"{'UNSEEN' if problem else 'seen  '} {rule.name}{': ' + problem if problem else ''}", flush=True)
    print(f"break_rules: {len(wanted) or len(RULES)} rules broken, {unseen} unseen")
    sys.exit(1 if unseen else 0)


if __name__ == "__main__":
    main()
