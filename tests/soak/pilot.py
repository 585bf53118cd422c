"""One life of the program: what is done to it at its time, what is looked at each second, and how it ends."""

from __future__ import annotations

import contextlib
import json
import time
from dataclasses import dataclass, field

from . import checks, frame_checks, holding_checks
from .craft import Craft, Gone, size_of
from .faults import Faults
from .ledger import Ledger
from .plan import TELEMETRY, WARM_UP_S, Episode, Life, Pace
from .world import RECORDER_LIMIT, World

TICK_S, EACH_S = 0.02, 1.0
TELLS_LOSSES_S = 2.5
RESTS_FROM_S, REST_TICKS = 1.0, 25  # what is held at rest is counted each tick: from then to the first fault; at the end
START_BOUND_S = 90.0  # TimeoutStartSec of the unit
END_BOUND_S = {"device_lost": 20.0, "kill": 5.0, "restart": 5.0}
STANDS = ("stall", "hang")  # slots pass by meanwhile


@dataclass
class Happened:
    """What a life was, for the page. Times are seconds of the soak."""

    number: int
    phase: str
    ending: str
    started: float
    ready: float = 0.0
    ended: float = 0.0
    status: int | None = None
    faults: list[tuple[str, float, float]] = field(default_factory=list)
    frames: list[tuple[float, float, str]] = field(default_factory=list)  # when, ms, reason or nothing
    memory: list[tuple[float, int]] = field(default_factory=list)
    missed: int = 0
    slow: int = 0
    slope_kib_s: float | None = None
    delays: list[tuple[str, float]] = field(default_factory=list)


class Pilot:
    """Flies one life. `until`: when the soak is over."""

    def __init__(self, world: World, ledger: Ledger, pace: Pace, life: Life, began: float) -> None:
        self.world, self.ledger, self.pace, self.life, self.began = world, ledger, pace, life, began
        self.slots = world.slots(life, pace)
        self.craft = Craft(world, world.configuration(pace, self.slots), pace.watchdog_s)
        self.faults = Faults(world, self.craft)
        self.frames = frame_checks.Frames(ledger, self.slots, pace.deadline_ms)
        self.orders = frame_checks.Orders(ledger, self.frames, settle_s=pace.deadline_ms / 1e3 + 1.0)
        self.recovery = frame_checks.Recovery(ledger, pace.recovers_s)
        self.holdings = holding_checks.Holdings(ledger)
        self.thermal = checks.Thermal(ledger, pace.thermal_bound_s, time.monotonic())
        self.waiting, self.active = list(life.episodes), list[Episode]()
        self.read_log = 0
        self.kinds: dict[str, list[dict]] = {}
        self.happened = Happened(life.number, "", life.ending, self.craft.started - began)
        self.is_standing = False
        self.losses = checks.Losses(ledger)
        self.segments: set[str] = set()
        self.made_room = False
        self.done: dict[str, float] = {}  # kinds of faults that were ended, and when last
        self.stood: list[tuple[float, float]] = []
        self.untold: set[str] = set()

    # ---- what comes in ----

    def listen(self) -> None:
        for silent_s in self.craft.notified.silences():
            checks.judge_watchdog(self.ledger, silent_s, self.pace.watchdog_s)
        for text in self.craft.new_frame_lines():
            frame = self.frames.take(text, time.monotonic())
            if frame is None:
                continue
            self.happened.frames.append((frame.at - self.began, frame.ms, frame.reason or ""))
            self.thermal.judge_frame(frame, self.orders.touches(frame.at))
            if frame.has_position:
                self.recovery.position(frame.at - frame.ms / 1e3)
        self._read_log(was_killed=False, is_over=False)

    def _read_log(self, was_killed: bool, is_over: bool) -> None:
        lines = self.craft.log.lines
        while self.read_log < len(lines):
            line = lines[self.read_log]
            if not line.is_whole and not is_over:
                return
            self.read_log += 1
            checks.judge_log_line(self.ledger, line, was_killed)
            if line.record is not None and "kind" in line.record:
                self._told(line.at, line.record)

    def _told(self, at: float, record: dict) -> None:
        self.kinds.setdefault(record["kind"], []).append(record)
        self.losses.told(record)
        self.orders.told(at, record)
        if record["kind"] == "c7.thermal_transition":
            self.thermal.told(record["kv"]["new_state"], at)
        elif record["kind"] == "c7.engines_ready":
            self.thermal.judge_source(record["kv"]["thermal_source"])
        elif record["kind"] == "c7.telemetry_unavailable":
            self.thermal.told("unavailable", at)

    # ---- what is done ----

    def wait_ready(self) -> bool:
        while self.craft.notified.ready_at is None and self.craft.process.poll() is None:
            if time.monotonic() - self.craft.started > START_BOUND_S:
                break
            self.listen()
            with contextlib.suppress(Gone):
                self.holdings.judge_company(*self.craft.company())
            time.sleep(TICK_S)
        ready = self.craft.notified.ready_at
        checks.judge_ready(self.ledger, ready is not None, START_BOUND_S, f"status {self.craft.process.poll()}: {self._errors()}")
        if ready is None:
            return False
        self.happened.ready = ready - self.began
        self.thermal.expect("normal", ready)
        return True

    def act(self, now: float, until: float) -> None:
        """Begins and ends what is due; nothing is begun after which the soak's end would leave no time to recover."""
        since = now - (self.craft.notified.ready_at or now)
        if any(episode.kind == "disk_full" for episode in self.active):
            self.faults.begin("disk_full")  # again: a recorder makes room by giving up what is old
        for episode in [entry for entry in self.active if entry.end_s <= since]:
            self._end(episode)
        for episode in [entry for entry in self.waiting if entry.begin_s <= since]:
            self.waiting.remove(episode)
            if now + episode.end_s - episode.begin_s + self.recovery.within_s > until:
                continue
            self.active.append(episode)
            self.happened.faults.append((episode.kind, now - self.began, now - self.began))
            if frame_checks.is_run_fault(episode.kind):
                self.orders.orders.append(frame_checks.Order(episode.kind, now))
            if episode.kind in TELEMETRY:
                self.thermal.expect("throttled" if episode.kind == "throttle" else "unavailable", now)
            if episode.kind == "disk_full":
                self.segments = self.recorded()
            self.is_standing = episode.kind == "stall" or self.is_standing
            self.faults.begin(episode.kind)

    def _end(self, episode: Episode) -> None:
        self.active.remove(episode)
        self.faults.end(episode.kind)
        now = self.done[episode.kind] = time.monotonic()
        self.happened.faults = [(kind, begin, now - self.began if kind == episode.kind and begin == end else end)
                                for kind, begin, end in self.happened.faults]
        for order in self.orders.orders:
            if order.kind == episode.kind and order.end is None:
                order.end = now
        if episode.kind in TELEMETRY:
            self.thermal.expect("normal", now)
        elif episode.kind == "disk_full":
            self.made_room = not self.segments <= self.recorded()
        elif episode.kind == "stall":
            self.is_standing = False
            self.thermal.disturbed(now)
            self.craft.notified.alive_at = now  # who stands still by order gives no sign of life
        if episode.kind in STANDS:
            begun = max(begin for kind, begin, _ in self.happened.faults if kind == episode.kind)
            self.stood.append((self.began + begun, now + self.orders.settle_s))
            if episode.kind == "stall":
                self.orders.stalls.append((self.began + begun, now))
        self.recovery.fault_ended(episode.kind, now)

    def look_at_rest(self, when: str) -> None:
        with contextlib.suppress(Gone):  # its end is judged elsewhere
            self.holdings.take_at_rest(when, self.craft.counts())

    def look(self, now: float) -> None:
        """Once a second."""
        sample = self.craft.sample()
        ready = self.craft.notified.ready_at or now
        self.holdings.take(sample, now - ready)
        self.happened.memory.append((now - self.began, sample.anon_kib))
        self.look_at_recorder()
        is_quiet = self.craft.log.is_reading.is_set()
        if is_quiet and not self.is_standing:
            self.thermal.judge(now)
        if not self.is_standing:
            self.judge_silence()

    def judge_silence(self) -> None:
        """That which still lasts; those that are over are judged as signs come."""
        checks.judge_watchdog(self.ledger, self.craft.notified.silent_s(), self.pace.watchdog_s)

    def recorded(self) -> set[str]:
        return {file.name for file in self.world.recorder.glob("segment-*")}

    def look_at_recorder(self) -> list[dict]:
        """As an operator does, while it is written. What it holds."""
        result = self.world.skua("recorder", "dump", self.world.recorder, "--json")
        size = size_of(self.world.recorder.glob("segment-*"))
        told = json.loads(result.stdout) if result.returncode == 0 else {}
        checks.judge_recorder(self.ledger, result.returncode, told.get("damage", []), size, RECORDER_LIMIT)
        return told.get("records", [])

    def is_over(self, now: float, until: float) -> bool:
        """A life lasts until it is known whether there are positions again after its last fault."""
        is_flown = now - (self.craft.notified.ready_at or now) >= self.life.end_s
        return now >= until or (is_flown and not self.active and not self.recovery.waiting)

    def fly(self, until: float) -> None:
        """To the end of the life, or of the soak; a program that ends by itself is seen at once."""
        next_look = time.monotonic() + EACH_S
        while self.craft.process.poll() is None:
            now = time.monotonic()
            if self.is_over(now, until):
                break
            self.act(now, until)
            self.listen()
            self.recovery.judge(now)
            if RESTS_FROM_S <= now - (self.craft.notified.ready_at or now) < WARM_UP_S:
                self.look_at_rest("before")
            if now >= next_look:
                next_look += EACH_S
                try:
                    self.look(now)
                except Gone:
                    continue  # the loop sees that it has ended
            time.sleep(TICK_S)
        if not self.active and not self.recovery.waiting:
            self.rest()

    def rest(self) -> None:
        """All faults are over, and it has recovered."""
        for _ in range(REST_TICKS):
            self.listen()
            self.look_at_rest("after")
            time.sleep(TICK_S)
        self.holdings.judge_rest()

    # ---- the end ----

    def end(self, ending: str) -> int:
        """What was going on is taken back first; then the end of this life, which is judged."""
        self.listen()
        for episode in list(self.active):
            self._end(episode)
        is_alive = self.craft.process.poll() is None  # a thread that is held keeps it from being seen before
        self._judge_slots(time.monotonic())
        if is_alive:
            self.judge_silence()
            self.happened.ending = ending
            now = time.monotonic()
            self.happened.faults.append((ending, now - self.began, now - self.began))
            if ending == "device_lost":
                self.orders.orders.append(frame_checks.Order(ending, now))
            self.faults.begin(ending)
        status = self.craft.end(END_BOUND_S[ending])
        checks.judge_exit(self.ledger, is_alive, status, ending, self._errors())
        self._judge_end(status, ending if is_alive else None)
        return status

    def break_off(self) -> None:
        """The soak itself has failed: nothing stays that flies, and what this life was is kept."""
        self.faults.let_go()
        self.craft.process.kill()
        with contextlib.suppress(OSError):  # where that has failed already
            self.craft.end()
        self.happened.status = self.craft.process.returncode
        self.happened.ended = time.monotonic() - self.began
        self._save_log()

    def _save_log(self) -> None:
        log = "".join(line.text + "\n" for line in self.craft.log.lines)
        (self.world.run / f"log{self.life.number}.jsonl").write_text(log, "utf-8")

    def _errors(self) -> str:
        return self.craft.errors.read_text("utf-8")[-500:]

    def _judge_slots(self, now: float) -> None:
        """Before it is ended. Losses are told once a second at most, and nobody tells them at the end."""
        self.untold = {kind for kind, at in self.done.items() if now - at < TELLS_LOSSES_S}
        if self.craft.notified.ready_at is not None:
            lines_at = [frame.at for frame in self.frames.seen.values()]
            spans = frame_checks.quiet_spans(self.craft.notified.ready_at, now, self.stood)
            frame_checks.judge_missed(self.ledger, spans, lines_at, self.pace.rate_hz)
            self.recovery.judge(now)

    def _judge_end(self, status: int, ending: str | None) -> None:
        """`ending`: what it was ended by; it may have ended before."""
        for text in self.craft.new_frame_lines():
            frame = self.frames.take(text, time.monotonic())
            if frame is not None:
                self.happened.frames.append((frame.at - self.began, frame.ms, frame.reason or ""))
        self._read_log(was_killed=status < 0, is_over=True)
        told = [record["kv"] for record in self.kinds.get("c7.flight_ended", [])]
        for counts in told:
            self.frames.judge_counts(counts)
        if ending is not None:
            checks.judge_ended(self.ledger, ending, told, "log_stalled" not in self.untold)
        self.orders.judge_frames()
        self.holdings.judge_slope()
        records = self.look_at_recorder()
        if ending in checks.CAUSE:
            checks.judge_last_words(self.ledger, len(self.frames.seen), ending, records)
        self.losses.judge(set(self.done), self.made_room, self.untold)
        if ending in checks.CAUSE and "log_stalled" not in self.untold:
            dropped = {record["frame_id"] for record in self.kinds.get("c7.frame_dropped", [])}
            self.losses.judge_missing(self.frames.without_position() - dropped, records)
        self._save_log()
        self.happened.ended = time.monotonic() - self.began
        self.happened.status, self.happened.missed, self.happened.slow = status, self.frames.missed(), self.orders.slow
        self.happened.slope_kib_s, self.happened.delays = self.holdings.slope_kib_s(), self.thermal.delays
