"""The plane-to-plane map that matches agree on: RANSAC over four matches each, then least squares over those that agree.

Formulas: Hartley & Zisserman, Multiple View Geometry, 2nd ed., 4.1 (DLT), 4.7 (RANSAC), 5.2 (covariance by propagation).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

INLIER_PX = 3.0
SAMPLES, BATCHES = 64, 8  # of RANSAC; ends with the batch that leaves less than DOUBT
DOUBT = 0.001
ROUNDS = 5


@dataclass(frozen=True)
class Fit:
    """`homography` takes points of the frame to the tile; `inliers` tells which matches agree with it."""

    homography: np.ndarray
    inliers: np.ndarray
    frame: np.ndarray
    on_tile: np.ndarray

    @property
    def count(self) -> int:
        return int(self.inliers.sum())


def project(homography: np.ndarray, points: np.ndarray) -> np.ndarray:
    """[..., 2] through [..., 3, 3]; what lies on or behind the horizon is not a number."""
    mapped = points @ np.swapaxes(homography[..., :2], -1, -2) + homography[..., None, :, 2]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(mapped[..., 2:] > 0, mapped[..., :2] / mapped[..., 2:], np.nan)


def _equations(frame: np.ndarray, on_tile: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows [..., 2M, 8] and right sides of the linear equations for a homography whose last number is 1."""
    x, y = frame[..., 0], frame[..., 1]
    u, v = on_tile[..., 0], on_tile[..., 1]
    one, nought = np.ones_like(x), np.zeros_like(x)
    rows_u = np.stack([x, y, one, nought, nought, nought, -u * x, -u * y], axis=-1)
    rows_v = np.stack([nought, nought, nought, x, y, one, -v * x, -v * y], axis=-1)
    return np.concatenate([rows_u, rows_v], axis=-2), np.concatenate([u, v], axis=-1)


def _turns(points: np.ndarray) -> np.ndarray:
    """On which side the triangles of four points lie, [..., 4]."""
    signs = []
    for a, b, c in ((0, 1, 2), (0, 1, 3), (0, 2, 3), (1, 2, 3)):
        first, second = points[..., b, :] - points[..., a, :], points[..., c, :] - points[..., a, :]
        area = first[..., 0] * second[..., 1] - first[..., 1] * second[..., 0]
        signs.append(np.where(np.abs(area) > 1.0, np.sign(area), 0))
    return np.stack(signs, axis=-1)


def _of_fours(frame: np.ndarray, on_tile: np.ndarray) -> np.ndarray:
    """Homographies [K,3,3] of K times four matches; fours that are no view from above are left out."""
    turns = _turns(frame)
    is_good = (turns != 0).all(axis=-1) & (turns == _turns(on_tile)).all(axis=-1)
    rows, right = _equations(frame[is_good], on_tile[is_good])
    try:
        solved = np.linalg.solve(rows, right[..., None])[..., 0]
    except np.linalg.LinAlgError:  # one of them, by bad luck
        return np.empty((0, 3, 3))
    return np.concatenate([solved, np.ones((len(solved), 1))], axis=1).reshape(-1, 3, 3)


def homography_of_four(frame: np.ndarray, on_tile: np.ndarray) -> np.ndarray | None:
    """None: the four are no view of a plane from above."""
    found = _of_fours(frame[None], on_tile[None])
    return found[0] if len(found) else None


def _agree(homography: np.ndarray, frame: np.ndarray, on_tile: np.ndarray) -> np.ndarray:
    distance = np.linalg.norm(project(homography, frame) - on_tile, axis=-1)
    return distance < INLIER_PX  # not a number agrees with nothing


def _least_squares(frame: np.ndarray, on_tile: np.ndarray) -> np.ndarray:
    """In coordinates around the middle, where the equations are well conditioned."""
    middles, scales, normal = [], [], []
    for points in (frame, on_tile):
        middles.append(points.mean(axis=0))
        scales.append(1 / max(float(np.abs(points - middles[-1]).mean()), 1e-9))
        normal.append((points - middles[-1]) * scales[-1])
    rows, right = _equations(*normal)
    solved = np.append(np.linalg.lstsq(rows, right, rcond=None)[0], 1.0).reshape(3, 3)
    there = np.array([[scales[0], 0, -scales[0] * middles[0][0]], [0, scales[0], -scales[0] * middles[0][1]], [0, 0, 1]])
    back = np.array([[1 / scales[1], 0, middles[1][0]], [0, 1 / scales[1], middles[1][1]], [0, 0, 1]])
    homography = back @ solved @ there
    return homography / homography[2, 2]


def _consensus(frame: np.ndarray, on_tile: np.ndarray) -> np.ndarray:
    """Which matches agree with the best of many maps, each of four matches."""
    random = np.random.default_rng(20260101)  # the same matches give the same answer
    best = np.zeros(len(frame), bool)
    for batch in range(1, BATCHES + 1):
        picks = random.integers(0, len(frame), (SAMPLES, 4))
        votes = _agree(_of_fours(frame[picks], on_tile[picks]), frame, on_tile)
        best = max([best, *votes], key=np.count_nonzero)
        if (1 - np.mean(best) ** 4) ** (batch * SAMPLES) < DOUBT:
            break
    return best


def find_homography(frame: np.ndarray, on_tile: np.ndarray, min_inliers: int) -> Fit | None:
    """The map that most matches agree on; None: fewer than `min_inliers` (and than five: four always agree) do."""
    fewest = max(min_inliers, 5)
    if len(frame) < fewest:
        return None
    frame, on_tile = frame.astype(np.float64), on_tile.astype(np.float64)
    inliers = _consensus(frame, on_tile)
    for _ in range(ROUNDS):
        if np.count_nonzero(inliers) < fewest:
            return None
        homography = _least_squares(frame[inliers], on_tile[inliers])
        before, inliers = inliers, _agree(homography, frame, on_tile)
        if (before == inliers).all():
            return Fit(homography, inliers, frame, on_tile)
    return Fit(homography, inliers, frame, on_tile) if np.count_nonzero(inliers) >= fewest else None


def _jacobian(homography: np.ndarray, points: np.ndarray) -> np.ndarray:
    """[2M, 8]: how the mapped points move with the homography's first eight numbers."""
    x, y = points[:, 0], points[:, 1]
    mapped = project(homography, points)
    scale = 1 / (points @ homography[2, :2] + homography[2, 2])
    nought = np.zeros_like(x)
    plain = np.stack([x * scale, y * scale, scale], axis=1)
    of_u = np.column_stack([plain, nought, nought, nought, -mapped[:, :1] * plain[:, :2]])
    of_v = np.column_stack([nought, nought, nought, plain, -mapped[:, 1:] * plain[:, :2]])
    return np.concatenate([of_u, of_v])


def marginal_deviations(fit: Fit, point: np.ndarray) -> np.ndarray:
    """Standard deviations (x, y) of where `point` is mapped, from all eight numbers of the map."""
    frame, on_tile = fit.frame[fit.inliers], fit.on_tile[fit.inliers]
    rows = _jacobian(fit.homography, frame)
    noise = ((project(fit.homography, frame) - on_tile) ** 2).sum() / (2 * len(frame) - 8)
    spread = np.linalg.pinv(rows.T @ rows, hermitian=True)
    at = _jacobian(fit.homography, point[None])
    return np.sqrt(noise * np.diag(at @ spread @ at.T))


def similarity_deviations(fit: Fit, point: np.ndarray) -> np.ndarray:
    """The cheaper and coarser figure: as if the map were a shift, a turn and a scale."""
    frame, on_tile = fit.frame[fit.inliers], fit.on_tile[fit.inliers]
    mapped = project(fit.homography, frame)
    noise = ((mapped - on_tile) ** 2).sum() / (2 * len(frame) - 8)
    middle = mapped.mean(axis=0)
    away = ((project(fit.homography, point[None])[0] - middle) ** 2).sum()
    variance = noise * (1 / len(frame) + away / ((mapped - middle) ** 2).sum())
    return np.sqrt(np.array([variance, variance]))
