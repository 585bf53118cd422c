"""README's figures and docs/reference/bench.md are those of one report of `make bench`: as benchmarks/readme_table.py writes
them, and every number is that of docs/images/bench.json, which it writes beside the picture."""

import hashlib
import pathlib
import re
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))
import readme_table  # noqa: E402

README = ROOT / "README.md"
REMEDY = "run .venv/bin/python benchmarks/readme_table.py --write after `make bench`"


def test_readme_has_the_table_and_the_picture_that_a_report_gives():
    _, lines, _ = readme_table.between_marks(README.read_text("utf-8"))
    assert readme_table.form(lines) == readme_table.expected_form(), REMEDY
    assert (ROOT / readme_table.IMAGE).read_bytes().startswith(b"\x89PNG"), REMEDY


def test_readmes_numbers_are_those_that_were_kept_beside_the_picture():
    assert (ROOT / readme_table.KEPT).is_file(), REMEDY
    report = readme_table.page.read(ROOT / readme_table.KEPT)
    _, lines, _ = readme_table.between_marks(README.read_text("utf-8"))
    assert [line for line in lines if line] == [line for line in readme_table.rendered(report) if line], REMEDY
    drawn = hashlib.sha256((ROOT / readme_table.IMAGE).read_bytes()).hexdigest()
    assert drawn == report["picture_sha256"], f"{readme_table.IMAGE} was drawn of another report: {REMEDY}"


def test_readme_says_where_its_figures_were_taken():
    """All of them by one run of everything, of a commit."""
    _, lines, _ = readme_table.between_marks(README.read_text("utf-8"))
    (taken,) = [line for line in lines if line.startswith("Taken by `make bench` (")]
    assert "(quick" not in taken and " at commit " in taken and "-dirty" not in taken and "unknown" not in taken, taken


def test_the_page_of_every_figure_is_of_the_report_that_was_kept():
    found = (ROOT / readme_table.reference_page.PAGE).read_text("utf-8")
    assert found == readme_table.reference_page.rendered(readme_table.page.read(ROOT / readme_table.KEPT)), REMEDY


def test_readme_says_how_many_bars_were_missed_and_the_page_which():
    _, lines, _ = readme_table.between_marks(README.read_text("utf-8"))
    (said,) = [line for line in lines if " figures of this run that have a bar " in line]
    _, _, rest = (ROOT / readme_table.reference_page.PAGE).read_text("utf-8").partition("## Bars that were not reached\n")
    missed, _, all_rows = rest.partition("\n## ")
    rows = [line for line in missed.splitlines() if line.endswith("| not reached |")]
    assert f" bar {len(rows)} did not reach it" in said and f"({readme_table.reference_page.PAGE})" in said
    assert sorted(rows) == sorted(line for line in all_rows.splitlines() if line.endswith("| not reached |"))


# Outside of what is generated README has bars alone: of a test, or of the harness. What was measured would be out of date with the next run.
MEASURED = re.compile(r"\b\d+(?:\.\d+)? ?(?:ns|us|ms|s|GB/s|[GM]i?B|%|seconds?)(?![\w/])|\b[01]\.\d\d\b|(?:nano|micro|milli)second")
BARS = {"2 %": "the control's cost", "0.95": "of tests/e2e/test_int8.py"}


def measured_by_hand(text):
    text = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    return [number for number in MEASURED.findall(text) if number not in BARS]


def test_readme_has_no_figure_beside_those_of_the_report():
    before, _, after = readme_table.between_marks(README.read_text("utf-8"))
    assert measured_by_hand(before) + measured_by_hand(after) == []
    assert ">= 0.95" in (ROOT / "tests/e2e/test_int8.py").read_text("utf-8") and "0.95 of float32's" in after


@pytest.mark.parametrize("text", ["takes 12 ms", "0.99 to 1.00 of them", "1.5 GB a second", "hashes 1.2 GB/s", "in 20 us.", "within 1 %", "a nanosecond or two"])
def test_a_figure_that_is_written_by_hand_is_noticed(text):
    assert measured_by_hand(text) != [] == measured_by_hand("TensorRT 10.3 to 11.1, `model_signing` 1.1.1, 3 Hz, 2 % of a call")
