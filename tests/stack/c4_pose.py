"""C4: how many candidates and which covariance a hot computer can afford, and where a frame was taken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from c3_matcher import Matches
from geometry import Fit, find_homography, marginal_deviations, project, similarity_deviations
from protocol import InferenceRuntime, NoResult


@dataclass(frozen=True)
class Mode:
    candidates: int
    covariance: str
    is_throttled: bool


COOL, HOT = Mode(3, "marginals", False), Mode(2, "jacobian", True)


@dataclass(frozen=True)
class Pose:
    """Pixels on the tile, and their standard deviations."""

    position: np.ndarray
    deviation: np.ndarray


class PoseEstimator:
    def __init__(self, inference: InferenceRuntime, min_inliers: int = 12) -> None:
        self.inference, self._min_inliers = inference, min_inliers

    def mode(self) -> Mode:
        """Of this frame; C7's answer is a copy, and never a failure."""
        return HOT if self.inference.thermal_state().thermal_throttle_active else COOL

    def best(self, pairs: Sequence[Matches]) -> tuple[Matches, Fit]:
        """The pair that most matches agree on."""
        best: tuple[Matches, Fit] | None = None
        for pair in pairs:
            fit = find_homography(pair.frame, pair.on_tile, self._min_inliers)
            if fit is not None and (best is None or fit.count > best[1].count):
                best = pair, fit
        if best is None:
            raise NoResult("no_position", "solve")
        return best

    def pose(self, fit: Fit, homography: np.ndarray, picture: np.ndarray, mode: Mode) -> Pose:
        """Where `homography` has the picture's middle, and how sure the fit is of it."""
        middle = np.array([(picture.shape[1] - 1) / 2, (picture.shape[0] - 1) / 2])
        position = project(homography, middle[None])[0]
        if not np.isfinite(position).all():
            raise NoResult("no_position", "solve")
        deviations = marginal_deviations if mode.covariance == "marginals" else similarity_deviations
        return Pose(position, deviations(fit, middle))
