"""What int8 and mixed cost: a changed network beside its float32 source, on samples that calibrated nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from onnx import ModelProto

from skua_precision import check, keypoints
from skua_precision.errors import build_error
from skua_precision.samples import Sample

# Length of an output's difference, of that of the output. Ranges of a network's own data leave 0.02, those that are ten
# times too wide 0.15, those that are three times too narrow 0.7 (tests/python/test_int8_accuracy.py).
MOST_RELATIVE = 0.1
MOST_MISMATCHED = 0.1  # of an output that does not hold floats: the share of values that differ
# A sample whose output is next to nothing is judged beside this share of a typical one.
LEAST_REFERENCE = 0.1
LEAST_AGREEMENT = 0.9  # of a detector's keypoints: the share that is found within keypoints.NEAR_PX


@dataclass
class Accuracy:
    """One output over all held-out samples, beside float32. Of the worst sample, unless it says otherwise."""

    name: str
    compared: int = 0  # finite values, or keypoints, of all samples
    max_rel_error: float = 0.0  # over values of at least a hundredth of a sample's largest
    least_cosine: float = 1.0  # 1: the same direction
    relative_l2: float = 0.0  # length of the difference, of that of the output
    mismatched: float = 0.0  # of values that are no floats: share that differs, where either is not the usual one
    agreement: float = 1.0  # share of the keypoints that are found again, where they are keypoints
    lengths: list[tuple[float, float]] = field(default_factory=list)  # of difference and output, each sample

    def add(self, expected: np.ndarray, found: np.ndarray) -> None:
        if expected.shape != found.shape or expected.dtype != found.dtype:
            self._fail()
        elif expected.dtype.kind != "f":
            self._add_others(expected, found)
        else:
            self._add_floats(expected, found)

    def add_pairs(self, agreement: float, count: int) -> None:
        self.agreement = min(self.agreement, agreement)
        self.compared += count

    def _fail(self) -> None:
        self.max_rel_error, self.least_cosine, self.mismatched = np.inf, -1.0, 1.0
        self.lengths.append((np.inf, 1.0))

    def _add_others(self, expected: np.ndarray, found: np.ndarray) -> None:
        self.compared += expected.size
        values, counts = np.unique(expected, return_counts=True)
        if expected.size == 0:
            return
        usual = values[counts.argmax()]  # of matches: the number that says none
        is_telling = (expected != usual) | (found != usual)
        if is_telling.any():
            self.mismatched = max(self.mismatched, float((expected != found)[is_telling].mean()))

    @np.errstate(all="ignore")  # a length beyond float64 is told as infinite
    def _add_floats(self, expected: np.ndarray, found: np.ndarray) -> None:
        is_finite = np.isfinite(expected)
        if not np.array_equal(expected[~is_finite], found[~is_finite], equal_nan=True) or not np.isfinite(found[is_finite]).all():
            self._fail()
            return
        e, f = (array[is_finite].astype(np.float64).ravel() for array in (expected, found))
        self.compared += e.size
        self.max_rel_error = max(self.max_rel_error, check.largest_relative(np.abs(f - e), e))
        self.lengths.append((float(np.linalg.norm(f - e)), float(np.linalg.norm(e))))
        product = np.linalg.norm(e) * np.linalg.norm(f)
        cosine = float(e @ f / product) if product > 0.0 else float((e == f).all())
        self.least_cosine = min(self.least_cosine, cosine) if np.isfinite(cosine) else -1.0

    def finish(self) -> None:
        typical = float(np.median([length for _, length in self.lengths])) if self.lengths else 0.0
        for difference, length in self.lengths:
            reference = max(length, LEAST_REFERENCE * typical)
            relative = difference / reference if reference > 0.0 else (np.inf if difference > 0.0 else 0.0)
            self.relative_l2 = max(self.relative_l2, relative if np.isfinite(relative) and np.isfinite(reference) else np.inf)

    def faults(self) -> list[str]:
        """What is beyond its bound, as a message tells it."""
        found = {"relative_l2": self.relative_l2 <= MOST_RELATIVE, "mismatched": self.mismatched <= MOST_MISMATCHED,
                 "agreement": self.agreement >= LEAST_AGREEMENT}
        told = [f"{name} {getattr(self, name):.3g}" for name, is_good in found.items() if not is_good]
        return told or ([] if self.compared > 0 else ["without a value to compare"])

    def is_good(self) -> bool:
        return not self.faults()


def _add(figures: dict[str, Accuracy], expected: keypoints.Arrays, found: keypoints.Arrays) -> None:
    done: set[str] = set()
    is_detector = keypoints.is_detector(expected) and keypoints.is_detector(found)
    if is_detector and expected[keypoints.KEYPOINTS].shape == found[keypoints.KEYPOINTS].shape:
        pairs = keypoints.pair(expected, found)
        marks = (name for name in keypoints.MARKS if name in pairs.expected and expected[name].dtype.kind != "f")
        done = {keypoints.KEYPOINTS, *marks}
        expected, found = expected | pairs.expected, found | pairs.found
        for name in done:  # rows that are in use: the agreement tells
            figures[name].add_pairs(pairs.agreement, pairs.count)
    for name in figures.keys() - done:
        figures[name].add(expected[name], found[name])


def judge(source: ModelProto, changed: ModelProto, held_out: Iterable[Sample]) -> list[Accuracy]:
    """Runs both on every sample."""
    wide, narrow = check.session_of(source), check.session_of(changed)
    figures = {value.name: Accuracy(value.name) for value in source.graph.output}
    for sample in held_out:
        expected, found = (dict(zip(figures, check.run_sample(session, sample.name, sample.arrays), strict=True))
                           for session in (wide, narrow))
        _add(figures, expected, found)
    for figure in figures.values():
        figure.finish()
    return list(figures.values())


def _badness(figure: Accuracy) -> float:
    return max(figure.relative_l2, figure.mismatched, 1.0 - figure.agreement)


def refuse(figures: Sequence[Accuracy], precision: str = "int8") -> None:
    bad = sorted((f for f in figures if not f.is_good()), key=_badness, reverse=True)
    if not bad:
        return
    told = [f"'{figure.name}' {' '.join(figure.faults())}" for figure in bad[:check.MAX_NAMED]]
    raise build_error("precision_not_supported",
                      f"on samples that calibrated nothing, {precision} is too far from float32: expected relative_l2 at most "
                      f"{MOST_RELATIVE:g}, mismatched at most {MOST_MISMATCHED:g} and agreement at least "
                      f"{LEAST_AGREEMENT:g}, found {', '.join(told)}; give typical "
                      "samples, or keep nodes with --keep-fp32")


def as_json(figure: Accuracy) -> dict[str, object]:
    return {name: getattr(figure, name)
            for name in ("name", "compared", "max_rel_error", "least_cosine", "relative_l2", "mismatched", "agreement")}
