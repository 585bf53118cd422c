"""C3: the features of a picture, and their partners on the best tiles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from protocol import ContractError, Engine, InferenceRuntime, KeypointSet, Matcher, NoResult, is_no_result, planes, reason_of


@dataclass(frozen=True)
class Matches:
    """Points of the frame and of one tile that belong together, [M,2] each."""

    tile: int
    frame: np.ndarray
    on_tile: np.ndarray


class MatcherConsumer:
    """An extractor with outputs `keypoints` [1,N,2] or [N,2] and `descriptors` [1,N,D] or [N,D], on a lane of its own, and
    the LightGlue runtime that C2.5 uses too."""

    slug = "c3_matcher"

    def __init__(self, inference: Any, lightglue: Matcher, handle: Any) -> None:
        self.inference: InferenceRuntime = inference
        self.lightglue = lightglue
        self._engine = Engine(inference, handle, self.slug)
        self.image = self._engine.image_input()
        self._check_outputs()
        self._bound = inference.bind(handle, inference.create_lane(self.slug))

    def _check_outputs(self) -> None:
        outputs, dim = self._engine.outputs, self.lightglue.descriptor_dim()
        keypoints, descriptors = outputs.get("keypoints"), outputs.get("descriptors")
        fit = False
        if keypoints is not None and descriptors is not None:
            are_points = keypoints.dtype == np.float32 and keypoints.shape[-1] == 2
            fit = are_points and descriptors.shape == (*keypoints.shape[:-1], dim)
        self._engine.demand(fit, "outputs 'keypoints' float32 1xNx2 or Nx2 and 'descriptors' 1xNxD or NxD with the "
                            f"matcher's D = {dim}", outputs)

    def extract(self, picture: np.ndarray, **options: Any) -> KeypointSet:
        """Copies: what a bound network answered is its lane's until the next run. NoResult: this frame has none."""
        self._bound.inputs[self.image.name][:] = planes(picture, self.image)
        try:
            self._bound.run(**options)
        except Exception as error:
            if is_no_result(error):
                raise NoResult(reason_of(error), "features") from error
            raise
        answers = self._engine.checked(self._bound.outputs)
        keypoints = np.array(answers["keypoints"]).reshape(-1, 2)
        descriptors = np.array(answers["descriptors"]).reshape(-1, self.lightglue.descriptor_dim())
        if len(keypoints) != len(descriptors):
            raise NoResult("execution_failed", "features")
        return KeypointSet(keypoints, descriptors, (picture.shape[1], picture.shape[0]))

    def match(self, features: KeypointSet, tiles: Sequence[KeypointSet], **options: Any) -> list[Matches]:
        """Pair by pair. One that failed is dropped; all of them: NoResult."""
        found, failed = [], None
        for number, tile in enumerate(tiles):
            try:
                pair = self.lightglue.match(features, tile, **options)
            except Exception as error:
                if not is_no_result(error):
                    raise
                failed = failed or NoResult(reason_of(error), "match")
                continue
            found.append(self._points(number, features, tile, np.asarray(pair.indices)))
        if failed is not None and not found:
            raise failed
        return found

    def _points(self, number: int, features: KeypointSet, tile: KeypointSet, indices: np.ndarray) -> Matches:
        if indices.dtype != np.int64 or indices.shape[1:] != (2,):
            raise ContractError(f"{self.slug}: matches are {indices.dtype} {indices.shape}, expected int64 Mx2")
        return Matches(number, features.keypoints[indices[:, 0]], tile.keypoints[indices[:, 1]])
