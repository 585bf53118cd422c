"""Starts the program again as packaging/skua-flight.service says, life after life, until the time is over."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from . import checks, frame_checks, holding_checks
from .ledger import Ledger
from .pilot import Happened, Pilot
from .plan import KINDS, Life, Pace, lives
from .world import World, digests

RESTART_S = 0.1  # RestartSec of the unit
# Of the unit. Its limit of five starts in five minutes is not kept: a soak starts more often than any accident.
STAYS_STOPPED = (2, 5, 9)


@dataclass
class Soak:
    seed: int
    seconds: float
    pace: Pace
    control: str = ""


class Supervisor:
    def __init__(self, world: World, soak: Soak) -> None:
        self.world, self.soak, self.ledger = world, soak, Ledger()
        self.lives: list[Happened] = []
        self.files = digests(world.sets)
        self.began = time.monotonic()
        self.starts: list[float] = []  # of the flight in progress
        self.happened = dict.fromkeys(KINDS, 0)
        self.ended: set[str] = set()  # kinds of faults
        self.recovered: set[str] = set()  # those after which positions were awaited
        self.broken_by: BaseException | None = None

    def run(self) -> None:
        """What breaks the soak itself off is kept for the results, and raised."""
        try:
            self._fly_lives()
        except BaseException as error:
            self.broken_by = error
            raise

    def _fly_lives(self) -> None:
        until = self.began + self.soak.seconds
        for life in lives(self.soak.seed, self.soak.pace):
            if not self._one_life(life, until) or time.monotonic() >= until:
                break
            time.sleep(RESTART_S)
        frame_checks.judge_recoveries(self.ledger, self.ended, self.recovered)
        holding_checks.judge_slopes(self.ledger, [life.slope_kib_s for life in self.lives if life.slope_kib_s is not None])

    def _one_life(self, life: Life, until: float) -> bool:
        """Whether another one follows."""
        self.judge_set()
        if self.soak.control == "wrong-picture" and life.number == 0:
            self.world.exchange_pictures()
        phase = "F8" if self.starts else "F2"
        self.starts.append(time.monotonic())
        pilot = Pilot(self.world, self.ledger, self.soak.pace, life, self.began)
        pilot.happened.phase = phase
        self.lives.append(pilot.happened)
        try:
            if pilot.wait_ready():
                self.spoil(life)
                pilot.fly(until)
            ending = "restart" if time.monotonic() >= until else life.ending
            status = pilot.end(ending)
        except BaseException:
            pilot.break_off()
            raise
        self._judge_start(pilot, phase)
        for kind, _, _ in pilot.happened.faults:
            self.happened[kind] += 1
        self.ended |= set(pilot.done)
        self.recovered |= pilot.recovery.judged
        self.judge_set()
        checks.judge_ratchet(self.ledger, self.world.accepted_sequence(), self.world.manifest["release_sequence"])
        if status == 0:
            self.starts.clear()
        return self._goes_on(status)

    def _judge_start(self, pilot: Pilot, phase: str) -> None:
        begun = pilot.kinds.get("c7.flight_begun", [])
        checks.judge_started_once(self.ledger, len(begun), len(pilot.kinds.get("c7.runtime_built", [])))
        for told in begun:
            checks.judge_begun(self.ledger, told["kv"], phase, len(self.starts), self.world.manifest["set_id"])
        checks.judge_crash_loop(self.ledger, bool(pilot.kinds.get("c7.crash_loop")), self.starts)

    def _goes_on(self, status: int) -> bool:
        is_started = self.soak.control != "no-restart" and status not in STAYS_STOPPED
        checks.judge_started_again(self.ledger, is_started, status)
        return is_started

    def judge_set(self) -> None:
        checks.judge_set(self.ledger, self.files, digests(self.world.sets))

    def spoil(self, life: Life) -> None:
        """What a control does in flight: something that an invariant has to see."""
        if self.soak.control == "set-changed" and life.number == 0:
            (engine,) = self.world.flown.glob("demo_matcher__*.engine")
            damage(engine)


def damage(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
