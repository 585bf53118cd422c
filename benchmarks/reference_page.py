"""docs/reference/bench.md out of a report of `make bench`: every row of its table, what was missed first.

benchmarks/readme_table.py --write writes it together with README's figures, which are of the same report.
"""

from __future__ import annotations

from pathlib import Path

import page  # beside this file, as is picture
import picture
from page import Figure, Report

PAGE = Path("docs/reference/bench.md")
# What says how a figure came about. Left out is what names one machine: the kernel's own build, the build's identity.
OF_MACHINE = ("depth", "commit", "cpu", "cores_usable", "memory", "huge_pages", "compiler", "optimiser", "assertions", "sdk",
              "python onnxruntime", "onnx", "load_average", "load average at the end", "seconds")
INTRO = """# What `make bench` found

Written by `benchmarks/readme_table.py --write` out of one run, the one that [README](../../README.md) shows a part of; do not
edit. All of it is of a CPU and says nothing of a Jetson's times. [Where the time goes](../design/performance.md) explains
figures, [benchmarks](../../benchmarks/README.md) says how they are taken and what would make them lie.

Each row is measured in turns with what stands beside it; a ratio below 1 says that Skua takes less. *max*: of fewer than 100 times
the largest stands for the p99. A bar is reached when the bounds lie within it, and not only the middle: a row whose bounds are
wider than its bar is "not reached", too. No bar that is missed is left out here."""


def shown(report: Report) -> list[Figure]:
    """What the page has a row for, without the notes, which `out/bench/figures.md` has."""
    rows = [figure for figures in page.sections(report).values() for figure in figures]
    return [{key: value for key, value in figure.items() if key != "note"} for figure in rows]


def rows(figures: list[Figure]) -> list[str]:
    return [page.row(page.HEAD), "|---" * len(page.HEAD) + "|", *(page.figure_row(figure) for figure in figures)]


def rendered(report: Report) -> str:
    machine = [f"- {key.replace('_', ' ')}: {report['machine'][key]}" for key in OF_MACHINE if key in report["machine"]]
    late = ["", page.over_time(report)] if page.over_time(report) else []
    lines = [INTRO, "", *machine, *late, "", f"![{picture.said(report)}](../images/bench.png)", "",
             "## Bars that were not reached", f"{page.missed_text(report)}.", ""]
    lines += rows(page.missed(report)) if page.missed(report) else ["None."]
    for section, figures in page.sections(report).items():
        lines += ["", f"## {section}", *rows(figures)]
    lines += ["", "## Not measured", page.row(("what", "beside", "why")), "|---|---|---|"]
    lines += [page.row(cells) for cells in page.not_measured(report)]
    return "\n".join([*lines, "", "## Where the time of the run went", *page.budget_lines(report)]) + "\n"
