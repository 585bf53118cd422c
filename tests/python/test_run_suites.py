"""scripts/run_suites.py: what one process runs, and that no test is lost or called good."""

import xml.etree.ElementTree as ElementTree

import pytest

import run_suites

PROGRAM = """#!/usr/bin/env python3
import sys
cases = sys.argv[1].removeprefix("--gtest_filter=").split(":")
report = sys.argv[2].removeprefix("--gtest_output=xml:")
ended = {ended!r}
if ended == "at once":
    sys.exit(3)
if ended == "one too few":
    cases = cases[:-1]
told = "<failure/>" if ended == "failed" else "<skipped/>" if ended == "skipped" else ""
text = "".join(f'<testcase classname="{{c.partition(".")[0]}}" name="{{c.partition(".")[2]}}">{{told}}</testcase>' for c in cases)
with open(report, "w") as stream:
    stream.write("no xml" if ended == "no xml" else f"<testsuites>{{text}}</testsuites>")
sys.exit(1 if ended in ("failed", "after all") else 0)
"""


@pytest.fixture(name="program")
def program_that_ends(tmp_path):
    def make(ended):
        path = tmp_path / "program"
        path.write_text(PROGRAM.format(ended=ended))
        path.chmod(0o755)
        return path
    return make


def listed(program, *cases):
    return [{"name": f"unit_x.{case}", "command": [str(program), "--gtest_filter=" + case],
             "properties": [{"name": "WORKING_DIRECTORY", "value": str(program.parent)}]} for case in cases]


def test_a_suite_is_one_process_and_one_that_is_alone_is_not(program, tmp_path, monkeypatch):
    path = program("well")
    monkeypatch.setattr(run_suites, "ALONE", tmp_path / "alone.txt")
    run_suites.ALONE.write_text("# why\nprogram.Two  # it opens a library\n")
    groups = run_suites.suites(listed(path, "One.a", "One.b", "P/One.c/0", "Two.a", "Two.b"))
    assert sorted((name, cases) for name, _, _, cases in groups) == [
        ("program.One", ["One.a", "One.b"]), ("program.P/One", ["P/One.c/0"]), ("unit_x.Two.a", ["Two.a"]),
        ("unit_x.Two.b", ["Two.b"])]


@pytest.mark.parametrize("ended, failed, skipped", [("well", 0, 0), ("skipped", 0, 2), ("failed", 2, 0), ("at once", 1, 0),
                                                    ("one too few", 1, 0), ("no xml", 1, 0), ("after all", 1, 0)])
def test_every_case_has_a_verdict(program, ended, failed, skipped):
    path = program(ended)
    _, cases, output = run_suites.run(("suite", (str(path),), str(path.parent), ["S.a", "S.b"]), None)
    assert sum(case.find("failure") is not None for case in cases) == failed
    assert sum(case.find("skipped") is not None for case in cases) == skipped
    root = ElementTree.Element("testsuites")
    root.extend(cases)
    assert ElementTree.tostring(root)
    assert failed or not output


def test_a_program_that_was_not_built_is_told(program):
    good = listed(program("well"), "One.a")
    assert run_suites.ours([*good, {"name": "modules.exports", "command": ["nm"]}]) == good
    for missing in ({"name": "unit_y_NOT_BUILT", "command": ["unit_y_NOT_BUILT"]}, {"name": "fault_z_NOT_BUILT"}):
        with pytest.raises(SystemExit, match=missing["name"]):
            run_suites.ours([*good, missing])


def test_an_emulator_stands_before_the_program(program, tmp_path, monkeypatch):
    monkeypatch.setattr(run_suites, "ALONE", tmp_path / "alone.txt")
    run_suites.ALONE.write_text("")
    tests = listed(program("well"), "One.a", "One.b")
    for test in tests:
        test["command"] = ["env", "A=b", *test["command"]]
    (group,) = run_suites.suites(run_suites.ours(tests))
    assert group[0] == "program.One" and group[1][:2] == ("env", "A=b") and group[3] == ["One.a", "One.b"]
    assert [case.get("name") for case in run_suites.run(group, None)[1]] == ["a", "b"]
