#!/usr/bin/env python3
"""Runs the GoogleTest programs of a build, a process for each suite: run_suites.py PRESET RESULTS.xml [CTEST-ARGUMENT...].

ctest starts a process for each test, which under a sanitizer takes longer than most tests do. Which tests there are, and
what the preset leaves out, is ctest's answer; a suite of tests/suites_alone.txt still has a process for each test.
RESULTS.xml is JUnit. Exit status 1 when a test failed, a process died, or nothing ran.
"""

import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree

ROOT = pathlib.Path(__file__).resolve().parents[1]
ALONE = ROOT / "tests" / "suites_alone.txt"
PROCESSES = 2
PATIENCE_S = 600
MOST_NAMED = 20
FILTER = "--gtest_filter="
OURS = re.compile(r"(unit_|conformance|fault_)")  # names of tests; scripts/lane.sh gives all others to ctest


def listed(preset, arguments):
    """What ctest would run."""
    command = ["ctest", "--preset", preset, "--show-only=json-v1", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"run_suites: {' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return json.loads(done.stdout)["tests"]


def split(command):
    """(words before the filter, the test): a program, or an emulator with a program."""
    at = next((at for at, word in enumerate(command) if word.startswith(FILTER)), 0)
    return (tuple(command[:at]), command[at].removeprefix(FILTER)) if at else ((), "")


def ours(tests):
    """Those of GoogleTest programs. One that was not built has a test without a filter, which nobody else runs."""
    found = [test for test in tests if OURS.match(test["name"])]
    if unknown := [test["name"] for test in found if not split(test.get("command", []))[0]]:
        sys.exit(f"run_suites: no GoogleTest program runs {', '.join(unknown)}; was it built?")
    return found


def environment_of(preset):
    presets = json.loads((ROOT / "CMakePresets.json").read_text("ascii"))["testPresets"]
    found = next(entry for entry in presets if entry["name"] == preset).get("environment", {})
    return os.environ | {name: value.replace("${sourceDir}", str(ROOT)) for name, value in found.items()}


def suites(tests):
    """[(name, words that start the program, folder, [test of the program])]: what one process runs each."""
    alone = {line.partition("#")[0].strip() for line in ALONE.read_text("ascii").splitlines()} - {""}
    groups = {}
    for test in tests:
        program, case = split(test["command"])
        folder = next(entry["value"] for entry in test["properties"] if entry["name"] == "WORKING_DIRECTORY")
        suite = f"{pathlib.Path(program[-1]).name}.{case.partition('.')[0]}"
        groups.setdefault((test["name"] if suite in alone else suite, program, folder), []).append(case)
    return sorted(((*key, cases) for key, cases in groups.items()), key=lambda group: -len(group[3]))


def verdicts(report):
    """Of a process that got that far; GoogleTest writes what a failed test says as it is, which may be no XML."""
    try:
        return list(ElementTree.parse(report).iter("testcase"))
    except (OSError, ElementTree.ParseError):
        return []


def run(group, environment):
    """(name, [JUnit case], output where something failed)."""
    name, program, folder, cases = group
    with tempfile.TemporaryDirectory() as scratch:
        report = pathlib.Path(scratch) / "report.xml"
        command = [*program, FILTER + ":".join(cases), f"--gtest_output=xml:{report}"]
        try:
            done = subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  timeout=PATIENCE_S, check=False)
            status, output = done.returncode, done.stdout
        except subprocess.TimeoutExpired as error:
            status, output = f"still ran after {PATIENCE_S} s", error.stdout or b""
        found = verdicts(report)
    missing = sorted(set(cases) - {f"{case.get('classname')}.{case.get('name')}" for case in found})
    if missing or (status != 0 and not any(case.find("failure") is not None for case in found)):
        case = ElementTree.Element("testcase", classname=name, name="the process")
        ElementTree.SubElement(case, "failure", message=f"ended with {status}; without a verdict: {', '.join(missing[:MOST_NAMED]) or 'none'}")
        found.append(case)
    is_bad = any(case.find("failure") is not None for case in found)
    return name, found, output.decode("utf-8", errors="replace") if is_bad else ""


def main():
    preset, results, *arguments = sys.argv[1:]
    tests = ours(listed(preset, arguments))
    groups, environment = suites(tests), environment_of(preset)
    root, started = ElementTree.Element("testsuites"), time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(PROCESSES) as pool:
        for name, cases, output in pool.map(lambda group: run(group, environment), groups):
            suite = ElementTree.SubElement(root, "testsuite", name=name)
            suite.extend(cases)
            if output:
                print(f"== {name}\n{output}", flush=True)
    ElementTree.ElementTree(root).write(results, encoding="utf-8", xml_declaration=True)
    failed = sum(case.find("failure") is not None for case in root.iter("testcase"))
    print(f"{len(tests)} tests in {len(groups)} processes, {failed} failed, {time.monotonic() - started:.0f} s")
    sys.exit(1 if failed or not tests else 0)


if __name__ == "__main__":
    main()
