#!/usr/bin/env python3
"""README's figures out of a report of `make bench`: the table, the picture, where they were taken; and the page of all.

    .venv/bin/python benchmarks/readme_table.py --report out/bench/report.json            # prints README's
    .venv/bin/python benchmarks/readme_table.py --report out/bench/report.json --write    # into README.md and docs/

README.md has them between two marks; nothing else of it is touched. docs/reference/bench.md has every row of the report's
table. Beside the picture lies bench.json, the figures of that page: a test holds both to it. Without a figure that README
needs nothing is written: the report must be one of all groups.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
from pathlib import Path

import page  # beside this file, as are picture and reference_page
import picture
import reference_page
from page import Figure, Report

ROOT = Path(__file__).resolve().parents[1]
BEGIN, END = "<!-- figures: benchmarks/readme_table.py writes them -->", "<!-- end of the figures -->"
IMAGE = Path("docs/images/bench.png")
KEPT = Path("docs/images/bench.json")
HEAD = ("", "beside", "ratio of times (95 % bounds)", "median, both", "asked")
SIZE = ("tools", "size of the set")
ROWS = (  # group, name of the figure; what and beside, as README says it. SIZE: of the set that was verified
    ("call", "one_node: skua bound run / raw io_binding", "C++ bound `run()`, one-node network", "ONNX Runtime's I/O binding"),
    ("call", "demo_features: skua bound run / raw io_binding", "the same, `demo_features`", "the same"),
    ("call", "demo_features_int8: skua bound run / raw io_binding", "the same, its int8 artifact", "the same"),
    ("call", "demo_matcher: skua infer / raw run", "C++ `infer`, which allocates its outputs, `demo_matcher`", "ONNX Runtime's `Run`"),
    ("call", "demo_matcher (pytorch_fp16): skua bound run / raw interpreter", "C++ bound `run()`, `demo_matcher`",
     "libtorch's interpreter, the same graph"),
    ("call", "demo_matcher (pytorch_fp16): skua bound run / raw optimized", "the same", "libtorch's `optimize_for_inference`"),
    ("python", "one_node: python bound run / io_binding", "Python's bound `run()`, one-node network",
     "`onnxruntime`, `run_with_iobinding`"),
    ("python", "demo_features: python bound run / io_binding", "the same, `demo_features`", "the same"),
    ("python", "demo_matcher: python bound run / io_binding", "the same, `demo_matcher`", "the same"),
    ("python", "one_node: python infer / run", "Python's `infer`, one-node network", "`InferenceSession.run`"),
    ("python", "demo_features: python infer / run", "the same, `demo_features`", "the same"),
    ("python", "demo_matcher: python infer / run", "the same, `demo_matcher`", "the same"),
    ("throughput", "demo_matcher: 4 lanes, quiet, time per run of all lanes, skua / raw", "4 lanes, `demo_matcher`, a run of any",
     "4 threads of ONNX Runtime"),
    ("throughput", "demo_matcher: 4 lanes, quiet, p99 of a round, skua / raw", "the same, p99", "the same"),
    ("throughput", "demo_matcher: 4 lanes, one core busy, time per run of all lanes, skua / raw",
     "4 lanes, one core busy, a run of any", "the same"),
    ("throughput", "demo_matcher: 4 lanes, one core busy, p99 of a round, skua / raw", "the same, p99", "the same"),
    ("tools", "skua verify --trust, 1 worker / sha256sum", "`skua verify --trust`, whole process, SIZE, one core",
     "`sha256sum`, one core, no signature"),
    ("tools", "skua verify --trust / sha256sum", "the same, all cores", "the same, one core"),
    ("tools", "skua verify --trust, 1 worker / openssl dgst -sha256", "`skua verify --trust`, SIZE, one core",
     "`openssl dgst -sha256`, one core, no signature"),
    ("tools", "skua verify --trust / openssl dgst -sha256", "the same, all cores", "the same, one core"),
    ("tools", "skua verify --trust, 1 worker / model_signing verify", "`skua verify --trust`, SIZE, one core",
     "`model_signing verify`, threads of its own on all cores"),
    ("tools", "skua verify --trust / model_signing verify", "the same, all cores", "the same"),
    ("tools", "model_signing --help / model_signing verify", "`model_signing --help`: its start without work", "the same"),
    ("first result", "demo_features: start to first result, skua run / raw libtorch, 3 warm-up runs",
     "`skua run`, start to first result", "[libtorch alone](benchmarks/raw_first_inference.cpp), no gate, 3 warm-up runs as Skua makes them"),
    ("first result", "demo_features: start to first result, skua run / raw libtorch, no warm-up", "the same",
     "libtorch alone, no gate, no warm-up: its next calls are slow"))


def only(report: Report, group: str, name: str) -> Figure:
    matching = [figure for figure in report["figures"] if (figure["group"], figure["name"]) == (group, name)]
    if len(matching) != 1:
        raise SystemExit(f"the report has {len(matching)} figures '{name}' of group '{group}', expected one: run `make bench` "
                         "without ONLY, with both runtimes built")
    return matching[0]


def one(report: Report, group: str, name: str) -> Figure:
    figure = only(report, group, name)
    if not figure["is_bounded"]:
        raise SystemExit(f"{name}: without bounds; README shows none of those: run `make bench` without QUICK")
    return figure


def taken_on(report: Report) -> str:
    """No host name: the kind of machine, and what ran."""
    machine = report["machine"]
    return (f"Taken by `make bench` ({machine['depth']}) at commit {machine['commit']}: {machine['cpu']}, {machine['cores_usable']} cores, "
            f"load average {machine['load average at the end'].split()[0]}, {machine['sdk']}. CPU figures.")


def bar_of(report: Report, figure: Figure) -> str:
    """What was asked, and the verdict. Of calls it is asked of the difference, which is a figure of its own."""
    name = " - ".join(figure["name"].rsplit(" / ", 1))
    difference = [each for each in report["figures"] if each["group"] == figure["group"] and each["name"] == name]
    bars = [(each, what) for each, what in ((figure, ""), *((each, "difference ") for each in difference)) if each["verdict"]]
    return "; ".join(f"{what}{each['asked']}: {each['verdict']}" for each, what in bars) or "-"


def rendered(report: Report) -> list[str]:
    lines = [page.row(HEAD), "|---|---|---|---|---|"]
    size = page.found(only(report, *SIZE))
    for group, name, what, beside in ROWS:
        figure = one(report, group, name)
        both = f"p99 {page.tails(figure)}" if ", p99 " in name else page.medians(figure)
        lines.append(page.row((what.replace("SIZE", size), beside, page.found(figure), both, bar_of(report, figure))))
    missed = f"{page.missed_text(report)}: [those, and every other row of its table]({reference_page.PAGE})."
    return [*lines, "", missed, "", f"![{picture.said(report)}]({IMAGE})", "", taken_on(report)]


def kept(report: Report, picture_of_it: bytes) -> Report:
    """Of the report, what README and the page show; and which picture was drawn out of it."""
    machine = {key: report["machine"][key] for key in reference_page.OF_MACHINE if key in report["machine"]}
    return {"machine": machine, "budgets": report.get("budgets", {}), "figures": reference_page.shown(report),
            "picture_sha256": hashlib.sha256(picture_of_it).hexdigest()}


def as_text(report: Report) -> str:
    """As JSON, a line a figure: that is what changes from run to run."""
    figures = ",\n".join(json.dumps(figure) for figure in report["figures"])
    rest = json.dumps({key: value for key, value in report.items() if key != "figures"}, indent=1)
    return rest.removesuffix("\n}") + f',\n "figures": [\n{figures}\n]\n}}\n'


def form(lines: list[str]) -> list[str]:
    """What stays the same whatever was measured: the table and the picture without numbers, units and verdicts."""
    kept = [line for line in lines if line.startswith(("|", "!["))]
    kept = [re.sub(r"\| [^|]*(reached|-) \|$", "| # |", line) for line in kept]
    return [re.sub(r"-?#( (us|ms|s)\b)?", "#", re.sub(r"\d+(\.\d+)?", "#", line)) for line in kept]


def expected_form() -> list[str]:
    """That of any report."""
    any_side = {"p50_us": 1.0, "p99_us": 1.0, "max_us": 1.0, "count": page.LEAST_FOR_P99}
    figures = [{"group": group, "name": name, "value": 1.0, "lower": 1.0, "upper": 1.0, "unit": "ratio", "is_bounded": True,
                "count": 31, "asked": "", "verdict": None, "sides": {"subject": any_side, "reference": any_side}}
               for group, name, _, _ in ROWS]
    figures.append(figures[0] | dict(zip(("group", "name"), SIZE, strict=True)) | {"unit": "GB", "count": 1, "sides": None})
    machine = dict.fromkeys(reference_page.OF_MACHINE, "0")
    return form(rendered({"machine": machine, "figures": figures}))


def must_be_worth_it(report: Report) -> None:
    """Of README: figures of a whole run, of a tree that others have."""
    machine = report["machine"]
    if machine["depth"].startswith("quick") or machine["commit"].endswith("-dirty") or machine["commit"] == "unknown":
        raise SystemExit(f"the report is of depth '{machine['depth']}' and commit {machine['commit']}: README takes no figures of a quick "
                         "run nor of what is in no commit; commit it and run `make bench`")
    if report.get("left_out"):
        said = "; ".join(f"{what}: {why}" for what, _, why in report["left_out"])
        raise SystemExit(f"the report is not of everything ({said}): README takes a whole run's figures; run `make bench` without ONLY, with "
                         "all that preset bench builds")


def between_marks(text: str) -> tuple[str, list[str], str]:
    """README before, between and after the marks."""
    lines = text.split("\n")
    if lines.count(BEGIN) != 1 or lines.count(END) != 1 or lines.index(BEGIN) > lines.index(END):
        raise SystemExit(f"README.md: expected one line '{BEGIN}' and below it one '{END}'; put them where the figures are to stand")
    begin, end = lines.index(BEGIN), lines.index(END)
    return "\n".join(lines[:begin]), lines[begin + 1:end], "\n".join(lines[end + 1:])


def main() -> int:
    parser = argparse.ArgumentParser(description="README's figures out of a report of `make bench`.")
    parser.add_argument("--report", type=Path, default=ROOT / "out/bench/report.json")
    parser.add_argument("--write", action="store_true", help="into README.md, docs/reference/bench.md, docs/images")
    arguments = parser.parse_args()
    report = page.read(arguments.report)
    lines = rendered(report)
    print("\n".join(lines))
    if arguments.write:
        must_be_worth_it(report)
        readme = ROOT / "README.md"
        before, _, after = between_marks(readme.read_text("utf-8"))
        picture.draw(report, ROOT / IMAGE)
        (ROOT / KEPT).write_text(as_text(kept(report, (ROOT / IMAGE).read_bytes())), "ascii")
        (ROOT / reference_page.PAGE).write_text(reference_page.rendered(report), "ascii")
        readme.write_text("\n".join([before, BEGIN, "", *lines, "", END, after]), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
