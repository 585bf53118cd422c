"""tests/fuzz: every target is listed, has a corpus, and is judged by what it found."""

import importlib.util
import pathlib

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
FUZZ = ROOT / "tests" / "fuzz"


@pytest.fixture(name="fuzz")
def fuzz_script(tmp_path, monkeypatch):
    """scripts/fuzz.py over a tree of its own, whose programs are shell scripts."""
    spec = importlib.util.spec_from_file_location("fuzz", ROOT / "scripts/fuzz.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name in ("ROOT", "FUZZ", "PROGRAMS", "OUT"):
        monkeypatch.setattr(module, name, tmp_path)
    return module


def program(fuzz, script, name="t"):
    file = fuzz.PROGRAMS / f"fuzz_{name}"
    file.write_text(f"#!/bin/sh\n{script}\n", encoding="ascii")
    file.chmod(0o755)


STATISTICS = "echo stat::number_of_executed_units: 7; echo stat::average_exec_per_sec: 3;"


def test_targets_and_table_and_corpus_agree(fuzz):
    fuzz.FUZZ = FUZZ
    listed = set(fuzz.targets())
    assert listed == {file.stem for file in (FUZZ / "targets").glob("*.cpp")}
    assert listed == {folder.name for folder in (FUZZ / "corpus").iterdir() if any(folder.iterdir())}


def test_the_corpus_stays_small(fuzz):
    fuzz.FUZZ = FUZZ
    files = [file for file in (FUZZ / "corpus").rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) < 500_000
    longest = fuzz.targets()
    assert [str(file) for file in files if file.stat().st_size > longest[file.parent.name]] == []


def test_a_run_without_findings_is_good(fuzz):
    program(fuzz, STATISTICS)
    line, is_good = fuzz.judge("t", 10, "-runs=0")
    assert is_good
    assert line.split() == ["t", "7", "3", "0"]


@pytest.mark.parametrize("script", [
    STATISTICS + "echo > crash-1; exit 77",
    STATISTICS + "case $# in 4) exit 70;; esac; echo > timeout-1; exit 70",
    STATISTICS + "exit 1",
    "true",
])
def test_a_finding_or_a_run_that_did_nothing_is_bad(fuzz, script):
    program(fuzz, script)
    assert not fuzz.judge("t", 10, "-runs=0")[1]


def test_a_finding_stays_until_it_is_mended(fuzz):
    """Another run, with other luck, need not come upon it."""
    program(fuzz, STATISTICS + "case $# in 4) exit 77;; esac; [ -e once ] || { echo > once; echo > crash-1; exit 77; }")
    for _ in range(2):
        line, is_good = fuzz.judge("t", 10, "-runs=0")
        assert not is_good
        assert "crash-1" in line
    program(fuzz, STATISTICS)
    assert fuzz.judge("t", 10, "-runs=0")[1]
    assert fuzz.findings("t") == []


def test_a_timeout_that_does_not_come_again_is_a_stall(fuzz):
    program(fuzz, STATISTICS + "case $# in 4) exit 0;; esac; echo > timeout-1; exit 70")
    line, is_good = fuzz.judge("t", 10, "-runs=0")
    assert is_good
    assert "1 stalls" in line


def test_a_stall_costs_no_fuzzing(fuzz):
    """What is left of the time is fuzzed after it."""
    stall_once = "case $# in 4) exit 0;; esac; [ -e once ] && exit 0; echo > once; echo > timeout-1; exit 70"
    program(fuzz, STATISTICS + stall_once)
    line, is_good = fuzz.judge("t", 10, "-max_total_time=60")
    assert is_good
    assert line.split()[:2] == ["t", "14"], "two runs of 7"
    program(fuzz, STATISTICS + "case $# in 4) exit 0;; esac; echo > timeout-1; exit 70")
    assert not fuzz.judge("t", 10, "-max_total_time=60")[1], "stalls without end"


def test_the_control_must_be_found(fuzz):
    program(fuzz, STATISTICS, "seeded_overrun")
    assert not fuzz.control()[1]
    program(fuzz, STATISTICS + "echo AddressSanitizer: heap-buffer-overflow; echo > crash-1; exit 77", "seeded_overrun")
    assert fuzz.control()[1]
