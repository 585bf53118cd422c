"""What the runtimes are compared on: every network of models/, two inputs each, and what eager PyTorch makes of them.

The first input is that of the golden vectors. The second is another photograph; for the stand-ins the mirrored images,
and for their matchers the two sides exchanged, in a batch of three where there is a batch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

import demo_export
import evaluate
import standins
from model_files import ExportModel, run_network

OTHER_PHOTOGRAPH = "coffee"


@dataclass(frozen=True)
class Case:
    """One network with its inputs and the expected outputs of each."""

    name: str
    model: ExportModel
    inputs: list[dict[str, np.ndarray]]
    expected: list[dict[str, np.ndarray]]


def outputs_of(model: ExportModel, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    found = run_network(model.network, {name: torch.from_numpy(v.copy()) for name, v in inputs.items()})
    return {name: tensor.numpy() for name, tensor in zip(model.output_names, found, strict=True)}


def cases() -> list[Case]:
    """The demo set and the stand-ins at nano scale."""
    torch.set_num_threads(1)
    demo = {model.name: model for model in demo_export.demo_models()}
    found = [_case(name, model, _other_demo_input(name, demo)) for name, model in demo.items()]
    for name in standins.NAMES:
        model = standins.build(standins.standin(name, "nano"), "nano")
        found.append(_case(name, model, _other_standin_input(model.inputs)))
    return found


def _case(name: str, model: ExportModel, other: dict[str, np.ndarray]) -> Case:
    inputs = [{key: tensor.numpy() for key, tensor in model.inputs.items()}, other]
    return Case(name, model, inputs, [outputs_of(model, each) for each in inputs])


def _other_demo_input(name: str, demo: dict[str, ExportModel]) -> dict[str, np.ndarray]:
    picture = evaluate.photograph(OTHER_PHOTOGRAPH)
    if name != "demo_matcher":
        return {"image": picture[None, None]}
    inputs = {}
    for side, image in enumerate((picture, evaluate.warp(picture, evaluate.known_homography(picture.shape)))):
        found = outputs_of(demo["demo_features"], {"image": image[None, None]})
        inputs[f"kpts{side}"] = evaluate.normalise_keypoints(found["keypoints"], evaluate.IMAGE_SIZE)
        inputs[f"desc{side}"] = found["descriptors"]
    return {key: inputs[key] for key in demo[name].inputs}


def _other_standin_input(inputs: dict[str, Tensor]) -> dict[str, np.ndarray]:
    arrays = {name: tensor.numpy() for name, tensor in inputs.items()}
    if "kpts0" not in arrays:
        return {name: np.ascontiguousarray(values[..., ::-1]) for name, values in arrays.items()}
    exchanged = {name: arrays[name[:-1] + ("1" if name.endswith("0") else "0")] for name in arrays}
    is_batch = len(arrays["kpts0"]) > 1
    return {name: values[[1, 0, 1]] if is_batch else values for name, values in exchanged.items()}
