"""The sections with figures: timeline, latencies, the load, a bench."""

from __future__ import annotations

from collections.abc import Callable

from . import figures
from .content import Content, counted
from .figures import BOOTS_SIDE_BY_SIDE, Drawn, Timeline
from .flights import Load
from .latency import Row, Series, view_of
from .markup import Cell, badge, paragraph, table
from .parts import FLIGHT_COMMAND, MOST_OPEN, MOST_RATIOS, caption, missing, ms
from .sources import BenchFigure

Draw = Callable[[Drawn], str]


# ---- timeline ----------------------------------------------------------------------------------------------------

def timeline(content: Content, draw: Draw) -> list[str]:
    placed = [series for series in content.latencies.series if series.boot is not None]
    flight = content.latencies.flight
    boot_of_lines = flight.begun.boot if flight and flight.begun else None
    dropped = content.dropped() if boot_of_lines is not None else []
    boots, parts = list(range(len(content.recording.boots))), []
    for first in range(0, len(boots), BOOTS_SIDE_BY_SIDE):
        shown = Timeline(content.recording, boots[first:first + BOOTS_SIDE_BY_SIDE])
        shown.add_latency(placed, dropped, boot_of_lines)
        shown.add_thermal(content.story)
        shown.add_events(content.story)
        parts.append(draw(shown.drawn(f"timeline-{first // BOOTS_SIDE_BY_SIDE + 1}", _zoom(content))))
    parts.append(caption(*_timeline_texts(content, placed, boot_of_lines is not None)))
    if not placed:
        parts.append(missing("No latency can be placed in time: the recorder keeps none. "
                             f"`{FLIGHT_COMMAND}` writes them; give both, with --flight-report and --frame-lines, or give "
                             "the DEBUG log of a program that calls infer() with per_frame_debug_log, with --log."))
    return parts


def _timeline_texts(content: Content, placed: list[Series], has_lines: bool) -> list[str]:
    texts = ["Time runs on the monotonic clock.", _boots_text(content)]
    if _zoom(content):
        texts.append("The reported flight is shown; a double click shows the whole boot.")
    if has_lines:
        texts.append("Frame lines stand where their slot was due, good to some tens of milliseconds; a slot without a "
                     "frame is a hole in the line.")
    texts.append(_view_text(placed))
    if content.story.transitions:
        texts.append("Shading: how long a thermal state was told; temperatures are known at transitions alone.")
    else:
        texts.append("No thermal transition was recorded, so that no temperature is known.")
    if placed:
        texts.append(content.facts.sentence(content.networks(), content.set_id))
    return texts


def _view_text(series: list[Series]) -> str:
    shown = [entry for entry in series if entry.stage in figures.SHOWN_STAGES]
    lowest = view_of(shown)[0] if shown else 0.0
    below = sum(value < lowest for entry in shown for value in entry.ms)
    return (f"{below} latencies lie below what is shown at first, most often runs that were given up at once; a double "
            "click shows all." if below else "")


def _zoom(content: Content) -> dict[int, tuple[float, float]]:
    flight = content.latencies.flight
    if flight is None or flight.begun is None:
        return {}
    boot = content.recording.boots[flight.begun.boot]
    begin = flight.load.at.seconds if flight.load else flight.begun.seconds
    end = flight.ended.seconds if flight.ended else boot.length_s
    return {flight.begun.boot: (begin, end)} if end - begin < 0.5 * boot.length_s else {}


def _boots_text(content: Content) -> str:
    boots = content.recording.boots
    if len(boots) == 1:
        return "All records are of one boot."
    gaps = [(after.records[0].utc_us - before.records[-1].utc_us) / 1e6 for before, after in zip(boots, boots[1:])]
    told = ", ".join(f"{gap:.0f} s" for gap in gaps)
    how = "Boots are guessed: a dump does not tell them; the clock fell back. " if content.recording.is_dump else ""
    return (f"{how}{len(boots)} boots stand one after the other, each on its own clock; what lies between them is not drawn "
            f"to scale (by the wall clock: {told}).")


# ---- latencies ---------------------------------------------------------------------------------------------------

def latencies(content: Content, draw: Draw) -> list[str]:
    rows = content.latencies.rows
    if not rows:
        return [missing(f"No latency is known: the recorder keeps none. `{FLIGHT_COMMAND}` writes percentiles and a line a "
                        "frame, for --flight-report and --frame-lines.")]
    parts = []
    if any(row.stage in figures.SHOWN_STAGES for row in rows):
        parts.append(draw(figures.percentile_figure(rows)))
    heads = ("stage (backbone)", "count", "mean", "p50", "p95", "p99", "max", "computed from")
    device = content.facts.sentence(content.networks(), content.set_id)
    parts.append(table(heads, [_row(row) for row in rows], range(1, 7)))
    parts.append(caption("Milliseconds. A backbone's figure is all of its runs within one frame, inside the runtime; frame: "
                         "from its beginning to its answer; own: the frame without all runs; acquire: reading the picture "
                         "before the frame is due.", device))
    unplaced = [s for s in content.latencies.series if s.boot is None and s.stage in figures.SHOWN_STAGES]
    if unplaced:
        frames = content.given.frame_lines.frames if content.given.frame_lines else []
        throttled = throttled_frames([(frame.number, frame.is_throttled) for frame in frames])
        parts.append(draw(figures.frames_figure(unplaced, content.dropped(), throttled)))
        parts.append(caption("Over frame numbers; shading: thermal_state() said throttled, as each frame's line tells.",
                             _view_text(unplaced), device))
    return parts


ORIGINS = {"frame lines": "frame lines, every frame", "report": "flight report, histogram (at most 1/64 above)",
           "log": "log, every call"}


def _row(row: Row) -> list[Cell]:
    return [row.label, str(row.count), *map(ms, (row.mean_ms, row.p50_ms, row.p95_ms, row.p99_ms, row.max_ms)),
            ORIGINS[row.origin]]


def throttled_frames(frames: list[tuple[int, bool]]) -> list[tuple[float, float]]:
    """Stretches of frames that were throttled, half a frame wider on both sides."""
    found: list[tuple[float, float]] = []
    for number, is_throttled in frames:
        if not is_throttled:
            continue
        if found and found[-1][1] >= number - 0.5:
            found[-1] = (found[-1][0], number + 0.5)
        else:
            found.append((number - 0.5, number + 0.5))
    return found


# ---- the load ----------------------------------------------------------------------------------------------------

def gates(content: Content, draw: Draw) -> list[str]:
    load = content.load
    if load is None:
        return [missing("No load is recorded (c7.engines_ready): the set was refused, or its record was lost or made room. "
                        "`skua-flight --report FILE` has the times as well.")]
    parts = [draw(figures.gate_figure(load))] if load.engines else [missing("The times of the engines cannot be read.")]
    sizes = {e.model: e.size_bytes for e in content.given.report.engines} if content.given.report else {}
    rows: list[list[Cell]] = [
        [e.model, _size(sizes.get(e.model)), ms(e.verify_ms), ms(e.deserialize_ms), ms(e.warm_up_ms), ms(e.golden_ms)]
        for e in load.engines]
    heads = ("engine", "size", "verify (read and hash), ms", "deserialise, ms", "warm up, ms", "golden check, ms")
    parts.append(table(heads, rows, range(1, 6)))
    device = content.facts.sentence([e.model for e in load.engines], load.set_id)
    parts.append(caption(_load_text(content, load), device))
    return parts


def _size(size: int | None) -> str:
    return "not told" if size is None else f"{size / 1e6:.2f} MB"


def _load_text(content: Content, load: Load) -> str:
    total = f"{load.total_ms:.0f} ms in all" if load.total_ms is not None else "all in a time that is not told"
    text = f"Set {load.set_id}, {total}. Steps of several engines overlap: their sum may be larger."
    report, flight = content.given.report, content.latencies.flight
    if report and flight and flight.load is load:
        text += f" From the program's start to the first frame: {report.ready_ms:.0f} ms (flight report)."
    others = len(content.story.loads) - 1
    if others:
        text += f" Under What happened: {counted(others, 'other load')}."
    return text


# ---- bench -------------------------------------------------------------------------------------------------------

def bench(content: Content, draw: Draw) -> list[str]:
    given = content.given.bench
    if given is None:
        return [missing("No figures of a bench were given: `skua bench SET_DIR --output-dir DIR` or `make bench` writes "
                        "them; name the JSON behind the recorder.")]
    parts = []
    ratios = [figure for figure in given.figures if figure.unit == "ratio" and figure.value is not None]
    if ratios:
        parts.append(draw(figures.ratio_figure(ratios[:MOST_RATIOS])))
        parts.append(caption("Ratios with their bounds, as each line says below; its note has device and arithmetic.",
                             f"The first {MOST_RATIOS} of {len(ratios)}." if len(ratios) > MOST_RATIOS else ""))
    heads = ("group", "figure", "median", "bounds", "asked", "verdict", "note")
    lines = table(heads, [_bench_row(figure) for figure in given.figures], (2,))
    is_open = " open" if len(given.figures) <= MOST_OPEN else ""
    parts.append(f"<details{is_open}><summary>{counted(len(given.figures), 'figure')}</summary>{lines}</details>")
    machine = "; ".join(f"{key} {value}" for key, value in given.machine.items())
    return parts + [paragraph(f"Measured on: {machine}.", "caption")]


def _bench_row(figure: BenchFigure) -> list[Cell]:
    bounds = ""
    if figure.lower is not None and figure.upper is not None:
        kind = "95 %" if figure.is_bounded else "range"
        bounds = f"{_plain(figure.lower)} to {_plain(figure.upper)} ({kind})"
    verdict = badge("good" if figure.verdict == "reached" else "bad", figure.verdict) if figure.verdict else ""
    notes = [figure.note] if "device" in figure.note else [figure.note, "device and arithmetic not told"]
    note = "; ".join(text for text in notes if text)
    value = f"{_plain(figure.value)} {figure.unit}"
    return [figure.group, figure.name, value, bounds, figure.asked, verdict, note]


def _plain(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}" if abs(value) < 1e4 else f"{value:.0f}"
