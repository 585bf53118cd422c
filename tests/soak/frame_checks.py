"""The invariants over the lines of a flight: slots, pictures, positions, reasons, and what an ordered fault cost."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

from .ledger import Ledger
from .plan import RUNS
from .world import Slot

MAX_ERROR_PX = 5.0
ROUNDED_MS = 0.001  # of a line
LOST_REASONS = {"picture_missing": {"not_found"}, "picture_cut": {"frame_unreadable"},
                "picture_garbage": {"frame_unreadable"}, "picture_size": {"shape_mismatch"}}
RUN_REASONS = {"launch_error": {"execution_failed"}, "wait_error": {"execution_failed"},
               "out_of_memory": {"out_of_memory"}, "hang": {"deadline_missed", "lane_busy"},
               "device_lost": {"device_lost"}}
SLOW_REASONS = {"deadline_missed", "lane_busy"}  # of a machine that is too busy, without anybody's order
QUIET_SLOTS, MISSED_SHARE, MISSED_SLACK = 30, 0.5, 5


@dataclass
class Frame:
    """A line of the flight."""

    number: int
    at: float
    ms: float
    has_position: bool
    reason: str | None
    stage: str | None
    k: int
    is_throttled: bool


class Frames:
    """The lines of one life."""

    def __init__(self, ledger: Ledger, slots: list[Slot], deadline_ms: float) -> None:
        self.ledger, self.slots, self.deadline_ms = ledger, slots, deadline_ms
        self.seen: dict[int, Frame] = {}
        self.last = -1

    def take(self, text: str, at: float) -> Frame | None:
        try:
            line = json.loads(text)
            frame = Frame(line["frame"], at, line["ms"]["frame"], "tile" in line, line.get("reason"), line.get("stage"),
                          line["k"], line["throttled"])
            float(line["after_due_ms"])
        except (ValueError, KeyError, TypeError):
            self.ledger.judge("slots", False, "a line of JSON with every key", text[:200])
            return None
        self.ledger.judge("slots", frame.number > self.last and frame.has_position == (frame.reason is None),
                          f"a slot after {self.last}, with a position or with a reason", text[:200])
        self.last = max(self.last, frame.number)
        self.seen[frame.number] = frame
        slot = self.slots[frame.number % len(self.slots)]
        self.ledger.judge("picture", line.get("picture") == slot.name, f"{slot.name} in slot {frame.number}",
                          line.get("picture"))
        if frame.has_position:
            self._judge_position(line, slot)
        return frame

    def _judge_position(self, line: dict, slot: Slot) -> None:
        where = f"slot {line['frame']} ({slot.name})"
        if slot.position is None:
            self.ledger.judge("position", False, f"no position in {where}, whose picture is lost", (line["x"], line["y"]))
            return
        off = math.hypot(line["x"] - slot.position[0], line["y"] - slot.position[1])
        self.ledger.judge("position", off <= MAX_ERROR_PX, f"{where} at {slot.position}", (line["x"], line["y"]))
        took, after_due = line["ms"]["frame"], line["after_due_ms"]  # that it may begin late is its own loss
        self.ledger.judge("deadline", took <= after_due + 2 * ROUNDED_MS and after_due <= self.deadline_ms + ROUNDED_MS,
                          f"at most {self.deadline_ms} ms after {where} was due, and all that it took", (after_due, took))

    def missed(self) -> int:
        """Slots before the last line that have none."""
        return self.last + 1 - len(self.seen)

    def without_position(self) -> set[int]:
        return {number for number, frame in self.seen.items() if not frame.has_position}

    def judge_counts(self, told: dict) -> None:
        """What the flight says at its end. What is missed behind the last line nobody sees but the flight."""
        lost = len(self.without_position())
        found = (told.get("frame_count"), told.get("no_result_count"))
        self.ledger.judge("slots", found == (len(self.seen), lost) and told.get("missed_count", -1) >= self.missed(),
                          f"{len(self.seen)} frames, {lost} without a result, at least {self.missed()} missed", told)


@dataclass
class Order:
    """A run fault that was ordered: from when to when it may show."""

    kind: str
    begin: float
    end: float | None = None  # not yet


class Orders:
    """Holds run faults against what the log and the lines say."""

    def __init__(self, ledger: Ledger, frames: Frames, settle_s: float) -> None:
        self.ledger, self.frames, self.settle_s = ledger, frames, settle_s
        self.orders: list[Order] = []
        self.stalls: list[tuple[float, float]] = []  # of the whole process, by order
        self.failed: dict[int, list[tuple[str, str, float]]] = {}  # frame: (backbone, reason, when told)
        self.slow = 0

    def told(self, at: float, record: dict) -> None:
        if record["kind"] in ("c7.inference_failed", "c7.out_of_memory") and record["frame_id"] is not None:
            self.failed.setdefault(record["frame_id"], []).append((record["kv"]["backbone"], record["kv"]["reason"], at))

    def covers(self, at: float, reason: str) -> bool:
        """Whether an order was there for this reason. A frame that began in its time may end behind it."""
        return any(order.begin <= at <= (order.end if order.end is not None else math.inf) + self.settle_s
                   and reason in RUN_REASONS[order.kind] for order in self.orders)

    def touches(self, at: float) -> bool:
        """Whether any order may have met a frame that was answered now."""
        return any(order.begin <= at <= (order.end if order.end is not None else math.inf) + self.settle_s
                   for order in self.orders)

    def has_stalled(self, at: float, reason: str) -> bool:
        """Whether a frame was late because the process stood by order: no machine was busy then."""
        return reason in SLOW_REASONS and any(begin <= at <= end + self.settle_s for begin, end in self.stalls)

    def ordered_by(self, at: float, reason: str) -> Order | None:
        """The last order before this moment that this may come from."""
        fitting = [order for order in self.orders if order.begin <= at and reason in RUN_REASONS[order.kind]]
        return fitting[-1] if fitting and self.covers(at, reason) else None

    def judge_frames(self) -> None:
        """At the end of a life, when all that the log has is known."""
        for number, frame in self.frames.seen.items():
            failed = self.failed.get(number, [])
            whole = [reason for backbone, reason, _ in failed if backbone != "demo_matcher"]
            if whole:
                self.ledger.judge("fault_frame", not frame.has_position,
                                  f"no position in frame {number}, in which {whole} was told", frame)
            if not frame.has_position:
                self._judge_reason(frame, [reason for _, reason, _ in failed])
        for order in self.orders:
            hits = [reason for failed in self.failed.values() for _, reason, at in failed
                    if self.ordered_by(at, reason) is order]
            enough = len(hits) >= 1 if order.kind in ("hang", "device_lost") else len(hits) == 1
            self.ledger.judge("fault_frame", enough, f"one run that {order.kind} has cost", hits)
        self.ledger.judge("slowness", self.slow <= max(3, 0.2 * len(self.frames.seen)),
                          "at most a fifth of the frames", f"{self.slow} of {len(self.frames.seen)}")

    def _judge_reason(self, frame: Frame, failed: list[str]) -> None:
        slot = self.frames.slots[frame.number % len(self.frames.slots)]
        if slot.lost:
            self.ledger.judge("reason", frame.reason in LOST_REASONS[slot.lost] and frame.stage == "acquire",
                              f"{LOST_REASONS[slot.lost]} in acquire for {slot.lost}", frame)
            return
        # A pair that failed takes its matches with it: the frame may have no position for want of them.
        reasons = failed if frame.reason == "no_position" else [frame.reason]
        is_ordered = any(reason and (self.covers(frame.at, reason) or self.has_stalled(frame.at, reason)) for reason in reasons)
        is_slow = not is_ordered and any(reason in SLOW_REASONS for reason in reasons)
        self.slow += is_slow
        self.ledger.judge("reason", is_ordered or is_slow, "a reason that an ordered fault explains", frame)


class Recovery:
    """After each fault a position has to come, in time."""

    def __init__(self, ledger: Ledger, within_s: float) -> None:
        self.ledger, self.within_s = ledger, within_s
        self.waiting: list[tuple[str, float]] = []
        self.judged: set[str] = set()  # kinds

    def fault_ended(self, kind: str, at: float) -> None:
        self.waiting.append((kind, at))

    def position(self, at: float) -> None:
        for kind, _ in [entry for entry in self.waiting if entry[1] < at]:
            self.ledger.judge("recovers", True, "", "")
            self.judged.add(kind)
        self.waiting = [entry for entry in self.waiting if entry[1] >= at]

    def judge(self, now: float) -> None:
        for kind, since in [entry for entry in self.waiting if now - entry[1] > self.within_s]:
            self.ledger.judge("recovers", False, f"a position within {self.within_s:.1f} s after {kind}",
                              f"none for {now - since:.1f} s")
            self.waiting.remove((kind, since))
            self.judged.add(kind)


def judge_recoveries(ledger: Ledger, ended: set[str], judged: set[str]) -> None:
    """Of a whole soak. What still waits when a program ends is judged elsewhere: a kind has to be at some time."""
    for kind in sorted(ended):
        ledger.judge("recovers", kind in judged, f"a {kind} after which it was awaited that positions come", "none")


def quiet_spans(begin: float, end: float, loud: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """What is left between them, which may overlap."""
    spans, at = [], begin
    for since, until in [*sorted(loud), (end, end)]:
        if at < min(since, end):
            spans.append((at, min(since, end)))
        at = max(at, until)
    return spans


def judge_missed(ledger: Ledger, spans: list[tuple[float, float]], lines_at: list[float], rate_hz: float) -> None:
    """By the clock, not by the numbers of the lines: so a program that says nothing is seen, too. A machine that needs two
    slots for a frame misses each other one, and passes; a span of a few slots says nothing."""
    for begin, end in spans:
        due = rate_hz * (end - begin)
        if due >= QUIET_SLOTS:
            lines = sum(begin <= at < end for at in lines_at)
            ledger.judge("missed", lines + MISSED_SLACK >= MISSED_SHARE * due,
                         f"a line for half of {due:.0f} slots in which nothing stood", f"{lines} lines")


def is_run_fault(kind: str) -> bool:
    return kind in RUNS or kind == "device_lost"
