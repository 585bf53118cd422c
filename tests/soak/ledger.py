"""What was checked how often, and what did not hold."""

from __future__ import annotations

from dataclasses import dataclass, field

# Every invariant by its name; one that was checked zero times is as bad as one that did not hold.
STATEMENTS = {
    "alive": "the program runs, or is started again within its bound",
    "exit_status": "it ends only by what was done to it, with the status that belongs to that",
    "slots": "every slot is a line or a miss, in order; the flight's own counts say the same",
    "picture": "a slot is answered from the picture that was there for it",
    "position": "a position is that very frame's: within 5 px of the truth, and of a frame that could be read",
    "reason": "a frame without a position has a reason that what was done explains",
    "fault_frame": "the frame in which a run failed has no position, and each fault that was ordered costs one",
    "deadline": "no position came later than the deadline after its frame was due",
    "recovers": "after a fault there are positions again",
    "slowness": "few frames have no result because the machine was busy",
    "missed": "where nothing stood by order, at least half of the slots are lines",
    "memory": "resident memory stays near what it was after the warm-up",
    "leak": "resident memory does not rise again and again, in a life or in every one",
    "handles": "file descriptors and threads do not grow after the warm-up",
    "thermal": "throttle and telemetry are told, and flown by, as the sensors say",
    "recorder": "what the recorder wrote can be read at any time, stays within its limit, and has the end of each flight",
    "log": "every line of the log is a record, none tells of what must not be, and an orderly end is told once",
    "losses": "a full disk and a log that stands are told with what they lost; nothing else loses a record",
    "set": "no file of the set changes, and no process builds one",
    "network": "no socket but those of the machine itself",
    "watchdog": "signs of life come in the watchdog's time",
    "phase": "a start says truly whether it is a take-off or a reboot in flight",
    "ratchet": "the accepted release sequence is that of the set",
}
MOST_TOLD = 20  # violations of one invariant that are kept in words


@dataclass
class Count:
    checks: int = 0
    violations: int = 0
    told: list[str] = field(default_factory=list)


class Ledger:
    def __init__(self) -> None:
        self.counts = {name: Count() for name in STATEMENTS}

    def judge(self, name: str, is_good: bool, expected: str, found: object) -> bool:
        """Counts one check; a violation is kept in words."""
        count = self.counts[name]
        count.checks += 1
        if not is_good:
            count.violations += 1
            if len(count.told) < MOST_TOLD:
                count.told.append(f"expected {expected}, found {found}")
        return is_good

    def problems(self) -> list[str]:
        """What makes the soak fail."""
        broken = [f"{name}: {text}" for name, count in self.counts.items() for text in count.told]
        return broken + [f"{name}: was never checked" for name, count in self.counts.items() if count.checks == 0]
