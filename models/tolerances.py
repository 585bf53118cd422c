"""How far outputs are from expected ones, by the rules of docs/formats/golden.md, and how much of a tolerance is used.

One thing is stricter here: outputs compared as sets are compared together. A row of one has to come with the rows of
the others, so that descriptors which left their keypoints do not pass.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Tolerance:
    """Absolute, in the output's unit. `share` of the elements (of the rows, as a set) may be further away."""

    absolute: float
    share: float = 0.0
    as_set: bool = False

    def as_yaml(self) -> dict[str, object]:
        """As SET.yaml has it."""
        return {"absolute": self.absolute, "relative": 0, "as_set": self.as_set, "max_mismatch_fraction": self.share}


@dataclass(frozen=True)
class Difference:
    """Of one output from its expected values."""

    max_absolute: float  # of the elements (rows) that are within the tolerance
    beyond: float  # share of those that are not
    used: float  # with the tolerance multiplied by this, the output would just pass
    largest: float  # expected magnitude

    def fits(self, tolerance: Tolerance) -> bool:
        return self.beyond <= tolerance.share


NOTHING_FITS = Difference(np.inf, 1.0, np.inf, 0.0)


def compare(found: dict[str, np.ndarray], expected: dict[str, np.ndarray],
            tolerances: dict[str, Tolerance]) -> dict[str, Difference]:
    """Per output."""
    result = dict.fromkeys(expected, NOTHING_FITS)
    sets = [name for name in expected if tolerances[name].as_set]
    for name, values in expected.items():
        same_form = found[name].dtype == values.dtype and found[name].shape == values.shape
        if name not in sets and same_form:
            apart = _distances(found[name], values)
            result[name] = _difference(apart, _ratios(apart, tolerances[name]), values, tolerances[name])
    if sets and all(_is_same_kind(found[name], expected[name]) for name in sets):
        result |= _compare_sets(found, {name: expected[name] for name in sets}, tolerances)
    return result


def _distances(found: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """0 for equal values, infinity where one of them is not finite."""
    a, b = found.astype(np.float64), expected.astype(np.float64)
    is_same = (found == expected) | (np.isnan(a) & np.isnan(b))
    with np.errstate(invalid="ignore"):
        apart = np.abs(a - b)
    return np.where(is_same, 0.0, np.where(np.isfinite(apart), apart, np.inf))


def _ratios(apart: np.ndarray, tolerance: Tolerance) -> np.ndarray:
    """Distances in units of what is allowed; where nothing is, 0 or infinity."""
    if tolerance.absolute > 0:
        return apart / tolerance.absolute
    return np.where(apart == 0, 0.0, np.inf)


def _difference(apart: np.ndarray, ratios: np.ndarray, expected: np.ndarray, tolerance: Tolerance) -> Difference:
    """From one distance and one ratio per element, or per row."""
    if ratios.size == 0:
        return Difference(0.0, 0.0, 0.0, 0.0)
    is_within = ratios <= 1.0
    falling = np.sort(ratios.ravel())[::-1]
    may_miss = int(tolerance.share * ratios.size)
    used = float(falling[may_miss]) if may_miss < ratios.size else 0.0
    largest = float(np.abs(expected.astype(np.float64)).max(initial=0.0))
    return Difference(float(apart[is_within].max(initial=0.0)), float(1.0 - is_within.mean()), used, largest)


def _is_same_kind(found: np.ndarray, expected: np.ndarray) -> bool:
    rows, wanted = _rows(found), _rows(expected)
    return found.dtype == expected.dtype and found.ndim == expected.ndim and rows.shape[1] == wanted.shape[1]


def _rows(values: np.ndarray) -> np.ndarray:
    """Leading axes of size 1 are dropped, the next one counts rows."""
    while values.ndim > 1 and values.shape[0] == 1:
        values = values[0]
    return values.reshape(len(values), -1) if values.size else values.reshape(len(values), values.shape[-1])


def _compare_sets(found: dict[str, np.ndarray], expected: dict[str, np.ndarray],
                  tolerances: dict[str, Tolerance]) -> dict[str, Difference]:
    """Each expected row takes the nearest found row that is free and within the tolerances of all outputs."""
    rows = {name: (_rows(values), _rows(found[name])) for name, values in expected.items()}
    (wanted_count,), (found_count,) = ({len(pair[side]) for pair in rows.values()} for side in (0, 1))
    total = max(wanted_count, found_count)
    apart = {name: np.full(total, np.inf) for name in rows}
    ratios = {name: np.full(total, np.inf) for name in rows}
    is_free = np.ones(found_count, bool)
    for i in range(wanted_count if found_count else 0):
        near = {name: _distances(b, a[i][None]).max(1) for name, (a, b) in rows.items()}
        ratio = {name: _ratios(values, tolerances[name]) for name, values in near.items()}
        joint = np.max([*ratio.values()], axis=0)
        partner = int(np.where(is_free, joint, np.inf).argmin())
        if is_free[partner] and joint[partner] <= 1.0:
            is_free[partner] = False
        else:
            partner = int(joint.argmin())  # no partner: how far it is from the nearest row, taken or not
        for name in rows:
            apart[name][i], ratios[name][i] = near[name][partner], ratio[name][partner]
    pairs = found_count - int(is_free.sum())
    beyond = (total - pairs) / max(1, total)  # for all outputs, whichever kept a row from having a partner
    return {name: replace(_difference(apart[name], ratios[name], values, tolerances[name]), beyond=beyond)
            for name, values in expected.items()}
