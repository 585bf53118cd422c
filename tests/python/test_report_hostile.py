"""The page of python -m skua.report: nothing in a file becomes markup, and the page needs nothing else."""

import json

import pytest
import report_cases
from report_cases import (BOOT_A, HOSTILE, Given, Page, begun, ended, folder_of, hostile, made, made_of, ready, record,
                          transition)

content_of = report_cases.module("content")
page = report_cases.module("page")
ALL = ("report", "frame_lines", "manifest", "log", "bench")


@pytest.fixture(name="given")
def one_of_everything(tmp_path):
    return Given(tmp_path)


@pytest.fixture(name="whole")
def page_of_everything(given):
    return made(given, *ALL)


def test_nothing_in_a_file_becomes_markup(given, whole):
    bad = made(hostile(given), *ALL)
    expected = {tag for tag, _ in whole.tags} | {"h3"}
    assert {tag for tag, _ in bad.tags} <= expected and "img" not in {tag for tag, _ in bad.tags}
    assert not any(name.startswith("on") for _, attributes in bad.tags for name in attributes)
    assert [tag for tag, _ in bad.tags].count("script") == len(bad.figures) + 2
    assert bad.scripts == whole.scripts
    for name in ("verdicts", "misses", "latencies", "bench", "warnings", "versions"):
        assert HOSTILE in bad.texts[name], name  # it is shown, as what it is


def test_nothing_in_a_file_becomes_markup_in_plotlys_texts(given):
    bad = made(hostile(given), *ALL)
    shown = json.dumps([[trace.get("name"), trace.get("text")] for f in bad.figures.values() for trace in f["data"]] + [
        f["layout"] for f in bad.figures.values()])
    assert "&lt;script&gt;" in shown and "<" not in shown
    templates = {trace["hovertemplate"] for f in bad.figures.values() for trace in f["data"] if "hovertemplate" in trace}
    assert not any("alert" in template for template in templates)


def test_control_the_parser_sees_markup_that_is_not_escaped():
    bad = Page(b'<section id="x"><p>' + HOSTILE.encode() + b"</p></section>")
    assert {"script", "img"} <= {tag for tag, _ in bad.tags} and any("onerror" in a for _, a in bad.tags)


def test_the_page_loads_nothing(whole):
    for tag, attributes in whole.tags:
        assert tag not in ("link", "iframe", "object", "embed", "base", "form", "audio", "video", "source", "img")
        assert not attributes.keys() & {"src", "action", "data", "srcset", "background", "poster"}
        assert attributes.get("href", "#").startswith("#")
    assert "@import" not in page.STYLE and "url(" not in page.STYLE
    policy, = [a["content"] for tag, a in whole.tags if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'sha256-") and policy.count("sha256-") == 2
    assert "http" not in policy and "'unsafe-eval'" not in policy


def test_the_same_input_gives_the_same_bytes(given):
    paths = report_cases.paths_of(given, *ALL)
    assert page.page_of(content_of.gather(paths)) == page.page_of(content_of.gather(paths))


def test_plotly_knows_every_property_of_every_figure(whole, given):
    plotly = pytest.importorskip("plotly.graph_objects")
    drawn = dict(whole.figures)
    drawn |= {f"alone {name}": figure for name, figure in made(given, "frame_lines").figures.items()}
    for name, figure in drawn.items():
        plotly.Figure(figure)  # raises ValueError on an unknown property or a bad value
    with pytest.raises(ValueError):
        plotly.Figure({"data": [{"type": "scatter", "sizee": 1}]})


def test_numbers_at_their_limits_are_drawn_or_refused(given):
    """No NaN and no infinity comes into a figure."""
    given.recorder = folder_of(given.folder / "r", (BOOT_A, [
        ready(1.0, total_ns=(1 << 63) - 1).replace("verify=1.5", "verify=999999999999999"), begun(2.0),
        transition(3.0, "normal", "throttled", gpu=1e308, cpu=None, clock=0).replace("1e+308", "1e308"),
        ended(4.0, 1 << 62)]))
    limits = [5e-324, 1e18, 1.0]
    given.frame_lines.write_text("".join(json.dumps({"frame": (1 << 52) + n, "picture": "", "k": 0, "throttled": False, "ms": {
        "frame": ms, "vpr": 0.0}, "reason": "x", "stage": "y"}) + "\n" for n, ms in enumerate(limits)))
    found = made(given, "frame_lines")
    assert found.figures["figure-frames"]["data"][0]["y"][1] == 1e18


def test_long_recordings_are_shortened_in_tables_and_say_so(tmp_path):
    records = [ready(1.0)] + [record(2.0 + n / 100, "c7.test", number=n) for n in range(1000)]
    found = made_of(folder_of(tmp_path / "r", (BOOT_A, records)))
    assert len(found.tables["warnings"]) == 201 and "800 rows in the middle are left out" in found.texts["warnings"]
    assert "c7.test: 1000" in found.texts["warnings"]
