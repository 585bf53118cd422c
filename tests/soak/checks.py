"""The invariants over what is seen of a flight. Nothing here touches a process or a file: tests feed it bad observations."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Collection
from dataclasses import dataclass

from .craft import LogLine, Sample
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
LOG_KEYS = {"ts", "level", "component", "frame_id", "kind", "msg", "kv", "exc"}
NEVER = {"c7.engine_built", "c7.engine_build_failed", "c7.set_unsigned", "c7.cpu_fallback", "c7.engine_refused",
         "c7.takeoff_refused"}
GROWTH_KIB, WARM_S, MORE_DESCRIPTORS = 24 << 10, 3.0, 6
LEAK_SAMPLES, LEAK_RISE_KIB, LEAK_KIB_S = 8, 32, 64.0  # of one life: 12 KiB are the most that one without a leak rose at once
LEAK_LIVES, LEAK_EVERY_LIFE_KIB_S = 3, 16.0
QUIET_SLOTS, MISSED_SHARE, MISSED_SLACK = 30, 0.5, 5
STATUS = {"device_lost": 10, "kill": -9, "restart": 0}  # what an ending makes of the program
LOOP_STARTS, LOOP_S = 5, 300.0  # of a crash loop


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
        took = line["ms"]["frame"]
        self.ledger.judge("deadline", took <= self.deadline_ms + ROUNDED_MS, f"at most {self.deadline_ms} ms in {where}", took)

    def missed(self) -> int:
        """Slots before the last line that have none."""
        return self.last + 1 - len(self.seen)

    def judge_counts(self, told: dict) -> None:
        """What the flight says at its end. What is missed behind the last line nobody sees but the flight."""
        lost = sum(not frame.has_position for frame in self.seen.values())
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
        is_ordered = any(reason and self.covers(frame.at, reason) for reason in reasons)
        is_slow = not is_ordered and any(reason in SLOW_REASONS for reason in reasons)
        self.slow += is_slow
        self.ledger.judge("reason", is_ordered or is_slow, "a reason that an ordered fault explains", frame)


class Recovery:
    """After each fault a position has to come, in time."""

    def __init__(self, ledger: Ledger, within_s: float) -> None:
        self.ledger, self.within_s = ledger, within_s
        self.waiting: list[tuple[str, float]] = []

    def fault_ended(self, kind: str, at: float) -> None:
        self.waiting.append((kind, at))

    def position(self, at: float) -> None:
        for _ in [entry for entry in self.waiting if entry[1] < at]:
            self.ledger.judge("recovers", True, "", "")
        self.waiting = [entry for entry in self.waiting if entry[1] >= at]

    def judge(self, now: float) -> None:
        for kind, since in [entry for entry in self.waiting if now - entry[1] > self.within_s]:
            self.ledger.judge("recovers", False, f"a position within {self.within_s:.1f} s after {kind}",
                              f"none for {now - since:.1f} s")
            self.waiting.remove((kind, since))


class Thermal:
    """What the sensors say, held against what the flight tells and flies by. Sensors at rest are not told at a start."""

    def __init__(self, ledger: Ledger, bound_s: float, now: float) -> None:
        self.ledger, self.bound_s = ledger, bound_s
        self.expected, self.since = "normal", now
        self.told_states: list[tuple[float, str]] = [(now, "normal")]
        self.delays: list[tuple[str, float]] = []

    def expect(self, state: str, now: float) -> None:
        self.expected, self.since = state, now

    def disturbed(self, now: float) -> None:
        """The process stood still: what it says next is late by that."""
        self.since = now

    def told(self, state: str, at: float) -> None:
        self.told_states.append((at, state))
        if state == self.expected and at - self.since < self.bound_s * 3:
            self.delays.append((state, at - self.since))

    def state_at(self, at: float) -> str:
        return [state for when, state in self.told_states if when <= at][-1]

    def judge(self, now: float) -> None:
        """The state has to be the sensors' at some time within the bound: a blip of a busy machine is none."""
        if now - self.since < self.bound_s:
            return
        begin = now - self.bound_s
        states = {self.state_at(begin)} | {state for at, state in self.told_states if begin <= at <= now}
        self.ledger.judge("thermal", self.expected in states, f"{self.expected} within {self.bound_s:.1f} s", sorted(states))

    def judge_source(self, name: object) -> None:
        self.ledger.judge("thermal", name == "jetson_sysfs", "the sensors of the tree: jetson_sysfs", name)

    def judge_frame(self, frame: Frame, is_touched: bool) -> None:
        """`is_touched`: a run fault may have taken pairs from it, and K with them."""
        began = frame.at - frame.ms / 1e3 - 0.5
        is_settled = self.since + self.bound_s < began and all(
            state == self.expected for at, state in self.told_states if at > began) and self.state_at(began) == self.expected
        if is_settled and frame.has_position:
            is_hot = self.expected == "throttled"
            wanted = 2 if is_hot else 3
            is_right = frame.k <= wanted if is_touched else frame.k == wanted
            self.ledger.judge("thermal", frame.is_throttled == is_hot and is_right,
                              f"throttled {is_hot} and K {wanted} in frame {frame.number}", frame)


class Holdings:
    """Memory, descriptors, threads, children and sockets of one life."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.samples: list[Sample] = []
        self.early: list[Sample] = []  # before the first fault, which may take sensors' files away

    def take(self, sample: Sample, since_ready_s: float) -> None:
        self.ledger.judge("network", not sample.sockets, "no socket that leaves the machine", sample.sockets)
        self.ledger.judge("set", not sample.children, "no child process, which could build something", sample.children)
        if since_ready_s < WARM_S:
            self.early.append(sample)
            return
        self.samples.append(sample)
        first, early = self.samples[0], self.early or self.samples[:1]
        descriptors, threads = max(s.descriptors for s in early), max(s.threads for s in early)
        self.ledger.judge("memory", sample.anon_kib <= first.anon_kib + GROWTH_KIB,
                          f"at most {first.anon_kib + GROWTH_KIB} KiB of its own", sample.anon_kib)
        self.ledger.judge("handles", sample.descriptors <= descriptors + MORE_DESCRIPTORS
                          and sample.threads <= threads + 1, f"about {descriptors} descriptors and {threads} threads",
                          (sample.descriptors, sample.threads))

    def slope_kib_s(self) -> float | None:
        """Of the least-squares line; of too few samples there is none."""
        if len(self.samples) < LEAK_SAMPLES:
            return None
        x = [sample.at - self.samples[0].at for sample in self.samples]
        mean_x, mean_y = sum(x) / len(x), sum(sample.anon_kib for sample in self.samples) / len(x)
        return (sum((a - mean_x) * (sample.anon_kib - mean_y) for a, sample in zip(x, self.samples))
                / sum((a - mean_x) ** 2 for a in x))

    def judge_slope(self) -> None:
        """One step of an allocator is steep over a short life, and no leak: what counts is what many samples rose."""
        slope = self.slope_kib_s()
        if slope is None:
            return
        rises = sum(b.anon_kib - a.anon_kib >= LEAK_RISE_KIB for a, b in zip(self.samples, self.samples[1:]))
        self.ledger.judge("leak", slope <= LEAK_KIB_S or rises <= len(self.samples) / 4,
                          f"at most {LEAK_KIB_S:.0f} KiB/s", f"{slope:.0f} KiB/s in {rises} rises")


def judge_slopes(ledger: Ledger, slopes: list[float]) -> None:
    """Of every life that has one. A step is in some of them, a leak in each, however slow it is."""
    if len(slopes) >= LEAK_LIVES:
        middle = statistics.median(slopes)
        ledger.judge("leak", middle <= LEAK_EVERY_LIFE_KIB_S,
                     f"at most {LEAK_EVERY_LIFE_KIB_S:.0f} KiB/s in the middle of {len(slopes)} lives", f"{middle:.0f} KiB/s")


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


def judge_ready(ledger: Ledger, is_ready: bool, bound_s: float, told: str) -> None:
    ledger.judge("alive", is_ready, f"ready within {bound_s:.0f} s", told)


def judge_started_again(ledger: Ledger, is_started: bool, status: int) -> None:
    ledger.judge("alive", is_started, "a program that is started again", f"status {status}, and stopped")


def judge_exit(ledger: Ledger, is_alive: bool, status: int, ending: str, told: str) -> None:
    """`is_alive`: it still ran when it was ended."""
    ledger.judge("exit_status", is_alive and status == STATUS[ending],
                 f"status {STATUS[ending]} by {ending}" if is_alive else "a program that goes on", f"status {status}: {told}")


def judge_watchdog(ledger: Ledger, silent_s: float, bound_s: float) -> None:
    ledger.judge("watchdog", silent_s <= bound_s, f"a sign within {bound_s} s", f"none for {silent_s:.1f} s")


def judge_set(ledger: Ledger, before: dict[str, str], found: dict[str, str]) -> None:
    """Digests by file."""
    changed = sorted(name for name in found.keys() | before.keys() if found.get(name) != before.get(name))
    ledger.judge("set", not changed, "the files of the set as they were", f"changed: {changed}")


def judge_ratchet(ledger: Ledger, accepted: int | None, of_the_set: int) -> None:
    ledger.judge("ratchet", accepted == of_the_set, f"{of_the_set} accepted", accepted)


def judge_started_once(ledger: Ledger, begun: int, built: int) -> None:
    ledger.judge("phase", begun == 1 and built == 1, "one runtime and one flight begun", f"{built} and {begun}")


def judge_crash_loop(ledger: Ledger, is_told: bool, starts: list[float]) -> None:
    """`starts`: of the flight in progress, the last one being this life's. The program counts whole seconds."""
    ages = [starts[-1] - start for start in starts]
    if any(abs(age - LOOP_S) < 5 for age in ages):
        return
    is_loop = sum(age < LOOP_S for age in ages) >= LOOP_STARTS
    ledger.judge("phase", is_told == is_loop, f"a crash loop told: {is_loop}", is_told)


def judge_log_line(ledger: Ledger, line: LogLine, was_killed: bool) -> None:
    """The last line of a program that was killed may be cut."""
    is_record = line.record is not None and set(line.record) >= LOG_KEYS
    ledger.judge("log", is_record or (was_killed and not line.is_whole), "a record of the log", line.text[:200])
    if not is_record:
        return
    kind, kv = (line.record or {})["kind"], (line.record or {})["kv"]
    is_context = kind == "c7.memory_after_seal" and kv.get("memory") == "context"
    ledger.judge("log", kind not in NEVER and (kind != "c7.memory_after_seal" or is_context),
                 "nothing that a flight must not tell", line.text[:300])


def judge_begun(ledger: Ledger, told: dict, phase: str, starts: int, name: str) -> None:
    found = {key: told.get(key) for key in ("phase", "start_count", "set_id")}
    ledger.judge("phase", found == {"phase": phase, "start_count": starts, "set_id": name},
                 f"{phase}, start {starts} of {name}", found)


def judge_recorder(ledger: Ledger, status: int, damage: list[dict], size: int, limit: int) -> None:
    kinds = {entry["kind"] for entry in damage}
    ledger.judge("recorder", status == 0 and kinds <= {"incomplete_tail"} and size <= limit,
                 f"readable but for torn ends, at most {limit} bytes", f"status {status}, {sorted(kinds)}, {size} bytes")


def judge_losses(ledger: Ledger, done: set[str], losing: set[str], made_room: bool, untold: Collection[str] = ()) -> None:
    """`done`: kinds of faults that were there; `losing`: outputs that told of losses; `made_room`: the recorder gave up old
    segments for new records, and may have lost none of these; `untold`: kinds whose losses it had no time to tell."""
    is_hurt = {"log_stalled": "stdout" in losing, "disk_full": bool(losing - {"stdout"}) or made_room}
    for kind, is_told in is_hurt.items():
        if kind in untold:
            continue
        ledger.judge("losses", is_told == (kind in done), f"losses told of {kind}: {kind in done}", sorted(losing))


def judge_last_words(ledger: Ledger, told: dict, records: list[dict]) -> None:
    """The end that the log tells stands in the recorder, too, whatever its disk went through before."""
    ends = [record["payload"] for record in records if record["kind"] == "c7.flight_ended"]
    ledger.judge("recorder", bool(ends) and ends[-1].get("frame_count") == told.get("frame_count"),
                 f"the end of the flight, of {told.get('frame_count')} frames", ends[-1:])


def is_run_fault(kind: str) -> bool:
    return kind in RUNS or kind == "device_lost"
