"""C2, visual place recognition: a picture to the descriptor of its place."""

from __future__ import annotations

from typing import Any

import numpy as np

from protocol import Engine, InferenceRuntime, NoResult, is_no_result, planes, reason_of

IMAGENET_MEAN, IMAGENET_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class VprConsumer:
    """UltraVPR takes half-precision pictures, normalised as ImageNet; other networks take 0 to 1."""

    slug = "c2_vpr"

    def __init__(self, inference: InferenceRuntime, handle: Any) -> None:
        self.inference = inference
        self._engine = Engine(inference, handle, self.slug)
        self._input = self._engine.image_input()
        outputs = list(self._engine.outputs.values())
        is_vector = len(outputs) == 1 and outputs[0].dtype.kind == "f" and outputs[0].shape[:-1] in ((), (1,))
        self._engine.demand(is_vector, "one output, float 1xD", self._engine.outputs)
        self._output = outputs[0]

    @property
    def dim(self) -> int:
        return self._output.shape[-1]

    def embed(self, picture: np.ndarray, **options: Any) -> np.ndarray:
        """The descriptor [D] float32, of length 1. NoResult: this frame has none."""
        is_half = self._input.dtype == np.float16
        given = planes(picture, self._input, *((IMAGENET_MEAN, IMAGENET_DEVIATION) if is_half else ()))
        try:
            answers = self.inference.infer(self._engine.handle, {self._input.name: given}, **options)
        except Exception as error:
            if is_no_result(error):
                raise NoResult(reason_of(error), "vpr") from error
            raise
        values = self._engine.checked(answers)[self._output.name].astype(np.float32).reshape(-1)
        length = float(np.linalg.norm(values.astype(np.float64)))
        if not np.isfinite(length) or length == 0:
            raise NoResult("execution_failed", "vpr")
        return values / np.float32(length)
