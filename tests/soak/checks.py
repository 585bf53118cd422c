"""The invariants over what is seen of a flight but its lines (frame_checks.py) and what it holds (holding_checks.py). Nothing
in these touches a process or a file: tests feed them bad observations."""

from __future__ import annotations

from collections.abc import Collection

from .craft import LogLine
from .frame_checks import Frame
from .ledger import Ledger

LOG_KEYS = {"ts", "level", "component", "frame_id", "kind", "msg", "kv", "exc"}
NEVER = {"c7.engine_built", "c7.engine_build_failed", "c7.set_unsigned", "c7.cpu_fallback", "c7.engine_refused",
         "c7.takeoff_refused"}
STATUS = {"device_lost": 10, "kill": -9, "restart": 0}  # what an ending makes of the program
CAUSE = {"device_lost": "device_lost", "restart": "signal"}  # that it tells; who is killed tells nothing
LOOP_STARTS, LOOP_S = 5, 300.0  # of a crash loop


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


class Losses:
    """What the outputs of a life say that they lost. `counts`: totals since the start, by output."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.counts: dict[str, int] = {}

    def told(self, record: dict) -> None:
        kv = record["kv"]
        if record["kind"] == "c7.sink_lost":
            before, now = self.counts.get(kv["sink"], 0), kv["lost_count"]
            # A recorder tells a full disk before it has lost anything.
            self.ledger.judge("losses", now >= before and (now > 0 or kv["sink"] != "stdout"),
                              f"{kv['sink']}: a total that grows from {before}", now)
            self.counts[kv["sink"]] = now

    def judge(self, done: set[str], made_room: bool, untold: Collection[str] = ()) -> None:
        """`done`: kinds of faults that were there; `made_room`: the recorder gave up old segments for new records, and may
        have lost none of these; `untold`: kinds whose losses it had no time to tell."""
        losing = {sink for sink, count in self.counts.items() if count > 0}
        is_hurt = {"log_stalled": "stdout" in losing, "disk_full": bool(losing - {"stdout"}) or made_room}
        for kind, is_told in is_hurt.items():
            if kind in untold:
                continue
            self.ledger.judge("losses", is_told == (kind in done), f"losses told of {kind}: {kind in done}", self.counts)

    def judge_missing(self, missing: set[int], records: list[dict]) -> None:
        """Frames without a position that the log, which could be read to its end, tells nothing of. That the queue before
        the outputs ran over stands in the recorder alone."""
        begun = max((at for at, record in enumerate(records) if record["kind"] == "c7.flight_begun"), default=0)
        found = self.counts.get("stdout", 0) + sum(record["payload"]["dropped_count"] for record in records[begun:]
                                                   if record["kind"] == "overrun")
        self.ledger.judge("losses", len(missing) <= found, f"{len(missing)} records lost or more, of frames {sorted(missing)}",
                          f"{found} told")


def judge_ended(ledger: Ledger, ending: str, told: list[dict], is_log_whole: bool) -> None:
    """`told`: each c7.flight_ended of a program that ran until it was ended."""
    causes, wanted = [kv.get("cause") for kv in told], [CAUSE[ending]] if ending in CAUSE else []
    ledger.judge("log", causes == wanted or (not causes and not is_log_whole), f"ends of the flight by {wanted}", causes)


def judge_last_words(ledger: Ledger, frames: int, ending: str, records: list[dict]) -> None:
    """The end stands in the recorder, whatever the log tells and its disk went through before: of this flight, of which the
    recorder has the beginning, too."""
    edges = [(record["kind"], record["payload"]) for record in records
             if record["kind"] in ("c7.flight_begun", "c7.flight_ended")]
    kind, payload = edges[-1] if edges else ("nothing", {})
    found = (kind, payload.get("frame_count"), payload.get("cause"))
    ledger.judge("recorder", found == ("c7.flight_ended", frames, CAUSE[ending]),
                 f"the end of the flight by {CAUSE[ending]}, of {frames} frames", found)
