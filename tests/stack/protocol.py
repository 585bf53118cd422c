"""What the stack's consumers know of C7: methods, names of exceptions, and an engine looked at right after load.

Nothing of C7 is imported: a runtime is whatever has these methods.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np


class ThermalState(Protocol):
    @property
    def thermal_throttle_active(self) -> bool: ...


class InferenceRuntime(Protocol):
    """C7's interface. Engines, entries and build configurations are their owners' affair."""

    def compile_engine(self, model_path: Any, build_config: Any) -> Any: ...
    def deserialize_engine(self, entry: Any) -> Any: ...
    def infer(self, handle: Any, inputs: dict[str, Any], **options: Any) -> Mapping[str, np.ndarray]: ...
    def release_engine(self, handle: Any) -> None: ...
    def thermal_state(self) -> ThermalState: ...
    def current_runtime_label(self) -> str: ...
    def info(self, handle: Any) -> Any: ...


class Matcher(Protocol):
    """The shared LightGlue runtime."""

    def match(self, a: Any, b: Any, **options: Any) -> Any: ...
    def match_batch(self, as_: Sequence[Any], bs: Sequence[Any], **options: Any) -> Sequence[Any]: ...
    def descriptor_dim(self) -> int: ...


@dataclass(frozen=True)
class KeypointSet:
    """Keypoints [N,2] float32 in pixels (x, y), descriptors [N,D], of an image of (width, height)."""

    keypoints: np.ndarray
    descriptors: np.ndarray
    image_size: tuple[int, int]
    scores: np.ndarray | None = None


class ContractError(Exception):
    """An engine, or an answer, that is not what a consumer works with."""


class NoResult(Exception):
    """This frame has no result, and why: the reason code of whoever could not give one."""

    def __init__(self, reason: str, stage: str) -> None:
        super().__init__(f"{stage}: {reason}")
        self.reason, self.stage = reason, stage


# What C7's interface raises for one frame alone. Anything else is somebody's mistake and goes on.
OF_ONE_FRAME = ("InferenceError", "OutOfMemoryError")


def reason_of(error: BaseException) -> str:
    return str(getattr(error, "reason", type(error).__name__))


def is_no_result(error: BaseException) -> bool:
    """Whether the frame, or the pair, is to be dropped. A lost device will answer nobody again: that is more."""
    names = {kind.__name__ for kind in type(error).__mro__}
    return not names.isdisjoint(OF_ONE_FRAME) and reason_of(error) != "device_lost"


@dataclass(frozen=True)
class Tensor:
    """One input or output of an engine."""

    name: str
    dtype: np.dtype
    shape: tuple[int, ...]
    """At its largest, where the data decides."""

    def __str__(self) -> str:
        return f"'{self.name}' {self.dtype} {'x'.join(map(str, self.shape))}"


def tensors(specs: Sequence[Any]) -> dict[str, Tensor]:
    """By name. A dtype may be NumPy's, its name, or an enumeration of such names."""
    return {spec.name: Tensor(spec.name, np.dtype(getattr(spec.dtype, "value", spec.dtype)),
                              tuple(getattr(spec, "max_shape", spec.shape))) for spec in specs}


class Engine:
    """A loaded engine as its consumer sees it: what goes in and out, asked once, right after load."""

    def __init__(self, runtime: InferenceRuntime, handle: Any, consumer: str) -> None:
        self.runtime, self.handle, self.consumer = runtime, handle, consumer
        info = runtime.info(handle)
        self.model = str(info.model)
        self.inputs, self.outputs = tensors(info.inputs), tensors(info.outputs)

    def demand(self, is_met: bool, expected: str, found: Mapping[str, Tensor]) -> None:
        if not is_met:
            has = ", ".join(map(str, found.values())) or "none"
            raise ContractError(f"{self.consumer}: engine {self.model}: expected {expected}, found {has}; provision a "
                                "network that this consumer can use, or name another one")

    def image_input(self) -> Tensor:
        """The one input, an image 1xCxHxW."""
        self.demand(len(self.inputs) == 1, "one input, an image", self.inputs)
        (only,) = self.inputs.values()
        self.demand(is_image(only), "an image, float32 or float16 1xCxHxW with C = 1 or 3", self.inputs)
        return only

    def checked(self, answers: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        """The answers of one run, if they are the outputs that the engine was loaded with."""
        for name, spec in self.outputs.items():
            if name not in answers:
                raise ContractError(f"{self.consumer}: {self.model} answered {', '.join(answers)}, not '{name}'")
            answer = answers[name]
            fits = answer.dtype == spec.dtype and len(answer.shape) == len(spec.shape)
            if not fits or any(has > most for has, most in zip(answer.shape, spec.shape)):
                raise ContractError(f"{self.consumer}: {self.model} answered '{name}' {answer.dtype} {answer.shape}; "
                                    f"loaded was {spec}")
        return answers


def is_image(spec: Tensor) -> bool:
    return spec.dtype in (np.float32, np.float16) and len(spec.shape) == 4 and spec.shape[:2] in ((1, 1), (1, 3))


def planes(picture: np.ndarray, spec: Tensor, mean: Sequence[float] = (), deviation: Sequence[float] = ()) -> np.ndarray:
    """A picture [H,W] or [H,W,3] of bytes as the values of an image input, 0 to 1 unless normalised."""
    _, channels, height, width = spec.shape
    if picture.shape[:2] != (height, width):
        raise ContractError(f"the picture is {picture.shape[1]}x{picture.shape[0]}, the network takes {width}x{height}")
    values = picture.astype(np.float32) / 255
    if values.ndim == 3 and channels == 1:
        values = values @ np.array([0.299, 0.587, 0.114], np.float32)
    if values.ndim == 2:
        values = np.repeat(values[..., None], channels, axis=2)
    if len(mean) == channels:
        values = (values - np.array(mean, np.float32)) / np.array(deviation, np.float32)
    return np.ascontiguousarray(values.transpose(2, 0, 1)[None], dtype=spec.dtype)
