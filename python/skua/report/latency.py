"""Latencies: series of single figures where frame lines or a log hold them, and percentiles of each."""

from __future__ import annotations

import bisect
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from .files import ReportError
from .flights import Flight, Story, flight_of_report
from .recorder import Recording
from .sources import Frame, Given, Log

BACKBONE_STAGES = ("vpr", "features", "rerank", "match", "adhop")
OTHER_STAGES = ("solve", "own", "frame", "acquire")


@dataclass(frozen=True)
class Series:
    """Latencies of one stage, or of one backbone's calls of infer(). `boot` is None where nothing places them in time: then
    `x` counts frames."""

    label: str
    stage: str
    backbone: str
    origin: str  # "frame lines" or "log"
    boot: int | None
    x: list[float]
    ms: list[float]
    frames: list[int | None]
    is_dropped: list[bool]


@dataclass(frozen=True)
class Row:
    """Percentiles of one stage or backbone, and what they were computed from."""

    label: str
    stage: str
    backbone: str
    origin: str
    count: int
    mean_ms: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float


@dataclass
class Latencies:
    series: list[Series]
    rows: list[Row]
    flight: Flight | None = None  # the recorded flight that report and frame lines are of
    notes: tuple[str, ...] = ()


def percentiles(label: str, stage: str, backbone: str, origin: str, ms: list[float]) -> Row:
    values = np.asarray(ms, dtype=np.float64)
    p50, p95, p99 = (float(value) for value in np.percentile(values, (50, 95, 99)))
    return Row(label, stage, backbone, origin, len(ms), float(values.mean()), p50, p95, p99, float(values.max()))


def latencies_of(recording: Recording, story: Story, given: Given) -> Latencies:
    flight = flight_of_report(story, given.report) if given.report else None
    notes = _notes(story, given, flight)
    series = _of_lines(given, flight) + (_of_log(recording, given.log) if given.log else [])
    rows = [percentiles(s.label, s.stage, s.backbone, s.origin, s.ms) for s in series]
    if given.report and not given.frame_lines:
        rows = _of_report(given) + rows
    return Latencies(series, rows, flight, tuple(notes))


def label_of(stage: str, backbone: str) -> str:
    return f"{stage} ({backbone})" if backbone else stage


def view_of(series: list[Series]) -> tuple[float, float]:
    """From where to where latencies are shown at first. A run that is given up before it begins takes microseconds: it
    would squeeze all others."""
    middles = [float(np.median(entry.ms)) for entry in series]
    lowest = min(min(entry.ms) for entry in series)
    return max(lowest, min(middles) / 10.0) * 0.8, max(max(entry.ms) for entry in series) * 1.3


def _in_order(names: Iterable[str]) -> list[str]:
    """As a frame goes through them; stages of a later release behind."""
    found = dict.fromkeys(names)
    known = [name for name in (*BACKBONE_STAGES, *OTHER_STAGES) if name in found]
    return known + [name for name in found if name not in known]


def _backbone(given: Given, stage: str) -> str:
    known = given.report.stages.get(stage) if given.report else None
    return known.backbone if known else ""


def _of_lines(given: Given, flight: Flight | None) -> list[Series]:
    if given.frame_lines is None:
        return []
    boot = flight.begun.boot if flight and flight.begun else None
    found = []
    for stage in _in_order(name for frame in given.frame_lines.frames for name, ms in frame.ms.items() if ms > 0.0):
        frames = [frame for frame in given.frame_lines.frames if frame.ms.get(stage, 0.0) > 0.0]  # 0: it did not run
        backbone = _backbone(given, stage)
        found.append(Series(label_of(stage, backbone), stage, backbone, "frame lines", boot,
                            [frame_seconds(frame, given, flight) for frame in frames],
                            [frame.ms[stage] for frame in frames], [frame.number for frame in frames],
                            [bool(frame.reason) for frame in frames]))
    return found


def frame_seconds(frame: Frame, given: Given, flight: Flight | None) -> float:
    """When the frame's slot was due, in its boot's seconds; without a flight and its rate, the number of the frame."""
    if flight is None or flight.begun is None or given.report is None:
        return float(frame.number)
    return flight.begun.seconds + frame.number / given.report.rate_hz


def _of_report(given: Given) -> list[Row]:
    if given.report is None:
        return []
    found = []
    for name in _in_order(given.report.stages):
        s = given.report.stages[name]
        found.append(Row(label_of(name, s.backbone), name, s.backbone, "report", s.count, s.mean_ms, s.p50_ms, s.p95_ms,
                         s.p99_ms, s.max_ms))
    return found


def _of_log(recording: Recording, log: Log) -> list[Series]:
    """Calls of infer() that told their time (per_frame_debug_log), placed by the wall clock of the nearest record."""
    by_time = sorted((record.utc_us, boot, record.mono_ns) for boot, record in recording.all())
    common = {(record.ts, record.kind) for _, record in recording.all()}
    if not any((entry.ts, entry.kind) in common for entry in log.entries):
        raise ReportError("the log and the flight recorder have no event in common: give the log of a program that wrote "
                          "to this recorder")
    found: dict[tuple[str, int], Series] = {}
    for entry in log.entries:
        took, backbone = entry.kv.get("took_ns"), entry.kv.get("backbone")
        is_told = isinstance(took, int) and 0 < took < 1 << 63
        if entry.kind != "c7.infer" or not is_told or not isinstance(took, int) or not isinstance(backbone, str):
            continue
        boot, seconds = _place(entry.utc_us, by_time, recording)
        new = Series(f"infer ({backbone})", "infer", backbone, "log", boot, [], [], [], [])
        series = found.setdefault((backbone, boot), new)
        series.x.append(seconds)
        series.ms.append(took / 1e6)
        series.frames.append(entry.frame)
        series.is_dropped.append(False)
    return list(found.values())


def _place(utc_us: int, by_time: list[tuple[int, int, int]], recording: Recording) -> tuple[int, float]:
    at = bisect.bisect_left(by_time, (utc_us,))
    near = min(by_time[max(0, at - 1):at + 1], key=lambda entry: abs(entry[0] - utc_us))
    return near[1], recording.boots[near[1]].seconds(near[2] + 1000 * (utc_us - near[0]))


def _notes(story: Story, given: Given, flight: Flight | None) -> list[str]:
    """What does not fit together is said, in the words of the page."""
    notes = []
    report, lines = given.report, given.frame_lines
    if report and flight is None:
        notes.append(f"The flight report (set {report.set_id}, {report.frames} frames) could not be matched with exactly "
                     "one flight of this recorder: its figures stand for themselves and are not placed on the timeline.")
    if lines and report is None:
        notes.append("Frame lines name neither their flight nor its rate: they are shown over frame numbers. Give the "
                     "same flight's report with --flight-report to place them in time.")
    if lines and report and len(lines.frames) + report.frame_lines_lost != report.frames:
        notes.append(f"The report counts {report.frames} frames and {report.frame_lines_lost} lost lines, the file holds "
                     f"{len(lines.frames)} lines: are they of one flight?")
    if lines and lines.is_cut:
        notes.append("The last frame line was cut and is left out.")
    if given.log and given.log.foreign_lines:
        notes.append(f"Of the log {given.log.foreign_lines} lines are not Skua's and are left out.")
    return notes
