"""scripts/prove.py: what was reached stands beside what was asked, and too few is a failure."""

import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

import prove  # noqa: E402  (its folder is only known from here on)


@pytest.mark.parametrize("result, reached, is_good, words", [
    ({"status": 0, "seconds": 2.0}, {"kills": 12}, True, ["kills", "10", "12", "passed"]),
    ({"status": 0, "seconds": 2.0}, {}, True, ["kills", "10", "passed"]),
    ({"status": 0, "seconds": 2.0}, {"kills": 9}, False, ["kills", "10", "9", "TOO", "FEW"]),
    ({"status": 3, "seconds": 2.0}, {"kills": 12}, False, ["kills", "10", "12", "FAILED", "(3)"]),
    (None, {"kills": 10}, True, ["kills", "10", "10", "read"]),
    (None, {"kills": 9}, False, ["kills", "10", "9", "TOO", "FEW"]),
    (None, {}, True, ["kills", "10", "read"]),
])
def test_a_row_is_good_or_not(result, reached, is_good, words):
    results = {} if result is None else {"kills": result}
    text, verdict = prove.line_of("kills", {"prove": 10}, results, reached)
    assert verdict == is_good
    assert text.split()[:len(words)] == words


def test_a_row_of_the_trust_table_says_how_far_it_came():
    assert not prove.line_of("mutations", {"prove": 10}, {"mutations": {"status": 0, "seconds": 1.0}}, {})[1]


def test_what_coverage_runs_is_not_counted_for_others():
    assert prove.is_of_another("coverage_parsers", "errno_injections")
    assert not prove.is_of_another("coverage_parsers", "coverage_gate")
    assert not prove.is_of_another("errno_injections", "errno_injections")


def test_a_step_says_what_it_reached_and_is_remembered_when_it_passed(tmp_path, monkeypatch):
    monkeypatch.setattr(prove, "OUT", tmp_path)
    command = 'echo "reached kills 4" >>"$SKUA_REACHED"; echo "reached kills 3" >>"$SKUA_REACHED"'
    assert prove.run_step("kills", command, "key")["reached"] == {"kills": 7}
    assert prove.remembered("kills", "key")["reached"] == {"kills": 7}
    assert prove.remembered("kills", "another tree's") is None
    assert prove.run_step("broken", command + "; exit 3", "key")["status"] == 3
    assert prove.remembered("broken", "key") is None
