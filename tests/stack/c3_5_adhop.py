"""C3.5, AdHoP: a homography made better by one pass of a network; passes through when it cannot be."""

from __future__ import annotations

from typing import Any

import numpy as np

from geometry import homography_of_four, project
from protocol import Engine, InferenceRuntime, is_no_result, planes

SURE = 0.5


class AdhopConsumer:
    """Inputs `reference`, `query` [1,C,S,S]; outputs `corner_offsets` float32 [1,4,2], where the corners of the reference
    lie in the query, in pixels from their own place, and `confidence` float32 [1,1]."""

    slug = "c3_5_adhop"

    def __init__(self, inference: InferenceRuntime, handle: Any) -> None:
        self.inference = inference
        self.failures = 0
        self._engine = engine = Engine(inference, handle, self.slug)
        both = {"reference", "query"}
        shapes = {spec.shape for spec in engine.inputs.values()}
        is_square = set(engine.inputs) == both and len(shapes) == 1 and len(set(next(iter(shapes))[2:])) == 1
        engine.demand(is_square, "inputs 'reference' and 'query', images 1xCxSxS", engine.inputs)
        outputs = {name: spec.shape for name, spec in engine.outputs.items()}
        is_answer = outputs == {"corner_offsets": (1, 4, 2), "confidence": (1, 1)}
        engine.demand(is_answer, "outputs 'corner_offsets' float32 1x4x2 and 'confidence' float32 1x1", engine.outputs)
        self._side = engine.inputs["query"].shape[3]

    def refine(self, homography: np.ndarray, picture: np.ndarray, tile: np.ndarray, **options: Any) -> np.ndarray:
        """The better map from frame to tile, or `homography` itself."""
        corners = self._corners(picture)
        spec = self._engine.inputs["query"]
        patches = {"query": _cut(picture, corners, np.eye(3)), "reference": _cut(tile, corners, homography)}
        given = {name: planes(patch, spec) for name, patch in patches.items()}
        try:
            answers = self._engine.checked(self.inference.infer(self._engine.handle, given, **options))
        except Exception as error:
            if not is_no_result(error):
                raise
            self.failures += 1
            return homography
        if float(answers["confidence"][0, 0]) < SURE:
            return homography
        seen = corners + answers["corner_offsets"][0].astype(np.float64)
        better = homography_of_four(seen, project(homography, corners))
        return homography if better is None else better

    def _corners(self, picture: np.ndarray) -> np.ndarray:
        """Of a patch in the middle: top left, top right, bottom right, bottom left."""
        height, width = picture.shape[:2]
        x, y, far = (width - self._side) / 2, (height - self._side) / 2, self._side - 1
        return np.array([[x, y], [x + far, y], [x + far, y + far], [x, y + far]])


def _cut(picture: np.ndarray, corners: np.ndarray, homography: np.ndarray) -> np.ndarray:
    """What `picture` shows where the patch lies, the nearest pixels."""
    side = int(corners[1, 0] - corners[0, 0]) + 1
    ys, xs = np.mgrid[0:side, 0:side]
    at = project(homography, np.stack([xs, ys], axis=-1).reshape(-1, 2) + corners[0])
    height, width = picture.shape[:2]
    x = np.clip(np.rint(at[:, 0]), 0, width - 1).astype(int)
    y = np.clip(np.rint(at[:, 1]), 0, height - 1).astype(int)
    return picture[y, x].reshape(side, side, *picture.shape[2:])
