"""What a recording says of flights, loads, refusals, missed deadlines and the thermal state."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, field

from .recorder import Record, Recording
from .sources import EngineSteps, FlightReport, Given

DEADLINE = "deadline_missed"
FIGURE = r"([0-9.]{1,15})"
STEP = re.compile(rf"(\S{{1,256}}) verify={FIGURE} deserialize={FIGURE} warm_up={FIGURE} golden={FIGURE} ms")
GOOD, BAD, WARN, PLAIN = "good", "bad", "warn", "plain"
VERDICTS = {
    "c7.engines_ready": (GOOD, "engines ready"), "c7.engine_refused": (BAD, "refused"),
    "c7.takeoff_refused": (BAD, "take-off refused"), "c7.calibration_cache_rejected": (BAD, "calibration cache rejected"),
    "c7.flight_begun": (PLAIN, "flight begun"), "c7.flight_ended": (PLAIN, "flight ended"),
    "c7.flight_cut_short": (WARN, "flight cut short by a signal"), "c7.reboot_in_flight": (WARN, "reboot in flight"),
    "c7.crash_loop": (BAD, "crash loop"), "c7.device_lost": (BAD, "device lost"),
    "c7.runtime_faulted": (BAD, "runtime faulted"), "c7.memory_after_seal": (BAD, "memory taken after the load"),
    "c7.cpu_fallback": (BAD, "fell back to the CPU (another component)"),
    "c7.set_unsigned": (WARN, "unsigned set admitted"), "c7.set_expired": (WARN, "expired set flown on"),
    "c7.policy_relaxed": (WARN, "policy relaxed"),
}
FAILURES = {"c7.inference_failed", "c7.out_of_memory"}


@dataclass(frozen=True)
class At:
    """A moment of a recording: seconds since the first record of a boot."""

    boot: int
    seconds: float
    ts: str


@dataclass(frozen=True)
class Verdict:
    at: At
    level: str
    what: str
    subject: str
    detail: str


@dataclass(frozen=True)
class Load:
    at: At
    set_id: str
    runtime: str
    thermal_source: str
    total_ms: float | None
    engines: list[EngineSteps]


@dataclass
class Flight:
    begun: At | None
    set_id: str
    phase: str = ""
    start_count: int = 0
    load: Load | None = None
    ended: At | None = None
    cause: str = ""
    counts: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Failure:
    """A run that gave no result, or a frame. `where` is a backbone for a run, a stage for a frame."""

    at: At
    is_frame: bool
    where: str
    reason: str
    frame: int | None


@dataclass(frozen=True)
class Transition:
    at: At
    previous: str
    state: str
    gpu_temp_c: float | None
    cpu_temp_c: float | None
    clock_mhz: float | None


@dataclass(frozen=True)
class Band:
    """How long a thermal state lasted, as far as it was told."""

    boot: int
    begin_s: float
    end_s: float
    state: str


@dataclass
class Story:
    """The recording, sorted by what a reader asks."""

    verdicts: list[Verdict] = field(default_factory=list)
    loads: list[Load] = field(default_factory=list)
    flights: list[Flight] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    transitions: list[Transition] = field(default_factory=list)
    bands: list[Band] = field(default_factory=list)
    others: list[tuple[At, str, str, str]] = field(default_factory=list)  # kind, level, text
    lost_records: int = 0  # as the recorder's own records count them

    def deadline_frames(self) -> int:
        return sum(failure.is_frame and failure.reason == DEADLINE for failure in self.failures)

    def deadline_runs(self) -> Counter[str]:
        return Counter(f.where for f in self.failures if not f.is_frame and f.reason == DEADLINE)

    def throttled_s(self) -> float:
        return sum(band.end_s - band.begin_s for band in self.bands if band.state == "throttled")

    def set_ids(self) -> set[str]:
        return {load.set_id for load in self.loads} | {flight.set_id for flight in self.flights}


def steps_of(text: str) -> list[EngineSteps]:
    """The field engine_times of c7.engines_ready. A text that was cut loses its last engine."""
    found = []
    for model, *figures in STEP.findall(text):
        try:
            verify, deserialize, warm_up, golden = map(float, figures)
        except ValueError:
            continue
        found.append(EngineSteps(model, verify, deserialize, warm_up, golden))
    return found


def kv_of(record: Record) -> dict[str, object]:
    """The fields that a record of kind `log` keeps as text; none where they cannot be read."""
    try:
        value = json.loads(record.text("kv"))
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _frame(record: Record) -> int | None:
    frame = record.payload.get("frame_id")
    return frame if isinstance(frame, int) else None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


class _ThermalState:
    """What was told of the thermal state, as bands. A poller begins anew with every program, and its first reading is told
    only where it is not normal."""

    def __init__(self, boot: int, bands: list[Band]) -> None:
        self.boot, self.bands = boot, bands
        self.state, self.begin_s, self.segment = "", 0.0, -1  # "": not told
        self.program_s: float | None = None  # since when one program is known to run
        self.last_s, self.last_segment, self.before_segment_s = 0.0, -1, 0.0

    def pass_record(self, segment: int, seconds: float) -> None:
        if segment != self.last_segment:
            self.last_segment, self.before_segment_s = segment, self.last_s
        self.last_s = seconds

    def change(self, previous: str, state: str, seconds: float) -> None:
        if not self.state and self.program_s is not None:
            self.state, self.begin_s = previous, self.program_s
        self.end(seconds)
        self.state, self.begin_s, self.segment = state, seconds, self.last_segment

    def engines_ready(self, seconds: float) -> None:
        """One program loads once. So a state from before belongs to another one, that never told its end, unless it was
        told in the same segment, which no two programs write to (a dump does not tell the segments)."""
        is_another = self.segment != self.last_segment if self.last_segment >= 0 else self.program_s is not None
        if is_another:
            self.end(self.before_segment_s if self.last_segment >= 0 else seconds)
        self.program_s = seconds

    def program_ended(self, seconds: float) -> None:
        self.end(seconds)
        self.program_s = None

    def end(self, seconds: float) -> None:
        if self.state and seconds > self.begin_s:
            self.bands.append(Band(self.boot, self.begin_s, seconds, self.state))
        self.state = ""


class _Teller:
    """Goes through the records once, in their order."""

    def __init__(self, recording: Recording, messages: dict[tuple[str, str], str]) -> None:
        self.recording, self.messages, self.story = recording, messages, Story()

    def tell(self) -> Story:
        for index, boot in enumerate(self.recording.boots):
            self.open_flight: Flight | None = None
            self.load: Load | None = None
            self.thermal = _ThermalState(index, self.story.bands)
            for record in boot.records:
                at = At(index, boot.seconds(record.mono_ns), record.ts)
                self.thermal.pass_record(record.segment, at.seconds)
                self.take(record, at)
            self.thermal.end(boot.length_s)
        return self.story

    def take(self, record: Record, at: At) -> None:
        kind = record.kind
        if kind == "log":
            self.take_log(record, at)
        elif kind in FAILURES:
            self.story.failures.append(Failure(at, False, record.text("backbone"), record.text("reason"), _frame(record)))
        elif kind == "c7.thermal_transition":
            self.take_transition(record, at)
        elif kind in VERDICTS:
            self.take_verdict(record, at)
        else:
            self.story.lost_records += record.count("dropped_count") if kind == "overrun" else 0
            self.story.others.append((at, kind, "", _pairs(record)))

    def take_log(self, record: Record, at: At) -> None:
        kind, kv = record.text("log_kind"), kv_of(record)
        if kind == "c7.frame_dropped":
            self.story.failures.append(Failure(at, True, _text(kv.get("stage")), _text(kv.get("reason")), _frame(record)))
        elif kind in VERDICTS:
            level, what = VERDICTS[kind]
            self.story.verdicts.append(Verdict(at, level, what, _text(kv.get("set_id")), record.text("msg")))
        else:
            self.story.others.append((at, kind, record.text("level"), record.text("msg")))

    def take_transition(self, record: Record, at: At) -> None:
        previous, state = record.text("previous_state"), record.text("new_state")
        clock = record.number("measured_clock_mhz")
        self.story.transitions.append(Transition(at, previous, state, record.number("gpu_temp_c"),
                                                 record.number("cpu_temp_c"), clock or None))
        self.thermal.change(previous, state, at.seconds)

    def take_verdict(self, record: Record, at: At) -> None:
        level, what = VERDICTS[record.kind]
        if record.kind == "c7.engines_ready":
            self.take_load(record, at)
        elif record.kind == "c7.takeoff_refused":
            self.program_ended(at)
        elif record.kind == "c7.flight_begun":
            self.open_flight = Flight(at, record.text("set_id"), record.text("phase"), record.count("start_count"),
                                      self.load)
            self.story.flights.append(self.open_flight)
        elif record.kind == "c7.flight_ended":
            self.end_flight(record, at)
            level = BAD if record.text("cause") == "device_lost" else level
        subject = record.text("file") or record.text("set_id") or record.text("runtime")
        message = self.messages.get((record.ts, record.kind), "") if level in (BAD, WARN) else ""
        self.story.verdicts.append(Verdict(at, level, what, subject, message or _detail(record)))

    def take_load(self, record: Record, at: At) -> None:
        total = record.number("total_ns")
        self.load = Load(at, record.text("set_id"), record.text("runtime"), record.text("thermal_source"),
                         None if total is None else total / 1e6, steps_of(record.text("engine_times")))
        self.story.loads.append(self.load)
        self.thermal.engines_ready(at.seconds)

    def program_ended(self, at: At) -> None:
        self.thermal.program_ended(at.seconds)
        self.open_flight, self.load = None, None

    def end_flight(self, record: Record, at: At) -> None:
        flight = self.open_flight
        if flight is None:  # its beginning was lost, or made room for later segments
            flight = Flight(None, record.text("set_id"), load=self.load)
            self.story.flights.append(flight)
        flight.ended, flight.cause = at, record.text("cause")
        flight.counts = {key: record.count(f"{key}_count") for key in ("frame", "no_result", "late", "missed")}
        self.program_ended(at)


def _detail(record: Record) -> str:
    """The payload in a reader's words where there is more to say than key and value."""
    if record.kind in ("c7.engine_refused", "c7.takeoff_refused"):
        return f"{record.text('error')} [{record.text('reason')}]"
    if record.kind == "c7.engines_ready":
        total = record.number("total_ns")
        took = "" if total is None else f" in {total / 1e6:.0f} ms"
        return f"{record.text('engines')}{took}; runtime {record.text('runtime')}, signed by {record.text('signer')}"
    return _pairs(record, skip=("set_id", "file"))


def _pairs(record: Record, skip: tuple[str, ...] = ()) -> str:
    return ", ".join(f"{key} {value}" for key, value in record.payload.items() if key not in skip)


def story_of(recording: Recording, given: Given) -> Story:
    messages = {(entry.ts, entry.kind): entry.msg for entry in given.log.entries} if given.log else {}
    return _Teller(recording, messages).tell()


def flight_of_report(story: Story, report: FlightReport) -> Flight | None:
    """The recorded flight that a report is of. The time of its load, to the nanosecond, is its mark; where that record was
    lost, the counters of its end, if no other flight has the same."""
    of_set = [flight for flight in story.flights if flight.set_id == report.set_id and flight.begun is not None]
    by_load = [flight for flight in of_set if flight.load is not None and flight.load.total_ms is not None
               and abs(flight.load.total_ms - report.load_ms) < 4e-7]
    counts = {"frame": report.frames, "no_result": sum(report.no_result.values()), "late": report.late,
              "missed": report.missed}
    by_end = [flight for flight in of_set if flight.load is None and flight.counts == counts
              and flight.cause == report.cause]
    found = by_load or by_end
    return found[0] if len(found) == 1 else None
