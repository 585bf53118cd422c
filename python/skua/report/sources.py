"""What a report may be made from beside the recorder: a flight's report and frame lines, a manifest, logs, a bench."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from .files import ReportError, Source, named, printable, read_file, source_of
from .recorder import utc_us_of
from .strict_json import BadJson, Fields, parse_object

T = TypeVar("T")
SMALL, LARGE = 16 << 20, 512 << 20
COMPONENT = "c7_inference"


@dataclass(frozen=True)
class EngineSteps:
    """What each step of one engine's load took. They overlap with those of other engines."""

    model: str
    verify_ms: float
    deserialize_ms: float
    warm_up_ms: float
    golden_ms: float
    size_bytes: int | None = None


@dataclass(frozen=True)
class StageFigures:
    stage: str
    backbone: str
    count: int
    mean_ms: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float


@dataclass(frozen=True)
class FlightReport:
    set_id: str
    runtime: str
    phase: str
    start_count: int
    cause: str
    rate_hz: float
    load_ms: float
    ready_ms: float
    frames: int
    positions: int
    no_result: dict[str, int]
    late: int
    missed: int
    throttled: int
    frame_lines_lost: int
    engines: list[EngineSteps]
    stages: dict[str, StageFigures]


@dataclass(frozen=True)
class Frame:
    """One frame line. No reason: the frame has a position."""

    number: int
    is_throttled: bool
    reason: str
    stage: str
    ms: dict[str, float]


@dataclass(frozen=True)
class FrameLines:
    frames: list[Frame]
    is_cut: bool


@dataclass(frozen=True)
class ManifestEngine:
    name: str
    file: str
    precision: str
    arithmetic: str
    device: str
    sdk_version: str
    sha256: str


@dataclass(frozen=True)
class Manifest:
    set_id: str
    runtime: str
    release_sequence: int
    created: str
    builder: str
    host: dict[str, str]
    engines: list[ManifestEngine]


@dataclass(frozen=True)
class LogEntry:
    ts: str
    utc_us: int
    kind: str
    msg: str
    frame: int | None
    kv: dict[str, object]


@dataclass(frozen=True)
class Log:
    entries: list[LogEntry]
    foreign_lines: int


@dataclass(frozen=True)
class BenchFigure:
    group: str
    name: str
    unit: str
    value: float | None
    lower: float | None
    upper: float | None
    is_bounded: bool
    count: int | None
    asked: str
    verdict: str
    note: str


@dataclass(frozen=True)
class Bench:
    machine: dict[str, str]
    figures: list[BenchFigure]


@dataclass
class Given:
    """Everything beside the recorder; what was not given is None."""

    report: FlightReport | None = None
    frame_lines: FrameLines | None = None
    manifest: Manifest | None = None
    log: Log | None = None
    bench: Bench | None = None
    sources: list[Source] = field(default_factory=list)


def _shown(value: object) -> str:
    return value if isinstance(value, str) else str(value)


# ---- the flight's report -----------------------------------------------------------------------------------------

def report_of(content: bytes, where: str) -> FlightReport:
    fields = parse_object(content, where)
    if "stages" not in fields or fields.integer("schema_version") != 1:
        raise ReportError(f"{where}: expected a flight report of schema 1 (skua-flight --report), found other JSON")
    return FlightReport(
        set_id=fields.text("set_id"), runtime=fields.text("runtime"), phase=fields.text("phase"),
        start_count=fields.integer("start_count"), cause=fields.text("cause"), rate_hz=_rate(fields),
        load_ms=fields.number("load_ms"), ready_ms=fields.number("ready_ms"), frames=fields.integer("frames"),
        positions=fields.integer("positions"), no_result=fields.counts("no_result"), late=fields.integer("late"),
        missed=fields.integer("missed"), throttled=fields.integer("throttled"),
        frame_lines_lost=fields.integer("frame_lines_lost"), engines=[_steps(e) for e in fields.objects("engines")],
        stages={name: _stage(name, fields.object("stages").object(name)) for name in fields.object("stages").value})


def _rate(fields: Fields) -> float:
    rate = fields.number("rate_hz")
    if not 1e-3 <= rate <= 1e6:
        raise ReportError(f"{fields.where}: rate_hz: expected 0.001 to 1000000, found {rate}")
    return rate


def _steps(fields: Fields) -> EngineSteps:
    return EngineSteps(fields.text("model"), fields.number("verify_ms"), fields.number("deserialize_ms"),
                       fields.number("warm_up_ms"), fields.number("golden_ms"), fields.integer("size_bytes"))


def _stage(name: str, fields: Fields) -> StageFigures:
    return StageFigures(name, fields.text("backbone") if "backbone" in fields else "", fields.integer("count"),
                        fields.number("mean_ms"), fields.number("p50_ms"), fields.number("p95_ms"),
                        fields.number("p99_ms"), fields.number("max_ms"))


# ---- its frame lines ---------------------------------------------------------------------------------------------

def frame_lines_of(content: bytes, where: str) -> FrameLines:
    """A line that a killed flight left cut is the last one and has no line end; it is left out."""
    *whole, rest = content.split(b"\n")
    frames: list[Frame] = []
    for number, line in enumerate(whole, 1):
        frame = _frame(parse_object(line, f"{where}: line {number}"))
        if frames and frame.number <= frames[-1].number:
            raise ReportError(f"{where}: line {number}: expected frames in their order, found {frame.number} behind "
                              f"{frames[-1].number}; give the frame lines of one flight")
        frames.append(frame)
    if not frames:
        raise ReportError(f"{where}: holds no frame; expected what skua-flight --frame-lines wrote")
    return FrameLines(frames, bool(rest))


def _frame(fields: Fields) -> Frame:
    is_dropped = "reason" in fields
    return Frame(fields.integer("frame"), fields.flag("throttled"), fields.text("reason") if is_dropped else "",
                 fields.text("stage") if is_dropped else "", fields.numbers("ms"))


# ---- the set's manifest ------------------------------------------------------------------------------------------

def manifest_of(content: bytes, where: str) -> Manifest:
    fields = parse_object(content, where)
    if fields.value.get("kind") != "skua.flight-manifest" or fields.integer("schema") != 1:
        raise ReportError(f"{where}: expected a flight manifest of schema 1 (flight-manifest.json), found other JSON")
    host = {key: _shown(value) for key, value in fields.object("host").value.items()}
    return Manifest(fields.text("set_id"), fields.text("runtime_label"), fields.integer("release_sequence"),
                    fields.text("created"), fields.text("builder"), host,
                    [_engine(artifact) for artifact in fields.objects("artifacts")])


def _engine(artifact: Fields) -> ManifestEngine:
    engine = artifact.object("engine")
    options = engine.texts("options")
    return ManifestEngine(artifact.text("name"), engine.text("file"), engine.text("precision"), engine.text("arithmetic"),
                          options.get("device", "device not recorded"), options.get("sdk_version", "not recorded"),
                          engine.text("engine_sha256"))


# ---- the log -----------------------------------------------------------------------------------------------------

def log_of(content: bytes, where: str) -> Log:
    """Lines of other programs are counted and left out: a process of several components has one log."""
    entries, foreign = [], 0
    for line in content.split(b"\n"):
        if not line.strip():
            continue
        try:
            fields = parse_object(line, where)
        except ReportError:
            foreign += 1
            continue
        if fields.value.get("component") == COMPONENT:
            entries.append(_entry(fields))
        else:
            foreign += 1
    if not entries:
        raise ReportError(f"{where}: no line of it is a log record of component {COMPONENT}; expected what skua-flight "
                          "writes to stdout")
    return Log(entries, foreign)


def _entry(fields: Fields) -> LogEntry:
    ts = fields.text("ts")
    try:
        utc_us = utc_us_of(ts)
    except BadJson as bad:
        raise ReportError(f"{fields.where}: {bad}") from None
    frame = fields.integer("frame_id") if fields.value.get("frame_id") is not None else None
    return LogEntry(ts, utc_us, fields.text("kind"), fields.text("msg"), frame, fields.object("kv").value)


# ---- figures of a bench ------------------------------------------------------------------------------------------

def bench_of(content: bytes, where: str) -> Bench:
    """The file that `skua bench --output-dir` or `make bench` wrote, or what `skua bench --json` printed."""
    fields = parse_object(content, where)
    if "figures" in fields and fields.value.get("schema_version") == 1:
        figures = [_figure(figure) for figure in fields.objects("figures")]
    elif "engines" in fields and "why_no_raw" in fields:
        figures = [figure for engine in fields.objects("engines") for figure in _engine_figures(engine)]
    else:
        raise ReportError(f"{where}: expected the JSON of `skua bench` or `make bench` (schema_version 1), found other "
                          "JSON")
    return Bench({key: _shown(value) for key, value in fields.object("machine").value.items()}, figures)


def _figure(fields: Fields) -> BenchFigure:
    verdict = "" if fields.value.get("verdict") is None else fields.text("verdict")
    if verdict not in ("", "reached", "not reached"):
        raise ReportError(f"{fields.where}: verdict: expected reached, not reached or null, found {printable(verdict)}")
    return BenchFigure(fields.text("group"), fields.text("name"), fields.text("unit"), fields.optional_number("value"),
                       fields.optional_number("lower"), fields.optional_number("upper"), fields.flag("is_bounded"),
                       fields.integer("count"), fields.text("asked"), verdict, fields.text("note"))


def _engine_figures(fields: Fields) -> list[BenchFigure]:
    """The same lines as in the file, from the object that is printed."""
    model = fields.text("model")
    note = (f"{fields.text('runtime')} {fields.text('sdk_version')}, device {fields.text('device')}, "
            f"{fields.text('arithmetic')}, {fields.integer('intra_op_threads')} thread(s), {fields.text('clock')} time, "
            f"{fields.integer('rounds')} rounds of {fields.integer('calls_per_round')}")
    found = []
    for subject in fields.objects("subjects"):
        tail = ", ".join(f"{key} {subject.number(key + '_us'):.0f}" for key in ("p95", "p99", "max"))
        found.append(BenchFigure("call", f"{model}: {subject.text('name')}", "us", subject.number("p50_us"), None, None,
                                 False, subject.integer("count"), "", "", f"{note}; {tail} us"))
    for ratio in fields.objects("ratios"):
        found.append(BenchFigure("call", f"{model}: {ratio.text('subject')} / {ratio.text('reference')}", "ratio",
                                 ratio.number("median"), ratio.number("lower"), ratio.number("upper"),
                                 ratio.flag("is_bounded"), None, "", "", note))
    return found


# ---- from files --------------------------------------------------------------------------------------------------

def read_given(report: Path | None, frame_lines: Path | None, manifest: Path | None, bench: Path | None,
               logs: list[Path]) -> Given:
    sources: list[Source] = []

    def take(role: str, path: Path | None, limit: int, parse: Callable[[bytes, str], T]) -> T | None:
        if path is None:
            return None
        content = read_file(path, limit)
        sources.append(source_of(role, path, content))
        return parse(content, named(path))

    if manifest is not None and manifest.is_dir():
        manifest = manifest / "flight-manifest.json"
    given = Given(take("flight report", report, SMALL, report_of), take("frame lines", frame_lines, LARGE, frame_lines_of),
                  take("flight manifest", manifest, SMALL, manifest_of),
                  _joined([take("log", path, LARGE, log_of) for path in logs]),
                  take("bench", bench, SMALL, bench_of), sources)
    return given


def _joined(logs: list[Log | None]) -> Log | None:
    """Several starts write several logs; the order does not matter, every entry has its time."""
    found = [log for log in logs if log is not None]
    if not found:
        return None
    return Log([entry for log in found for entry in log.entries], sum(log.foreign_lines for log in found))
