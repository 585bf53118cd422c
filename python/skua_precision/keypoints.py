"""Detectors: networks whose rows are keypoints, in an order that the least rounding changes.

Known by an output `keypoints` of shape [B,N,2] in pixels, as the flight set's networks have; their other outputs of B times N
rows (scores, descriptors) belong to it. Rows are compared with those of the nearest keypoint, not with those of the same number.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

KEYPOINTS = "keypoints"
MARKS = ("valid", "scores")  # outputs that say which rows hold a keypoint: the first that there is, where it is above zero
NEAR_PX = 3.0
LEAST_PX = 2.0  # coordinates that all are nearer to zero are no pixels
CHUNK = 256  # rows that are compared with all others at a time
Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Pairs:
    """Keypoints of one answer that another one has as well."""

    agreement: float  # share of the keypoints of either answer that the other one has within NEAR_PX, of the worst image
    count: int  # keypoints that were expected
    expected: Arrays  # rows of those that were found, of every output but the keypoints
    found: Arrays  # the rows beside them


def is_detector(outputs: Arrays) -> bool:
    points = outputs.get(KEYPOINTS)
    if points is None or points.ndim != 3 or points.shape[2] != 2 or points.dtype.kind != "f":
        return False
    return bool((np.abs(points[np.isfinite(points)]) > LEAST_PX).any())


def row_names(outputs: Arrays) -> list[str]:
    """What has a row for each keypoint."""
    rows = outputs[KEYPOINTS].shape[:2]
    return [name for name, values in outputs.items() if values.ndim >= 2 and values.shape[:2] == rows]


def _is_mark(outputs: Arrays, name: str) -> bool:
    marks = outputs.get(name)
    return marks is not None and marks.shape == outputs[KEYPOINTS].shape[:2] and not (marks < 0).any()


def _is_used(outputs: Arrays) -> np.ndarray:
    """[B,N]"""
    used = np.isfinite(outputs[KEYPOINTS]).all(axis=2)
    mark = next((name for name in MARKS if _is_mark(outputs, name)), None)
    return used if mark is None else used & (outputs[mark] > 0)


def _nearest(points: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each point, the row of the nearest of the others and its distance; there are others."""
    rows, distances = np.zeros(len(points), np.int64), np.zeros(len(points))
    for at in range(0, len(points), CHUNK):
        squares = ((points[at:at + CHUNK, None].astype(np.float64) - others[None]) ** 2).sum(axis=2)
        rows[at:at + CHUNK] = squares.argmin(axis=1)
        distances[at:at + CHUNK] = np.sqrt(squares.min(axis=1))
    return rows, distances


def _mutual(mine: np.ndarray, theirs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows of both that are each other's nearest, within NEAR_PX."""
    if len(mine) == 0 or len(theirs) == 0:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    forth, distances = _nearest(mine, theirs)
    back, _ = _nearest(theirs, mine)
    rows = np.flatnonzero((back[forth] == np.arange(len(mine))) & (distances <= NEAR_PX))
    return rows, forth[rows]


def pair(expected: Arrays, found: Arrays) -> Pairs:
    """Of answers of the same shape."""
    shares, count, wanted, got = [], 0, [], []
    for image, (mine, theirs) in enumerate(zip(_is_used(expected), _is_used(found), strict=True)):
        mine, theirs = np.flatnonzero(mine), np.flatnonzero(theirs)
        rows, others = _mutual(expected[KEYPOINTS][image, mine], found[KEYPOINTS][image, theirs])
        most = max(len(mine), len(theirs))
        shares.append(len(rows) / most if most else 1.0)
        count += len(mine)
        wanted += [(image, row) for row in mine[rows]]
        got += [(image, row) for row in theirs[others]]
    return Pairs(min(shares, default=0.0), count, _rows_of(expected, wanted), _rows_of(found, got))


def _rows_of(outputs: Arrays, rows: list[tuple[int, int]]) -> Arrays:
    images, numbers = ([row[i] for row in rows] for i in range(2))
    names = [name for name in row_names(outputs) if name != KEYPOINTS]
    return {name: outputs[name][np.array(images, np.int64), np.array(numbers, np.int64)] for name in names}
