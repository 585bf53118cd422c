"""Which fault happens when. A seed gives the same plan every time, so that a soak that failed can be flown again."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

# What can happen in flight, and what each is.
IN_FLIGHT = {
    "picture_missing": "lost frames: no such file",
    "picture_cut": "lost frames: half a JPEG",
    "picture_garbage": "lost frames: bytes that are no picture",
    "picture_size": "lost frames: another camera's size",
    "stall": "late frames: the whole process stands still for more than a slot",
    "launch_error": "the launch of a run fails",
    "wait_error": "the wait for a run fails",
    "out_of_memory": "a run has no memory",
    "hang": "a run hangs beyond the deadline, then comes back",
    "throttle": "an alert in sysfs: throttled, and back",
    "telemetry_gone": "the sensors' files vanish, and come back",
    "telemetry_garbage": "the sensors say nonsense, and recover",
    "telemetry_hang": "the thread that reads the sensors stands still, and goes on",
    "disk_full": "the recorder's disk is full, and has room again",
    "log_stalled": "nobody reads the log, and somebody does again",
}
# How one life of the program ends and the next one begins.
ENDINGS = {
    "device_lost": "the device is lost: exit status 10, started again (F8)",
    "kill": "kill -9, started again (F8)",
    "restart": "SIGTERM: an orderly end, started again (F2)",
}
KINDS = {**IN_FLIGHT, **ENDINGS}
PICTURES = ("picture_missing", "picture_cut", "picture_garbage", "picture_size")
TELEMETRY = ("throttle", "telemetry_gone", "telemetry_garbage", "telemetry_hang")
RUNS = ("launch_error", "wait_error", "out_of_memory", "hang")
# What fills a disk or a pipe is warnings: of frames that are lost meanwhile.
TALKATIVE = ("disk_full", "log_stalled")
EPISODES_OF_A_LIFE = (3, 5)
WARM_UP_S = 2.0


@dataclass(frozen=True)
class Pace:
    """How fast a soak flies, and how long its faults last."""

    rate_hz: float
    deadline_ms: float
    poll_hz: float
    watchdog_s: float
    quiet_s: tuple[float, float]
    minutes: float  # in which any seed's plan has every kind, with five seconds for each start

    @property
    def thermal_bound_s(self) -> float:
        """When a change must have been seen: the three periods of a loss, and what a busy machine may add."""
        return 3 / self.poll_hz + 1.5

    @property
    def hang_s(self) -> float:
        return self.deadline_ms / 1e3 + 3 / self.rate_hz

    @property
    def recovers_s(self) -> float:
        """When a position must have come after a fault."""
        return max(5.0, 12 / self.rate_hz)

    def length_s(self, kind: str) -> float:
        if kind in TELEMETRY:
            return self.thermal_bound_s + max(1.5, 3 / self.rate_hz)
        if kind in TALKATIVE:
            return max(2.5, 18 / self.rate_hz)  # 18 warnings are more than a pipe of a page holds
        if kind == "hang":
            return self.hang_s
        return 5 / self.rate_hz if kind in PICTURES else max(0.8, 2.5 / self.rate_hz)


# 3 Hz, 400 ms, two polls a second and ten seconds are what the stack and the unit say.
STEADY = Pace(3.0, 400.0, 2.0, 10.0, (2.0, 5.0), minutes=3.0)
FAST = Pace(10.0, 600.0, 5.0, 3.0, (0.6, 1.2), minutes=2.0)


@dataclass(frozen=True)
class Episode:
    """A fault, in seconds since the program said that it was ready."""

    kind: str
    begin_s: float
    end_s: float


@dataclass(frozen=True)
class Life:
    """One start of the program, to its end."""

    number: int
    episodes: tuple[Episode, ...]
    ending: str
    end_s: float

    def loses_picture(self, at_s: float) -> str | None:
        """The kind of the lost frame that is due at this second, where there is one."""
        for episode in self.episodes:
            if not episode.begin_s <= at_s < episode.end_s:
                continue
            if episode.kind in PICTURES:
                return episode.kind
            if episode.kind in TALKATIVE:
                return "picture_missing"
        return None


def _shuffled(names: dict[str, str], chance: random.Random) -> Iterator[str]:
    """All of them in a new order, again and again."""
    while True:
        order = list(names)
        chance.shuffle(order)
        yield from order


def lives(seed: int, pace: Pace) -> Iterator[Life]:
    """Lives without end: every kind once before any comes again."""
    chance = random.Random(seed)
    kinds, endings = _shuffled(IN_FLIGHT, chance), _shuffled(ENDINGS, chance)
    number = 0
    while True:
        at_s, episodes = WARM_UP_S, []
        for _ in range(chance.randint(*EPISODES_OF_A_LIFE)):
            kind = next(kinds)
            episodes.append(Episode(kind, at_s, at_s + pace.length_s(kind)))
            at_s = episodes[-1].end_s + chance.uniform(*pace.quiet_s)
        yield Life(number, tuple(episodes), next(endings), at_s)
        number += 1
