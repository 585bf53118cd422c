"""scripts/coverage.py: a mark that is missed fails, and the table names files that exist."""

import importlib.util
import pathlib

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(name="coverage", scope="module")
def coverage_script():
    spec = importlib.util.spec_from_file_location("coverage", ROOT / "scripts/coverage.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_table_names_files_of_the_tree_and_the_marks_of_the_issue(coverage):
    marks, files = coverage.read_table()
    assert marks == {"parsers": 95, "gate": 100}
    assert [file for file in files if not (ROOT / file).is_file()] == []


@pytest.mark.parametrize("text", ["gate a.cpp\n", "mark gate 100\ngate a.cpp\ngate a.cpp\n", "mark gate\n"])
def test_a_broken_table_is_an_error(coverage, tmp_path, text):
    table = tmp_path / "table.txt"
    table.write_text(text, encoding="ascii")
    with pytest.raises(ValueError):
        coverage.read_table(table)


def test_a_mark_is_reached_or_not(coverage):
    files = {"a.cpp": "gate"}
    assert coverage.judge({"gate": 100}, files, {"a.cpp": [(1, True), (2, True)]})[2]
    table, missing, is_good = coverage.judge({"gate": 100}, files, {"a.cpp": [(1, True), (2, False)]})
    assert not is_good
    assert "NOT REACHED" in table[-1]
    assert missing == ["a.cpp: not taken, in lines 2"]


def test_a_file_without_counters_is_never_good(coverage):
    files = {"a.cpp": "gate", "b.cpp": "gate"}
    assert not coverage.judge({"gate": 100}, files, {"a.cpp": [(1, True)]})[2]


def way(block, count, is_thrown=False):
    return {"source_block_id": block, "count": count, "throw": is_thrown}


def test_only_the_ways_out_of_decisions_count(coverage, tmp_path):
    (tmp_path / "a.cpp").write_text("if (a) return f();\n} catch (...) {\n  });\n", encoding="ascii")
    decision, call = [way(0, 5), way(0, 0)], [way(1, 3), way(1, 0, is_thrown=True)]
    alone, cleanup = [way(2, 0)], [way(3, 0), way(3, 0)]
    call += [way(0, 3), way(0, 0, is_thrown=True)]  # under the number of the decision
    lines = [{"line_number": 1, "count": 5, "branches": decision + call + alone + cleanup},
             *({"line_number": n, "count": 0, "branches": [way(0, 0), way(0, 0)]} for n in (2, 3))]
    report = {"files": [{"file": "a.cpp", "lines": lines}, {"file": "other.cpp", "lines": []}]}
    assert coverage.branches_of(report, {"a.cpp": "gate"}, tmp_path) == {"a.cpp": [(1, True), (1, False)]}


def test_a_decision_that_was_never_reached_counts_where_its_line_was_not_run(coverage):
    line = {"line_number": 1, "count": 0, "branches": [way(0, 0), way(0, 0)]}
    assert list(coverage.decisions_in(line)) == [[0, 0]]
    assert not list(coverage.decisions_in(line | {"count": 1})), "an exception alone leads there"
