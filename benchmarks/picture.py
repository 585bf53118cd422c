"""The ratios of a report as a picture: each with its bounds, around 1.

    python benchmarks/picture.py --report out/bench/report.json --out out/bench/report.png
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import page  # beside this file
from page import Figure, Report

WIDTH_IN, DPI = 9.4, 170  # twice the width that README gives it, nearly
ROW_IN, HEAD_IN, FOOT_IN, TOP_IN, BOTTOM_IN = 0.158, 0.25, 0.28, 0.36, 0.22
LABEL_PT, NUMBER_PT, TICK_PT, TITLE_PT = 7.4, 6.9, 6.6, 8.0
COLUMNS, AXES_WIDTH = (0.172, 0.668), 0.195  # where axes begin, of the whole width; labels stand left, numbers right
COLOURS = 128  # of the file; of 64 a colour that few lines have was lost
ONNX, TORCH = "#0b6e99", "#c2571a"  # blue and orange: apart for every eye
TEXT, MUTED, LINE = "#1f2328", "#59636e", "#d1d9e0"


@dataclass(frozen=True)
class Panel:
    title: str
    is_in: Callable[[Figure], bool]
    label: Callable[[Figure], str]


def _named(group: str, ending: str) -> Callable[[Figure], bool]:
    return lambda figure: figure["group"] == group and figure["name"].endswith(ending)


def _network(figure: Figure) -> str:
    return figure["name"].partition(":")[0].replace(" (pytorch_fp16)", "")


def _beside_libtorch(figure: Figure) -> str:
    return f"{_network(figure)} / {figure['name'].rpartition(' / raw ')[2]}"


def _call_of_python(figure: Figure) -> str:
    return f"{_network(figure)}: {figure['name'].partition(': python ')[2].partition(' / ')[0]}"


def _lanes(figure: Figure) -> str:
    return figure["name"].partition(": ")[2].partition(", time")[0].partition(", p99")[0]


SHORTER = {"start to first result, skua run": "first result", "skua verify --trust": "verify", "model_signing verify": "model_signing",
           " dgst -sha256": " dgst", "raw libtorch, 3 warm-up runs": "libtorch, warmed up", "raw libtorch, no warm-up": "libtorch, cold",
           "skua inspect": "inspect data set"}


def _program(figure: Figure) -> str:
    name = figure["name"].rpartition(": ")[2]
    for long, short in SHORTER.items():
        name = name.replace(long, short)
    return name


def _is_program(figure: Figure) -> bool:
    if figure["group"] == "tools":
        return figure["name"].startswith("skua")
    return figure["group"] == "first result" or (figure["group"] == "data set" and "inspect" in figure["name"])


LEFT = (
    Panel("C++: bound run() / ONNX Runtime's I/O binding",
          lambda f: f["group"] == "call" and f["name"].endswith("skua bound run / raw io_binding"), _network),
    Panel("C++: bound run() / libtorch's own ways to call",
          lambda f: f["group"] == "call" and "(pytorch_fp16): skua bound run / raw " in f["name"]
          and not f["name"].endswith("raw run"), _beside_libtorch),
    Panel("Python: bound run(), infer / onnxruntime", lambda f: f["group"] == "python" and " / " in f["name"], _call_of_python))
RIGHT = (
    Panel("Lanes, demo_matcher: time per run / raw SDK", _named("throughput", ", time per run of all lanes, skua / raw"), _lanes),
    Panel("Lanes, demo_matcher: p99 / raw SDK", _named("throughput", ", p99 of a round, skua / raw"), _lanes),
    Panel("Whole programs", _is_program, _program))


def shown(report: Report, panel: Panel) -> list[Figure]:
    """The panel's ratios. One without bounds would look as sure as the others."""
    figures = [figure for figure in report["figures"] if page.is_drawn(figure) and panel.is_in(figure)]
    for figure in figures:
        if not figure["is_bounded"]:
            raise SystemExit(f"{figure['name']}: a picture of ratios needs their bounds; measure at least six rounds")
    return figures


def has_any(report: Report) -> bool:
    """Whether there is anything to draw: a run of some groups alone has figures that no panel is of."""
    return any(shown(report, panel) for panel in (*LEFT, *RIGHT))


def said(report: Report) -> str:
    """What the picture shows, for who does not see it; and how many ratios of the report it leaves out."""
    panels = [(panel.title, shown(report, panel)) for panel in (*LEFT, *RIGHT)]
    drawn = sum(len(figures) for _, figures in panels)
    left_out = sum(1 for figure in report["figures"] if page.is_drawn(figure)) - drawn
    titles = "; ".join(title for title, figures in panels if figures)
    return f"{drawn} ratios with their bounds, each around 1: {titles}; {left_out} ratios of the run are not drawn"


def limits(figures: list[Figure]) -> tuple[float, float]:
    """Around all bounds and 1, with some air."""
    low, high = min(1.0, *(f["lower"] for f in figures)), max(1.0, *(f["upper"] for f in figures))
    air = max(0.06 * (high - low), 0.01)
    return low - air, high + air


def draw_panel(axes, panel: Panel, figures: list[Figure]) -> None:
    for position, figure in enumerate(figures):
        colour = TORCH if page.runtime_of(figure) == "pytorch_fp16" else ONNX
        axes.plot([figure["lower"], figure["upper"]], [position] * 2, color=colour, linewidth=2.0, solid_capstyle="butt")
        axes.plot([figure["value"]], [position], marker="o", markersize=3.4, color=colour)
        text = f"{page.number(figure['value'])} ({page.number(figure['lower'])}-{page.number(figure['upper'])})"
        axes.annotate(text, (1.0, position), xycoords=("axes fraction", "data"), xytext=(4, 0), textcoords="offset points",
                      va="center", fontsize=NUMBER_PT, color=MUTED)
    axes.axvline(1.0, color=TEXT, linewidth=0.8, zorder=0)
    axes.set_xlim(*limits(figures))
    axes.set_ylim(len(figures) - 0.4, -0.6)
    axes.set_yticks(range(len(figures)), [panel.label(figure) for figure in figures], fontsize=LABEL_PT, color=TEXT)
    axes.locator_params(axis="x", nbins=6)
    axes.tick_params(axis="x", labelsize=TICK_PT, colors=MUTED, length=2, pad=1.5)
    axes.tick_params(axis="y", length=0, pad=3)
    axes.grid(axis="x", color=LINE, linewidth=0.5)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(LINE)
    axes.set_title(panel.title, fontsize=TITLE_PT, color=TEXT, loc="left", x=-0.84, fontweight="bold", pad=4)


def height_of(figures: list[Figure]) -> float:
    return HEAD_IN + ROW_IN * len(figures) + FOOT_IN


def draw_column(picture, left: float, height_in: float, panels) -> None:
    top_in = TOP_IN
    for panel, figures in panels:
        rows_in = ROW_IN * len(figures)
        bottom = (height_in - top_in - HEAD_IN - rows_in) / height_in
        draw_panel(picture.add_axes((left, bottom, AXES_WIDTH, rows_in / height_in)), panel, figures)
        top_in += height_of(figures)


def caption(report: Report) -> str:
    machine = report["machine"]
    return (f"{machine['cpu']}, {machine['cores_usable']} cores, commit {machine['commit']}, load average "
            f"{machine['load average at the end'].split()[0]}; {machine['sdk']}; bars: 95 % bounds of the median of ratios")


def draw(report: Report, out: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    columns = [[(panel, figures) for panel in side if (figures := shown(report, panel))] for side in (LEFT, RIGHT)]
    if not any(columns):
        raise SystemExit("the report has no ratio to draw: run `make bench` with call, python or load among its groups")
    height_in = TOP_IN + max(sum(height_of(figures) for _, figures in column) for column in columns) + BOTTOM_IN
    picture = pyplot.figure(figsize=(WIDTH_IN, height_in), dpi=DPI, facecolor="white")
    picture.text(0.012, 1 - 0.17 / height_in, "What Skua takes beside the bare SDK and other tools: ratio of times, below 1 is quicker",
                 fontsize=9, fontweight="bold", color=TEXT, va="center")
    for colour, name, x in ((ONNX, "onnx_trt_ep, gate", 0.78), (TORCH, "pytorch_fp16", 0.90)):
        picture.text(x, 1 - 0.17 / height_in, f"\N{BLACK CIRCLE} {name}", fontsize=LABEL_PT, color=colour, va="center")
    for column, left in zip(columns, COLUMNS, strict=True):
        draw_column(picture, left, height_in, column)
    picture.text(0.012, 0.09 / height_in, caption(report), fontsize=TICK_PT, color=MUTED, va="center")
    save(picture, out)
    pyplot.close(picture)


def save(picture, out: Path) -> None:
    """Small: it lies in the repository."""
    from PIL import Image

    whole = io.BytesIO()
    picture.savefig(whole, format="png")
    Image.open(whole).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(out, optimize=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Draws the ratios of a report of `make bench`.")
    parser.add_argument("--report", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    draw(page.read(arguments.report), arguments.out)


if __name__ == "__main__":
    main()
