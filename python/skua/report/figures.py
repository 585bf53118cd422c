"""The page's figures, as plotly takes them: plain objects, the same for the same input."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .flights import DEADLINE, Load, Story
from .latency import BACKBONE_STAGES, Row, Series, view_of
from .markup import plain
from .recorder import Recording
from .sources import BenchFigure, Frame

Json = dict[str, object]
# M. Okabe, K. Ito, "Color Universal Design" (2002): told apart with every kind of colour vision.
BLUE, ORANGE, GREEN, PINK, YELLOW, SKY, DARK, GREY = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9",
                                                      "#222222", "#8A8A8A")
STAGE_STYLE = {"vpr": (BLUE, "circle"), "features": (ORANGE, "square"), "rerank": (GREEN, "diamond"),
               "match": (PINK, "triangle-up"), "adhop": (YELLOW, "triangle-down"), "frame": (GREY, "circle-open"),
               "infer": (SKY, "cross")}
BAND_COLOURS = {"throttled": ("rgba(213,94,0,0.16)", "throttled"), "unavailable": ("rgba(90,90,90,0.22)", "no telemetry")}
FONT: Json = {"family": "system-ui, sans-serif", "size": 13, "color": DARK}
MOST_MARKERS = 3000
BOOTS_SIDE_BY_SIDE = 4
SHOWN_STAGES = (*BACKBONE_STAGES, "infer", "frame")


@dataclass(frozen=True)
class Drawn:
    """A figure with its height in pixels."""

    identity: str
    data: list[Json]
    layout: Json

    @property
    def height(self) -> int:
        height = self.layout["height"]
        assert isinstance(height, int)
        return height


def _axis(title: str, **more: object) -> Json:
    return {"title": {"text": title}, "gridcolor": "#E3E3E3", "zeroline": False, "linecolor": "#999999", "showline": True,
            "ticks": "outside", **more}


def _log_axis(title: str, **more: object) -> Json:
    return _axis(title, type="log", tickvals=[base * 10.0 ** power for power in range(-3, 6) for base in (1, 2, 5)],
                 tickformat="~g", **more)


def _layout(height: int, **more: object) -> Json:
    return {"height": height, "font": FONT, "paper_bgcolor": "#FFFFFF", "plot_bgcolor": "#FFFFFF", "hovermode": "closest",
            "margin": {"l": 70, "r": 50, "t": 40, "b": 55}, "modebar": {"orientation": "v"},
            "legend": {"orientation": "h", "traceorder": "normal", "y": 1.01, "yanchor": "bottom", "x": 0,
                       "xanchor": "left"}, **more}


def _style(series_stage: str) -> tuple[str, str]:
    return STAGE_STYLE.get(series_stage, (DARK, "star"))


# ---- percentiles -------------------------------------------------------------------------------------------------

def percentile_figure(rows: list[Row]) -> Drawn:
    shown = [row for row in rows if row.stage in SHOWN_STAGES][::-1]  # the first one on top
    places = list(range(len(shown)))
    data: list[Json] = []
    for row, place in zip(shown, places):
        data.append({"type": "scatter", "mode": "lines", "x": [row.p50_ms, row.max_ms], "y": [place, place],
                     "line": {"color": _style(row.stage)[0], "width": 3}, "showlegend": False, "hoverinfo": "skip"})
    colours = [_style(row.stage)[0] for row in shown]
    for name, symbol, values in (("p50", "circle", [row.p50_ms for row in shown]),
                                 ("p95", "diamond", [row.p95_ms for row in shown]),
                                 ("p99", "triangle-up", [row.p99_ms for row in shown]),
                                 ("max", "x", [row.max_ms for row in shown])):
        data.append({"type": "scatter", "mode": "markers", "name": name, "x": values, "y": places,
                     "marker": {"symbol": symbol, "size": 11, "color": colours, "line": {"color": "#FFFFFF", "width": 1}},
                     "hovertemplate": "%{fullData.name} %{x:.2f} ms<extra></extra>"})
    rows_axis = _axis("", tickvals=places, ticktext=[plain(row.label) for row in shown], automargin=True,
                      range=[-0.6, len(shown) - 0.4])
    return Drawn("percentiles", data, _layout(130 + 34 * len(shown), yaxis=rows_axis, xaxis=_log_axis(
        "latency, ms (logarithmic)")))


# ---- timeline ----------------------------------------------------------------------------------------------------

def with_gaps(series: Series) -> tuple[list[float], list[float | None], list[int | None]]:
    """A slot that was missed is a hole in the line, not a bridge."""
    x: list[float] = []
    y: list[float | None] = []
    frames: list[int | None] = []
    before: int | None = None
    for at, value, frame in zip(series.x, series.ms, series.frames):
        if before is not None and frame is not None and frame > before + 1:
            x.append(round(at, 4))
            y.append(None)
            frames.append(None)
        x.append(round(at, 4))
        y.append(round(value, 4))
        frames.append(frame)
        before = frame
    return x, y, frames


def series_trace(series: Series, axes: tuple[str, str], is_first: bool) -> Json:
    colour, symbol = _style(series.stage)
    x, y, frames = with_gaps(series)
    is_long = len(x) > MOST_MARKERS
    return {"type": "scatter", "mode": "lines" if is_long else "lines+markers", "name": plain(series.label),
            "legendgroup": plain(series.label), "showlegend": is_first, "x": x, "y": y, "customdata": frames,
            "xaxis": axes[0], "yaxis": axes[1], "line": {"color": colour, "width": 1},
            "marker": {"symbol": symbol, "size": 5, "color": colour},
            "hovertemplate": "%{fullData.name}, frame %{customdata}<br>%{y:.2f} ms at %{x:.2f}<extra></extra>"}


def dropped_trace(frames: list[tuple[float, Frame]], axes: tuple[str, str]) -> Json:
    """Frames without a result, at the time that each took all the same."""
    return {"type": "scatter", "mode": "markers", "name": "frame without a result", "xaxis": axes[0], "yaxis": axes[1],
            "x": [round(x, 4) for x, _ in frames], "y": [frame.ms.get("frame") for _, frame in frames],
            "text": [plain(f"frame {frame.number}: {frame.reason} in {frame.stage}") for _, frame in frames],
            "marker": {"symbol": "x", "size": 10, "color": "#B00020", "line": {"color": "#FFFFFF", "width": 1}},
            "hovertemplate": "%{text}<br>%{y:.2f} ms at %{x:.2f}<extra></extra>"}


def _latency_axis(series: list[Series]) -> Json:
    return _log_axis("latency, ms (log.)", range=[round(math.log10(edge), 3) for edge in view_of(series)])


def frames_figure(series: list[Series], dropped: list[tuple[float, Frame]],
                  throttled: list[tuple[float, float]]) -> Drawn:
    """Where nothing places frame lines in time: over frame numbers, under what they say of throttling themselves."""
    shown = [entry for entry in series if entry.stage in SHOWN_STAGES]
    data = [series_trace(entry, ("x", "y"), True) for entry in shown]
    if dropped:
        data.append(dropped_trace(dropped, ("x", "y")))
    shapes = [_band("x", begin, end, "throttled") for begin, end in throttled]
    if throttled:
        data.append(_band_legend("throttled", ("x", "y")))
    return Drawn("frames", data, _layout(430, shapes=shapes, xaxis=_axis("frame"), yaxis=_latency_axis(shown)))


def _band(xaxis: str, begin: float, end: float, state: str) -> Json:
    return {"type": "rect", "xref": xaxis, "yref": "paper", "x0": round(begin, 4), "x1": round(end, 4), "y0": 0, "y1": 1,
            "fillcolor": BAND_COLOURS[state][0], "line": {"width": 0}, "layer": "below"}


def _band_legend(state: str, axes: tuple[str, str]) -> Json:
    colour, name = BAND_COLOURS[state]
    return {"type": "scatter", "mode": "markers", "name": name, "x": [None], "y": [None], "xaxis": axes[0],
            "yaxis": axes[1], "marker": {"symbol": "square", "size": 13, "color": colour}, "hoverinfo": "skip"}


EVENT_ROWS = ("warning or error", "run failed, other reason", "run missed its deadline", "refused", "flight begun or ended",
              "engines ready")
EVENT_SIGNS = (("triangle-up", YELLOW), ("cross", PINK), ("x", "#B00020"), ("square", "#B00020"), ("diamond", BLUE),
               ("circle", GREEN))


def event_marks(story: Story) -> list[list[tuple[int, float, str]]]:
    """For each of EVENT_ROWS: boot, seconds, text."""
    rows: list[list[tuple[int, float, str]]] = [[] for _ in EVENT_ROWS]
    for at, kind, _, text in story.others:
        rows[0].append((at.boot, at.seconds, f"{kind}: {text}"))
    for failure in story.failures:
        if not failure.is_frame:
            text = f"{failure.where}, frame {failure.frame}: {failure.reason}"
            rows[2 if failure.reason == DEADLINE else 1].append((failure.at.boot, failure.at.seconds, text))
    for verdict in story.verdicts:
        other = 3 if verdict.level == "bad" else 0
        row = {"engines ready": 5, "flight begun": 4, "flight ended": 4}.get(verdict.what, other)
        rows[row].append((verdict.at.boot, verdict.at.seconds, f"{verdict.what}: {verdict.subject} {verdict.detail}"))
    return rows


ROW_HEIGHT = {"yaxis": 360, "yaxis2": 140, "yaxis3": 190}


def joined_marks(marks: list[tuple[float, str]]) -> list[tuple[float, str]]:
    """Seconds and texts; where there are too many to be drawn, those of one moment as one mark that says how many."""
    if len(marks) <= MOST_MARKERS:
        return marks
    begin, end = min(marks)[0], max(marks)[0]
    width = max(1e-9, (end - begin) / MOST_MARKERS)
    groups: dict[int, list[tuple[float, str]]] = {}
    for mark in marks:
        groups.setdefault(int((mark[0] - begin) / width), []).append(mark)
    return [(group[0][0], group[0][1] if len(group) == 1 else f"{len(group)} of them, first {group[0][1]}")
            for _, group in sorted(groups.items())]


class Timeline:
    """Up to four boots side by side, each on its own clock, with what lies between them left blank."""

    def __init__(self, recording: Recording, boots: list[int]) -> None:
        self.recording, self.boots = recording, boots
        self.rows = {"yaxis3"}
        self.latencies: list[Series] = []
        self.data: list[Json] = []
        self.shapes: list[Json] = []
        self.shown: set[str] = set()
        self.axes = {boot: "x" if i == 0 else f"x{i + 1}" for i, boot in enumerate(boots)}

    def add_latency(self, series: list[Series], dropped: list[tuple[float, Frame]], boot_of_lines: int | None) -> None:
        for entry in series:
            if entry.boot in self.axes and entry.stage in SHOWN_STAGES:
                self.data.append(series_trace(entry, (self.axes[entry.boot], "y"), entry.label not in self.shown))
                self.shown.add(entry.label)
                self.rows.add("yaxis")
                self.latencies.append(entry)
        if dropped and boot_of_lines in self.axes:
            self.data.append(dropped_trace(dropped, (self.axes[boot_of_lines], "y")))

    def add_thermal(self, story: Story) -> None:
        for band in story.bands:
            if band.boot in self.axes and band.state in BAND_COLOURS:
                self.shapes.append(_band(self.axes[band.boot], band.begin_s, band.end_s, band.state))
                if band.state not in self.shown:
                    self.shown.add(band.state)
                    self.data.append(_band_legend(band.state, (self.axes[band.boot], "y3")))
        for boot, axis in self.axes.items():
            self._add_temperatures(story, boot, axis)

    def _add_temperatures(self, story: Story, boot: int, axis: str) -> None:
        points = [t for t in story.transitions if t.at.boot == boot]
        for name, symbol, colour, values in (
                ("GPU", "diamond-tall", ORANGE, [t.gpu_temp_c for t in points]),
                ("CPU", "square-open", BLUE, [t.cpu_temp_c for t in points])):
            if not any(value is not None for value in values):
                continue
            self.data.append({
                "type": "scatter", "mode": "markers", "name": f"{name} temperature", "legendgroup": name,
                "showlegend": name not in self.shown, "xaxis": axis, "yaxis": "y2",
                "x": [round(t.at.seconds, 4) for t in points], "y": values,
                "marker": {"symbol": symbol, "size": 11, "color": colour},
                "text": [plain(f"{t.previous} to {t.state}, clock {t.clock_mhz or 'not measured'} MHz") for t in points],
                "hovertemplate": "%{fullData.name} %{y:.1f} C at %{x:.2f} s<br>%{text}<extra></extra>"})
            self.shown.add(name)
            self.rows.add("yaxis2")

    def add_events(self, story: Story) -> None:
        for row, marks in enumerate(event_marks(story)):
            symbol, colour = EVENT_SIGNS[row]
            for boot, axis in self.axes.items():
                own = joined_marks([(seconds, text) for number, seconds, text in marks if number == boot])
                if own:
                    self.data.append({
                        "type": "scatter", "mode": "markers", "name": EVENT_ROWS[row], "showlegend": False, "xaxis": axis,
                        "yaxis": "y3", "x": [round(seconds, 4) for seconds, _ in own], "y": [row] * len(own),
                        "text": [plain(text[:200]) for _, text in own],
                        "marker": {"symbol": symbol, "size": 9, "color": colour},
                        "hovertemplate": "%{text}<br>at %{x:.2f} s<extra></extra>"})

    def drawn(self, identity: str, zoom: dict[int, tuple[float, float]]) -> Drawn:
        layout = _layout(80 + sum(ROW_HEIGHT[row] for row in self.rows), shapes=self.shapes)
        for (boot, axis), (begin, end) in zip(self.axes.items(), self._columns()):
            layout["xaxis" + axis[1:]] = self._time_axis(boot, [begin, end], zoom.get(boot))
        axes = {"yaxis": _latency_axis(self.latencies) if self.latencies else {}, "yaxis2": _axis("temp., C"),
                "yaxis3": _axis("", tickvals=list(range(len(EVENT_ROWS))), ticktext=list(EVENT_ROWS),
                                range=[-0.6, len(EVENT_ROWS) - 0.4], automargin=True)}
        for row, domain in self._row_domains().items():
            layout[row] = {**axes[row], "domain": domain, "anchor": "x"}
        return Drawn(identity, self.data, layout)

    def _row_domains(self) -> dict[str, list[float]]:
        """From the bottom up: events, temperatures, latencies, as far as there are any."""
        rows = [row for row in ("yaxis3", "yaxis2", "yaxis") if row in self.rows]
        total = sum(ROW_HEIGHT[row] for row in rows)
        at = 0.0
        found: dict[str, list[float]] = {}
        for row in rows:
            share = ROW_HEIGHT[row] / total
            found[row] = [round(at, 4), round(at + share - (0.04 if row != rows[-1] else 0.0), 4)]
            at += share
        return found

    def _columns(self) -> list[tuple[float, float]]:
        """Widths go by length, but no boot is too narrow to be read."""
        lengths = [self.recording.boots[boot].length_s for boot in self.boots]
        least = 0.2 * max(1e-9, sum(lengths))
        widths = [max(length, least) for length in lengths]
        gap, at, found = 0.06, 0.0, []
        scale = (1.0 - gap * (len(widths) - 1)) / sum(widths)
        for width in widths:
            found.append((round(at, 4), round(at + width * scale, 4)))
            at += width * scale + gap
        return found

    def _time_axis(self, boot: int, domain: list[float], zoom: tuple[float, float] | None) -> Json:
        known = self.recording.boots[boot]
        margin = 0.02 * known.length_s + 0.05
        begin, end = zoom or (0.0, known.length_s)
        title = f"s since {known.records[0].ts[:19]}Z"
        if len(self.recording.boots) > 1:
            title = f"boot {boot + 1}, {title}"
        return _axis(title, domain=domain, anchor="y3", range=[round(begin - margin, 4), round(end + margin, 4)])


# ---- gate times, bench -------------------------------------------------------------------------------------------

def gate_figure(load: Load) -> Drawn:
    engines = load.engines[::-1]
    names = list(range(len(engines)))
    steps = (("verify (read, hash)", BLUE, "", [e.verify_ms for e in engines]),
             ("deserialise", YELLOW, "/", [e.deserialize_ms for e in engines]),
             ("warm up", GREEN, ".", [e.warm_up_ms for e in engines]),
             ("golden check", PINK, "x", [e.golden_ms for e in engines]))
    data: list[Json] = [
        {"type": "bar", "orientation": "h", "name": name, "x": values, "y": names,
         "marker": {"color": colour, "pattern": {"shape": shape, "fillmode": "overlay", "fgcolor": "#FFFFFF", "size": 6}},
         "hovertemplate": "%{fullData.name} %{x:.1f} ms<extra></extra>"} for name, colour, shape, values in steps]
    rows = _axis("", tickvals=names, ticktext=[plain(engine.model) for engine in engines], automargin=True)
    time = _axis("time of each step, ms")
    return Drawn("gates", data, _layout(130 + 44 * len(engines), barmode="stack", yaxis=rows, xaxis=time))


def ratio_figure(figures: list[BenchFigure]) -> Drawn:
    """Ratios with their bounds: what Skua costs beside the bare SDK."""
    shown = figures[::-1]
    places = list(range(len(shown)))
    middle = [figure.value or 0.0 for figure in shown]
    above = [0.0 if f.upper is None else max(0.0, f.upper - value) for f, value in zip(shown, middle)]
    below = [0.0 if f.lower is None else max(0.0, value - f.lower) for f, value in zip(shown, middle)]
    bounds: Json = {"type": "data", "symmetric": False, "array": above, "arrayminus": below, "color": BLUE}
    data: list[Json] = [{"type": "scatter", "mode": "markers", "x": middle, "y": places, "showlegend": False,
                         "error_x": bounds, "marker": {"size": 9, "color": BLUE},
                         "hovertemplate": "%{x:.3f}<extra></extra>"}]
    line: Json = {"type": "line", "xref": "x", "yref": "paper", "x0": 1, "x1": 1, "y0": 0, "y1": 1,
                  "line": {"color": DARK, "width": 1, "dash": "dot"}}
    rows = _axis("", tickvals=places, ticktext=[plain(figure.name) for figure in shown], automargin=True,
                 range=[-0.6, len(shown) - 0.4])
    return Drawn("ratios", data, _layout(110 + 26 * len(shown), shapes=[line], yaxis=rows, xaxis=_axis(
        "ratio (1: as the bare SDK)")))
