"""Writes the networks of an aircraft: torch_networks.py MODELS. Run in a process of its own, which has libtorch from here."""

import pathlib
import sys
from typing import Tuple

import torch

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1] / name) for name in ("e2e", "support")]

import tiny_torchscripts as tiny  # noqa: E402  (tests/e2e is no package)

KEYPOINTS, DESCRIPTOR = 6, 4


class Matcher(torch.nn.Module):
    """As networks.matcher: for each keypoint the one whose descriptor is the most alike."""

    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(1))

    def forward(self, kpts0, kpts1, desc0, desc1) -> Tuple[torch.Tensor, torch.Tensor]:
        likeness = (desc0 * self.scale) @ desc1.transpose(1, 2) + 0 * (kpts0.sum() + kpts1.sum())
        best = likeness.max(-1)
        return best[1], best[0]


if __name__ == "__main__":
    models = pathlib.Path(sys.argv[1])
    inputs = {f"kpts{side}": ("float32", (1, KEYPOINTS, 2)) for side in (0, 1)}
    inputs |= {f"desc{side}": ("float32", (1, KEYPOINTS, DESCRIPTOR)) for side in (0, 1)}
    tiny.save(models / "matcher.pt", Matcher(), io_text=tiny.io_of(inputs, ["matches", "scores"]))
    tiny.matmul_relu(models / "matmul_relu.pt")
