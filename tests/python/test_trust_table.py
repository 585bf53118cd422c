"""scripts/trust_table.py: what it adds up, and when a row is good."""

import os
import pathlib
import subprocess
import sys

import counts
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

import trust_table  # noqa: E402  (its folder is only known from here on)


@pytest.fixture(name="table", autouse=True)
def rows_of_the_test(monkeypatch, tmp_path):
    monkeypatch.setattr(counts, "count", {"kills": 10, "nothing": 0}.get)
    monkeypatch.setattr(trust_table, "OUT", tmp_path)


def test_lines_of_one_row_add_up():
    text = "[ RUN ] x\nreached kills 3\nreached loads 5\nnot reached kills 9\nreached kills 4\n"
    assert counts.reached_in(text) == {"kills": 7, "loads": 5}


@pytest.mark.parametrize("status, reached, verdict", [
    (0, {"kills": 10}, "passed"), (0, {"kills": 11}, "passed"), (0, {"kills": 9}, "TOO FEW"),
    (0, {}, "TOO FEW"), (1, {"kills": 10}, "failed"),
])
def test_a_row_is_good_when_all_was_reached_and_the_step_passed(status, reached, verdict):
    assert [line[-1] for line in trust_table.judge({"kills": "what"}, status, reached)] == [verdict]


def test_a_row_that_asks_for_nothing_is_no_row():
    assert trust_table.judge({"nothing": "what"}, 0, {"nothing": 3})[0][-1] == "TOO FEW"


def test_a_step_tells_its_rows_through_the_file(capsys):
    command = 'echo "reached kills 4" >>"$SKUA_REACHED"; echo "reached kills 9"; exit 3'
    assert trust_table.run_step("kills", command) == (3, {"kills": 4})
    assert capsys.readouterr().err.endswith("reached kills 9\n"), "what a failed step printed is shown"
    trust_table.run_step("kills", command.replace("exit 3", "exit 0"))
    assert "reached" not in capsys.readouterr().err.partition("\n")[2], "of a good one it is not"


def test_every_row_stands_in_the_table_of_counts():
    rows = counts.rows()
    for _, of_step in trust_table.STEPS.values():
        assert set(of_step) <= set(rows)


def test_an_unknown_step_is_refused():
    done = subprocess.run([sys.executable, ROOT / "scripts" / "trust_table.py", "no-such"], env=dict(os.environ),
                          capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "unknown steps: no-such" in done.stderr
