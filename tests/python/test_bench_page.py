"""The table and the picture of `make bench`, and README's figures: what they show, and what they refuse to show."""

import copy
import json
import pathlib
import re
import subprocess
import sys

import pytest
from PIL import Image

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))
import bench_reports  # noqa: E402
import page  # noqa: E402
import picture  # noqa: E402
import readme_table  # noqa: E402
import reference_page  # noqa: E402
import run  # noqa: E402
import sets  # noqa: E402


@pytest.fixture(name="report")
def small_report():
    return copy.deepcopy(bench_reports.whole())


def rows(report):
    return [line for line in page.table(report) if line.startswith("| ")]


def test_a_row_has_both_sides_and_the_bar(report):
    report["figures"][0] |= {"value": 1.02, "lower": 1.019, "upper": 1.024}
    assert ("| one_node: skua bound run | raw io_binding | 1.020 (1.019 to 1.024) | 1.500 / 3.000 ms | 1.800 / 3.600 ms | "
            "<= 1.15 | reached |") in page.markdown(report)


def test_rows_stand_under_their_interface_and_runtime(report):
    lines = rows(report)
    heads = [line for line in lines if line.startswith("| **")]
    assert [head.split("**")[1] for head in heads] == [
        "C++: calls, onnx_trt_ep (ONNX Runtime)", "C++: calls, pytorch_fp16 (libtorch)",
        "C++: allocations, copies, page faults, onnx_trt_ep (ONNX Runtime)",
        "C++: lanes, throughput and tail, onnx_trt_ep (ONNX Runtime)", "Python, onnx_trt_ep (ONNX Runtime)",
        "Whole programs: the gate beside other tools", "Whole programs: start to first result, pytorch_fp16 (libtorch)"]
    torch = lines[lines.index(heads[1]) + 1:lines.index(heads[2])]
    assert len(torch) == 2 and all("pytorch_fp16" in line for line in torch)
    assert len({line.count("|") for line in lines}) == 1, "one table"


def test_only_what_is_compared_or_asked_has_a_row(report):
    text = page.markdown(report)
    assert "one_node: copies" in text and "| one_node: raw run |" not in text
    assert "not measured" in text and "`import torch`" in text and "| tensorrt | TensorRT | not measured: " in text


def test_of_few_times_there_is_no_p99(report):
    report["figures"][0] = bench_reports.ratio("call", "a / b", 0.5, count=99)
    assert "| max 3.000 / 6.000 ms |" in page.markdown(report)
    report["figures"][0] = bench_reports.ratio("call", "a / b", 0.5, count=100)
    assert "| 1.800 / 3.600 ms |" in page.markdown(report)


def test_an_unknown_group_comes_last_under_its_name(report):
    report["figures"].insert(0, bench_reports.ratio("trace", "frame traced / not traced"))
    heads = [line for line in rows(report) if line.startswith("| **")]
    assert heads[-1].startswith("| **trace**")


@pytest.mark.parametrize(("change", "message"), [
    ({"value": None}, "expected numbers"), ({"value": float("nan")}, "expected numbers"), ({"upper": float("inf")}, "expected numbers"),
    ({"lower": 0.99}, "not within its bounds"), ({"is_bounded": False}, "has no bounds")])
def test_what_is_no_figure_is_refused(report, tmp_path, change, message):
    page.checked(report)
    report["figures"][0] |= change
    with pytest.raises(SystemExit, match=message):
        page.checked(report)
    file = tmp_path / "report.json"
    file.write_text(json.dumps(report), "utf-8")
    for program, more in (("picture.py", ("--out", tmp_path / "out.png")), ("readme_table.py", ())):
        command = [sys.executable, ROOT / "benchmarks" / program, "--report", file, *more]
        done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
        assert done.returncode == 1 and message in done.stderr, done.stderr
    assert not (tmp_path / "out.png").exists()


def test_a_report_without_figures_is_refused():
    with pytest.raises(SystemExit, match="no figures"):
        page.checked({"figures": []})


def coloured(image, colour):
    """How many pixels have about this colour."""
    wanted = tuple(int(colour[at:at + 2], 16) for at in (1, 3, 5))
    return sum(count for count, found in image.getcolors(1 << 20) if max(abs(a - b) for a, b in zip(found, wanted, strict=True)) < 24)


def test_the_picture_shows_both_runtimes_on_a_light_ground(report, tmp_path):
    picture.draw(report, tmp_path / "both.png")
    image = Image.open(tmp_path / "both.png").convert("RGB")
    assert 1400 <= image.width <= 2000 and image.getpixel((2, 2)) == (255, 255, 255)
    assert (tmp_path / "both.png").stat().st_size < 250_000
    report["figures"] = [figure for figure in report["figures"] if page.runtime_of(figure) != "pytorch_fp16"]
    picture.draw(report, tmp_path / "one.png")
    alone = Image.open(tmp_path / "one.png").convert("RGB")
    assert coloured(image, picture.ONNX) > 500 and coloured(image, picture.TORCH) > coloured(alone, picture.TORCH) + 300


def test_the_picture_has_no_ratio_without_bounds(report, tmp_path):
    report["figures"][0] |= {"is_bounded": False, "verdict": None}
    with pytest.raises(SystemExit, match="needs their bounds"):
        picture.draw(report, tmp_path / "out.png")
    report["figures"] = [bench_reports.counted("one_node: copies")]
    with pytest.raises(SystemExit, match="no ratio to draw"):
        picture.draw(report, tmp_path / "out.png")


def texts_of(report):
    """Of the picture of a report: every text and its place."""
    from matplotlib import pyplot

    kept = []
    picture.save, original = (lambda drawn, out: kept.extend(boxes_of(drawn))), picture.save
    try:
        picture.draw(report, pathlib.Path("unused"))
    finally:
        picture.save = original
        pyplot.close("all")
    return kept


def test_what_is_said_of_the_picture_is_what_it_shows(report):
    report["figures"] += [bench_reports.ratio("session", "demo_vpr: session from verified bytes / raw from the source model"),
                          bench_reports.ratio("takeoff", "onnx_trt_ep: load of the set / bound")]
    texts = [text for text, _ in texts_of(report)]
    values = [text for text in texts if re.fullmatch(r"[\d.]+ \([\d.]+-[\d.]+\)", text)]
    said = picture.said(report)
    ratios = sum(1 for figure in report["figures"] if page.is_drawn(figure))
    left_out = [name for name in ("session", "takeoff", "call", "tools") for figure in report["figures"]
                if figure["group"] == name and page.is_drawn(figure) and not any(
                    panel.is_in(figure) for panel in (*picture.LEFT, *picture.RIGHT))]
    assert {"session", "takeoff", "call", "tools"} == set(left_out), "`infer`, and the start of a tool, have a row alone"
    assert said.startswith(f"{len(values)} ratios ") and said.endswith(f"; {len(left_out)} ratios of the run are not drawn")
    assert len(values) + len(left_out) == ratios
    titles = [panel.title for panel in (*picture.LEFT, *picture.RIGHT)]
    assert [title for title in titles if title in said] == [title for title in titles if title in texts] == titles
    assert f"![{said}](" in "\n".join(readme_table.rendered(report)) and f"![{said}](" in reference_page.rendered(report)


def test_no_text_of_the_picture_lies_on_another(report):
    """With the longest names that a run gives."""
    calls = [f"{name}: skua bound run / raw io_binding" for name in ("demo_features_fp16", "demo_features_int8", "demo_vpr")]
    torch = [f"demo_features (pytorch_fp16): skua bound run / raw {way}" for way in ("interpreter", "optimized", "frozen")]
    report["figures"] += [bench_reports.ratio("call", name) for name in (*calls, *torch)]
    report["figures"] += [bench_reports.ratio("tools", "skua verify --trust, 1 worker / model_signing verify")]
    kept = texts_of(report)
    assert len(kept) > 40
    for at, (text, box) in enumerate(kept):
        clashes = [other for other, found in kept[at + 1:] if box.overlaps(found)]
        assert not clashes, (text, clashes)


def boxes_of(drawn):
    """Every text with its place, a little smaller: letters need not fill their line."""
    from matplotlib.text import Text

    renderer = drawn.canvas.get_renderer()
    drawn.draw(renderer)
    whole = drawn.get_window_extent()
    found = []
    for text in drawn.findobj(Text):
        if not text.get_visible() or not text.get_text().strip():
            continue
        box = text.get_window_extent(renderer)
        assert whole.x0 <= box.x0 and box.x1 <= whole.x1, (text.get_text(), "is cut off")
        found.append((text.get_text(), box.shrunk(0.98, 0.7) if box.width else box))
    return found


def test_the_groups_fit_into_ten_minutes():
    assert sum(run.BUDGETS.values()) <= run.MOST_SECONDS == 600
    assert set(run.MEASURES) == set(run.GROUPS) == set(run.BUDGETS) - {run.NETWORKS}


def test_the_clock_books_what_is_made_within_a_group_elsewhere(monkeypatch):
    now = iter([1.0, 4.0, 9.0, 20.0])
    monkeypatch.setattr(sets.time, "monotonic", lambda: next(now))
    clock = sets.Clock(_since=0.0)
    with clock.of("call"), clock.of("networks"):
        pass
    assert clock.spent == {"call": 3.0 + 11.0, "networks": 5.0}


def test_a_program_gets_no_more_than_its_group_has_left(monkeypatch):
    now = iter([1.0, 4.0, 8.0, 60.0, 61.0, 62.0])
    monkeypatch.setattr(sets.time, "monotonic", lambda: next(now))
    clock = sets.Clock({"call": 10.0}, _since=0.0)
    with clock.of("call"):
        assert [clock.at_most(5) for _ in range(3)] == [5, 10 - 7, 0.001]
    assert clock.at_most(5) == 5, "no group, no limit"


def test_a_run_that_took_longer_than_ten_minutes_says_so(report):
    assert "longer than" not in page.markdown(report)
    report["budgets"]["load"] = {"seconds": 540.0, "budget": 75}
    assert "This run took 601 s, longer than the 600 s that `make bench` is to take." in page.markdown(report)
    for used in report["budgets"].values():
        used["budget"] = 0  # FULL and QUICK have no limit
    assert "longer than" not in page.markdown(report)


def test_a_tree_that_changed_while_it_was_measured_is_refused():
    run.must_be_the_same("abc123", "abc123")
    with pytest.raises(SystemExit, match="was at abc123 when measuring began, and is at abc123-dirty now"):
        run.must_be_the_same("abc123", "abc123-dirty")


def test_readme_shows_the_references_that_skua_is_slower_beside_as_well():
    """Start to first result without warm-up, and networks of milliseconds from Python, where next to nothing is gained."""
    names = [name for _, name, _, _ in readme_table.ROWS]
    references = {name.rpartition(" / ")[2] for name in names if "start to first result" in name}
    assert references == {"raw libtorch, 3 warm-up runs", "raw libtorch, no warm-up"}
    for network in ("one_node", "demo_features", "demo_matcher"):
        assert {f"{network}: python bound run / io_binding", f"{network}: python infer / run"} <= set(names)


def test_what_a_tool_takes_on_a_set_says_how_large_it_was_and_what_its_start_took(report):
    """A tool written in Python is held against on a small set by its imports, and on a large one by its work."""
    first_cells = [line.split(" | ")[0] for line in readme_table.rendered(report) if " verify --trust`, " in line]
    assert len(first_cells) == 3 and all(", 0.500 GB, one core" in cell for cell in first_cells), "and below each: the same"
    (start,) = [line for line in readme_table.rendered(report) if "its start without work" in line]
    assert "| 1500 / " in start, "both times"
    report["figures"] = [figure for figure in report["figures"] if figure["unit"] != "GB"]
    with pytest.raises(SystemExit, match="0 figures 'size of the set'"):
        readme_table.rendered(report)


def test_readme_rows_need_every_figure_with_bounds(report):
    assert len(readme_table.rendered(report)) == len(readme_table.ROWS) + 8
    lacking = {**report, "figures": report["figures"][1:]}
    with pytest.raises(SystemExit, match="has 0 figures 'one_node: skua bound run / raw io_binding'"):
        readme_table.rendered(lacking)
    report["figures"][0] |= {"is_bounded": False, "verdict": None}
    with pytest.raises(SystemExit, match="without bounds"):
        readme_table.rendered(report)


def test_the_form_is_that_of_any_report_and_of_no_other_text(report):
    lines = readme_table.rendered(report)
    assert readme_table.form(lines) == readme_table.expected_form()
    report["figures"][0] = bench_reports.ratio("call", report["figures"][0]["name"], 123.4)
    assert readme_table.form(readme_table.rendered(report)) == readme_table.expected_form()
    assert readme_table.form([line.replace("whole process", "a process") for line in lines]) != readme_table.expected_form()
    assert readme_table.form(lines[:3] + lines[4:]) != readme_table.expected_form()


def test_what_is_kept_gives_the_same_lines_and_a_changed_number_others(report):
    lines = readme_table.rendered(report)
    kept = json.loads(json.dumps(readme_table.kept(report, b"picture")))
    assert readme_table.rendered(page.checked(kept)) == lines and "note" not in kept["figures"][0]
    assert json.loads(readme_table.as_text(kept)) == kept
    assert reference_page.rendered(kept) == reference_page.rendered(report)
    kept["figures"][0]["value"] += 0.001
    assert reference_page.rendered(kept) != reference_page.rendered(report)
    assert readme_table.rendered(kept) != lines and readme_table.form(readme_table.rendered(kept)) == readme_table.form(lines)


def miss(report, at):
    report["figures"][at]["verdict"] = "not reached"


def test_a_bar_that_is_missed_stands_beside_readmes_row_and_is_counted(report):
    """Of a call it may be asked of the difference, which README has no row for."""
    lines = readme_table.rendered(report)
    bars = sum(1 for figure in report["figures"] if figure["verdict"])
    assert any(line.startswith(f"Of the {bars} figures of this run that have a bar 0 did not reach it") for line in lines)
    assert lines[2].endswith("| <= 1.15: reached |")
    first = report["figures"][0]["name"]
    report["figures"].append(bench_reports.ratio("call", first.replace(" / ", " - "), 0.1) | {"unit": "us"})
    miss(report, -1)
    lines = readme_table.rendered(report)
    assert lines[2].endswith("| <= 1.15: reached; difference <= 1.15: not reached |")
    assert any(f"the {bars + 1} figures of this run that have a bar 1 did not reach it" in line for line in lines)
    assert readme_table.form(lines) == readme_table.expected_form()


def test_the_page_of_all_figures_has_every_row_and_what_was_missed_first(report):
    miss(report, 3)
    text = reference_page.rendered(report)
    missed, _, rest = text.partition("## Bars that were not reached\n")[2].partition("\n## ")
    row = page.figure_row(report["figures"][3])
    assert [line for line in missed.splitlines() if line.startswith("| ")][1:] == [row] and row in rest.splitlines()
    in_table = [figure for figure in report["figures"] if page.is_in_table(figure)]
    assert len(in_table) == len(readme_table.ROWS) + 2, "a count, and the size of the set"
    assert {page.figure_row(figure) for figure in in_table} <= set(rest.splitlines())
    assert "- cpu: A Processor" in text and "kernel" not in text


@pytest.mark.parametrize("change", [{"depth": "quick: figures of no worth"}, {"commit": "abc123-dirty"}, {"commit": "unknown"}])
def test_readme_takes_no_figures_of_a_quick_run_or_of_a_changed_tree(report, change):
    readme_table.must_be_worth_it(report)
    report["machine"] |= change
    with pytest.raises(SystemExit, match="README takes no figures"):
        readme_table.must_be_worth_it(report)


def test_only_what_stands_between_the_marks_is_replaced():
    before, kept, after = readme_table.between_marks(f"a\n{readme_table.BEGIN}\nold\n{readme_table.END}\nb\n")
    assert (before, kept, after) == ("a", ["old"], "b\n")
    for text in ("a\nb", f"{readme_table.END}\n{readme_table.BEGIN}", readme_table.BEGIN):
        with pytest.raises(SystemExit, match="put them where the figures are to stand"):
            readme_table.between_marks(text)
