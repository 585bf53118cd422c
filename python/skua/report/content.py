"""Everything that page and picture show, gathered once from what was given."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .facts import Facts
from .flights import BAD, DEADLINE, GOOD, PLAIN, WARN, Flight, Load, Story, story_of
from .latency import Latencies, frame_seconds, latencies_of
from .recorder import Recording, read_recording
from .sources import Frame, Given, read_given


@dataclass(frozen=True)
class Card:
    level: str
    title: str
    value: str
    detail: str


@dataclass(frozen=True)
class Paths:
    """What was named on the command line."""

    recorder: Path
    bench: Path | None = None
    report: Path | None = None
    frame_lines: Path | None = None
    manifest: Path | None = None
    logs: tuple[Path, ...] = ()

    def all(self) -> list[Path]:
        single = (self.recorder, self.bench, self.report, self.frame_lines, self.manifest)
        return [path for path in (*single, *self.logs) if path is not None]


def counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


class Content:
    def __init__(self, recording: Recording, given: Given) -> None:
        self.recording, self.given = recording, given
        self.story: Story = story_of(recording, given)
        self.facts = Facts(given, self.story)
        self.latencies: Latencies = latencies_of(recording, self.story, given)

    @property
    def flight(self) -> Flight | None:
        """The flight that the page is about: the report's, else the only one of the recorder."""
        if self.latencies.flight or self.given.report:
            return self.latencies.flight
        return self.story.flights[0] if len(self.story.flights) == 1 else None

    @property
    def set_id(self) -> str | None:
        if self.given.report:
            return self.given.report.set_id
        known = self.story.set_ids()
        return next(iter(known)) if len(known) == 1 else None

    @property
    def load(self) -> Load | None:
        """The load whose steps are drawn: of the flight that the page is about, else the last one."""
        if self.flight and self.flight.load:
            return self.flight.load
        return self.story.loads[-1] if self.story.loads else None

    def networks(self) -> list[str]:
        """The networks of the latencies; where frame lines name none, those that were loaded."""
        named = [row.backbone for row in self.latencies.rows if row.backbone]
        return named or ([engine.model for engine in self.load.engines] if self.load else [])

    @property
    def title(self) -> str:
        flight = self.flight
        if flight:
            kind = {"F2": ", take-off", "F8": ", reboot in flight"}.get(flight.phase, "")
            return f"Flight report: set {flight.set_id}{kind}"
        return f"Flight report: set {self.given.report.set_id}" if self.given.report else "Flight recorder report"

    @property
    def subtitle(self) -> str:
        records = [record for _, record in self.recording.all()]
        boots = len(self.recording.boots)
        span = f"{records[0].ts[:19]}Z to {records[-1].ts[:19]}Z"
        return f"{len(records)} records, {span}, {counted(boots, 'boot')}"

    def dropped(self) -> list[tuple[float, Frame]]:
        """Frames of the lines without a result, with their place on its axis."""
        frames = self.given.frame_lines.frames if self.given.frame_lines else []
        return [(frame_seconds(frame, self.given, self.latencies.flight), frame) for frame in frames if frame.reason]

    # ---- in six words --------------------------------------------------------------------------------------------

    def cards(self) -> list[Card]:
        return [self._flights(), self._engines(), self._frames(), self._deadlines(), self._thermal(), self._lost()]

    def _flights(self) -> Card:
        flights = self.story.flights
        if not flights:
            return Card(PLAIN, "Flights", "none begun", "in what the recorder still holds")
        open_ones = sum(flight.ended is None for flight in flights)
        causes = ", ".join(flight.cause or "no end recorded" for flight in flights[-3:])
        is_bad = open_ones > 0 or any(flight.cause == "device_lost" for flight in flights)
        return Card(BAD if is_bad else GOOD, "Flights", str(len(flights)), f"ended by: {causes}")

    def _engines(self) -> Card:
        refused = [v for v in self.story.verdicts if v.what == "refused"]
        detail = f"{len(refused)} refused" if refused else "nothing refused"
        ready = len(self.story.loads)
        return Card(BAD if refused else GOOD if ready else PLAIN, "Engine sets ready", f"{ready}", detail)

    def _frames(self) -> Card:
        report, flight = self.given.report, self.flight
        title = "Frames with a position"
        if report:
            frames, positions, missed, late = report.frames, report.positions, report.missed, report.late
        elif flight and flight.counts:
            frames, missed, late = (flight.counts[key] for key in ("frame", "missed", "late"))
            positions = frames - flight.counts["no_result"]
        else:
            return Card(PLAIN, title, "not told", "no flight's end is recorded, and no report was given")
        return Card(GOOD if positions == frames else WARN, title, f"{positions} of {frames}",
                    f"{counted(missed, 'slot')} missed, {counted(late, 'frame')} late")

    def _deadlines(self) -> Card:
        runs, frames = sum(self.story.deadline_runs().values()), self.story.deadline_frames()
        detail = f"{counted(runs, 'run')} recorded as too late"
        if self.given.report:
            frames = self.given.report.no_result.get(DEADLINE, 0)
            detail += "; frames as the flight report counts them"
        return Card(BAD if frames or runs else GOOD, "Deadline misses", counted(frames, "frame"), detail)

    def _thermal(self) -> Card:
        story = self.story
        if not story.transitions:
            sources = sorted({load.thermal_source for load in story.loads}) or ["not told"]
            return Card(PLAIN, "Thermal", "no transition", f"source: {', '.join(sources)}")
        times = sum(t.state == "throttled" for t in story.transitions)
        losses = sum(t.state == "unavailable" for t in story.transitions)
        lost = f", telemetry lost {counted(losses, 'time')}" if losses else ""
        level = WARN if times or losses else GOOD
        return Card(level, "Throttled", f"{story.throttled_s():.1f} s", counted(times, "time") + lost)

    def _lost(self) -> Card:
        damage, lost = len(self.recording.damage), self.story.lost_records
        if self.recording.is_dump:
            told = str(lost) if lost else "not told"
            return Card(WARN if lost else PLAIN, "Lost records", told, "a dump tells no damage")
        if not damage and not lost:
            return Card(GOOD, "Lost records", "none known", "every byte of the segments was read")
        return Card(BAD, "Lost records", counted(damage, "damaged range"),
                    f"{lost} more dropped, as the recorder counts")


def gather(paths: Paths) -> Content:
    recording = read_recording(paths.recorder)
    return Content(recording, read_given(paths.report, paths.frame_lines, paths.manifest, paths.bench, list(paths.logs)))
