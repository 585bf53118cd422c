"""tests/support/counts.py: the table, its depths, and what it refuses."""

import counts
import pytest


@pytest.fixture(name="table")
def table_file(tmp_path):
    path = tmp_path / "counts.txt"
    path.write_text("# comment\n\nfirst 1 2 3 -\nsecond 4 5 6 run it {count}\n", encoding="ascii")
    return path


@pytest.mark.parametrize("depth, figure", [("test", 1), ("ci", 2), ("prove", 3)])
def test_figure_of_the_depth(table, monkeypatch, depth, figure):
    monkeypatch.setenv("SKUA_DEPTH", depth)
    assert counts.count("first", table) == figure


def test_unset_depth_means_test(table, monkeypatch):
    monkeypatch.delenv("SKUA_DEPTH", raising=False)
    assert counts.count("second", table) == 4


def test_unknown_name_and_depth_are_errors(table, monkeypatch):
    with pytest.raises(KeyError, match="no row 'third'"):
        counts.count("third", table)
    monkeypatch.setenv("SKUA_DEPTH", "deep")
    with pytest.raises(ValueError, match="SKUA_DEPTH"):
        counts.count("first", table)


@pytest.mark.parametrize("line", ["short 1 2 3", "first 1 2 3 -", "letters 1 x 3 -"])
def test_broken_rows_are_errors(table, line):
    with table.open("a", encoding="ascii") as out:
        out.write(line + "\n")
    with pytest.raises(ValueError):
        counts.rows(table)


def test_the_table_of_the_tree_is_well_formed():
    assert counts.rows()["suite_repeats"]["prove"] >= counts.rows()["suite_repeats"]["test"]


def test_what_was_reached_is_printed_and_appended(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SKUA_REACHED", str(tmp_path / "reached"))
    counts.reached("first", 3)
    counts.reached("first", 4)
    assert capsys.readouterr().out == "reached first 3\nreached first 4\n"
    assert (tmp_path / "reached").read_text(encoding="ascii") == "reached first 3\nreached first 4\n"
