"""How far the values of a network reach on the samples of a data set: what int8 is scaled by.

The values are counted as the samples come, so that neither the samples nor what a network makes of them need fit into
memory; the counts do not depend on their order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from onnx import ModelProto, ValueInfoProto

from skua_precision import check
from skua_precision.errors import build_error
from skua_precision.samples import Sample

STEPS = 4096  # of an octave: its values from one power of two to the next
BINS = 2048
LEVELS = 128  # of the absolute values of int8
LEAST_SHARE = 1e-12  # what stands for no share at all in a quotient
NARROWER = 8.0  # how much closer one looks where a histogram shows too little
MOST_CLIPPED = 0.01  # of the values that are not zero; a divergence alone clips what lies on few levels


class Spread:
    """How often each size of a value occurs, in equal steps of each octave. Zeros count for nothing: ReLUs make them in any
    number, and they are zero at every scale."""

    def __init__(self) -> None:
        self.octaves: dict[int, np.ndarray] = {}
        self.largest = 0.0

    def add(self, values: np.ndarray) -> None:
        """Of finite values."""
        sizes = np.abs(values).ravel().astype(np.float64)
        sizes = sizes[sizes > 0.0]
        if sizes.size == 0:
            return
        self.largest = max(self.largest, float(sizes.max()))
        fractions, exponents = np.frexp(sizes)  # fractions from a half to below one
        lowest = int(exponents.min())
        keys = (exponents - lowest).astype(np.int64) * STEPS + ((fractions - 0.5) * (2 * STEPS)).astype(np.int64)
        for number, counts in enumerate(np.bincount(keys, minlength=STEPS * (int(exponents.max()) - lowest + 1)).reshape(-1, STEPS)):
            if counts.any():
                self.octaves[lowest + number] = self.octaves.get(lowest + number, 0) + counts

    def histogram(self, top: float) -> tuple[np.ndarray, int]:
        """Counts in BINS equal bins up to `top`, and how many values are above."""
        counts, above = np.zeros(BINS), 0
        for exponent, steps in self.octaves.items():
            middles = np.ldexp(0.5 + (np.arange(STEPS) + 0.5) / (2 * STEPS), exponent)
            bins = np.minimum(middles / top * BINS, float(BINS)).astype(np.int64)
            found = np.bincount(bins, weights=steps, minlength=BINS + 1)
            counts += found[:BINS]
            above += int(found[BINS])
        return counts, above


def minmax(spread: Spread) -> float:
    """All values keep their place."""
    return spread.largest


def _at_levels(counts: np.ndarray) -> np.ndarray:
    """What is left of a histogram in `LEVELS` steps: each spreads its count over those of its bins that have any."""
    starts = np.linspace(0, len(counts), LEVELS + 1).astype(int)
    occupied = np.add.reduceat(counts > 0, starts[:-1], dtype=np.int64)
    means = np.add.reduceat(counts, starts[:-1]) / np.maximum(occupied, 1)
    return np.repeat(means, np.diff(starts)) * (counts > 0)


def _divergence(counts: np.ndarray, kept: int, above: int) -> float:
    """Of Kullback and Leibler, when what lies above `kept` bins becomes the largest value."""
    wanted = counts[:kept].copy()
    found = _at_levels(wanted)
    wanted[-1] += counts[kept:].sum() + above
    if found.sum() == 0.0:
        return np.inf
    p, q = wanted / wanted.sum(), np.maximum(found / found.sum(), LEAST_SHARE)
    is_there = p > 0.0
    return float((p[is_there] * np.log(p[is_there] / q[is_there])).sum())


def entropy2(spread: Spread) -> float:
    """The range that loses the least of the histogram: S. Migacz, 8-bit inference with TensorRT (GTC 2017).

    A histogram up to a value that is far away shows nothing of the others: one looks closer while most of them are in
    its first bin, or the least range of all that it offers is the best. No more than MOST_CLIPPED of them are clipped.
    """
    top = np.nextafter(spread.largest, np.inf)
    while spread.octaves:
        counts, above = spread.histogram(top)
        total = counts.sum() + above
        least = _least_kept(counts, above, total)
        if counts[0] <= 0.5 * total or least > BINS // NARROWER:
            best = min(range(max(LEVELS, least), BINS + 1), key=lambda kept: _divergence(counts, kept, above))
            if best > LEVELS:
                return min(float(top) * best / BINS, spread.largest)
        top /= NARROWER
    return spread.largest


def _least_kept(counts: np.ndarray, above: int, total: float) -> int:
    """Bins that must stay so that no more than MOST_CLIPPED of all values is beyond them."""
    beyond = total - np.cumsum(counts)
    return int(np.searchsorted(-beyond, -MOST_CLIPPED * total)) + 1 if above <= MOST_CLIPPED * total else BINS


METHODS: dict[str, Callable[[Spread], float]] = {"entropy2": entropy2, "minmax": minmax}


def probe(model: ModelProto, values: Sequence[str]) -> ModelProto:
    """The model with `values` as its outputs; whoever loads it finds out their types."""
    copy = ModelProto()
    copy.CopyFrom(model)
    del copy.graph.output[:]
    copy.graph.output.extend(ValueInfoProto(name=name) for name in values)
    return copy


def collect(model: ModelProto, values: Sequence[str], samples: Iterable[Sample], method: str) -> dict[str, float]:
    """The largest size that int8 is to hold, of each value; 0 for one that is always zero."""
    session = check.session_of(probe(model, values))
    spreads = {name: Spread() for name in values}
    for sample in samples:
        for name, found in zip(values, check.run_sample(session, sample.name, sample.arrays), strict=True):
            if not np.isfinite(found).all():
                raise build_error("precision_not_supported", f"data set, {sample.name}: value '{name}' is not finite in "
                                                             "float32; mend the model or the sample")
            spreads[name].add(found)
    return {name: METHODS[method](spread) for name, spread in spreads.items()}


def refuse_no_range(reach: dict[str, float]) -> None:
    """Of values that become int8."""
    least, most = LEVELS * float(np.finfo(np.float32).tiny), float(np.finfo(np.float32).max) / 2.0
    for name, size in reach.items():
        if size < least:
            raise build_error("precision_not_supported", f"value '{name}' is zero, or next to it, in every sample that "
                                                         "calibrates, so that nothing says how far it reaches; give typical "
                                                         "samples, or keep the nodes that read it with --keep-fp32")
        if size > most:
            raise build_error("precision_not_supported", f"value '{name}' reaches {size:g}, which has no scale in float32; keep "
                                                         "the nodes that read it with --keep-fp32")
