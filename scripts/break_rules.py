#!/usr/bin/env python3
"""Breaks rules of the code one by one, and sees the tests that show them fail.

    scripts/break_rules.py GROUP [RULE...]       GROUP: tensorrt or trust, its preset built; no RULE: all of them

For each rule one source is compiled with one statement changed and linked in front of the library it comes from, into a
second test program. The tests that are named must pass in the first and fail in the second. Nothing of the tree is
changed, and a broken program may write into one temporary folder alone (confined_run.py). Exit 1 when a rule can be
broken unseen, or when its statement is not there.
"""

import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile
import typing

import broken_ground_rules
import broken_guard_rules
import broken_tensorrt_rules
import broken_trust_rules

ROOT = pathlib.Path(__file__).resolve().parents[1]
LONGEST_S = 120  # a test that hangs is one that fails


class Group(typing.NamedTuple):
    preset: str
    folder: str  # of the sources
    program: str  # of tests that name none
    rules: tuple


GROUPS = {"tensorrt": Group("sil", "src/runtimes/tensorrt", "unit_tensorrt", broken_tensorrt_rules.RULES),
          "trust": Group("dev", "src", "unit_cache",
                         broken_trust_rules.RULES + broken_ground_rules.RULES + broken_guard_rules.RULES)}


def tests_of(program, names):
    """Those of the named tests that failed or came to no end; None where no test has such a name."""
    with tempfile.TemporaryDirectory(prefix="broken-") as folder:
        command = [sys.executable, ROOT / "scripts" / "confined_run.py", folder, program,
                   f"--gtest_filter={':'.join(names)}"]
        try:
            run = subprocess.run(command, cwd=program.parent, capture_output=True, text=True, errors="replace",
                                 env=os.environ | {"TMPDIR": folder}, timeout=LONGEST_S, check=False)
        except subprocess.TimeoutExpired:
            return set(names)
    if "confined_run:" in run.stderr:
        sys.exit(run.stderr.strip())
    begun = set(re.findall(r"^\[ RUN      \] (\S+)", run.stdout, re.MULTILINE))
    passed = set(re.findall(r"^\[       OK \] (\S+)", run.stdout, re.MULTILINE))
    return begun - passed if begun else None


def holds(unit, source):
    """Whether a translation unit is `source`, or the batch of sources with it in."""
    if pathlib.Path(unit).parent.name != "Unity":
        return unit == str(source)
    return f'#include "{source}"' in pathlib.Path(unit).read_text("utf-8")


def command_of(build, source):
    """The compiler's command for `source`, without what would make a changed copy's warnings errors."""
    for entry in json.loads((build / "compile_commands.json").read_text("utf-8")):
        if holds(entry["file"], source):
            words = [str(source) if word == entry["file"] else word for word in shlex.split(entry["command"])]
            return [word for word in words if not word.startswith("-Werror")], pathlib.Path(entry["directory"])
    sys.exit(f"break_rules: {build} does not compile {source.name}; build it with the preset sil")


def compiled(group, build, rule, out):
    """The object of the broken source."""
    source = ROOT / group.folder / rule.source
    text = source.read_text("ascii")
    if text.count(rule.statement) != 1:
        sys.exit(f"break_rules: {rule.name}: {rule.source} holds {text.count(rule.statement)} times:\n{rule.statement}")
    broken = out / source.name
    broken.write_text(text.replace(rule.statement, rule.instead), "ascii")
    words, folder = command_of(build, source)
    target = out / "broken.o"
    words[words.index("-o") + 1] = str(target)
    words[words.index(str(source))] = str(broken)
    subprocess.run([*words, "-Wno-unused"], cwd=folder, check=True)
    return target


def linked(build, broken, name, program):
    """The test program as it is linked, with `broken` before the library that holds the right one."""
    lines = subprocess.run(["ninja", "-t", "commands", f"tests/{name}"], cwd=build, capture_output=True,
                           text=True, check=True).stdout.splitlines()
    link = next(line for line in reversed(lines) if f" -o tests/{name} " in line)
    command = link.replace(f" -o tests/{name} ", f" -o {shlex.quote(str(program))} {shlex.quote(str(broken))} "
                           "-Wl,--allow-multiple-definition ")  # an archive may hold the right one in a batch
    command = command.split(f"{program} ", 1)
    # What follows the link (the discovery of tests) is the right one's.
    subprocess.run(f"{command[0]}{program} {command[1].split(' && ')[0]}", shell=True, cwd=build, check=True)


def by_program(group, rule):
    """{program: names of its tests}."""
    programs = {}
    for test in rule.tests:
        program, _, name = test.rpartition(":")
        programs.setdefault(program or group.program, []).append(name)
    return programs


def judge_with(build, name, broken, tests):
    """'' where every one of the tests passes as things are and fails with the broken object."""
    right = tests_of(build / "tests" / name, tests)
    if right is None or right:
        return f"before it was broken: {', '.join(sorted(right or ['no test of that name ran']))}"
    program = build / "tests" / f"broken_{name}"  # beside the right one: where its libraries are is relative
    try:
        linked(build, broken, name, program)
        failed = tests_of(program, tests)
    finally:
        program.unlink(missing_ok=True)
    missing = [test for test in tests if not failed or not any(matches(test, each) for each in failed)]
    return f"nobody saw it: {', '.join(missing)}" if missing else ""


def judge(group, build, rule, out):
    """'' where the rule is seen to be broken, else what is wrong."""
    broken = compiled(group, build, rule, out)
    problems = [judge_with(build, name, broken, tests) for name, tests in by_program(group, rule).items()]
    return "; ".join(filter(None, problems))


def matches(pattern, name):
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), name) is not None


def main():
    if len(sys.argv) < 2 or sys.argv[1] not in GROUPS:
        sys.exit(f"break_rules: expected one of {', '.join(GROUPS)}, then names of rules or none")
    group = GROUPS[sys.argv[1]]
    build = ROOT / "build" / group.preset
    wanted = sys.argv[2:]
    unknown = set(wanted) - {rule.name for rule in group.rules}
    if unknown:
        sys.exit(f"break_rules: no such rule: {', '.join(sorted(unknown))}")
    out = ROOT / "out" / "broken"
    out.mkdir(parents=True, exist_ok=True)
    unseen = 0
    for rule in group.rules:
        if wanted and rule.name not in wanted:
            continue
        problem = judge(group, build, rule, out)
        unseen += bool(problem)
        print(f"{'UNSEEN' if problem else 'seen  '} {rule.name}{': ' + problem if problem else ''}", flush=True)
    print(f"break_rules: {len(wanted) or len(group.rules)} rules broken, {unseen} unseen")
    sys.exit(1 if unseen else 0)


if __name__ == "__main__":
    main()
