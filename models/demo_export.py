"""The demo networks with real inputs: a photograph, and the features of it and its copy."""

from __future__ import annotations

import torch
from torch import Tensor, nn

import evaluate
from demo_networks import DemoFeatures, DemoMatcher, DemoVpr
from model_files import ExportModel, exporter_of, run_network


def _model(name: str, network: nn.Module, inputs: dict[str, Tensor], outputs: tuple[str, ...]) -> ExportModel:
    return ExportModel(name, network, inputs, outputs, exporter_of("make_demo"))


def demo_models() -> list[ExportModel]:
    """The demo set with real inputs: a photograph, and the features of it and its copy."""
    features, matcher, vpr = DemoFeatures().eval(), DemoMatcher().eval(), DemoVpr().eval()
    photograph = evaluate.photograph("camera")
    copy = evaluate.warp(photograph, evaluate.known_homography(photograph.shape))
    image = {"image": torch.from_numpy(photograph)[None, None]}
    kpts0, _, desc0, _ = run_network(features, image)
    kpts1, _, desc1, _ = run_network(features, {"image": torch.from_numpy(copy)[None, None]})
    points = {"kpts0": _normalised(kpts0), "kpts1": _normalised(kpts1)}
    pair = points | {"desc0": desc0, "desc1": desc1}
    feature_outputs = ("keypoints", "scores", "descriptors", "valid")
    return [
        _model("demo_features", features, image, feature_outputs),
        _model("demo_matcher", matcher, pair, ("matches", "scores")),
        _model("demo_vpr", vpr, image, ("embedding",)),
    ]


def _normalised(keypoints: Tensor) -> Tensor:
    return torch.from_numpy(evaluate.normalise_keypoints(keypoints.numpy(), evaluate.IMAGE_SIZE))
