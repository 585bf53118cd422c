"""The page's gist as a PNG, for a terminal or a message."""

from __future__ import annotations

import io
import math
import textwrap

import matplotlib
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec, SubplotSpec
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from .content import Content
from .figures import (BLUE, BOOTS_SIDE_BY_SIDE, DARK, GREEN, PINK, SHOWN_STAGES, STAGE_STYLE, YELLOW,
                      with_gaps)
from .files import printable
from .latency import Series, view_of

WIDTH_PX, HEIGHT_PX, DPI = 1200, 1500, 100
MARKERS = {"circle": "o", "square": "s", "diamond": "D", "triangle-up": "^", "triangle-down": "v", "circle-open": ".",
           "cross": "P"}
CARD_COLOURS = {"good": "#009E73", "bad": "#B00020", "warn": "#E69F00", "plain": "#8A8A8A"}
SIGNS = {"good": "\u2713 ", "bad": "\u2717 ", "warn": "! ", "plain": ""}  # colour alone says nothing to some readers
BANDS = {"throttled": ("#D55E00", 0.16), "unavailable": ("#5A5A5A", 0.22)}
LABEL_COLUMNS, MOST_VERDICTS = 34, 6


def picture_of(content: Content) -> bytes:
    """Texts of files are drawn as they are, not as formulas; the same input gives the same bytes."""
    with matplotlib.rc_context({"text.parse_math": False, "font.size": 9, "axes.spines.top": False,
                                "axes.spines.right": False, "axes.unicode_minus": False}):
        figure = Figure(figsize=(WIDTH_PX / DPI, HEIGHT_PX / DPI), dpi=DPI, facecolor="white")
        FigureCanvasAgg(figure)
        grid = GridSpec(3, 1, figure=figure, height_ratios=(2.6, 1.5, 1.2), left=0.20, right=0.97, top=0.735,
                        bottom=0.115, hspace=0.42)
        figure.text(0.02, 0.975, _short(content.title, 90), fontsize=15, fontweight="bold", color=DARK)
        figure.text(0.02, 0.961, _short(content.subtitle, 120), color="#555555")
        _draw_cards(figure, content)
        _draw_verdicts(figure, content)
        _draw_timeline(figure, grid[0], content)
        _draw_percentiles(figure.add_subplot(grid[1]), content)
        _draw_gates(figure.add_subplot(grid[2]), content)
        _draw_facts(figure, content)
        out = io.BytesIO()
        figure.savefig(out, format="png", metadata={"Software": None})
    return out.getvalue()


def _short(text: str, most: int) -> str:
    """ASCII, because a font may lack what a file name holds."""
    shown = printable(text).encode("ascii", "replace").decode("ascii")
    return shown if len(shown) <= most else shown[:most - 3] + "..."


def _nothing(axes: Axes, text: str) -> None:
    axes.set_axis_off()
    axes.text(0.0, 0.5, "\n".join(textwrap.wrap(text, 120)), transform=axes.transAxes, va="center", color="#555555")


def _draw_cards(figure: Figure, content: Content) -> None:
    cards = content.cards()
    width = 0.95 / len(cards)
    for index, card in enumerate(cards):
        axes = figure.add_axes((0.02 + index * width, 0.875, width - 0.008, 0.075))
        axes.set(xticks=[], yticks=[], facecolor="#FAFAFA")
        for side in ("top", "right", "bottom", "left"):
            axes.spines[side].set_visible(side == "left")
        axes.spines["left"].set(linewidth=6, color=CARD_COLOURS[card.level])
        axes.text(0.07, 0.82, SIGNS[card.level] + _short(card.title, 26), transform=axes.transAxes, color="#444444")
        axes.text(0.07, 0.52, _short(card.value, 18), transform=axes.transAxes, fontsize=13, fontweight="bold")
        axes.text(0.07, 0.40, "\n".join(textwrap.wrap(_short(card.detail, 84), 28)), transform=axes.transAxes, fontsize=8,
                  va="top", color="#555555")


def _draw_verdicts(figure: Figure, content: Content) -> None:
    """The last ones, a line each; what was refused comes before what went well."""
    verdicts = content.story.verdicts
    worst = [v for v in verdicts if v.level == "bad"][-MOST_VERDICTS:]
    rest = [v for v in verdicts if v.level != "bad"]
    others = rest[max(0, len(rest) - (MOST_VERDICTS - len(worst))):]
    for index, verdict in enumerate([v for v in verdicts if v in worst or v in others]):
        y = 0.862 - index * 0.0135
        figure.text(0.02, y, f"{verdict.at.seconds:8.2f} s", va="top", fontsize=8.5, family="monospace")
        figure.text(0.10, y, _short(verdict.what, 26), va="top", fontsize=8.5, fontweight="bold",
                    color={"bad": "#B00020", "good": "#00704F"}.get(verdict.level, DARK))
        figure.text(0.24, y, _short(f"{verdict.subject}  {verdict.detail}".strip(), 125), va="top", fontsize=8.5)
    if not verdicts:
        figure.text(0.02, 0.862, "No verdict is recorded.", va="top", color="#555555")


# ---- timeline ----------------------------------------------------------------------------------------------------

def _draw_timeline(figure: Figure, place: SubplotSpec, content: Content) -> None:
    series = [entry for entry in content.latencies.series if entry.stage in SHOWN_STAGES]
    if not series:
        _nothing(figure.add_subplot(place), "Latencies over time: none is known; the recorder keeps none. Give "
                 "--flight-report and --frame-lines, which skua-flight writes.")
        return
    unplaced = all(entry.boot is None for entry in series)
    boots = [None] if unplaced else list(range(len(content.recording.boots)))[-BOOTS_SIDE_BY_SIDE:]
    widths = [1.0 if boot is None else max(0.2, content.recording.boots[boot].length_s) for boot in boots]
    columns = place.subgridspec(1, len(boots), width_ratios=[max(w, 0.2 * sum(widths)) for w in widths], wspace=0.12)
    first: Axes | None = None
    for index, boot in enumerate(boots):
        axes = figure.add_subplot(columns[0, index], sharey=first)
        _draw_boot(axes, [entry for entry in series if entry.boot == boot], boot, content)
        if first is None:
            first = axes
            axes.set_ylabel("latency, ms (logarithmic)")
    if first is not None:
        _log_ticks(first.yaxis)
        first.set_ylim(*view_of(series))
        handles = {label: handle for axes in figure.axes for handle, label in zip(*axes.get_legend_handles_labels())}
        first.legend(handles.values(), handles.keys(), loc="lower left", bbox_to_anchor=(0, 1.0), ncols=4, frameon=False,
                     fontsize=8)


def _log_ticks(axis: Axis) -> None:
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def _draw_boot(axes: Axes, series: list[Series], boot: int | None, content: Content) -> None:
    for entry in series:
        colour, symbol = STAGE_STYLE.get(entry.stage, (DARK, "circle"))
        x, y, _ = with_gaps(entry)
        axes.plot(x, [math.nan if value is None else value for value in y], linewidth=0.7, color=colour,
                  marker=MARKERS[symbol], markersize=3, label=_short(entry.label, LABEL_COLUMNS))
    dropped = content.dropped()
    flight = content.latencies.flight
    if dropped and (boot is None or (flight and flight.begun and flight.begun.boot == boot)):
        axes.scatter([x for x, _ in dropped], [frame.ms.get("frame") or math.nan for _, frame in dropped], marker="x", s=40,
                     color="#B00020", zorder=5, label="frame without a result")
    for band in content.story.bands:
        if band.boot == boot and band.state in BANDS:
            colour, alpha = BANDS[band.state]
            axes.axvspan(band.begin_s, band.end_s, color=colour, alpha=alpha, linewidth=0, label=band.state)
    axes.set_yscale("log")
    if boot is None:
        axes.set_xlabel("frame (not placed in time)")
    else:
        axes.set_xlabel(f"s since {content.recording.boots[boot].records[0].ts[:19]}Z"
                        + (f", boot {boot + 1}" if len(content.recording.boots) > 1 else ""))
        xs = [x for entry in series for x in entry.x]
        if xs:
            margin = 0.05 * (max(xs) - min(xs)) + 0.1
            axes.set_xlim(min(xs) - margin, max(xs) + margin)


# ---- the other parts ---------------------------------------------------------------------------------------------

def _draw_percentiles(axes: Axes, content: Content) -> None:
    rows = [row for row in content.latencies.rows if row.stage in SHOWN_STAGES][::-1]
    if not rows:
        _nothing(axes, "Percentiles: no latency is known; give --flight-report or --frame-lines.")
        return
    for place, row in enumerate(rows):
        colour = STAGE_STYLE.get(row.stage, (DARK, "circle"))[0]
        axes.plot([row.p50_ms, row.max_ms], [place, place], color=colour, linewidth=2)
        for value, marker in ((row.p50_ms, "o"), (row.p95_ms, "D"), (row.p99_ms, "^"), (row.max_ms, "x")):
            axes.plot([value], [place], marker=marker, color=colour, linestyle="none")
        axes.text(row.max_ms * 1.06, place, f"p50 {row.p50_ms:.1f}  p99 {row.p99_ms:.1f}", va="center", fontsize=8,
                  color="#555555")
    axes.set_xscale("log")
    _log_ticks(axes.xaxis)
    axes.set_xlim(min(row.p50_ms for row in rows) * 0.8, max(row.max_ms for row in rows) * 2.2)
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.set_yticks(range(len(rows)), [_short(row.label, LABEL_COLUMNS) for row in rows])
    axes.set_xlabel("latency, ms (logarithmic): p50 o, p95 diamond, p99 triangle, max x")


def _draw_gates(axes: Axes, content: Content) -> None:
    load = content.load
    if load is None or not load.engines:
        _nothing(axes, "Gate times: no load is recorded.")
        return
    engines = load.engines[::-1]
    left = [0.0] * len(engines)
    for name, colour, hatch, values in (("verify", BLUE, "", [e.verify_ms for e in engines]),
                                        ("deserialise", YELLOW, "//", [e.deserialize_ms for e in engines]),
                                        ("warm up", GREEN, "..", [e.warm_up_ms for e in engines]),
                                        ("golden check", PINK, "xx", [e.golden_ms for e in engines])):
        axes.barh(range(len(engines)), values, left=left, color=colour, hatch=hatch, edgecolor="white", label=name,
                  height=0.6)
        left = [a + b for a, b in zip(left, values)]
    axes.set_yticks(range(len(engines)), [_short(engine.model, LABEL_COLUMNS) for engine in engines])
    axes.set_xlabel("loading: time of each step, ms")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=4, frameon=False, fontsize=8)


def _draw_facts(figure: Figure, content: Content) -> None:
    texts = [content.facts.sentence(content.networks(), content.set_id)]
    if content.given.manifest:
        texts.append(f"Provisioned by {content.given.manifest.builder}.")
    texts += list(content.latencies.notes)
    lines = [line for text in texts for line in textwrap.wrap(_short(text, 400), 150)]
    figure.text(0.02, 0.08, "\n".join(lines[:6]), va="top", fontsize=8.5, color=DARK)
