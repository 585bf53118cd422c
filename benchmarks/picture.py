"""The ratios of a report as a picture: each with its bounds, around 1.

    python benchmarks/picture.py --report out/bench/report.json --out out/bench/report.png
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import page  # beside this file
from page import Figure, Report

WIDTH_IN, DPI, ROW_IN, HEAD_IN, FOOT_IN = 9.4, 200, 0.142, 0.30, 0.24
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
    network, _, rest = figure["name"].partition(": ")
    return f"{network.replace(' (pytorch_fp16)', '')}: {rest.partition(', time')[0].partition(', p99')[0]}"


def _program(figure: Figure) -> str:
    name = figure["name"].rpartition(": ")[2].replace("start to first result, ", "").replace("skua verify --trust", "verify")
    return name.replace("model_signing verify", "model_signing").replace("-sha256", "").replace("raw ", "").replace(" workers", "")


def _is_program(figure: Figure) -> bool:
    return figure["group"] in ("tools", "first result") or (figure["group"] == "data set" and "inspect" in figure["name"])


LEFT = (
    Panel("C++: bound run() / ONNX Runtime's I/O binding",
          lambda f: f["group"] == "call" and f["name"].endswith("skua bound run / raw io_binding"), _network),
    Panel("C++: bound run() / libtorch's own ways to call",
          lambda f: f["group"] == "call" and "(pytorch_fp16): skua bound run / raw " in f["name"], _beside_libtorch),
    Panel("Python: bound run(), infer / onnxruntime", lambda f: f["group"] == "python" and " / " in f["name"], _call_of_python))
RIGHT = (
    Panel("Lanes: time per run of all lanes / raw SDK", _named("throughput", ", time per run of all lanes, skua / raw"), _lanes),
    Panel("Lanes: p99 / raw SDK", _named("throughput", ", p99 of a round, skua / raw"), _lanes),
    Panel("Whole programs", _is_program, _program))


def shown(report: Report, panel: Panel) -> list[Figure]:
    """The panel's ratios. One without bounds would look as sure as the others."""
    figures = [figure for figure in report["figures"] if page.is_drawn(figure) and panel.is_in(figure)]
    for figure in figures:
        if not figure["is_bounded"]:
            raise SystemExit(f"{figure['name']}: a picture of ratios needs their bounds; measure at least six rounds")
    return figures


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
                      va="center", fontsize=6.4, color=MUTED)
    axes.axvline(1.0, color=TEXT, linewidth=0.8, zorder=0)
    axes.set_xlim(*limits(figures))
    axes.set_ylim(len(figures) - 0.4, -0.6)
    axes.set_yticks(range(len(figures)), [panel.label(figure) for figure in figures], fontsize=6.8, color=TEXT)
    axes.tick_params(axis="x", labelsize=6.2, colors=MUTED, length=2, pad=1.5)
    axes.tick_params(axis="y", length=0, pad=3)
    axes.grid(axis="x", color=LINE, linewidth=0.5)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(LINE)
    axes.set_title(panel.title, fontsize=7.6, color=TEXT, loc="left", fontweight="bold", pad=4)


def height_of(figures: list[Figure]) -> float:
    return HEAD_IN + ROW_IN * len(figures) + FOOT_IN


def draw_column(picture, left: float, width: float, top_in: float, height_in: float, panels) -> None:
    for panel, figures in panels:
        rows_in = ROW_IN * len(figures)
        bottom = (height_in - top_in - HEAD_IN - rows_in) / height_in
        draw_panel(picture.add_axes((left, bottom, width, rows_in / height_in)), panel, figures)
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
    top_in = 0.42
    height_in = top_in + max(sum(height_of(figures) for _, figures in column) for column in columns) + 0.22
    picture = pyplot.figure(figsize=(WIDTH_IN, height_in), dpi=DPI, facecolor="white")
    picture.text(0.012, 1 - 0.17 / height_in, "What Skua takes beside the bare SDK and other tools: ratio of times, below 1 is quicker",
                 fontsize=9, fontweight="bold", color=TEXT, va="center")
    for colour, name, x in ((ONNX, "onnx_trt_ep, other", 0.79), (TORCH, "pytorch_fp16", 0.91)):
        picture.text(x, 1 - 0.17 / height_in, f"\N{BLACK CIRCLE} {name}", fontsize=7, color=colour, va="center")
    for column, left in zip(columns, (0.155, 0.665), strict=True):
        draw_column(picture, left, 0.215, top_in, height_in, column)
    picture.text(0.012, 0.09 / height_in, caption(report), fontsize=6.2, color=MUTED, va="center")
    picture.savefig(out, metadata={"Software": None})
    pyplot.close(picture)


def main() -> None:
    parser = argparse.ArgumentParser(description="Draws the ratios of a report of `make bench`.")
    parser.add_argument("--report", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    draw(page.read(arguments.report), arguments.out)


if __name__ == "__main__":
    main()
