"""The invariants over what a process holds: memory, descriptors, threads, children, sockets."""

from __future__ import annotations

import statistics

from .craft import Sample
from .ledger import Ledger

GROWTH_KIB, WARM_S, MORE_DESCRIPTORS = 24 << 10, 3.0, 6
LEAK_SAMPLES, LEAK_RISE_KIB, LEAK_KIB_S = 8, 32, 64.0  # of one life: 12 KiB are the most that one without a leak rose at once
LEAK_LIVES, LEAK_EVERY_LIFE_KIB_S = 3, 16.0


class Holdings:
    """Memory, descriptors, threads, children and sockets of one life."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.samples: list[Sample] = []
        self.early: list[Sample] = []  # before the first fault, which may take sensors' files away
        self.rests: dict[str, list[tuple[int, int]]] = {"before": [], "after": []}  # the faults

    def take(self, sample: Sample, since_ready_s: float) -> None:
        self.judge_company(sample.children, sample.sockets)
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

    def judge_company(self, children: list[int], sockets: list[str]) -> None:
        self.ledger.judge("network", not sockets, "no socket that leaves the machine", sockets)
        self.ledger.judge("set", not children, "no child process, which could build something", children)

    def take_at_rest(self, when: str, counts: tuple[int, int]) -> None:
        """Descriptors and threads before or after the faults, often: what is open for a moment is not in all of them."""
        self.rests[when].append(counts)

    def judge_rest(self) -> None:
        """Exactly: a life is a process of its own, in which a kind of fault leaves behind what it does only once."""
        if all(self.rests.values()):
            before, after = (tuple(map(min, zip(*self.rests[when]))) for when in ("before", "after"))
            self.ledger.judge("handles", after[0] <= before[0] and after[1] <= before[1],
                              f"no more than the {before} descriptors and threads before the faults", after)

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
