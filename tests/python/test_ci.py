"""What .ci/run and scripts/tally.py say of a run: no failed step is lost, and no skipped test hides."""

import pathlib
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PASSED = '<testsuite><testcase name="one"/></testsuite>'
STEPS = ["scripts/setup.sh", "scripts/soak.sh", "scripts/try_packages.sh", "scripts/artifacts.sh", "scripts/trust_table.sh",
         "scripts/lane.sh", "scripts/python_sanitized.sh"]
PROGRAMS = ["scripts/follow_add_a_runtime.py", "scripts/readme_python.py"]
TARGETS = ["test", "sil", "demo", "lint", "aarch64"]


def tally(folder):
    done = subprocess.run([sys.executable, ROOT / "scripts/tally.py", folder], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


@pytest.fixture(name="tree")
def tree_fixture(tmp_path):
    """.ci/run and the tally as they are, between steps that do nothing, each of which a test may let fail."""
    for name in ("scripts", ".ci", ".venv/bin"):
        (tmp_path / name).mkdir(parents=True)
    for name in (".ci/run", "scripts/tally.py"):
        shutil.copy(ROOT / name, tmp_path / name)
    for name in STEPS:
        (tmp_path / name).write_text("#!/bin/sh\nexit 0\n")
        (tmp_path / name).chmod(0o755)
    for name in PROGRAMS:
        (tmp_path / name).write_text("")
    (tmp_path / ".venv/bin/python").symlink_to(sys.executable)
    empties = "\trm -rf out/results; mkdir -p out/results; echo '" + PASSED + "' >out/results/dev.xml\n"
    (tmp_path / "Makefile").write_text(".PHONY: %s\n" % " ".join(TARGETS) + "".join(
        f"{name}:\n{empties if name == 'test' else chr(9) + 'true' + chr(10)}" for name in TARGETS))
    return tmp_path


def run(tree):
    done = subprocess.run([tree / ".ci/run"], cwd=tree, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


def let_fail(tree, name, script="exit 3"):
    (tree / name).write_text(f"#!/bin/sh\n{script}\n")


def test_control_steps_that_pass_are_a_run_that_passes(tree):
    status, said = run(tree)
    assert (status, said.splitlines()[-1]) == (0, "1 passed, 0 failed, 0 skipped"), said


@pytest.mark.parametrize("name", STEPS)
def test_a_failed_step_is_in_the_last_line(tree, name):
    let_fail(tree, name)
    status, said = run(tree)
    assert status == 1
    assert ", 0 failed," not in said.splitlines()[-1], said


def test_a_run_that_is_cut_off_has_told_what_failed_before(tree):
    let_fail(tree, "scripts/artifacts.sh")
    let_fail(tree, "scripts/lane.sh", "kill -KILL $PPID")  # the run, from outside
    status, said = run(tree)
    assert status == -9
    assert "(stopped at: scripts/artifacts.sh)" in said
    assert [line for line in said.splitlines() if line.endswith("skipped")][-1] == "1 passed, 1 failed, 0 skipped"


def test_a_lane_that_is_left_out_counts_as_failed(tree):
    script = (tree / ".ci/run").read_text("utf-8")
    assert "[asan-ubsan]=" in script
    (tree / ".ci/run").write_text(script.replace("[asan-ubsan]=", "[asan-ubsan]=0 [was]="), "utf-8")
    status, said = run(tree)
    assert status == 1
    assert "LEFT OUT, because it was too late for them to begin: asan-ubsan;" in said
    assert said.splitlines()[-1] == "1 passed, 1 failed, 0 skipped"


def test_nothing_of_an_earlier_run_passes_for_this_ones(tree):
    for name in ("out/results/soak.checks", "out/packages/SHA256SUMS", "out/artifacts/set"):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text("pass everything\n")
    assert run(tree)[1].splitlines()[-1] == "1 passed, 0 failed, 0 skipped"
    assert not (tree / "out/packages").exists() and not (tree / "out/artifacts").exists()


def test_why_tests_were_skipped_is_said_once_for_each_reason(tmp_path):
    (tmp_path / "dev.xml").write_text("<testsuite>" + "".join(
        f'<testcase name="t{number}"><skipped message="/there/a_test.cpp:{number}&#10;{reason}"/></testcase>'
        for number, reason in enumerate(["needs 5 GiB", "needs 7 GiB", "tensorrt is not available"])) + "<testcase/></testsuite>")
    status, said = tally(tmp_path)
    assert status == 0
    assert "  skipped    2 of dev: needs N GiB\n" in said
    assert "  skipped    1 of dev: tensorrt is not available\n" in said
    assert said.splitlines()[-1] == "1 passed, 0 failed, 3 skipped"


def test_control_nothing_that_ran_is_no_success(tmp_path):
    (tmp_path / "dev.xml").write_text("<testsuite/>")
    assert tally(tmp_path) == (1, "  dev               0 passed    0 failed    0 skipped\n0 passed, 0 failed, 0 skipped\n")
